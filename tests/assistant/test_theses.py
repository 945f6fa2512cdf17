"""A streamed answer becomes theses, whatever a generator writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.assistant.theses import MAX_THESIS_CHARS, ThesisLines, clean_thesis


def split(text: str, question: str = "", cuts: int = 1) -> list[str]:
    lines = ThesisLines(question)
    theses: list[str] = []
    for start in range(0, len(text), cuts):
        theses += lines.feed(text[start : start + cuts])
    return theses + lines.finish()


@pytest.mark.parametrize("cuts", [1, 3, 1000])
def test_lines_end_theses_however_the_text_is_cut(cuts: int) -> None:
    assert split("First point\nSecond point\r\nThird", cuts=cuts) == ["First point", "Second point", "Third"]


def test_thesis_is_out_with_its_line_break_and_not_later() -> None:
    lines = ThesisLines()
    assert lines.feed("First point") == []
    assert lines.feed("\n") == ["First point"]


@pytest.mark.parametrize(
    ("line", "spoken"),
    [
        ("- **Budget** is fixed", "Budget is fixed"),
        ("3) see [the plan](http://x.example/plan)", "see the plan"),
        ("### Heading", "Heading"),
        ("a\x00b\x1b[31mc", "a b [31mc"),
        ("* * *", ""),
        ("   ", ""),
        ("2 * 3 = 6", "2 * 3 = 6"),
        ("<b>bold</b> word", "bold word"),
        ("— Срок: пять дней", "Срок: пять дней"),
    ],
)
def test_markup_and_control_characters_are_not_spoken(line: str, spoken: str) -> None:
    assert clean_thesis(line) == spoken


def test_repeats_and_the_question_itself_are_left_out() -> None:
    assert split("What is it?\nA plan\na plan!\nA date", question="what is it") == ["A plan", "A date"]


def test_endless_line_is_cut_at_a_word_and_memory_stays_bounded() -> None:
    theses = split("word " * 5000 + "\nnext", cuts=7)
    assert theses[1:] == ["next"]
    assert len(theses[0]) <= MAX_THESIS_CHARS + 1
    assert theses[0].endswith("word…")


@given(st.text(max_size=600), st.integers(1, 50))
def test_any_text_gives_clean_lines(text: str, cuts: int) -> None:
    for thesis in split(text, cuts=cuts):
        assert thesis == thesis.strip()
        assert "\n" not in thesis
        assert len(thesis) <= MAX_THESIS_CHARS + 1
