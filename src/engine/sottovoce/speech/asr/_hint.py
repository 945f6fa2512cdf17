"""What a recogniser is told to expect, where it reads a text as a hint."""

from __future__ import annotations

from collections.abc import Sequence

#: Words of the notes in a hint; the rest is for questions.
MAX_WORDS = 20


def hint_of(phrases: Sequence[str], words: Sequence[str], most_chars: int) -> str:
    """Words and phrases, as many as fit, as one text: the words first, since what reads less of it drops the first."""
    hint = ""
    for phrase in (*(f"{word}," for word in words[:MAX_WORDS]), *phrases):
        if len(hint) + len(phrase) > most_chars:
            break
        hint += f"{phrase} "
    return hint.strip()
