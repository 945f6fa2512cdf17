"""Which words of the notes a recogniser is told to expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.speech.notes.note import Note
from sottovoce.speech.notes.vocabulary import vocabulary


def note(*points: str, title: str = "a heading") -> Note:
    return Note(title, (), points, Path("a.md"), 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("That is Maria Lopez of the QA group", ["Maria", "Lopez", "QA"]),
        ("Only the first word is no name. Nor is this", []),
        ("in 2024 and 3 of 4", []),
        ("an M4 screw, a B2B sale and RFC-2119", ["M4", "B2B", "RFC-2119"]),
        ("our iPhone app and the gRPC door", ["iPhone", "gRPC"]),
        ("Качество ведёт Мария Лопес из ОТК", ["Мария", "Лопес", "ОТК"]),
        ("All Words Of A Heading Begin So", []),
        ("What I said", []),
    ],
)
def test_names_short_forms_and_words_with_digits_are_found(text: str, words: list[str]) -> None:
    assert list(vocabulary([note(text)])) == words


def test_the_most_frequent_come_first_and_no_more_than_the_limit() -> None:
    notes = [note("it is Ann", "and Bob"), note("then Bob", title="so Bob says")]
    assert vocabulary(notes) == ("Bob", "Ann")
    assert vocabulary(notes, limit=1) == ("Bob",)
