"""The page of a session: how soon events are seen, how large it is, what 50 that watch cost the audio callback.

A player of ours plays on the virtual sound card, in the process that serves the page; a probe in C stands before its
callback and measures it from outside. The session that is shown talks all the time: ten partial transcripts a second, a
thesis every second, levels ten times a second. Stretches with nobody watching and with 50 pages that read everything,
in a process of their own, take turns; ``audio_p999_with_50_clients_ratio`` compares the p99.9 of both. The card, the
player, the server and the pages share the cores of the machine.

``event_to_screen_p95_ms`` is from an event on the server's clock to its paint in Chromium, which shares the cores, too;
``page_bytes`` are all files that the browser gets, as they lie there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.cases.callback import MARGIN_S, SETTLED_BLOCKS, SPARE_S, loud_noise
from bench.peers.card import sound_card
from bench.peers.players import Ours, Sounding
from bench.peers.watched_page import event_to_screen_ms
from tests.support.browser import chromium
from tests.support.web import ScriptedPage, scripted_page

TARGETS = {
    "event_to_screen_p95_ms": ("<=", 100.0),
    "page_bytes": ("<=", 60_000.0),
    "audio_p999_with_50_clients_ratio": ("<=", 1.5),
}
OPTIONAL = frozenset({"event_to_screen_p95_ms"})

CLIENTS = 50

_ROOT = Path(__file__).resolve().parents[2]
#: What a busy machine may take to start the pages, for each stretch.
STARTING_S = 6.0
_TALK_EVERY_S = 0.1
_TURN_EVERY = 20


class Talk:
    """A session in which somebody always speaks, while it is entered."""

    def __init__(self, page: ScriptedPage) -> None:
        self._page = page
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk, name="talk")

    def __enter__(self) -> Talk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _talk(self) -> None:
        count = generation = 0
        while not self._stop.wait(_TALK_EVERY_S):
            count += 1
            self._page.hears(" ".join(["what is it that you say"] * (1 + count % 10)))
            if count % _TURN_EVERY == 0:
                generation += 1
                self._page.asks(generation, "What is it that you say to everybody who asks you that?")
                self._page.answers(generation, "That it is so", "And that it was so before", "And why", "And how")
                self._page.speaks(generation, 1)
                self._page.ends(generation)


@contextmanager
def watching(link: str, count: int) -> Iterator[None]:
    """So many pages that read what they are sent."""
    command = [sys.executable, "-m", "bench.peers.watchers", link, str(count)]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "watching\n":
            raise RuntimeError("the pages do not watch")
        yield
        events, _ = process.communicate()
        if int(events) < count:
            raise RuntimeError(f"{count} pages got {events.strip()} events: nothing was watched")


def durations_us(sounding: Sounding, seconds: float) -> npt.NDArray[np.float64]:
    """How long each callback of a stretch took."""
    probe = sounding.player.probe
    first = probe.blocks
    time.sleep(seconds)
    sounding.wait(lambda probe: probe.blocks > first, "a block")
    if probe.silent_since_ns:
        raise RuntimeError("the player ran dry: nothing was measured; give it more to play")
    return probe.durations_ns(first, probe.blocks) / 1e3


def audio(quick: bool) -> dict[str, float]:
    """The callback's figures, with nobody watching and with 50."""
    rounds, seconds = (4, 5.0) if quick else (6, 15.0)
    most_s = rounds * 2 * (seconds + STARTING_S) + SPARE_S
    alone: list[npt.NDArray[np.float64]] = []
    watched: list[npt.NDArray[np.float64]] = []
    with sound_card(), tempfile.TemporaryDirectory() as folder, Sounding("ours", most_s) as sounding:
        assert isinstance(sounding.player, Ours)
        player = sounding.player
        player.play(loud_noise(most_s, 1))
        sounding.wait(lambda probe: probe.silent_since_ns == 0 and probe.blocks > SETTLED_BLOCKS, "sound")
        with scripted_page(Path(folder), look=player.look) as page, Talk(page):
            for _ in range(rounds):
                time.sleep(MARGIN_S)
                alone.append(durations_us(sounding, seconds))
                with watching(page.link, CLIENTS):
                    time.sleep(MARGIN_S)
                    watched.append(durations_us(sounding, seconds))
    quiet, busy = np.concatenate(alone), np.concatenate(watched)
    return {
        "audio_p999_with_50_clients_ratio": float(np.percentile(busy, 99.9) / np.percentile(quiet, 99.9)),
        "audio_p999_us": float(np.percentile(quiet, 99.9)),
        "audio_p999_with_50_clients_us": float(np.percentile(busy, 99.9)),
        "audio_max_us": float(quiet.max()),
        "audio_max_with_50_clients_us": float(busy.max()),
        "audio_callbacks": float(len(quiet) + len(busy)),
    }


def screen(quick: bool) -> dict[str, float]:
    """How soon a person sees what happens; nothing where there is no Chromium."""
    if chromium() is None:
        return {}
    with tempfile.TemporaryDirectory() as folder, scripted_page(Path(folder)) as page, Talk(page):
        seen_ms = event_to_screen_ms(page.link, 10.0 if quick else 60.0)
    return {
        "event_to_screen_p50_ms": float(np.percentile(seen_ms, 50)),
        "event_to_screen_p95_ms": float(np.percentile(seen_ms, 95)),
        "events_seen": float(len(seen_ms)),
    }


def size() -> dict[str, float]:
    """How much a browser loads, uncompressed."""
    files = (file for file in (resources.files("sottovoce.app.web") / "static").iterdir() if file.is_file())
    return {"page_bytes": float(sum(len(file.read_bytes()) for file in files))}


def run(quick: bool) -> dict[str, float]:
    """Look at the page, then play while others watch it."""
    return {**screen(quick), **size(), **audio(quick)}
