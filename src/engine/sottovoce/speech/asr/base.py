"""The contract of a recogniser: speech in, text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sottovoce.core.cancel import CancelToken
from sottovoce.core.text import without_controls
from sottovoce.core.types import Mono


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard in one segment.

    Attributes
    ----------
    text : str
        The words, stripped and without control characters; empty if nothing was understood.
    language : str
        ISO 639-1 code.
    confidence : float or None
        0 to 1, or None where the backend gives none.
    backend : str
        Name of the recogniser that answered.
    heard : str
        What the recogniser gave, where names or numbers of the notes were restored in ``text``; otherwise empty.
    """

    text: str
    language: str
    confidence: float | None
    backend: str
    heard: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "heard"):
            object.__setattr__(self, name, without_controls(getattr(self, name)).strip())


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

    def adapt(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """Expect what the notes hold, in place of what was expected before; a backend ignores what it cannot use.

        Parameters
        ----------
        phrases : sequence of str
            Their questions and titles.
        words : sequence of str
            Their names, abbreviations and numbers, the most frequent first.
        """
        ...

    def transcribe(self, audio: Mono, cancel: CancelToken) -> Transcript:
        """Recognise one segment (shape (frames,), float32, [-1, 1]).

        Cancelled, it returns early with whatever text it has. Failure raises BackendError.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...


class RecognizerStream(Protocol):
    """One segment, recognised while it is still being spoken. Fed by one thread; closed from any."""

    def feed(self, audio: Mono) -> None:
        """Take the next piece (shape (frames,), float32, [-1, 1]); never waits for the recogniser."""
        ...

    def finish(self, cancel: CancelToken) -> Transcript:
        """No more will come: wait for the final transcript.

        Cancelled, it returns early with whatever text it has. Failure, now or since the beginning, raises BackendError.
        """
        ...

    def close(self) -> None:
        """Give up whatever is still under way; idempotent, and also called after :meth:`finish`."""
        ...


@runtime_checkable
class StreamingRecognizer(Recognizer, Protocol):
    """A recogniser that also gives partial transcripts."""

    def listen(self, heard: Callable[[Transcript], None]) -> RecognizerStream:
        """Begin a segment; never waits, not for the recogniser and not for the network.

        Parameters
        ----------
        heard : callable
            Told, from any thread and each time it changes, what the segment says so far: the whole text, not what is
            new of it. Must not block. Never called after :meth:`RecognizerStream.finish` has returned, or after
            :meth:`RecognizerStream.close`.
        """
        ...
