"""The contract of a generator: a question in, theses out, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sottovoce.core.cancel import CancelToken


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a generator.

    Attributes
    ----------
    text : str
        The transcript of the question.
    language : str
        ISO 639-1 code of the theses wanted.
    max_theses : int
        At most so many lines are wanted.
    context : tuple of str
        Earlier turns, oldest first, each a line of text.
    said : tuple of str
        Theses of this very answer that were given already, by a generator that failed before its end.
    whole : bool
        Whether lines beyond ``max_theses`` are wanted too, to see how well a model keeps to what it was asked for.
    """

    text: str
    language: str
    max_theses: int
    context: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer: text of any length, in which a line break ends a thesis.

    Attributes
    ----------
    text : str
        The next characters.
    source : str
        Where the thesis that these characters belong to comes from (a note's title and file, or a model), or empty.
    """

    text: str
    source: str = ""


class Generator(Protocol):
    """Makes theses for a question. Safe to use from several threads."""

    @property
    def name(self) -> str: ...

    def warm(self) -> None:
        """Load or connect whatever the first call would; idempotent."""
        ...

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        """Stream the answer; nothing at all means that there is none.

        Cancelled, the iterator ends early. Failure raises BackendError.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
