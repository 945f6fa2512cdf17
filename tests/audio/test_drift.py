"""A capture ring and a playback ring of different clocks, held at their level."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sottovoce.audio.drift import DriftController, DriftSettings, VariableResampler
from sottovoce.core.errors import ConfigError

RATE, BLOCK = 48000, 480
HOUR_S = 3600


def simulate(ppm: float, seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """Level and ratio at every block of the reader, written by a clock that is ``ppm`` faster; no audio."""
    settings = DriftSettings(target_frames=2400, samplerate=RATE)
    controller = DriftController(settings)
    jitter = np.random.default_rng(1).normal(0.0, 24.0, seconds * RATE // BLOCK)  # half a millisecond of timing noise
    written, level, ratio, pending = 0.0, 2400.0, 1.0, 0.0
    levels, ratios = [], []
    for _ in range(seconds * RATE // BLOCK):
        pending += BLOCK * (1 + ppm * 1e-6)
        while pending >= BLOCK:  # the writer works in whole blocks, too
            pending -= BLOCK
            written += BLOCK * ratio
        level = 2400.0 + math.floor(written) - BLOCK * (len(levels) + 1)
        ratio = controller.update(max(level + pending + jitter[len(levels)], 0.0), BLOCK / RATE)
        levels.append(level)
        ratios.append(ratio)
    return np.array(levels), np.array(ratios)


@pytest.mark.parametrize("ppm", [-300.0, -20.0, 0.0, 100.0, 300.0])
def test_ring_is_held_and_ratio_settles_over_an_hour(ppm: float) -> None:
    levels, ratios = simulate(ppm, HOUR_S)
    assert levels.min() > 2400 - 480 - 480
    assert levels.max() < 2400 + 480 + 480
    settled = len(levels) * 2 // 3
    assert abs(levels[settled:].mean() - 2400) < 480
    assert np.abs(ratios[settled:] * (1 + ppm * 1e-6) - 1).max() < 30e-6
    cents = 1200 * np.log2(ratios * (1 + ppm * 1e-6))
    assert np.abs(cents).max() < 1.0


@pytest.mark.parametrize("ppm", [-300.0, 300.0])
def test_sound_across_two_clocks_has_no_click_and_the_right_pitch(ppm: float) -> None:
    hz, seconds = 1000.0, 240
    controller = DriftController(DriftSettings(target_frames=2400, samplerate=RATE))
    resampler = VariableResampler(RATE, RATE, 1, "standard")
    speed = 1 + ppm * 1e-6
    per_frame = 2 * math.pi * hz / (RATE * speed)  # the writer's clock is fast: it samples the same tone more often
    level, pending, fed, heard = 2400.0, 0.0, 0, []
    for _ in range(seconds * RATE // BLOCK):
        pending += BLOCK * speed
        while pending >= BLOCK:
            pending -= BLOCK
            x = (0.5 * np.sin(per_frame * np.arange(fed, fed + BLOCK))).astype(np.float32)
            y = resampler.process(x[:, None])
            fed += BLOCK
            level += len(y)
            heard.append(y[:, 0])
        level -= BLOCK
        resampler.set_ratio(controller.update(level + pending, BLOCK / RATE), BLOCK)
    y = np.concatenate(heard).astype(np.float64)[RATE:]
    omega = 2 * math.pi * hz / RATE
    rest = y[2:] + y[:-2] - 2 * math.cos(omega) * y[1:-1]
    assert np.abs(rest).max() < 0.5 * 2 * omega**2 * 600e-6, "a click breaks the recurrence of a sine"
    second = np.unwrap(np.angle(np.fft.fft(y[-RATE * 2 :].reshape(-1, RATE), axis=1)[:, 1000]))
    found_hz = hz + (second[1] - second[0]) / (2 * math.pi)
    assert abs(1200 * math.log2(found_hz / hz)) < 0.1
    assert abs(level - 2400) < 480


def test_correction_stays_within_its_limit_and_recovers() -> None:
    controller = DriftController(DriftSettings(target_frames=1000, samplerate=RATE, max_ppm=200))
    for _ in range(10000):
        assert controller.update(1_000_000, 0.01) == 1 - 200e-6
    assert abs(controller.drift_ppm) <= 200
    for _ in range(3000):
        ratio = controller.update(0, 0.01)
    assert ratio > 1
    controller.reset()
    assert controller.update(1000, 0.01) == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target_frames": 0}, "target_frames is 0"),
        ({"bandwidth_rad_s": 0.0}, "bandwidth_rad_s is 0.0"),
        ({"smoothing_s": math.nan}, "smoothing_s is nan"),
        ({"max_ppm": -1.0}, "max_ppm is -1.0"),
    ],
)
def test_bad_settings_are_named(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DriftSettings(**({"target_frames": 100, "samplerate": RATE} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [(-1.0, 0.01), (math.nan, 0.01), (100.0, -0.01)])
def test_bad_levels_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="both must be 0 or more"):
        DriftController(DriftSettings(target_frames=100, samplerate=RATE)).update(*values)
