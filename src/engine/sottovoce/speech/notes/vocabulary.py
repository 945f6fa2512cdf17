"""The words of the notes that a recogniser is likely to get wrong: names, abbreviations, numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sottovoce.speech.notes.note import Note
from sottovoce.speech.notes.words import STOP_WORDS, plain_words

#: Most words that are given; the prompts of Whisper's kind hold some 200 tokens, the questions among them.
MAX_WORDS = 80
#: Letters of a name that is restored, at least: shorter ones sound like too many words.
LEAST_LETTERS = 4

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?…:]\s*$")
_ABBREVIATION = re.compile(r"[A-ZА-ЯЁ][A-ZА-ЯЁ0-9]{1,5}$")


def vocabulary(notes: Iterable[Note], limit: int = MAX_WORDS) -> tuple[str, ...]:
    """Names, abbreviations and words with digits of the notes, as they are written there, the most frequent first.

    A name is a word that begins with a capital where no sentence begins, in a text that is not written in capitals
    throughout as some headings are. Numbers of digits alone are left out: they are spoken in too many ways.

    Examples
    --------
    >>> from pathlib import Path
    >>> note = Note("Who leads quality?", (), ("That is Maria Lopez of the QA group", "See RFC-2119"), Path("a.md"), 1)
    >>> vocabulary([note])
    ('Maria', 'Lopez', 'QA', 'RFC-2119')
    """
    found: Counter[str] = Counter()
    for note in notes:
        for text in dict.fromkeys((note.title, *note.questions, *note.trail, *note.points)):
            found.update(_unusual(text))
    return tuple(word for word, _ in found.most_common(limit))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is restored in transcripts.

    Attributes
    ----------
    names : tuple of str
        Unusual words of :data:`LEAST_LETTERS` letters or more that are nowhere written in lower case.
    abbreviations : tuple of str
        Two to six capitals and figures.
    numbers : frozenset of str
        Figures alone.
    ordinary : frozenset of str
        All words in lower case, ё as е: a transcript that has one of them has heard it well.
    """

    names: tuple[str, ...] = ()
    abbreviations: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    ordinary: frozenset[str] = frozenset()


def terms_of(notes: Iterable[Note]) -> Terms:
    """Gather what some notes write in a way of their own."""
    unusual: dict[str, None] = {}
    ordinary: set[str] = set()
    numbers: set[str] = set()
    for note in notes:
        for text in dict.fromkeys((note.title, *note.questions, *note.trail, *note.points)):
            unusual |= dict.fromkeys(_unusual(text))
            ordinary.update(found[0].replace("ё", "е") for found in _WORD.finditer(text) if found[0].islower())
            numbers.update(word for word in plain_words(text) if word.isdecimal())
    common = ordinary | STOP_WORDS
    short = [word for word in unusual if _ABBREVIATION.match(word)]
    names = [
        word
        for word in unusual
        if len(word) >= LEAST_LETTERS and word.lower().replace("ё", "е") not in common and word not in short
    ]
    return Terms(tuple(names), tuple(short), frozenset(numbers), frozenset(ordinary))


def _unusual(text: str) -> Iterator[str]:
    if text.islower() and not any(map(str.isdigit, text)):  # nothing unusual, and most often so
        return
    matches = list(_WORD.finditer(text))
    long_ones = [match[0] for match in matches[1:] if len(match[0]) > 3]
    titled = len(long_ones) > 1 and all(word[0].isupper() for word in long_ones)
    for match in matches:
        word = match[0]
        begins = match.start() == 0 or bool(_SENTENCE_END.search(text[: match.start()]))
        is_name = word[0].isupper() and len(word) > 1 and not begins and not titled
        letters = [char for char in word if char.isalpha()]
        is_short_form = len(letters) > 1 and any(char.isupper() for char in word[1:])
        has_digit = len(letters) < len(word) and any(char.isdigit() for char in word) and bool(letters)
        if is_name or is_short_form or has_digit:
            yield word
