"""Resampling of a stream: any block sizes in, one result out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import soxr

from sottovoce.core.errors import ConfigError
from sottovoce.core.formats import as_block, check_channels, check_samplerate, to_int16
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Block
from sottovoce.native.polyphase import StreamResampler

_logger = get_logger("audio")

Quality: TypeAlias = Literal["linear", "fast", "standard", "hq", "best", "soxr"]
Audio: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.int16]


class _Engine(Protocol):
    """Blocks in, blocks like them out; all state within."""

    @property
    def latency_frames(self) -> float: ...
    def out_frames(self, in_frames: int) -> int: ...
    def process(self, x: Any) -> Any: ...
    def process_into(self, x: Any, out: Any) -> int: ...
    def flush(self) -> Audio: ...
    def reset(self) -> None: ...


class _Soxr:
    """soxr HQ. It gives its frames in bursts, up to ``latency_frames`` behind."""

    def __init__(
        self,
        in_samplerate: int,
        out_samplerate: int,
        channels: int,
        quality: str,
        on_int16: Callable[[], object],
        adapt: Callable[[Audio], Audio],
    ) -> None:
        self._channels, self._adapt = channels, adapt
        self._on_int16: Callable[[], object] | None = on_int16
        self._as_int16 = self._flat = False
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

    def process(self, x: Audio) -> Audio:
        return self._process(self._adapt(x))

    def process_into(self, x: Audio, out: Audio) -> int:
        taken = self._adapt(x)
        if out.shape[0] < self.out_frames(taken.shape[0]) or out.dtype != taken.dtype or not out.flags.writeable:
            raise ValueError(
                f"out has {out.shape[0]} frames of {out.dtype}{'' if out.flags.writeable else ', read-only'};"
                f" {self.out_frames(taken.shape[0])} of {taken.dtype} are needed"
            )
        ready = self._process(taken)
        out[: ready.shape[0]] = ready.reshape((-1, *out.shape[1:]))
        return int(ready.shape[0])

    def _process(self, x: Audio) -> Audio:
        self._as_int16, self._flat = x.dtype == np.int16, x.ndim == 1
        if self._as_int16 and self._on_int16 is not None:
            self._on_int16()
            self._on_int16 = None
        if not x.shape[0]:
            return self._like_input(self._empty)
        y: Block = self._stream.resample_chunk(as_block(x, self._channels))
        self._in_frames += x.shape[0]
        self._out_frames += y.shape[0]
        return self._like_input(y)

    def flush(self) -> Audio:
        tail: Block = self._stream.resample_chunk(self._empty, last=True) if self._in_frames else self._empty
        self.reset()
        return self._like_input(tail)

    def reset(self) -> None:
        self._stream.clear()
        self._in_frames = self._out_frames = 0

    def _like_input(self, block: Block) -> Audio:
        ready: Audio = to_int16(block) if self._as_int16 else block
        return ready[:, 0] if self._flat else ready


def _adapted(x: Any, channels: int) -> Audio:
    """``x`` as the engines take it, or a :class:`ConfigError` that says why not."""
    block = as_block(x, channels)
    like: Audio = to_int16(block) if x.dtype == np.int16 else block
    if not like.flags.aligned:
        like = like.copy()
    return like[:, 0] if x.ndim == 1 and channels == 1 else like


def _note_int16() -> None:
    log_event(_logger, logging.WARNING, "int16 is converted before it is resampled")


class Resampler:
    """A stateful resampler: however the input is cut into blocks, the output is the same, bit for bit.

    Frames are intervals of time, and both streams begin together: nothing is shifted. After the flush, ``n`` input
    frames have become ``n * out / in`` frames, rounded to nearest. For one thread at a time: a call while another
    thread is at work on a large block raises RuntimeError.

    Parameters
    ----------
    in_samplerate, out_samplerate : int
        Rates in Hz, 1000 to 768000, in any ratio.
    channels : int
        Channels of input and output, 1 to 64.
    quality : {"linear", "fast", "standard", "hq", "best", "soxr"}
        What of the band is kept, and how far below it everything else lies (``docs/resampler.md`` has the figures):
        ``"linear"`` (audible images, no latency to speak of), ``"fast"`` (80 %, -96 dB), ``"standard"`` (90 %,
        -101 dB), ``"hq"`` (92 %, -135 dB), ``"best"`` (93 %, -150 dB, summed in double), or ``"soxr"`` (soxr HQ, in
        bursts and some 40 ms late).

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

    def __init__(
        self, in_samplerate: int, out_samplerate: int, channels: int = 1, quality: Quality = "standard"
    ) -> None:
        self.in_samplerate = check_samplerate(in_samplerate, "in_samplerate")
        self.out_samplerate = check_samplerate(out_samplerate, "out_samplerate")
        self.channels = check_channels(channels)
        if quality not in get_args(Quality):
            allowed = ", ".join(map(repr, get_args(Quality)))
            raise ConfigError(f"quality is {quality!r}; allowed: {allowed}", key="quality")
        self.quality = quality
        kind = _Soxr if quality == "soxr" else StreamResampler
        adapt = partial(_adapted, channels=self.channels)
        self._engine: _Engine = kind(
            self.in_samplerate, self.out_samplerate, self.channels, quality, _note_int16, adapt
        )
        # A call from Python less in every block: a sixth of the time of the linear one.
        self.process = self._engine.process  # type: ignore[method-assign]

    @property
    def latency_frames(self) -> float:
        """The most output frames that are held back at any time, exactly (soxr: the most seen)."""
        return self._engine.latency_frames

    @property
    def latency(self) -> float:
        """:attr:`latency_frames` in seconds."""
        return self.latency_frames / self.out_samplerate

    def out_frames(self, in_frames: int) -> int:
        """Frames that the next :meth:`process` of ``in_frames`` returns: exact, except for soxr: at most that."""
        try:
            return self._engine.out_frames(in_frames)
        except ValueError as error:
            raise ConfigError(str(error), key="in_frames") from None

    def process(self, x: Audio) -> Audio:
        """Resample the next block.

        Parameters
        ----------
        x : ndarray
            float32 or int16, shape (frames, channels), or (frames,) if there is one channel; may be empty. What is not
            contiguous is copied, and mono is duplicated to any number of channels.

        Returns
        -------
        ndarray
            The frames that are ready, of the same dtype and number of axes.

        Raises
        ------
        ConfigError
            (a ValueError) if dtype or shape is another; the state is as before.
        """
        ready: Audio = self._engine.process(x)
        return ready

    def process_into(self, x: Audio, out: Audio) -> int:
        """Resample the next block into ``out``, without allocation; returns the frames written.

        Parameters
        ----------
        x : ndarray
            As for :meth:`process`.
        out : ndarray
            Of the dtype of ``x``, C-contiguous, writable, with room for :meth:`out_frames`; it may not share memory
            with ``x``.

        Raises
        ------
        ConfigError
            (a ValueError) if a dtype or shape is another, or ``out`` is read-only or too short; the state is as before.
        """
        try:
            return self._engine.process_into(x, out)
        except ConfigError:
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error), key="out") from None

    def flush(self) -> Audio:
        """What is still held back, as the input's last block was formed; the next block begins a new stream."""
        return self._engine.flush()

    def reset(self) -> None:
        """Forget everything held back; the next block begins a new stream."""
        self._engine.reset()
