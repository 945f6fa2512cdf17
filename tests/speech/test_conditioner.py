"""Rumble and hum out, a quiet voice louder."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain
from sottovoce.speech.conditioner import TARGET_DBFS, AutomaticGain, HighPass
from sottovoce.speech.vad import level_dbfs

RATE = 16_000


def tone(hz: float, seconds: float, level: float = 0.1) -> Mono:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def words(level: float, seconds: float, rng: np.random.Generator) -> Mono:
    """Half-second bursts with pauses between, in a quiet room."""
    bursts = tone(300, seconds, level) * (np.arange(round(seconds * RATE)) % RATE < RATE // 2)
    return (bursts + 1e-4 * rng.standard_normal(len(bursts))).astype(np.float32)


def loss_db(hz: float) -> float:
    x = tone(hz, 2.0)
    return level_dbfs(x[RATE:]) - level_dbfs(HighPass(RATE).process(x)[RATE:])


def test_hum_and_rumble_are_weaker_and_voices_are_not() -> None:
    assert loss_db(20) > 45
    assert loss_db(50) > 16
    assert loss_db(80) == pytest.approx(3.0, abs=0.1)
    for hz in (150, 1000, 7000):
        assert abs(loss_db(hz)) < 0.15


def test_offset_is_taken_away() -> None:
    filtered = HighPass(RATE).process(tone(1000, 1.0) + np.float32(0.3))
    assert abs(float(filtered[RATE // 2 :].mean())) < 1e-4


def cut(x: Mono, rng: np.random.Generator) -> list[Mono]:
    pieces = []
    at = 0
    while at < len(x):
        length = int(rng.integers(1, 1500))
        pieces.append(x[at : at + length])
        at += length
    return pieces


@pytest.mark.parametrize("make", [HighPass, AutomaticGain])
def test_result_does_not_depend_on_how_the_stream_is_cut(
    make: type[HighPass] | type[AutomaticGain], rng: np.random.Generator
) -> None:
    x = words(0.01, 3.0, rng) + np.float32(0.01)
    whole, pieces = make(RATE).process(x), make(RATE)
    assert np.allclose(np.concatenate([pieces.process(piece) for piece in cut(x, rng)]), whole, atol=1e-6)


def test_filter_agrees_with_its_recursion(rng: np.random.Generator) -> None:
    high_pass = HighPass(RATE)
    x = rng.standard_normal(1000).astype(np.float32)
    z, wanted = np.zeros(4), []
    for value in x.astype(np.float64):
        for number, (b0, b1, b2, a1, a2) in enumerate(high_pass._sections):
            y = b0 * value + z[2 * number]
            z[2 * number] = b1 * value - a1 * y + z[2 * number + 1]
            z[2 * number + 1] = b2 * value - a2 * y
            value = y
        wanted.append(value)
    assert np.allclose(high_pass.process(x), wanted, atol=1e-6)


def test_quiet_voice_comes_near_the_target_and_the_room_stays_quiet(rng: np.random.Generator) -> None:
    gain = AutomaticGain(RATE)
    out = gain.process(words(db_to_gain(-45.0), 20.0, rng))
    assert level_dbfs(out[19 * RATE : 19 * RATE + RATE // 2]) == pytest.approx(TARGET_DBFS, abs=2.0)
    assert level_dbfs(out[: RATE // 8]) < -40.0, "not at once"


def test_loud_voice_and_silence_are_left_as_they_are(rng: np.random.Generator) -> None:
    loud = words(0.3, 5.0, rng)
    assert np.array_equal(AutomaticGain(RATE).process(loud), loud)
    room = (1e-4 * rng.standard_normal(60 * RATE)).astype(np.float32)
    gain = AutomaticGain(RATE)
    gain.process(room)
    assert gain.gain_db < 1.0
    assert np.array_equal(AutomaticGain(RATE).process(np.zeros(RATE, np.float32)), np.zeros(RATE, np.float32))


def test_shout_after_whispers_does_not_distort_for_long(rng: np.random.Generator) -> None:
    gain = AutomaticGain(RATE)
    gain.process(words(0.003, 20.0, rng))
    assert gain.gain_db > 15.0
    out = gain.process(tone(300, 1.0, 0.8))
    assert np.abs(out).max() <= 1.0
    assert np.count_nonzero(np.abs(out) >= 1.0) < 0.1 * RATE
    assert np.abs(out[RATE // 2 :]).max() < 0.95


@pytest.mark.parametrize("corner_hz", [0.0, -1.0, 5000.0])
def test_corner_out_of_range_is_named(corner_hz: float) -> None:
    with pytest.raises(ConfigError, match="corner_hz"):
        HighPass(RATE, corner_hz)


def test_negative_gain_is_refused() -> None:
    with pytest.raises(ConfigError, match="most_db"):
        AutomaticGain(RATE, -1.0)
