"""Word errors: what was said against what was heard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sottovoce.core.errors import BackendUnavailableError

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Words of a transcript by what became of them.

    Attributes
    ----------
    right, replaced, missed : int
        Words that were said; together they are all of them.
    added : int
        Words that nobody said.
    """

    right: int = 0
    replaced: int = 0
    missed: int = 0
    added: int = 0

    @property
    def said(self) -> int:
        return self.right + self.replaced + self.missed

    @property
    def wrong(self) -> int:
        return self.replaced + self.missed + self.added

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.right + other.right,
            self.replaced + other.replaced,
            self.missed + other.missed,
            self.added + other.added,
        )


def spoken_words(text: str) -> list[str]:
    """The words of ``text`` without case and punctuation; apostrophes within a word stay, ё counts as е.

    Numbers stay as they are written: "15" and "fifteen" are different words.

    Examples
    --------
    >>> spoken_words("Don’t — it's 5 o'clock!")
    ["don't", "it's", '5', "o'clock"]
    """
    return _WORD.findall(text.casefold().replace("’", "'").replace("ё", "е"))


def word_errors(said: str, heard: str) -> WordErrors:
    """Align what was heard with what was said, at the least number of errors.

    Raises
    ------
    BackendUnavailableError
        jiwer is not installed.
    """
    try:
        import jiwer
    except ImportError as error:
        raise BackendUnavailableError(
            "word errors are counted by jiwer, not installed here",
            backend="jiwer",
            install_hint='pip install "sottovoce[eval]"',
        ) from error
    reference, hypothesis = spoken_words(said), spoken_words(heard)
    if not reference or not hypothesis:
        return WordErrors(missed=len(reference), added=len(hypothesis))
    found = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return WordErrors(found.hits, found.substitutions, found.deletions, found.insertions)
