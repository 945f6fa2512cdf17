"""The contract of a synthesiser: a text in, chunks of speech out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono


class Synthesizer(Protocol):
    """Speaks texts. Safe to use from several threads; a backend that can speak one text at a time takes turns."""

    @property
    def name(self) -> str: ...

    @property
    def samplerate(self) -> int:
        """Samplerate (Hz) of the chunks; constant after :meth:`warm`."""
        ...

    def warm(self) -> None:
        """Load or connect whatever the first call would; idempotent."""
        ...

    def synthesize(self, text: str, language: str, cancel: CancelToken) -> Iterator[Mono]:
        """Stream the speech of ``text`` as chunks of shape (frames,), float32, [-1, 1].

        Voice and speed belong to the backend's own settings. Cancelled, the iterator ends early. Failure raises
        BackendError.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
