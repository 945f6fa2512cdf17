"""What a language model is asked, and how its lines are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.speech.llm._prompt import (
    MAX_CONTEXT_LINES,
    MAX_NOTES_TOKENS,
    MAX_QUESTION_CHARS,
    Form,
    SourcedLines,
    asked,
    make_prompt,
)
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.note import Note
from sottovoce.speech.usage import tokens_of


@pytest.fixture
def index() -> Iterator[NotesIndex]:
    made = NotesIndex(
        [
            Note("When do we launch?", ("When do we launch?",), ("On the third of June",), Path("plan.md"), 1),
            Note("How do we launch the rocket?", (), ("From the sea " * 400,), Path("deep.md"), 1),
        ]
    )
    yield made
    made.close()


def read(pieces: Sequence[str], sources: tuple[str, ...] = ("one", "two"), lines: int = 8) -> list[Delta]:
    reader = SourcedLines(sources, "the model", lines)
    given = [delta for piece in pieces for delta in reader.feed(piece)]
    return [*given, *reader.finish()]


def theses(deltas: Sequence[Delta]) -> list[tuple[str, str]]:
    """Each line with its source, as the assistant puts them together."""
    found, line = [], ""
    for delta in deltas:
        line += delta.text
        if line.endswith("\n"):
            found.append((line.strip(), delta.source))
            line = ""
    assert not any(char.isalnum() for char in line)
    return [pair for pair in found if pair[0]]


def test_mark_is_taken_off_and_names_the_note() -> None:
    assert theses(read(["[2] In June\n[1]: In Europe\n- [1, 2] Everywhere\nAnd more"])) == [
        ("In June", "two"),
        ("In Europe", "one"),
        ("Everywhere", "one"),
        ("And more", "the model"),
    ]


@pytest.mark.parametrize("mark", ["[0]", "[3]", "[99]"])
def test_mark_of_no_note_names_the_model(mark: str) -> None:
    assert theses(read([f"{mark} In June"])) == [("In June", "the model")]


@pytest.mark.parametrize(
    "text", ["[sic] so be it", "[1 June is the day", "[", "[1", "array[1] b", "[123456789012345] x"]
)
def test_bracket_that_is_no_mark_is_left_alone(text: str) -> None:
    assert theses(read([text])) == [(text, "the model")]


@pytest.mark.parametrize(
    ("line", "thesis", "source"),
    [
        ("On the third of June [2]", "On the third of June", "two"),
        ("On the third [2] of June.", "On the third of June.", "two"),
        ("[1] In June [2]", "In June", "one"),
        ("In June [1], in Europe [2].", "In June, in Europe.", "one"),
        ("[Note 2] In June", "In June", "two"),
        ("[Заметка 1]: В июне", "В июне", "one"),
        ("In June [7]", "In June", "the model"),
        ("[1][2] In June", "In June", "one"),
    ],
)
def test_mark_in_whatever_place_and_form_is_not_read_aloud(line: str, thesis: str, source: str) -> None:
    assert theses(read([line])) == theses(read([*line])) == [(thesis, source)]


def test_words_are_given_as_they_come_and_their_source_is_known_from_the_first() -> None:
    reader = SourcedLines(("one",), "the model", 3)
    assert [list(reader.feed(piece)) for piece in ("[", "1", "]")] == [[], [], []]
    assert [delta for piece in (" In", " June") for delta in reader.feed(piece)] == [
        Delta("In", "one"),
        Delta(" June", "one"),
    ]


def test_last_line_is_ended_and_once_only() -> None:
    assert read(["In June"])[-1] == Delta("\n", "the model")
    assert [delta.text for delta in read(["In June\n"])] == ["In June\n"]


def test_lines_beyond_those_wanted_are_left_out_and_empty_ones_do_not_count() -> None:
    assert theses(read(["\n\n-\nIn June\n\nIn Europe\nEverywhere"], lines=2)) == [
        ("-", "the model"),
        ("In June", "the model"),
        ("In Europe", "the model"),
    ]


@given(
    st.lists(
        st.sampled_from(["[1]", "[2] ", "[", "]", "1", "\n", " ", "June", "- ", "[0]x", "[Note 2]:", "."]), max_size=12
    ).map("".join),
    st.lists(st.integers(1, 4), max_size=60),
)
def test_how_an_answer_is_cut_into_pieces_changes_nothing(text: str, sizes: list[int]) -> None:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    assert theses(read([*pieces, text[at:]])) == theses(read([text]))


def test_prompt_holds_the_fitting_notes_the_dialogue_and_the_question(index: NotesIndex) -> None:
    earlier = tuple(f"line {number}" for number in range(20))
    prompt = make_prompt(Question("when do we launch", "ru", 3, earlier), index)
    assert "at most 3" in prompt.system
    assert "Russian" in prompt.system
    assert prompt.sources[0] == "When do we launch? (plan.md)"
    assert "Note [1]: When do we launch?\n- On the third of June" in prompt.user
    assert prompt.user.count("line ") == MAX_CONTEXT_LINES
    assert prompt.user.endswith("Question: when do we launch")
    assert tokens_of(prompt.user) < MAX_NOTES_TOKENS + 200


def test_notes_take_no_more_than_their_tokens_and_the_passage_about_the_question_is_in_them() -> None:
    filler = tuple(f"Something else that was written down as number {number}" for number in range(300))
    long = Note("Rocket", (), (*filler, "The rocket launches from a platform at sea", *filler), Path("deep.md"), 1)
    short = Note("Launch of the rocket", (), ("On the third of June",), Path("plan.md"), 1)
    with closing(NotesIndex([long, short])) as made:
        prompt = make_prompt(Question("where does the rocket launch from at sea", "en", 3), made)
    notes = prompt.user.rpartition("Question:")[0]
    assert tokens_of(notes) <= MAX_NOTES_TOKENS + 30  # titles
    assert "platform at sea" in notes
    assert "On the third of June" in notes
    assert len(prompt.sources) == 2


def test_point_that_is_longer_than_all_that_may_be_sent_is_cut() -> None:
    with closing(NotesIndex([Note("Запуск ракеты", (), ("ракета летит " * 2000,), Path("a.md"), 1)])) as made:
        prompt = make_prompt(Question("когда запуск ракеты", "ru", 3), made)
    assert "ракета летит" in prompt.user
    assert tokens_of(prompt.user) <= MAX_NOTES_TOKENS + 100


@pytest.mark.parametrize(("form", "words"), [("theses", "key points"), ("answer", "in the first person")])
def test_form_of_the_answer_is_asked_for(form: Form, words: str) -> None:
    system = make_prompt(Question("why", "en", 3), None, form).system
    assert words in system
    assert "at most 3" in system
    assert "a line" in system


def test_notes_that_do_not_fit_are_not_sent(index: NotesIndex) -> None:
    prompt = make_prompt(Question("how do whales sleep", "en", 3), index)
    assert prompt.sources == ()
    assert "June" not in prompt.user
    assert "[1]" not in prompt.system


def test_language_without_a_name_is_asked_for_by_its_code() -> None:
    assert "ISO 639-1 code xx" in make_prompt(Question("why", "xx", 3), None).system


@pytest.mark.parametrize("text", ["", "  \n", "?!…"])
def test_nothing_is_asked_without_a_word(text: str) -> None:
    assert asked(Question(text, "en", 3)) == ""


def test_long_question_is_cut() -> None:
    assert len(asked(Question("why " * 50_000, "en", 3))) == MAX_QUESTION_CHARS
