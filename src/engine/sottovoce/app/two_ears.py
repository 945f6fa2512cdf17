"""Two ears: the microphone and what the machine plays, read together and heard beside each other."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import replace
from typing import Protocol

import numpy as np

from sottovoce.app.inputs import LEISURELY_DECISIONS
from sottovoce.audio.align import Aligner, AlignSettings
from sottovoce.audio.downmix import Downmix
from sottovoce.audio.recorder import Recorder
from sottovoce.audio.tap import PlaybackTap
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.paired import PairedBlock
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames

_LOG = get_logger("app")

#: Longest wait for the microphone (s): if it is gone, what the machine plays is heard all the same.
_WAIT_S = 0.25

#: How long our own voice may be on its way through the sound system, after we have given it (s).
_OWN_ON_ITS_WAY_S = 0.6
#: What is not louder (-100 dBFS) is what a resampler leaves of silence.
_OWN_SOUNDS = 1e-5


class HeardPair(Protocol):
    """What both ears have heard, shape (frames,) each, of equal length."""

    @property
    def microphone(self) -> Mono: ...

    @property
    def loopback(self) -> Mono: ...


class Cleaner(Protocol):
    """Takes out of both ears what they should not hear. Used by one thread."""

    def process(self, block: PairedBlock) -> HeardPair: ...

    def close(self) -> None: ...


class OwnVoiceGate:
    """Lets nothing of the loopback through while our own voice may be in it, so that we never hear ourselves.

    What others say meanwhile is not heard either: a canceller of echo (the extra ``aec``) does better.

    Parameters
    ----------
    samplerate : int
        In Hz.
    """

    def __init__(self, samplerate: int) -> None:
        self._hold_frames = s_to_frames(_OWN_ON_ITS_WAY_S, samplerate)
        self._left_frames = 0

    def process(self, block: PairedBlock) -> PairedBlock:
        ours = np.flatnonzero(np.abs(block.own) > _OWN_SOUNDS)
        begins = int(ours[0]) if len(ours) and not self._left_frames else 0
        ends = int(ours[-1]) + 1 + self._hold_frames if len(ours) else self._left_frames
        self._left_frames = max(0, ends - len(block.own))
        if begins >= ends:
            return block
        loopback = block.loopback.copy()
        loopback[begins:ends] = 0.0
        return replace(block, loopback=loopback)

    def close(self) -> None:
        """Nothing to release."""


class PairedEars:
    """Reads a microphone and a loopback that have been started, on one clock; it is the ear of the microphone.

    Parameters
    ----------
    microphone : Recorder
        Closed by whoever made it, and by :meth:`close`; the other one, too.
    loopback : Recorder or None
        At the same samplerate.
    tap : PlaybackTap or None
        What we play ourselves.
    block_s : float
        Seconds that a decision of the detector takes: what is given are whole ones.
    cleaner : Cleaner, optional
        Takes our own voice out of the loopback, and perhaps the loopback out of the microphone.

    Attributes
    ----------
    attentive : bool
        False to read but a few times a second, and all that has come by then: as long as nobody speaks.
    beside : BesideInput
        The other ear.
    """

    realtime = True

    def __init__(
        self,
        microphone: Recorder,
        loopback: Recorder | None,
        tap: PlaybackTap | None,
        block_s: float,
        cleaner: Cleaner | None = None,
    ) -> None:
        self.samplerate = microphone.samplerate
        self.attentive = True
        self.beside = BesideInput(self.samplerate)
        self._microphone, self._loopback, self._tap = microphone, loopback, tap
        self._block_frames = s_to_frames(block_s, self.samplerate)
        self._leisurely_frames = LEISURELY_DECISIONS * self._block_frames
        self._cleaner = cleaner or OwnVoiceGate(self.samplerate)
        self._downmix = Downmix(microphone.channels, self.samplerate)
        self._aligner = Aligner(AlignSettings(self.samplerate, self._block_frames))
        self._problem = ""
        self._there: tuple[bool, bool] = (True, True)

    def read(self) -> Mono | None:
        while True:
            frames = self._block_frames if self.attentive else self._leisurely_frames
            heard = self._microphone.read(frames, _WAIT_S, more=True)
            if self._microphone.closed and not len(heard):
                return None
            self._gather(heard)
            block = self._aligner.take(time.monotonic_ns())
            if block is not None and len(clean := self._given(block)):
                return clean

    def close(self) -> None:
        self._microphone.close()
        if self._loopback is not None:
            self._loopback.close()

    def release(self) -> None:
        """Let the cleaner go, once nobody reads any more."""
        self._cleaner.close()

    def _gather(self, heard: Mono) -> None:
        microphone = self._downmix.mix(heard) if len(heard) else np.zeros(0, np.float32)
        if self._downmix.problem != self._problem:
            self._problem = self._downmix.problem
            if self._problem:
                advice = "check its cable and the input of the sound card"
                log_event(_LOG, logging.WARNING, self._problem, advice=advice)
        self._aligner.hear_microphone(microphone, self._microphone.capture())
        if self._loopback is not None:
            played = self._loopback.read(0, 0.0, more=True)
            self._aligner.hear("loopback", played[:, 0], self._loopback.capture())
        if self._tap is not None:
            self._aligner.hear("own", self._tap.read(), self._tap.capture())

    def _given(self, block: PairedBlock) -> Mono:
        there = (block.microphone_there, block.loopback_there)
        for name, before, now in zip(("microphone", "loopback"), self._there, there, strict=True):
            if before != now:
                log_event(_LOG, logging.INFO, "an ear is back" if now else "an ear is away", ear=name)
        self._there = there
        clean = self._cleaner.process(block)
        self.beside.put(clean.loopback)
        return clean.microphone


class BesideInput:
    """What the other ear has heard beside the last block of the first; an AudioInput whose read never waits."""

    realtime = True

    def __init__(self, samplerate: int) -> None:
        self.samplerate = samplerate
        self._blocks: deque[Mono] = deque(maxlen=1)

    def put(self, block: Mono) -> None:
        """What was heard beside the block that is about to be given; by the thread that reads."""
        self._blocks.append(block)

    def read(self) -> Mono | None:
        return self._blocks.popleft() if self._blocks else np.zeros(0, np.float32)

    def close(self) -> None:
        """Ends with the first ear."""
