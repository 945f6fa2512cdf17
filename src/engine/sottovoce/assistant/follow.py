"""Following the wearer: has a thesis been said in own words? Then the next one may come."""

from __future__ import annotations

import math

from sottovoce.assistant.messages import Thesis
from sottovoce.speech.notes.words import content_words, stem

#: Share of a thesis's content words that must have been said. A thesis is retold, not repeated, and a recogniser misses
#: a word now and then; half of them would be reached by a sentence about something near it.
COVERED = 0.6


def covers(said: frozenset[str], text: str) -> bool:
    """Whether the stems ``said`` cover the content words of ``text``; a text that has none is covered by anything."""
    wanted = {stem(word) for word in content_words(text)}
    return len(wanted & said) >= math.ceil(COVERED * len(wanted))


class Follower:
    """Listens to the wearer while a thesis is in the ear; pure."""

    def __init__(self) -> None:
        self._thesis: Thesis | None = None
        self._said: frozenset[str] = frozenset()

    def began(self, thesis: Thesis) -> None:
        """This thesis sounds now: what is said from now on counts for it."""
        self._thesis, self._said = thesis, frozenset()

    def said(self, text: str) -> Thesis | None:
        """The wearer has said this; returns the thesis that is covered by it, once."""
        if self._thesis is None:
            return None
        self._said |= {stem(word) for word in content_words(text)}
        if not text.strip() or not covers(self._said, self._thesis.text):
            return None
        covered, self._thesis = self._thesis, None
        return covered
