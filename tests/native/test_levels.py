"""How loud the callbacks say that a stream is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.core.units import gain_to_db
from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring
from tests.native.arrays import Float, noise, sine
from tests.native.portaudio import capture, play

RATE = 48_000
SETTLED_FRAMES = RATE  # eight time constants
FALL_DB_PER_S = 20 / 1.7


def captured(x: Float, blocksize: int = 256) -> CaptureCallback:
    """A capture that has heard ``x``."""
    callback = CaptureCallback(Ring(1 << 16, 1), RATE, x.shape[1], RATE, 0)
    for start in range(0, len(x), blocksize):
        capture(callback, x[start : start + blocksize])
    return callback


@pytest.mark.parametrize("blocksize", [1, 64, 1000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_sine_has_its_level(blocksize: int, channels: int) -> None:
    callback = captured(
        sine(SETTLED_FRAMES if blocksize > 1 else 30_000, RATE, level=0.5, channels=channels), blocksize
    )
    assert gain_to_db(callback.peak) == pytest.approx(gain_to_db(0.5), abs=0.05)
    assert gain_to_db(callback.rms) == pytest.approx(gain_to_db(0.5 / math.sqrt(2)), abs=0.1)


def test_nothing_was_heard_yet() -> None:
    callback = CaptureCallback(Ring(128, 1), RATE, 1, RATE, 0)
    assert (callback.peak, callback.rms) == (0.0, 0.0)


@given(st.integers(1, 3000), st.integers(1, 3), st.integers(0, 1 << 30))
def test_one_block_is_measured_whole(frames: int, channels: int, seed: int) -> None:
    x = noise(frames, channels, seed)
    callback = captured(x, frames)
    assert callback.peak == np.abs(x).max()
    weight = 1 - math.exp(-frames / RATE / 0.125)
    assert callback.rms == pytest.approx(math.sqrt(weight * np.mean(np.square(x, dtype=np.float64))), rel=1e-5)


def test_short_peak_is_still_seen_when_a_slow_meter_looks() -> None:
    x = np.zeros((RATE // 10, 1), np.float32)  # a meter that looks ten times a second
    x[7] = -0.8
    assert gain_to_db(captured(x).peak) == pytest.approx(gain_to_db(0.8) - FALL_DB_PER_S * 0.1, abs=0.1)


def test_silence_is_reached() -> None:
    callback = captured(noise(1000))
    before = callback.peak
    for _ in range(17):
        capture(callback, np.zeros((RATE // 10, 1), np.float32))
    assert gain_to_db(callback.peak) == pytest.approx(gain_to_db(before) - 20, abs=0.2)
    for _ in range(30):
        capture(callback, np.zeros((16_000, 1), np.float32))
    assert gain_to_db(callback.peak) < gain_to_db(before) - 100
    assert callback.rms == 0.0


def test_nan_and_too_loud_are_measured_as_they_enter() -> None:
    x = noise(256)
    x[3], x[5] = np.nan, 8.0
    callback = captured(x)
    assert callback.peak == 1.0
    assert 0.0 < callback.rms < 1.0


@pytest.mark.parametrize(("samplerate", "channels"), [(RATE, 2), (RATE, 1), (44_100, 2)])
def test_playback_measures_what_the_mixer_gave(samplerate: int, channels: int) -> None:
    mixer = Mixer(RATE, 2, undriven_s=3600.0)
    source = mixer.add_source(RATE, 2, 1 << 16)
    callback = PlaybackCallback(mixer, 0, samplerate, channels)
    play(callback, 256)
    assert (callback.peak, callback.rms) == (0.0, 0.0)
    source.set_gain(0.5, 0.0)
    source.write(sine(1 << 16, RATE, level=0.8, channels=2), 0)
    for _ in range(40):
        play(callback, 1024)
    assert gain_to_db(callback.peak) == pytest.approx(gain_to_db(0.4), abs=0.05)
    assert gain_to_db(callback.rms) == pytest.approx(gain_to_db(0.4 / math.sqrt(2)), abs=0.2)
    source.flush()
    play(callback, 1024)
    assert callback.peak < 0.4


def test_retired_callback_keeps_its_level() -> None:
    callback = captured(noise(1000))
    before = callback.peak, callback.rms
    callback.retire()
    capture(callback, np.zeros((1000, 1), np.float32))
    assert (callback.peak, callback.rms) == before
