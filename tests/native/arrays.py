"""Signals and small helpers of the native tests."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sottovoce.native.mixer import Mixer
from sottovoce.native.polyphase import StreamResampler

Float = npt.NDArray[np.float32]


def noise(frames: int, channels: int = 1, seed: int = 0, level: float = 0.5) -> Float:
    """Uniform noise in [-level, level)."""
    return np.random.default_rng(seed).uniform(-level, level, (frames, channels)).astype(np.float32)


def sine(frames: int, samplerate: int, hz: float = 440.0, level: float = 0.5, channels: int = 1) -> Float:
    """The same sine in every channel."""
    one = level * np.sin(2 * math.pi * hz / samplerate * np.arange(frames))
    return np.repeat(one[:, None], channels, axis=1).astype(np.float32)


def render(mixer: Mixer, frames: int, blocksize: int = 256) -> Float:
    """So many frames of a mixer, rendered in blocks."""
    out = np.full((frames, mixer.channels), np.nan, np.float32)
    for start in range(0, frames, blocksize):
        mixer.render_into(out[start : start + blocksize])
    return out


def converted(x: Float, in_samplerate: int, out_samplerate: int, quality: str, *, end: bool = True) -> Float:
    """A whole signal at another samplerate, without what an end would add if there is none."""
    if in_samplerate == out_samplerate:
        return x
    resampler = StreamResampler(in_samplerate, out_samplerate, x.shape[1], quality)
    parts = [resampler.process(x), *([resampler.flush()] if end else [])]
    return np.concatenate([part.reshape(-1, x.shape[1]) for part in parts]).astype(np.float32)


def largest_step(x: Float) -> float:
    """The largest difference between neighbouring frames."""
    return float(np.abs(np.diff(x, axis=0)).max(initial=0.0))
