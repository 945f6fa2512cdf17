"""The contract of a recogniser: speech in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard in one segment.

    Attributes
    ----------
    text : str
        The words, stripped; empty if nothing was understood.
    language : str
        ISO 639-1 code.
    confidence : float or None
        0 to 1, or None where the backend gives none.
    backend : str
        Name of the recogniser that answered.
    """

    text: str
    language: str
    confidence: float | None
    backend: str


class Recognizer(Protocol):
    """Turns a segment into a transcript. Used by one worker thread at a time; every worker has its own."""

    @property
    def name(self) -> str: ...

    @property
    def samplerate(self) -> int:
        """The samplerate (Hz) at which segments are wanted."""
        ...

    def warm(self) -> None:
        """Load everything that the first call would load; idempotent."""
        ...

    def adapt(self, phrases: Sequence[str]) -> None:
        """Expect these phrases (the questions of the notes); a backend that cannot use them ignores them."""
        ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """Recognise one segment (shape (frames,), float32, [-1, 1]).

        Cancelled, it returns early with whatever text it has. Failure raises BackendError.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
