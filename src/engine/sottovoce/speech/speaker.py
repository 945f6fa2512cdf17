"""Whose voice a segment is: the wearer's own, or another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from sottovoce.core.types import Mono


@dataclass(frozen=True, slots=True)
class SpeakerVerdict:
    """What a verifier says of one segment.

    Attributes
    ----------
    kind : "own", "other" or "unsure"
        "unsure" where the score lies between the two limits; whoever asks decides what that means.
    score : float or None
        Likeness to the enrolled voice, -1 to 1 (cosine), or None where nothing was compared.
    """

    kind: Literal["own", "other", "unsure"]
    score: float | None


class SpeakerVerifier(Protocol):
    """Tells the wearer's own voice from everybody else's. Used by one thread at a time."""

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        """Judge one segment (shape (frames,), float32, [-1, 1]) at ``samplerate`` (Hz)."""
        ...


class NotEnrolled:
    """The verifier of a wearer who has enrolled no voice: it compares nothing, and calls every voice another's.

    So every question is answered, the wearer's own too. It is the right one for recordings and for the demo, and
    what a live session falls back to, with a word to the wearer, until a voice is enrolled.
    """

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        """Say "other", with no score, whatever is heard."""
        return SpeakerVerdict("other", None)
