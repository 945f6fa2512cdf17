"""What plays yields to somebody who speaks: one word of memory from the capture callback to the mixer."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from bench.peers.reflex import BLOCKSIZE, CONTENT_LEVEL, GIL_IS_THERE, PythonDuck, ReflexProbe, build_probe, compiler
from sottovoce.native.activity import Activity
from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import Mixer, Source
from sottovoce.native.ring import Ring
from tests.native.arrays import Float, largest_step, render, sine
from tests.native.portaudio import capture, play
from tests.native.test_activity import room, vowel

RATE = 48_000
FADE_FRAMES = 240
LONG_S = 60.0


class Pair:
    """A microphone, and a mixer that yields to who speaks into it."""

    def __init__(self, gain: float | None = 0.25, hold_s: float = LONG_S) -> None:
        self.activity = Activity()
        self.activity.configure(hold_s=hold_s)
        self.capturing = CaptureCallback(Ring(1 << 12, 1), RATE, 1, RATE, 0, activity=self.activity)
        self.mixer = Mixer(RATE, 1, undriven_s=3600.0)
        self.mixer.yield_to(self.activity, gain)
        self.playing = PlaybackCallback(self.mixer, 0)

    def source(self, x: Float, **options: bool) -> Source:
        source = self.mixer.add_source(RATE, 1, 1 << 15, **options)
        source.write(x, 0)
        return source

    def speak(self) -> None:
        capture(self.capturing, vowel(BLOCKSIZE))

    def be_quiet(self) -> None:
        """The hold is over."""
        self.activity.configure(hold_s=0.0)
        self.speak()


def ones(frames: int) -> Float:
    return np.ones((frames, 1), np.float32)


def test_source_ducks_within_the_block_after_the_word() -> None:
    pair = Pair()
    pair.source(ones(8192))
    np.testing.assert_array_equal(play(pair.playing, BLOCKSIZE), 1.0)
    capture(pair.capturing, room(BLOCKSIZE))
    np.testing.assert_array_equal(play(pair.playing, BLOCKSIZE), 1.0)
    pair.speak()
    out = play(pair.playing, BLOCKSIZE)
    assert out[FADE_FRAMES - 1, 0] == pytest.approx(0.25, abs=1e-6)
    assert largest_step(out) < 2 / FADE_FRAMES
    np.testing.assert_array_equal(play(pair.playing, BLOCKSIZE), 0.25)
    counted = pair.mixer.counters()
    assert (counted["yields"], counted["yielded_blocks"]) == (1, 2)


def test_duck_ends_gently_once_the_hold_is_over() -> None:
    pair = Pair()
    pair.source(ones(1 << 15))
    pair.speak()
    play(pair.playing, 1000)
    pair.be_quiet()
    out = render(pair.mixer, 6000)
    assert out[0, 0] == pytest.approx(0.25, abs=1e-3)
    assert largest_step(out) < 2 * 0.75 / 4800
    np.testing.assert_array_equal(out[4800:], 1.0)


def test_source_pauses_and_goes_on_where_it_was() -> None:
    x = sine(8192, RATE)
    pair = Pair(gain=None)
    source = pair.source(x)
    np.testing.assert_array_equal(play(pair.playing, BLOCKSIZE), x[:BLOCKSIZE])
    pair.speak()
    fading = play(pair.playing, BLOCKSIZE)
    assert fading[FADE_FRAMES:].max() == 0.0
    np.testing.assert_array_equal(play(pair.playing, 2 * BLOCKSIZE), 0.0)
    assert source.played_frames == BLOCKSIZE + FADE_FRAMES
    assert not source.paused  # that is for who pauses it by hand
    pair.be_quiet()
    out = play(pair.playing, 1000)
    np.testing.assert_array_equal(out[FADE_FRAMES:], x[BLOCKSIZE + 2 * FADE_FRAMES : BLOCKSIZE + FADE_FRAMES + 1000])
    assert largest_step(np.concatenate([fading, out])) < 1.2 * largest_step(x)
    assert source.counters()["starvations"] == 0


def test_what_begins_meanwhile_begins_ducked_or_waits() -> None:
    for gain, expected in ((0.25, 0.25), (None, 0.0)):
        pair = Pair(gain=gain)
        pair.speak()
        play(pair.playing, BLOCKSIZE)
        pair.source(ones(1000))
        np.testing.assert_array_equal(play(pair.playing, BLOCKSIZE), expected)


def test_source_that_does_not_yield_plays_on() -> None:
    pair = Pair()
    pair.source(ones(2000), yields=False)
    pair.speak()
    np.testing.assert_array_equal(play(pair.playing, 1000), 1.0)


def test_nobody_yields_to_one_who_is_not_listened_to() -> None:
    pair = Pair()
    pair.source(ones(8000))
    pair.speak()
    play(pair.playing, 1000)
    pair.mixer.yield_to(None)
    assert render(pair.mixer, 6000)[-1, 0] == 1.0
    assert pair.mixer.counters()["yields"] == 1


def test_way_of_yielding_changes_while_somebody_speaks() -> None:
    pair = Pair()
    pair.source(ones(1 << 14))
    pair.speak()
    play(pair.playing, 1000)
    pair.mixer.yield_to(pair.activity, 0.5)
    assert play(pair.playing, 5000)[-1, 0] == 0.5
    pair.mixer.yield_to(pair.activity)
    assert play(pair.playing, 1000)[-1, 0] == 0.0


def test_command_and_speech_together_take_the_lower_gain() -> None:
    pair = Pair(gain=0.25)
    source = pair.source(ones(1 << 15))
    source.set_gain(0.5, 0.0)
    source.duck(0.5, 0.01)
    assert play(pair.playing, 500)[-1, 0] == 0.25
    pair.speak()
    assert play(pair.playing, 500)[-1, 0] == 0.125
    source.duck(0.1)
    assert play(pair.playing, 500)[-1, 0] == pytest.approx(0.05)
    pair.be_quiet()
    assert play(pair.playing, 500)[-1, 0] == pytest.approx(0.05)
    source.duck(1.0)
    np.testing.assert_array_equal(play(pair.playing, 500)[FADE_FRAMES:], 0.5)
    assert source.gain == 0.5


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_gain_out_of_range_is_refused(value: float) -> None:
    pair = Pair()
    with pytest.raises(ValueError, match=r"gain is .*; it must be linear, 0\.\.1"):
        pair.source(ones(1)).duck(value)
    with pytest.raises(ValueError, match=r"gain is .*; it must be linear, 0\.\.1, or None to pause"):
        pair.mixer.yield_to(pair.activity, value)


def test_either_side_may_go_first() -> None:
    pair = Pair()
    pair.source(ones(8192))
    activity, capturing = pair.activity, pair.capturing
    del pair.activity, pair.capturing
    capture(capturing, vowel(BLOCKSIZE))
    del activity, capturing
    gc.collect()
    assert play(pair.playing, BLOCKSIZE)[-1, 0] == 0.25  # the mixer keeps what it looks at
    other = Pair()
    capturing = other.capturing
    del other
    gc.collect()
    capture(capturing, vowel(BLOCKSIZE))
    assert capturing.activity is not None
    assert capturing.activity.counters()["active_blocks"] == 1


def test_wire_survives_new_streams_of_both_sides() -> None:
    pair = Pair(hold_s=LONG_S)
    pair.source(ones(1 << 15))
    pair.speak()
    play(pair.playing, 1000)
    pair.playing.retire()
    again = PlaybackCallback(pair.mixer, 1, 44_100, 2)
    assert play(again, 1000)[-1, 0] == pytest.approx(0.25)
    pair.capturing.retire()
    pair.capturing = CaptureCallback(Ring(128, 1), 44_100, 1, RATE, 1, activity=pair.activity)
    pair.be_quiet()
    assert play(again, 8000)[-1, 0] == pytest.approx(1.0)


def test_microphone_that_dies_does_not_keep_it_down() -> None:
    pair = Pair(hold_s=0.0)
    pair.source(ones(1 << 15))
    pair.speak()
    assert play(pair.playing, 10_000)[-1, 0] == 1.0


def test_activities_are_let_go_of() -> None:
    mixer = Mixer(RATE, 1, undriven_s=3600.0)
    alive = threading.local()
    for round_ in range(20):
        mixer.yield_to(Activity(), 0.5)
        mixer.render_into(np.empty((16, 1), np.float32))
        alive.count = sum(isinstance(known, Activity) for known in gc.get_objects())
        assert round_ == 0 or alive.count <= 3


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> ReflexProbe:
    if compiler() is None:
        pytest.skip("no C compiler with pthreads: install gcc or clang to run the callbacks in a plain thread")
    return build_probe(tmp_path_factory.mktemp("reflex"))


def test_playback_yields_within_two_blocks_while_the_gil_is_held(probe: ReflexProbe) -> None:
    pair = Pair()
    pair.source(np.full((1 << 15, 1), CONTENT_LEVEL, np.float32))
    blocks = probe.blocks_until_ducked(pair.capturing, pair.playing, vowel(BLOCKSIZE), holding=True)
    assert 0 < blocks <= 2


@pytest.mark.skipif(not GIL_IS_THERE, reason="this Python has no GIL to hold")
def test_reflex_in_python_does_not(probe: ReflexProbe) -> None:
    pair = Pair()
    pair.mixer.yield_to(None)
    source = pair.source(np.full((1 << 15, 1), CONTENT_LEVEL, np.float32))
    with PythonDuck(pair.capturing.ring, source):
        assert (
            probe.blocks_until_ducked(pair.capturing, pair.playing, vowel(BLOCKSIZE), holding=True) > probe.most_blocks
        )
