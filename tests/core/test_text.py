"""What services and keyboards write is shown as words, never obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.core.text import without_controls
from sottovoce.speech.asr.base import Transcript


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [("red \x1b[31malert", "red  [31malert"), ("a\u202eb", "a b"), ("два\r\nслова", "два  слова"), ("naïve", "naïve")],
)
def test_characters_that_a_terminal_would_obey_are_spaces(given_text: str, shown: str) -> None:
    assert without_controls(given_text) == shown


@given(st.text())
def test_nothing_unseen_is_left_and_nothing_seen_is_lost(text: str) -> None:
    kept = without_controls(text)
    assert len(kept) == len(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") for char in kept)
    assert all(now in (before, " ") for before, now in zip(text, kept, strict=True))


def test_transcript_of_any_recogniser_is_bare_words() -> None:
    heard = Transcript(" when\x1b]0;title\x07 do we launch?\n", "en", None, "anybody", heard="\x9bwhen")
    assert heard.text == "when ]0;title  do we launch?"
    assert heard.heard == "when"
