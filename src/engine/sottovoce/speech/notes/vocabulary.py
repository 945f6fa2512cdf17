"""The words of the notes that a recogniser is likely to get wrong: names, abbreviations, numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from sottovoce.speech.notes.note import Note

#: Most words that are given; the prompts of Whisper's kind hold some 200 tokens, the questions among them.
MAX_WORDS = 80

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?…:]\s*$")


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


def _unusual(text: str) -> Iterator[str]:
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
