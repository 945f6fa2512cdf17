"""Marks in what a source plays, as their user sees them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from sottovoce.audio.output import DeviceOutput
from sottovoce.audio.player import Player
from sottovoce.audio.source import PlayerSource
from sottovoce.audio.wav import WavOutput
from tests.audio.fakes import FakeHost

RATE = 48_000
LATENCY_S = 0.015  # of the fake host's streams


@contextmanager
def on_device() -> Iterator[tuple[FakeHost, PlayerSource]]:
    host = FakeHost()
    with Player(RATE, 1, output=DeviceOutput(host=host)) as player:
        source = player.open_source()
        source.write(np.ones(1000, np.float32))
        yield host, source


def test_mark_tells_when_it_was_heard() -> None:
    with on_device() as (host, source):
        mark = source.mark()
        host.streams[-1].call(512)
        assert (mark.outcome, mark.played_at_ns) == ("waiting", None)
        assert not mark.wait(0.001)
        before_ns = time.monotonic_ns()
        host.streams[-1].call(512)
        assert mark.wait(10.0)
        assert mark.outcome == "played"
        assert mark.played_at_ns is not None
        assert before_ns + LATENCY_S * 1e9 < mark.played_at_ns <= time.monotonic_ns()


def test_flushed_mark_says_so_to_who_waits() -> None:
    with on_device() as (host, source):
        host.streams[-1].call(16)
        mark = source.mark()
        source.flush()
        host.streams[-1].call(512)
        assert not mark.wait(10.0)
        assert (mark.outcome, mark.played_at_ns) == ("flushed", None)


def test_wait_ends_with_the_source() -> None:
    with on_device() as (_, source):
        mark = source.mark()
        source.close()
        assert not mark.wait(10.0)


def test_fence_tells_when_a_pause_has_begun() -> None:
    with on_device() as (host, source):
        source.pause()
        fence = source.fence()
        assert fence.outcome == "waiting"
        host.streams[-1].call(16)
        assert fence.wait(10.0)


def test_played_s_is_what_was_heard() -> None:
    with on_device() as (host, source):
        mark = source.mark()
        host.streams[-1].call(1000)
        soon_s = source.played_s
        assert soon_s < 1000 / RATE or time.monotonic_ns() - source.first_frame_ns > LATENCY_S * 1e9
        assert mark.wait(10.0)
        assert soon_s <= source.played_s == pytest.approx(1000 / RATE)


def test_mark_in_a_file_is_reached_as_it_is_written(tmp_path: object) -> None:
    with Player(RATE, 1, output=WavOutput(f"{tmp_path}/out.wav")) as player, player.open_source() as source:
        source.write(np.ones(1000, np.float32))
        source.end()
        mark = source.mark()
        assert source.drain(10.0)
        assert source.played_s == pytest.approx(1000 / RATE)
        assert mark.wait(10.0)
