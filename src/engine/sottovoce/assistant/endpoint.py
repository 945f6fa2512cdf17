"""Does a transcript read like a whole question? Then a short silence ends it, else a long one.

Works on what recognisers give, which often has no punctuation and no capitals. Saying no too often costs a quarter of
a second; saying yes too often cuts people short, and asks a generator in vain. So a text must look like a question that
has its object and its verb, and must not end in a word that something follows; see `endpoint_english` and
`endpoint_russian` for what that means in a language.
"""

from __future__ import annotations

import re
from typing import Protocol

from sottovoce.assistant import endpoint_english, endpoint_russian


class EndOfQuestion(Protocol):
    """Says whether a text in a language (ISO 639-1) reads like a whole question; a turn model may stand here."""

    def __call__(self, text: str, language: str) -> bool: ...


class _Grammar(Protocol):
    """What is known of a language; ``words`` are in lower case, and there is at least one."""

    def hangs(self, words: list[str]) -> bool:
        """Whether something follows the last word."""

    def is_whole(self, words: list[str]) -> bool:
        """Whether they are a question, or a request to tell something, to its end."""


_GRAMMARS: dict[str, _Grammar] = {"en": endpoint_english, "ru": endpoint_russian}

#: A question of fewer words is rarely all.
_LEAST_WORDS = 3

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+", re.UNICODE)


def reads_finished(text: str, language: str) -> bool:
    """Whether ``text`` reads like a whole question, or a whole request to tell something.

    Parameters
    ----------
    text : str
        A transcript, with or without punctuation and capitals.
    language : str
        ISO 639-1 code; of languages other than English and Russian only punctuation is understood.
    """
    stripped = text.rstrip().rstrip("\"'»”)")
    if stripped.endswith(("...", "…", ",", "-", "–", "—", ":", ";")):
        return False
    words = [word.replace("’", "'") for word in _WORD.findall(text.lower())]
    grammar = _GRAMMARS.get(language)
    if stripped.endswith(("?", "？")):
        return grammar is None or not words or not grammar.hangs(words)
    return grammar is not None and len(words) >= _LEAST_WORDS and grammar.is_whole(words)
