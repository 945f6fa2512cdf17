"""Markup off, sentences apart, theses short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.speech.notes.duration import spoken_s
from sottovoce.speech.notes.text import MAX_S, SPEED, is_question, sentences, strip_markup, theses


@pytest.mark.parametrize(
    ("marked", "spoken"),
    [
        ("plain text", "plain text"),
        ("**bold**, *slanted*, ~~gone~~, ==marked== and __strong__", "bold, slanted, gone, marked and strong"),
        ("snake_case stays, 2 * 3 too, and a_b_c", "snake_case stays, 2 * 3 too, and a_b_c"),
        ("`code` and ``more``", "code and more"),
        ("a [link](https://x.org/a_b) here", "a link here"),
        ("a [link][1] and ![picture](p.png)", "a link and picture"),
        ("[[Some Page|that page]] and [[Other]]", "that page and Other"),
        ("see https://x.org/path?q=1 and <http://y.org>", "see and"),
        ("a claim[^1] made", "a claim made"),
        ("a <b>tag</b> and 3 < 4 > 2", "a tag and 3 < 4 > 2"),
        ("salt &amp; pepper &mdash; 5&nbsp;g", "salt & pepper — 5 g"),
        (r"\*not slanted\* and \[x\]", "*not slanted* and [x]"),
        ("done ✅ go → there 🚀, 20 °C, № 5", "done go there , 20 °C, № 5"),
        ("before <!-- hidden --> after", "before after"),
        ("zero\u200bwidth\tand\x07bell", "zero width and bell"),
        ("**Жирный** и [ссылка](http://x)", "Жирный и ссылка"),
        ("", ""),
    ],
)
def test_markup_is_not_spoken(marked: str, spoken: str) -> None:
    assert strip_markup(marked) == spoken


@given(st.text())
def test_any_text_comes_out_on_one_line_without_outer_spaces(text: str) -> None:
    spoken = strip_markup(text)
    assert spoken == " ".join(spoken.split())


@pytest.mark.parametrize(
    "piece", ["[", "<!--", "`", "*a", "](", "<a", "\\", "[[|", "&", ".", "a. ", "- ", "| -", "http://"]
)
def test_hostile_text_takes_no_time_to_speak_of(piece: str) -> None:
    """Any pattern that is not linear would run into the time limit of the tests here."""
    text = piece * 200_000
    sentences(strip_markup(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three? Four… Five", ("One.", "Two!", "Three?", "Four…", "Five")),
        ("Version 2.5 is out. It works.", ("Version 2.5 is out.", "It works.")),
        ("Ask Mr. Smith, e.g. Today. J. R. Doe knows.", ("Ask Mr. Smith, e.g. Today.", "J. R. Doe knows.")),
        ("He said «yes.» Then he left.", ("He said «yes.»", "Then he left.")),
        ("Стоит 5 руб. Это т.е. мало. Да.", ("Стоит 5 руб. Это т.е. мало.", "Да.")),
        ("no capital. follows", ("no capital. follows",)),
        ("  ", ()),
    ],
)
def test_sentences_are_told_apart(text: str, found: tuple[str, ...]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "asks"),
    [("Why?", True), ("**Why?**", True), ("«Почему?»", True), ("Why", False), ("Why? Because.", False), ("", False)],
)
def test_question_is_what_ends_in_a_question_mark(text: str, asks: bool) -> None:
    assert is_question(text) is asks


@pytest.mark.parametrize(
    ("point", "spoken"),
    [
        ("On the third of June", ["On the third of June"]),
        ("First this. Then that.", ["First this.", "Then that."]),
        (
            "We launch in Europe on the third of June; everywhere else it will be autumn at the earliest",
            ["We launch in Europe on the third of June", "everywhere else it will be autumn at the earliest"],
        ),
        (
            "The old factory could not double its output in years, the new one is two hours away from here by train",
            [
                "The old factory could not double its output in years",
                "the new one is two hours away from here by train",
            ],
        ),
        (
            "we send the spare part on the very same day because nobody should have to sit in the dark for a week",
            ["we send the spare part on the very same day", "because nobody should have to sit in the dark for a week"],
        ),
        (
            "Мы запускаем продажи третьего июня сначала в Европе, а потом во всех остальных странах мира",
            ["Мы запускаем продажи третьего июня сначала в Европе", "а потом во всех остальных странах мира"],
        ),
        ("a price of 3,5 million", ["a price of 3,5 million"]),
    ],
)
def test_long_points_are_cut_where_they_have_a_joint(point: str, spoken: list[str]) -> None:
    assert list(theses(point)) == spoken


@pytest.mark.parametrize(
    "point",
    [
        "We sell it in every country of the union and beyond unless the regulator says no to it this time",
        "Every single customer of ours in the whole region may return it within a month except for the batteries",
        "Мы продаем лампу во всех странах союза и за его пределами если регулятор в этот раз не скажет нам нет",
    ],
)
def test_no_thesis_ends_or_begins_where_its_meaning_would_turn(point: str) -> None:
    pieces = [piece.split() for piece in theses(point)]
    assert len(pieces) > 1
    assert not {"the", "no", "not", "of", "for", "не", "в", "за"} & {piece[-1] for piece in pieces[:-1]}
    assert not {"unless", "except", "если"} & {piece[0] for piece in pieces[1:]}


def test_faster_voice_says_more_in_a_thesis() -> None:
    point = "We send the spare part on the same day because nobody should have to sit in the dark at home"
    assert len(list(theses(point, speed=0.8))) > len(list(theses(point, speed=1.6))) == 1
    assert len(list(theses(point, max_s=2.0))) > len(list(theses(point)))


def test_word_that_is_too_long_stays_whole() -> None:
    long = "xa" * 100
    assert list(theses(f"a {long} b")) == ["a", long, "b"]


@given(
    st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=20), min_size=1, max_size=80),
    st.data(),
)
def test_no_thesis_is_too_long_and_no_word_is_lost(words: list[str], data: st.DataObject) -> None:
    joints = st.sampled_from([" ", ", ", "; ", " - ", " and "])
    text = words[0] + "".join(data.draw(joints) + word for word in words[1:])
    spoken = list(theses(text))
    assert all(spoken_s(thesis, SPEED) <= MAX_S or len(thesis.split()) == 1 for thesis in spoken)
    kept = [word for thesis in spoken for word in thesis.replace(",", " ").replace(";", " ").split() if word != "-"]
    assert kept == [word for word in text.replace(",", " ").replace(";", " ").split() if word != "-"]
