"""A stream of chunks of any length through something that takes whole blocks. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

#: Shape (streams, frames): several streams side by side, float32.
Streams = npt.NDArray[np.float32]


class Framed:
    """Streams of any chunks, processed in whole blocks; the same result however they are cut.

    What comes out is as long as what went in, later by a block less a frame and by ``delay_frames``; the first so many
    frames are left out, so that each frame that comes out has the place that it had in the stream.

    Parameters
    ----------
    work : callable
        Makes ``outputs`` streams of those that go in, as long as they are: one or more blocks of ``blocksize`` frames.
    streams, outputs : int
        How many streams go in and come out.
    blocksize : int
        Frames of a block.
    delay_frames : int
        By how much what ``work`` returns is later than what it was given.
    """

    def __init__(
        self, work: Callable[[Streams], Streams], streams: int, outputs: int, blocksize: int, delay_frames: int = 0
    ) -> None:
        self._work = work
        self._blocksize = blocksize
        self._waiting: Streams = np.zeros((streams, 0), np.float32)
        self._ready: Streams = np.zeros((outputs, blocksize - 1), np.float32)
        self._skip = self.delay_frames = blocksize - 1 + delay_frames

    def process(self, chunks: Streams) -> Streams:
        """The next frames of all streams; what comes out is shorter while the delay begins."""
        frames = chunks.shape[1]
        waiting = np.concatenate([self._waiting, _finite(chunks)], axis=1, dtype=np.float32)
        whole = waiting.shape[1] - waiting.shape[1] % self._blocksize
        self._waiting = waiting[:, whole:].copy()
        if whole:
            self._ready = np.concatenate([self._ready, self._work(waiting[:, :whole])], axis=1)
        out, self._ready = self._ready[:, :frames], self._ready[:, frames:]
        skipped = min(self._skip, frames)
        self._skip -= skipped
        return out[:, skipped:]


class Delay:
    """One stream, so many frames later.

    Parameters
    ----------
    frames : int
        0 or more.
    """

    def __init__(self, frames: int) -> None:
        self._kept: npt.NDArray[np.float32] = np.zeros(frames, np.float32)

    def process(self, audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """As many frames as are given, shape (frames,)."""
        both = np.concatenate([self._kept, audio])
        self._kept = both[len(audio) :]
        return both[: len(audio)]


def _finite(chunks: Streams) -> Streams:
    return chunks if np.isfinite(chunks).all() else np.nan_to_num(chunks, nan=0.0, posinf=1.0, neginf=-1.0)
