"""The operations of the native core in plain NumPy: what tests compare it with, and benchmarks race it against.

Written for exactness and for reading where a test uses it (``*_exact``), and as a good NumPy user writes it where a
benchmark does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]

FULL_SCALE = 32768
HIGHEST = 1 - 1 / FULL_SCALE


def int16_to_float32(x: Int16) -> Float:
    """Divide by the full scale."""
    return x.astype(np.float32) / np.float32(FULL_SCALE)


def float32_to_int16(x: Float) -> Int16:
    """Clip, scale, round to nearest (ties to even); NaN becomes 0."""
    clipped = np.clip(np.nan_to_num(x, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, HIGHEST)
    return np.rint(clipped * FULL_SCALE).astype(np.int16)


def int16_to_float32_into(x: Int16, out: Float) -> None:
    """The same without allocation."""
    np.multiply(x, np.float32(1 / FULL_SCALE), out=out, casting="unsafe", dtype=np.float32)


def float32_to_int16_idiomatic(x: Float) -> Int16:
    """As it is usually written: NaN is not thought of."""
    return np.rint(np.clip(x, -1.0, HIGHEST) * FULL_SCALE).astype(np.int16)


def float32_to_int16_into(x: Float, scratch: Float, out: Int16) -> None:
    """The same without allocation."""
    np.clip(x, np.float32(-1.0), np.float32(HIGHEST), out=scratch)
    np.multiply(scratch, np.float32(FULL_SCALE), out=scratch)
    np.rint(scratch, out=out, casting="unsafe")


def mix_channels(x: Float, channels: int) -> Float:
    """Mono to stereo duplicates, stereo to mono is the mean, else the channels both have are copied."""
    if x.shape[1] == 1 and channels == 2:
        return np.repeat(x, 2, axis=1)
    if x.shape[1] == 2 and channels == 1:
        return (x[:, :1] + x[:, 1:]) * np.float32(0.5)
    out = np.zeros((len(x), channels), np.float32)
    shared = min(x.shape[1], channels)
    out[:, :shared] = x[:, :shared]
    return out


def ramp_gain(x: Float, start: float, stop: float) -> Float:
    """A gain in a straight line; the last frame is at ``stop``."""
    gains = start + (stop - start) * np.arange(1, len(x) + 1) / max(1, len(x))
    return (x * gains[:, None]).astype(np.float32)


def resampled_frames(frames: int, in_samplerate: int, out_samplerate: int) -> int:
    """``frames * out / in``, rounded to nearest."""
    return (2 * frames * out_samplerate + in_samplerate) // (2 * in_samplerate)


def resample_linear(x: Float, in_samplerate: int, out_samplerate: int) -> Float:
    """The whole of a signal at once, in double precision; past the last frame that frame is held."""
    times = np.arange(resampled_frames(len(x), in_samplerate, out_samplerate)) * in_samplerate
    if len(x) == 0:
        return np.zeros_like(x)
    before = times // out_samplerate
    weights = (times % out_samplerate / out_samplerate)[:, None]
    first = x[np.minimum(before, len(x) - 1)].astype(np.float64)
    second = x[np.minimum(before + 1, len(x) - 1)].astype(np.float64)
    return (first + (second - first) * weights).astype(np.float32)


class Playing:
    """One source of the NumPy callback: a signal, where it stands, and its gain."""

    def __init__(self, signal: Float, gain: float = 1.0) -> None:
        self.signal = signal
        self.gain = gain
        self.position = 0

    def take(self, frames: int) -> Float:
        """The next frames; short at the end of the signal."""
        part = self.signal[self.position : self.position + frames]
        self.position += len(part)
        return part


class NumpyCallback:
    """The mixer's callback as it is usually written with sounddevice and NumPy: ``callback(outdata, frames, ...)``."""

    def __init__(self, sources: Sequence[Playing], channels: int) -> None:
        self.sources = list(sources)
        self.channels = channels
        self.underruns = 0
        self.statuses = 0

    def __call__(self, outdata: Float, frames: int, time: object, status: object) -> None:
        """Fill a block with the sum of the sources, within [-1, 1], with NaN and Inf taken out."""
        if status:
            self.statuses += 1
        outdata.fill(0.0)
        for source in self.sources:
            part = source.take(frames)
            if len(part) < frames:
                self.underruns += 1
            outdata[: len(part)] += mix_channels(part, self.channels) * np.float32(source.gain)
        np.nan_to_num(outdata, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        np.clip(outdata, -1.0, 1.0, out=outdata)
