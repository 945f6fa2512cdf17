"""What a player has given to its output, for whoever has to know it again: our own voice, in what the machine plays."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sottovoce.audio.align import Capture
from sottovoce.audio.resampler import Resampler
from sottovoce.core.formats import as_block
from sottovoce.core.types import Mono
from sottovoce.native.mixer import Mixer
from sottovoce.native.ring import Ring


class Newest(Protocol):
    """Tells of the newest block of an output."""

    def newest_block(self) -> tuple[int, int]:
        """Generation of its stream, and when the block began (ns); (0, 0) while there is none."""
        ...


class PlaybackTap:
    """Reads what a mixer has rendered, after gains, pauses and fades; made by a Player. Used by one thread.

    Parameters
    ----------
    mixer : Mixer
        Made with ``ring`` as its tap.
    ring : Ring
        Where its sound comes from.
    output : Newest
        That drives the mixer.
    samplerate : int
        Of what is read, in Hz.
    """

    def __init__(self, mixer: Mixer, ring: Ring, output: Newest, samplerate: int) -> None:
        self.samplerate = samplerate
        self._mixer, self._ring, self._output = mixer, ring, output
        self._resampler = Resampler(mixer.samplerate, samplerate, 1)

    def read(self) -> Mono:
        """All that came since the last call, shape (frames,), float32; the mean of the channels."""
        block = np.empty((self._ring.readable_frames, self._ring.channels), np.float32)
        block = block[: self._ring.read_into(block)]
        if not len(block):
            return np.zeros(0, np.float32)
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32)[:, None])
        resampled: Mono = as_block(self._resampler.process(mono), 1)[:, 0]
        return resampled

    def capture(self) -> Capture | None:
        """How much was played so far, and when; None while that is not known, or nothing plays."""
        generation, at_ns = self._output.newest_block()
        played_s = self._ring.written_frames / self._mixer.samplerate
        if not at_ns or self._output.newest_block() != (generation, at_ns):
            return None
        return Capture((generation, self._mixer.counters()["tap_lost_frames"]), played_s, at_ns)
