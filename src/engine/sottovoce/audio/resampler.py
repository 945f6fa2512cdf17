"""Resampling of a stream: any block sizes in, one result out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from sottovoce.core.errors import ConfigError
from sottovoce.core.formats import as_block, check_channels, check_samplerate, to_int16
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Block
from sottovoce.native.resample import LinearResampler

_logger = get_logger("audio")

Quality: TypeAlias = Literal["linear", "soxr"]
Audio: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.int16]


class _Engine(Protocol):
    """Blocks in, blocks out; all state within."""

    @property
    def latency_frames(self) -> float: ...
    def out_frames(self, in_frames: int) -> int: ...
    def process(self, x: Block) -> Block: ...
    def flush(self) -> Block: ...
    def reset(self) -> None: ...


class _Linear:
    """The compiled linear resampler."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int) -> None:
        self._native = LinearResampler(in_samplerate, out_samplerate, channels)
        self._channels = channels
        self._tail_frames = int(np.ceil(2.0 * max(1.0, out_samplerate / in_samplerate)))

    @property
    def latency_frames(self) -> float:
        return float(self._native.latency_frames)

    def out_frames(self, in_frames: int) -> int:
        return self._native.out_frames(in_frames)

    def process(self, x: Block) -> Block:
        out = np.empty((self._native.out_frames(x.shape[0]), self._channels), dtype=np.float32)
        return out[: self._native.process_into(x, out)]

    def flush(self) -> Block:
        out = np.empty((self._tail_frames, self._channels), dtype=np.float32)
        tail = out[: self._native.flush_into(out)]
        self._native.reset()
        return tail

    def reset(self) -> None:
        self._native.reset()


class _Soxr:
    """soxr HQ. It gives its frames in bursts, up to ``latency_frames`` behind."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int) -> None:
        self._in_samplerate, self._out_samplerate = in_samplerate, out_samplerate
        self._stream = soxr.ResampleStream(in_samplerate, out_samplerate, channels, dtype="float32", quality="HQ")
        self._empty = np.empty((0, channels), dtype=np.float32)
        self._in_frames = self._out_frames = 0
        self._latency_frames: float | None = None

    @property
    def latency_frames(self) -> float:
        """The most that it holds back, found by asking a stream of its own kind."""
        if self._latency_frames is None:
            probe = soxr.ResampleStream(self._in_samplerate, self._out_samplerate, 1, dtype="float32", quality="HQ")
            block = np.zeros(max(1, self._in_samplerate // 200), dtype=np.float32)
            held = 0.0
            for _ in range(100):
                probe.resample_chunk(block)
                held = max(held, probe.delay())
            self._latency_frames = held
        return self._latency_frames

    def out_frames(self, in_frames: int) -> int:
        reached = (self._in_frames + in_frames) * self._out_samplerate
        return -(-reached // self._in_samplerate) - self._out_frames

    def process(self, x: Block) -> Block:
        if not x.shape[0]:
            return self._empty
        y: Block = self._stream.resample_chunk(x)
        self._in_frames += x.shape[0]
        self._out_frames += y.shape[0]
        return y

    def flush(self) -> Block:
        tail: Block = self._stream.resample_chunk(self._empty, last=True) if self._in_frames else self._empty
        self.reset()
        return tail

    def reset(self) -> None:
        self._stream.clear()
        self._in_frames = self._out_frames = 0


_ENGINES: dict[str, Callable[[int, int, int], _Engine]] = {"linear": _Linear, "soxr": _Soxr}


class Resampler:
    """A stateful resampler: however the input is cut into blocks, the output is the same.

    For one thread at a time.

    Parameters
    ----------
    in_samplerate, out_samplerate : int
        Rates in Hz.
    channels : int
        Channels of input and output.
    quality : {"soxr", "linear"}
        ``"soxr"`` (HQ, for content) or ``"linear"`` (compiled, no latency to speak of, audible images).

    Raises
    ------
    ConfigError
        (a ValueError) if an argument is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> resampler = Resampler(24000, 48000)
    >>> y = np.concatenate([resampler.process(np.zeros(24000, np.float32)), resampler.flush()])
    >>> y.shape
    (48000,)
    """

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int = 1, quality: Quality = "soxr") -> None:
        self.in_samplerate = check_samplerate(in_samplerate, "in_samplerate")
        self.out_samplerate = check_samplerate(out_samplerate, "out_samplerate")
        self.channels = check_channels(channels)
        if quality not in _ENGINES:
            raise ConfigError(f"quality is {quality!r}; allowed: {', '.join(map(repr, _ENGINES))}", key="quality")
        self.quality = quality
        self._engine = _ENGINES[quality](in_samplerate, out_samplerate, channels)
        self._warned = False
        self._as_int16 = False
        self._flat = False

    @property
    def latency_frames(self) -> float:
        """The most output frames that are held back at any time."""
        return self._engine.latency_frames

    @property
    def latency(self) -> float:
        """:attr:`latency_frames` in seconds."""
        return self.latency_frames / self.out_samplerate

    def out_frames(self, in_frames: int) -> int:
        """Frames that the next :meth:`process` of ``in_frames`` returns: exact for linear, at most that for soxr."""
        return self._engine.out_frames(in_frames)

    def process(self, x: Audio) -> Audio:
        """Resample the next block.

        Parameters
        ----------
        x : ndarray
            float32 or int16, shape (frames, channels), or (frames,) if there is one channel; may be empty.

        Returns
        -------
        ndarray
            The frames that are ready, of the same dtype and number of axes.
        """
        self._note_format(x)
        return self._like_input(self._engine.process(as_block(x, self.channels)))

    def process_into(self, x: Audio, out: Audio) -> int:
        """Resample the next block into ``out``, which must have :meth:`out_frames` of room; returns frames written."""
        room = self.out_frames(x.shape[0])
        if out.shape[0] < room:
            raise ConfigError(f"out has room for {out.shape[0]} frames; {room} are needed", key="out")
        block = self._engine.process(as_block(x, self.channels))
        frames = int(block.shape[0])
        ready = to_int16(block) if out.dtype == np.int16 else block
        out[:frames] = ready[:, 0] if out.ndim == 1 else ready
        return frames

    def flush(self) -> Audio:
        """What is still held back, as the input's last block was formed; the next block begins a new stream."""
        return self._like_input(self._engine.flush())

    def reset(self) -> None:
        """Forget everything held back; the next block begins a new stream."""
        self._engine.reset()

    def _note_format(self, x: npt.NDArray[Any]) -> None:
        self._as_int16 = x.dtype == np.int16
        self._flat = x.ndim == 1
        if self._as_int16 and not self._warned:
            self._warned = True
            log_event(_logger, logging.WARNING, "int16 is converted before it is resampled", quality=self.quality)

    def _like_input(self, block: Block) -> Audio:
        ready: Audio = to_int16(block) if self._as_int16 else block
        return ready[:, 0] if self._flat else ready
