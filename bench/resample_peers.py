"""The resamplers that are compared, ours and its peers, behind one small interface."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]


class Stream(Protocol):
    """A stream of blocks, shape (frames,) for mono and (frames, channels) else."""

    def process(self, x: Float) -> Float: ...
    def flush(self) -> Float: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to resample."""

    name: str
    package: str
    make: Callable[[int, int, int], Stream]
    slow: bool = False  # too slow, or too bad, for the repetitions that the others get


class Soxr:
    """python-soxr, streaming."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int, quality: str) -> None:
        import soxr

        self._stream = soxr.ResampleStream(in_samplerate, out_samplerate, channels, dtype="float32", quality=quality)
        self._empty = np.zeros((0, channels) if channels > 1 else 0, np.float32)
        self.process = self._stream.resample_chunk

    def flush(self) -> Float:
        return self._stream.resample_chunk(self._empty, last=True)  # type: ignore[no-any-return]


class Samplerate:
    """python-samplerate (libsamplerate)."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int, converter: str) -> None:
        import samplerate

        self._stream = samplerate.Resampler(converter, channels)
        self._ratio = out_samplerate / in_samplerate
        self._empty = np.zeros((0, channels) if channels > 1 else 0, np.float32)

    def process(self, x: Float) -> Float:
        return self._stream.process(x, self._ratio, end_of_input=False)  # type: ignore[no-any-return]

    def flush(self) -> Float:
        return self._stream.process(self._empty, self._ratio, end_of_input=True)  # type: ignore[no-any-return]


class SwResample:
    """libswresample through PyAV, at its defaults."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int) -> None:
        import av

        self._av, self._rate, self._channels = av, in_samplerate, channels
        self._layout = "mono" if channels == 1 else "stereo"
        self._stream = av.AudioResampler("flt", self._layout, out_samplerate)

    def _joined(self, frames: list[Any]) -> Float:
        parts = [frame.to_ndarray().reshape(-1) for frame in frames]
        y = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return y if self._channels == 1 else y.reshape(-1, self._channels)

    def process(self, x: Float) -> Float:
        frame = self._av.AudioFrame.from_ndarray(x.reshape(1, -1), "flt", self._layout)
        frame.sample_rate = self._rate
        return self._joined(self._stream.resample(frame))

    def flush(self) -> Float:
        return self._joined(self._stream.resample(None))


class Interp:
    """np.interp on each block, as callbacks are often written: no state between blocks."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int) -> None:
        self._rates, self._channels = (in_samplerate, out_samplerate), channels

    def process(self, x: Float) -> Float:
        frames = round(len(x) * self._rates[1] / self._rates[0])
        at = np.arange(frames) * (self._rates[0] / self._rates[1])
        have = np.arange(len(x))
        if self._channels == 1:
            return np.interp(at, have, x).astype(np.float32)
        return np.stack([np.interp(at, have, x[:, c]) for c in range(self._channels)], axis=1).astype(np.float32)

    def flush(self) -> Float:
        return np.zeros((0, self._channels) if self._channels > 1 else 0, np.float32)


class ResamplePoly:
    """scipy.signal.resample_poly on each block: no state between blocks either."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int) -> None:
        from scipy.signal import resample_poly

        divisor = int(np.gcd(in_samplerate, out_samplerate))
        self._up, self._down, self._channels = out_samplerate // divisor, in_samplerate // divisor, channels
        self._function = resample_poly

    def process(self, x: Float) -> Float:
        return self._function(x, self._up, self._down, axis=0)  # type: ignore[no-any-return]

    def flush(self) -> Float:
        return np.zeros((0, self._channels) if self._channels > 1 else 0, np.float32)


def _ours(quality: str) -> Callable[[int, int, int], Stream]:
    from sottovoce import Resampler

    return lambda rate_in, rate_out, channels: Resampler(rate_in, rate_out, channels, quality)  # type: ignore[arg-type,return-value]


def _soxr(quality: str) -> Callable[[int, int, int], Stream]:
    return lambda rate_in, rate_out, channels: Soxr(rate_in, rate_out, channels, quality)


def _samplerate(converter: str) -> Callable[[int, int, int], Stream]:
    return lambda rate_in, rate_out, channels: Samplerate(rate_in, rate_out, channels, converter)


def peers() -> list[Peer]:
    """All that are installed; says on standard error which are not."""
    wanted = [
        *(Peer(f"ours_{q}", "sottovoce", _ours(q)) for q in ("linear", "fast", "standard", "hq", "best")),
        *(Peer(f"soxr_{q.lower()}", "soxr", _soxr(q)) for q in ("QQ", "LQ", "MQ", "HQ", "VHQ")),
        Peer("samplerate_medium", "samplerate", _samplerate("sinc_medium"), slow=True),
        Peer("samplerate_best", "samplerate", _samplerate("sinc_best"), slow=True),
        Peer("swresample", "av", SwResample, slow=True),
        Peer("resample_poly", "scipy", ResamplePoly, slow=True),
        Peer("np_interp", "numpy", Interp, slow=True),
    ]
    missing = sorted({peer.package for peer in wanted if importlib.util.find_spec(peer.package) is None})
    if missing:
        print(f"not installed, left out: {', '.join(missing)} (pip install 'sottovoce[bench]')", file=sys.stderr)
    return [peer for peer in wanted if peer.package not in missing]
