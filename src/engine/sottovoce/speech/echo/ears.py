"""Both ears without echo: the microphone without what was played, and what was played without our own voice.

Pure: no thread, no clock; the same result however the streams are cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sottovoce.core.paired import PairedBlock
from sottovoce.core.types import Mono
from sottovoce.core.units import s_to_frames
from sottovoce.speech.aec.base import EchoCanceller
from sottovoce.speech.echo.framing import Delay, Framed, Streams
from sottovoce.speech.echo.removal import EchoRemoval, EchoReport

#: How long our own voice may be on its way through the sound system after we have given it (s).
_ON_ITS_WAY_S = 0.6

#: Looks at the loopback, two a second, in which our own voice sounds and is not found: it goes elsewhere.
_GOES_ELSEWHERE_LOOKS = 6


@dataclass(frozen=True, slots=True)
class CleanPair:
    """What both ears have heard without echo; shape (frames,) each, of equal length."""

    microphone: Mono
    loopback: Mono


class EarCleaner:
    """Takes the loopback out of the microphone, and our own voice out of both.

    What the system plays holds our own voice if that goes to the same output, so the loopback as it was heard is the
    reference of the microphone; where our voice goes to a loudspeaker of its own, it is taken out of the microphone
    after that. Until it is known whether the loopback holds our voice, and where, it is silenced while that sounds:
    what we say is never taken for a question, from the first word on.

    Parameters
    ----------
    open_canceller : callable
        Makes a canceller; three are needed.
    """

    def __init__(self, open_canceller: Callable[[], EchoCanceller]) -> None:
        self._of_loopback = EchoRemoval(open_canceller())
        self._of_own = EchoRemoval(open_canceller())
        self._own_played = EchoRemoval(open_canceller())
        self.samplerate = self._of_loopback.samplerate
        self._own_later = Delay(self._of_loopback.delay_frames)
        delay_frames = self._of_loopback.delay_frames + self._of_own.delay_frames
        self._loopback_later = Delay(delay_frames - self._own_played.delay_frames)
        self._framed = Framed(self._blocks, 3, 2, self._of_loopback.blocksize, delay_frames)
        self._hold_frames = s_to_frames(_ON_ITS_WAY_S, self.samplerate)
        self._silent_frames = 0
        #: By how much what comes out comes later than what went in, in frames.
        self.delay_frames = self._framed.delay_frames

    @property
    def reports(self) -> dict[str, EchoReport]:
        """What has been found by now: of the loopback and of our own voice in the microphone, and of that in the
        loopback; from any thread.
        """
        removals = {"loopback": self._of_loopback, "own": self._of_own, "own in loopback": self._own_played}
        return {name: removal.report for name, removal in removals.items()}

    def process(self, block: PairedBlock) -> CleanPair:
        """The next frames; fewer at the beginning, since nothing is known of a block before its end."""
        if block.loopback_moved:
            self._of_loopback.forget_delay()
        if block.own_moved:
            self._of_own.forget_delay()
        if block.loopback_moved or block.own_moved:
            self._own_played.forget_delay()
        microphone, loopback = self._framed.process(np.stack([block.microphone, block.loopback, block.own]))
        return CleanPair(microphone, loopback)

    def close(self) -> None:
        """Release the cancellers; idempotent."""
        for removal in (self._of_loopback, self._of_own, self._own_played):
            removal.close()

    def _blocks(self, heard: Streams) -> Streams:
        microphone, loopback, own = heard
        microphone = self._of_loopback.process(microphone, loopback)
        microphone = self._of_own.process(microphone, self._own_later.process(own))
        if not own.any() and not self._silent_frames:
            others = self._own_played.process(loopback, own)
            return np.stack([microphone, self._loopback_later.process(others)])
        others = np.empty_like(loopback)
        size = self._own_played.blocksize
        for at in range(0, len(own), size):  # one by one: what is known changes within
            piece = slice(at, at + size)
            others[piece] = self._others(loopback[piece], own[piece])
        return np.stack([microphone, self._loopback_later.process(others)])

    def _others(self, loopback: Mono, own: Mono) -> Mono:
        """A block of the loopback without our own voice."""
        removal = self._own_played
        others = removal.process(loopback, own)
        self._silent_frames = self._hold_frames if own.any() else max(0, self._silent_frames - len(own))
        report = removal.report
        unknown = report.delay is None and removal.looks < _GOES_ELSEWHERE_LOOKS
        # a canceller that has failed takes nothing away from where our voice is known to be
        audible = unknown or (report.delay is not None and bool(report.failure))
        return np.zeros_like(others) if self._silent_frames and audible else others
