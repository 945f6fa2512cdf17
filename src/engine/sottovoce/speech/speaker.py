"""Whose voice a segment is: the wearer's own, or another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np

from sottovoce.core.types import Mono

#: Who spoke: the wearer, somebody else, or too close to say.
SpeakerKind: TypeAlias = Literal["own", "other", "unsure"]


@dataclass(frozen=True, slots=True)
class SpeakerPart:
    """A part of a segment, from one change of the speaker to the next.

    Attributes
    ----------
    start_frame, end_frame : int
        Where it lies in the segment's audio.
    kind : SpeakerKind
        Whose it is.
    score : float or None
        As in :class:`SpeakerVerdict`.
    """

    start_frame: int
    end_frame: int
    kind: SpeakerKind
    score: float | None


@dataclass(frozen=True, slots=True)
class SpeakerVerdict:
    """What a verifier says of one segment.

    Attributes
    ----------
    kind : SpeakerKind
        "unsure" where the score lies between the two limits; whoever asks decides what that means. "other" where
        somebody else speaks in it, though the wearer does too.
    score : float or None
        Probability that it is the enrolled voice, 0 to 1, if own and other were equally likely before; None where
        nothing was compared. Of several parts, the lowest.
    parts : tuple of SpeakerPart
        Where the speaker changes between the wearer and others: all parts, in order; empty for one voice.
    """

    kind: SpeakerKind
    score: float | None
    parts: tuple[SpeakerPart, ...] = ()

    def without_wearer(self, audio: Mono) -> tuple[Mono, int, int]:
        """What of the segment's audio is not the wearer's, and the frames at which that begins and ends in it."""
        kept = [part for part in self.parts if part.kind != "own"]
        return _joined(audio, kept) if kept else (audio, 0, len(audio))

    def wearers_part(self, audio: Mono) -> tuple[Mono, int, int] | None:
        """What of a segment in which others speak is surely the wearer's, in the same form; None if nothing is."""
        own = [part for part in self.parts if part.kind == "own"]
        return _joined(audio, own) if own else None


def _joined(audio: Mono, parts: Sequence[SpeakerPart]) -> tuple[Mono, int, int]:
    sound = np.concatenate([audio[part.start_frame : part.end_frame] for part in parts])
    return sound, parts[0].start_frame, parts[-1].end_frame


class SpeakerVerifier(Protocol):
    """Tells the wearer's own voice from everybody else's. Used by one thread at a time."""

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        """Judge one segment (shape (frames,), float32, [-1, 1]) at ``samplerate`` (Hz)."""
        ...


class AlwaysWearer:
    """The verifier of a microphone that only the wearer speaks into, as all others come from the machine.

    It compares nothing. What it may be told of the room is the wearer's, too, and so not answered.
    """

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        """Say "own", with no score, whatever is heard."""
        return SpeakerVerdict("own", None)


class NotEnrolled:
    """The verifier of a wearer who has enrolled no voice: it compares nothing, and calls every voice another's.

    So every question is answered, the wearer's own too. It is the right one for recordings and for the demo, and
    what a live session falls back to, with a word to the wearer, until a voice is enrolled.
    """

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        """Say "other", with no score, whatever is heard."""
        return SpeakerVerdict("other", None)
