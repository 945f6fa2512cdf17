"""What a streaming resampler does to sound: gain, images and aliases, distortion, delay, and whether blocks matter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.resample_peers import Float, Stream

Double = npt.NDArray[np.float64]
Make = Callable[[int, int, int], Stream]

SECONDS = 0.30
TRIM_S = 0.06  # beginning and end are left out: what is measured is the steady state
LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one resampler at one pair of rates; levels in dB relative to the tone."""

    ripple_db: float  # gain up to 0.9 of the lower Nyquist frequency
    edge: float  # where the gain has fallen by 0.1 dB, of the lower Nyquist frequency
    image_db: float  # worst line beside the tone, for tones up to 0.9
    alias_db: float  # worst that is left of a tone above the lower Nyquist frequency; -inf if there can be none
    thdn_997_db: float
    thdn_high_db: float  # at 0.8 of the lower Nyquist frequency
    latency_ms: float  # most time between what was fed and what came out, plus the delay of the signal itself
    burst_frames: int  # most frames of one call, less the fewest
    chunk_invariant: bool

    @property
    def worst_db(self) -> float:
        """The worst of images, aliases and distortion."""
        return max(self.image_db, self.alias_db, self.thdn_997_db, self.thdn_high_db)


def run(make: Make, rates: tuple[int, int], x: Float, cuts: list[int]) -> Float:
    """All of a mono signal, in blocks of the sizes ``cuts``, over and over."""
    stream, parts, at, turn = make(*rates, 1), [], 0, 0
    while at < len(x):
        parts.append(np.array(stream.process(x[at : at + cuts[turn % len(cuts)]]), np.float32).reshape(-1))
        at += cuts[turn % len(cuts)]
        turn += 1
    parts.append(np.array(stream.flush(), np.float32).reshape(-1))
    return np.concatenate(parts)


def db(value: float) -> float:
    """An amplitude in dB."""
    return 20 * math.log10(max(value, 1e-12))


def tone_through(make: Make, rates: tuple[int, int], hz: float) -> Double:
    """The steady part of a tone of LEVEL after resampling."""
    n = np.arange(int(SECONDS * rates[0]))
    y = run(make, rates, (LEVEL * np.sin(2 * np.pi * hz / rates[0] * n + 0.3)).astype(np.float32), [rates[0] // 100])
    trim = int(TRIM_S * rates[1])
    return y[trim : len(y) - trim].astype(np.float64)


def fit(y: Double, hz: float, samplerate: int) -> tuple[float, Double]:
    """Amplitude of the tone in y, and what is left without it."""
    angle = 2 * np.pi * hz / samplerate * np.arange(len(y))
    basis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = np.linalg.lstsq(basis, y, rcond=None)[0]
    return float(np.hypot(*found)), y - basis @ found


def worst_line(rest: Double) -> float:
    """Amplitude of the largest line in a spectrum."""
    window = np.kaiser(len(rest), 18.0)
    return float(np.abs(np.fft.rfft(rest * window)).max() * 2 / window.sum())


def distortion_db(make: Make, rates: tuple[int, int], hz: float) -> float:
    """THD+N."""
    amplitude, rest = fit(tone_through(make, rates, hz), hz, rates[1])
    return db(math.sqrt(2 * float(np.mean(rest**2))) / amplitude)


def aliases_db(make: Make, rates: tuple[int, int]) -> float:
    """Worst rest of a tone that the output cannot hold."""
    if rates[1] >= rates[0]:
        return -math.inf
    tones = [
        u * rates[1] / 2 for u in (1.005, 1.02, 1.05, 1.1, 1.3, 1.6, 2.0, 2.5, 2.9) if u * rates[1] < 0.99 * rates[0]
    ]
    return max(db(math.sqrt(2 * float(np.mean(tone_through(make, rates, hz) ** 2))) / LEVEL) for hz in tones)


def delay_ms(make: Make, rates: tuple[int, int]) -> float:
    """How much later a pulse is in the output than in the input."""
    n = np.arange(rates[0] // 2)
    middle = len(n) // 2
    y = run(make, rates, np.exp(-0.5 * ((n - middle) / 6.0) ** 2).astype(np.float32), [rates[0] // 100]).astype(
        np.float64
    )
    centre = float((y**2 * np.arange(len(y))).sum() / (y**2).sum())
    return 1e3 * (centre / rates[1] - middle / rates[0])


def flow(make: Make, rates: tuple[int, int]) -> tuple[float, int]:
    """Most time that the output is behind what was fed, in ms, and the spread of frames of a call, in 10 ms blocks."""
    stream, block = make(*rates, 1), np.zeros(rates[0] // 100, np.float32)
    counts = [len(stream.process(block)) for _ in range(240)]
    behind = [(k + 1) * len(block) / rates[0] - got / rates[1] for k, got in enumerate(np.cumsum(counts))]
    return 1e3 * max(behind[40:]), max(counts[40:]) - min(counts[40:])


def measure(make: Make, rates: tuple[int, int]) -> Quality:
    """All figures."""
    nyquist = min(rates) / 2
    gains, images = [], []
    for u in (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.88, 0.9):
        amplitude, rest = fit(tone_through(make, rates, u * nyquist), u * nyquist, rates[1])
        gains.append(db(amplitude / LEVEL))
        images.append(db(worst_line(rest) / LEVEL))
    edge = 0.6
    while edge < 0.99:
        amplitude = fit(tone_through(make, rates, (edge + 0.005) * nyquist), (edge + 0.005) * nyquist, rates[1])[0]
        if db(amplitude / LEVEL) - gains[0] < -0.1:
            break
        edge += 0.005
    noise = (0.2 * np.random.default_rng(1).standard_normal(rates[0] // 2)).astype(np.float32)
    whole, cut = run(make, rates, noise, [len(noise)]), run(make, rates, noise, [1, 700, 33, 480, 7])
    behind_ms, burst = flow(make, rates)
    return Quality(
        ripple_db=max(gains) - min(gains),
        edge=edge,
        image_db=max(images),
        alias_db=aliases_db(make, rates),
        thdn_997_db=distortion_db(make, rates, 997.0),
        thdn_high_db=distortion_db(make, rates, 0.8 * nyquist),
        latency_ms=behind_ms + delay_ms(make, rates),
        burst_frames=burst,
        chunk_invariant=np.array_equal(whole, cut),
    )
