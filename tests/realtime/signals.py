"""Signals that show what happened to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]


def noise(frames: int, seed: int = 1) -> Audio:
    """No two pieces are alike: what is lost, repeated or moved shows."""
    return np.random.default_rng(seed).uniform(-0.4, 0.4, frames).astype(np.float32)


def speech_like(seconds: float, samplerate: int) -> Audio:
    """A voice of 120 Hz with harmonics up to 3 kHz and four syllables a second, seeded."""
    t = np.arange(round(seconds * samplerate)) / samplerate
    phase = 2 * np.pi * (120 * t + 3 * np.sin(2 * np.pi * 0.7 * t))
    voice = sum(np.sin(k * phase + k) / k for k in range(1, 25))
    syllables = np.sin(np.pi * 4 * t) ** 2
    return (0.15 * voice * syllables + 0.002 * noise(len(t), 2)).astype(np.float32)


def find(heard: Audio, signal: Audio) -> int:
    """Frame at which ``signal`` begins in ``heard``."""
    size = 1 << (len(heard) + len(signal)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(signal, size)), size)
    return int(np.argmax(correlation[: len(heard)]))


def excerpt(heard: Audio, signal: Audio) -> Audio:
    """The part of ``heard`` that ``signal`` should be equal to."""
    start = find(heard, signal)
    return heard[start : start + len(signal)]


def error_db(heard: Audio, signal: Audio) -> float:
    """Energy of the difference over that of the signal."""
    frames = min(len(heard), len(signal))
    difference = heard[:frames] - signal[:frames]
    return float(10 * np.log10(np.sum(difference**2) / np.sum(signal**2) + 1e-20))


def longest_gap_frames(heard: Audio, silence: float = 1e-4) -> int:
    """Longest run of frames that are silent."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (np.abs(heard) < silence).astype(np.int8), [0]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))
