"""From notices to what is published: at once, in order, and only where somebody watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sottovoce.app.monitor.look import Look
from sottovoce.app.web.board import Board
from sottovoce.app.web.hub import Client
from sottovoce.app.web.picture import Facts, Picture
from sottovoce.assistant import notices
from sottovoce.speech.usage import Usage


class HandClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def now_ns(self) -> int:
        return self.ns


def run(test: Callable[[Board, HandClock], Any], **parts: Any) -> None:
    """A test inside the loop of a board that works."""

    async def inside() -> None:
        clock = HandClock()
        board = Board(Picture(Facts(datetime(2026, 11, 21, tzinfo=UTC))), clock=clock, **parts)
        work = asyncio.create_task(board.work())
        await asyncio.sleep(0)
        await test(board, clock)
        work.cancel()

    asyncio.run(inside())


def joined(board: Board) -> Client:
    client = board.hub.join(lambda: None, 10)
    assert client is not None
    board.somebody_watches()
    return client


def taken(client: Client) -> dict[str, dict[str, Any]]:
    return {version.section: json.loads(version.payload) for version in client.take()}


def test_nothing_is_published_while_nobody_watches() -> None:
    async def test(board: Board, clock: HandClock) -> None:
        board(notices.HeardSoFar(0.0, "how"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert board.hub.versions() == ()
        assert taken(joined(board))["heard"]["partial"] == "how", "and all of it once somebody does"

    run(test)


def test_moment_of_a_section_is_that_of_what_happened_on_a_clock_that_never_jumps() -> None:
    async def test(board: Board, clock: HandClock) -> None:
        client = joined(board)
        taken(client)
        clock.ns = 2_345_678_900
        board(notices.HeardSoFar(0.0, "how"))
        clock.ns = 9_000_000_000
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert taken(client)["heard"]["at_ms"] == 2345.7

    run(test)


def test_notices_that_change_nothing_shown_wake_nobody() -> None:
    async def test(board: Board, clock: HandClock) -> None:
        client = joined(board)
        shown = taken(client)
        while "engine" not in shown:
            await asyncio.sleep(0)
            shown |= taken(client)
        board(notices.InputProgress(3.0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert taken(client) == {}

    run(test)


def test_engine_is_looked_at_only_while_somebody_watches() -> None:
    looks: list[int] = []

    def look() -> Look:
        looks.append(1)
        return Look(0)

    async def test(board: Board, clock: HandClock) -> None:
        await asyncio.sleep(0)
        assert not looks
        client = joined(board)
        while "engine" not in taken(client):
            await asyncio.sleep(0)
        assert looks

    run(test, look=look)


def test_day_is_counted_anew_when_something_was_spent() -> None:
    spent = iter([7_000_000_000, 8_000_000_000])

    async def test(board: Board, clock: HandClock) -> None:
        client = joined(board)
        shown = taken(client)
        while shown.get("cost", {}).get("day") != 7.0:
            await asyncio.sleep(0.001)
            shown |= taken(client)
        board(notices.Spent(Usage("llm", "openai", "m"), 1_000_000_000, False, None))
        while shown["cost"]["day"] != 8.0:
            await asyncio.sleep(0.001)
            shown |= taken(client)
        assert shown["cost"]["session"] == 1.0

    run(test, spent_today=lambda: next(spent))


def test_end_is_said_even_if_somebody_has_just_come() -> None:
    async def test(board: Board, clock: HandClock) -> None:
        client = joined(board)
        board(notices.HeardSoFar(0.0, "good bye"))
        board.end()
        shown = taken(client)
        assert (shown["heard"]["partial"], shown["session"]["ended"]) == ("good bye", True)
        assert shown["session"]["listening"] is False

    run(test)
