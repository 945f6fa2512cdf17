"""Clients that hang, and a session that does not notice."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sottovoce.app.web import server, stream
from sottovoce.app.web.board import CAPACITY, Board
from sottovoce.app.web.picture import Facts, Picture
from sottovoce.assistant import notices
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.speech.speaker import NotEnrolled
from tests.support.fakes import (
    BlockSegmenter,
    ListGenerator,
    Notebook,
    ScriptedInput,
    SteppedOutput,
    ToneSynthesizer,
    WordRecognizer,
)
from tests.support.web import EventReader, ScriptedPage, scripted_page

CLIENTS = 50


@contextmanager
def deaf_clients(page: ScriptedPage, count: int) -> Iterator[list[socket.socket]]:
    """Clients that ask for the events and never read them, with as little room in the system as it gives."""
    with ExitStack() as stack, page.client() as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        parts = urlsplit(page.link)
        held = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.connect((parts.hostname, parts.port))
            one.sendall(f"GET /api/events HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookie}\r\n\r\n".encode())
            held.append(one)
        yield held


def wait_until_watched(page: ScriptedPage, count: int) -> None:
    """Wait for so many clients, on the event that they all cause: a section that changes."""
    done = threading.Event()
    hub = page.page.board.hub
    for _ in range(10_000):
        if hub.watched >= count:
            return
        done.wait(0.001)
    raise AssertionError(f"{hub.watched} of {count} watch")


def connections() -> list[server._Connection]:
    return [each for each in gc.get_objects() if isinstance(each, server._Connection) and each in each.connections]


def test_fifty_clients_that_never_read_hold_up_nobody_and_stay_small(tmp_path: Path) -> None:
    with scripted_page(tmp_path) as page, deaf_clients(page, CLIENTS), page.client() as client:
        wait_until_watched(page, CLIENTS)
        reader = EventReader(client)
        reader.wait_for("session")
        long = "x" * 2000
        for number in range(2000):
            page.hears(f"{number} {long}")
        reader.wait_for("heard", lambda value: value["partial"].startswith("1999 "))
        waiting = [connection.transport.get_write_buffer_size() for connection in connections()]
        assert len(waiting) >= CLIENTS
        # what is in the system's buffers is the system's; here lies one version of each section at most
        assert max(waiting) < 3 * server.MOST_UNREAD
        assert client.post("/api/control", json={"action": "next"}).status_code == 204


def test_one_watcher_too_many_is_told_so(tmp_path: Path) -> None:
    with scripted_page(tmp_path) as page, deaf_clients(page, stream.MOST_CLIENTS), page.client() as client:
        wait_until_watched(page, stream.MOST_CLIENTS)
        assert client.get("/api/events").status_code == 503
        assert client.get("/api/settings").status_code == 200


def test_client_that_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stream, "STALLED_S", 0.1)
    with scripted_page(tmp_path) as page, deaf_clients(page, 1) as (deaf,):
        wait_until_watched(page, 1)
        hub = page.page.board.hub
        number = 0
        while hub.watched:  # until the system's buffers are full, and its patience is over
            number += 1
            page.hears(f"{number}" + "x" * 20_000)
            deaf.settimeout(0.005)
            threading.Event().wait(0.005)
            assert number < 2000


def test_client_that_goes_is_forgotten(tmp_path: Path) -> None:
    with scripted_page(tmp_path) as page:
        with deaf_clients(page, 3):
            wait_until_watched(page, 3)
        hub = page.page.board.hub
        for _ in range(10_000):
            if not hub.watched:
                break
            threading.Event().wait(0.001)
        assert hub.watched == 0


def test_end_of_the_session_waits_for_no_client(tmp_path: Path) -> None:
    with scripted_page(tmp_path) as page, deaf_clients(page, 10):
        wait_until_watched(page, 10)
        page.hears("x" * 500_000)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sottovoce-web")]


def board() -> Board:
    return Board(Picture(Facts(datetime(2026, 11, 21, tzinfo=UTC))))


def test_session_is_answered_while_the_page_hangs() -> None:
    """The loop of the server stands still, and the page's observer is in the path of every turn."""
    stuck, go_on = threading.Event(), threading.Event()
    watched = board()

    async def hang() -> None:
        work = asyncio.create_task(watched.work())
        await asyncio.sleep(0)
        stuck.set()
        go_on.wait()
        work.cancel()

    loop = threading.Thread(target=lambda: asyncio.run(hang()))
    loop.start()
    stuck.wait(10.0)
    seen, heard = Notebook(), ScriptedInput()
    parts = Parts(
        heard,
        BlockSegmenter(),
        NotEnrolled(),
        [WordRecognizer({1: "first"})],
        ListGenerator({"first": ["aaaa", "bbbb"]}),
        ToneSynthesizer(),
        SteppedOutput(),
    )

    def observe(notice: notices.Notice) -> None:
        watched(notice)
        seen(notice)

    pipeline = Pipeline(parts, PipelineSettings(lossless=False), observe)
    pipeline.start()
    try:
        heard.say(1)
        seen.wait_for(notices.TurnEnded)
    finally:
        assert pipeline.close(5.0) == ()
        go_on.set()
        loop.join(10.0)


def test_what_the_page_was_not_shown_in_time_is_bounded() -> None:
    told = board()
    for number in range(CAPACITY + 500):
        told(notices.HeardSoFar(0.0, str(number)))
    asyncio.run(_work_once(told))
    (heard,) = [version for version in told.hub.versions() if version.section == "heard"]
    assert str(CAPACITY + 499).encode() in heard.payload


async def _work_once(told: Board) -> None:
    assert told.hub.join(lambda: None, 1) is not None
    work = asyncio.create_task(told.work())
    await asyncio.sleep(0)
    work.cancel()
