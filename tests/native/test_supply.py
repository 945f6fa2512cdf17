"""Late blocks, judged by the time at which they come."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from sottovoce.native.telemetry import judge_supply
from tests.native.arrays import noise
from tests.native.portaudio import capture, play

MS = 1_000_000
BLOCK = 5 * MS
HELD = 20 * MS


def every(interval_ns: int, blocks: int) -> list[int]:
    return [1 + number * interval_ns for number in range(blocks)]


def test_regular_blocks_are_never_late() -> None:
    assert judge_supply(every(BLOCK, 1000), BLOCK, HELD) == (0, pytest.approx(BLOCK, rel=0.01))


@pytest.mark.parametrize("ppm", [-300, 300])
def test_clock_that_runs_at_another_pace_makes_no_block_late_in_an_hour(ppm: int) -> None:
    late, _ = judge_supply(every(BLOCK + BLOCK * ppm // 1_000_000, 720_000), BLOCK, HELD)
    assert late == 0


def test_device_that_really_takes_less_is_not_taken_for_one_that_drifts() -> None:
    late, _ = judge_supply(every(BLOCK + BLOCK // 100, 10_000), BLOCK, HELD)
    assert late > 10


def test_bursts_are_not_late_as_long_as_the_buffer_holds_them() -> None:
    bursts = [1 + burst * 4 * BLOCK + number * 1000 for burst in range(1000) for number in range(4)]
    late, deepest_ns = judge_supply(bursts, BLOCK, HELD)
    assert (late, deepest_ns) == (0, pytest.approx(4 * BLOCK, rel=0.02))
    assert judge_supply(bursts, BLOCK, 3 * BLOCK)[0] > 900, "a buffer that does not"


def test_several_small_delays_add_up_to_a_late_block() -> None:
    starts = every(BLOCK, 10)
    for _ in range(5):  # no interval alone is longer than what is held
        starts.append(starts[-1] + 2 * BLOCK)
    assert judge_supply(starts, BLOCK, HELD)[0] == 1
    assert max(b - a for a, b in itertools.pairwise(starts)) < HELD


def test_after_a_late_block_the_count_starts_afresh() -> None:
    starts = every(BLOCK, 10)
    starts += [starts[-1] + 100 * MS + start for start in every(BLOCK, 500)]
    assert judge_supply(starts, BLOCK, HELD) == (1, pytest.approx(100 * MS, rel=0.01))


@given(st.lists(st.integers(0, 60 * MS), min_size=1, max_size=100))
def test_a_longer_buffer_is_never_late_more_often(intervals: list[int]) -> None:
    starts = list(itertools.accumulate(intervals, initial=1))
    late, deepest_ns = judge_supply(starts, BLOCK, HELD)
    assert judge_supply(starts, BLOCK, 2 * HELD)[0] <= late
    assert (late > 0) == (deepest_ns > HELD)


def test_capture_that_comes_late_and_whole_has_lost_nothing() -> None:
    late = [*every(BLOCK, 100), *(1000 * MS + number for number in range(100))]
    late += [late[-1] + start for start in every(BLOCK, 500)]
    assert judge_supply(late, BLOCK, HELD)[0] > 0, "played, there would be a gap"
    assert judge_supply(late, BLOCK, HELD, 500 * MS)[0] == 0


def test_capture_of_which_a_part_never_comes_has_lost_it() -> None:
    starts = every(BLOCK, 100)
    starts += [starts[-1] + 100 * MS + start for start in every(BLOCK, 500)]
    assert judge_supply(starts, BLOCK, HELD, 500 * MS)[0] == 1
    assert judge_supply(starts[:150], BLOCK, HELD, 500 * MS)[0] == 0, "it may come yet"


def test_callbacks_judge_their_own_blocks() -> None:
    playing = PlaybackCallback(Mixer(48000, 1), 0)
    capturing = CaptureCallback(Ring(48000, 1), 48000, 1, 48000, 0)

    def block_within(held_s: float) -> None:
        playing.expect_within(held_s)
        capturing.expect_within(held_s)
        play(playing, 1)
        capture(capturing, noise(1, 1))

    for held_s in (3600.0, 3600.0, 0.0, 1e-9, 1e-9):
        block_within(held_s)
    assert playing.counters()["late_blocks"] > 0, "nothing comes within a nanosecond"
    assert capturing.counters()["late_blocks"] == 0, "it may come yet"
    for callback in (playing, capturing):
        assert callback.take_deepest_ns() > 0
        assert callback.take_deepest_ns() == 0, "no block since"


def test_what_is_not_known_or_held_for_long_is_not_late() -> None:
    callback = PlaybackCallback(Mixer(48000, 1), 0)
    play(callback, 1)
    play(callback, 1)
    callback.expect_within(3600.0)
    play(callback, 1)
    assert callback.counters()["late_blocks"] == 0


@pytest.mark.parametrize("held_s", [-1.0, 1e9, float("nan")])
def test_what_a_buffer_cannot_hold_is_refused(held_s: float) -> None:
    with pytest.raises(ValueError, match="held_s is"):
        PlaybackCallback(Mixer(48000, 1), 0).expect_within(held_s)
