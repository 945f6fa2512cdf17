"""What Silero is given to say: words in the letters of its language, in pieces that it can take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.speech.tts._silero_text import MAX_CHARS, pieces

pytest.importorskip("num2words", reason='install the extra: pip install -e ".[silero]"')


def said(text: str, language: str) -> str:
    return " | ".join(pieces(text, language))


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        ("It costs 5 dollars", "en", "It costs five dollars"),
        ("$1,250.50 or 12%", "en", "one thousand, two hundred and fifty point fifty dollars or twelve per cent"),
        ("R&D + QA", "en", "R and D plus QA"),
        ("В 2024 году", "ru", "В две тысячи двадцать четыре году"),
        ("21% и 22% или 25 %", "ru", "двадцать один процент и двадцать два процента или двадцать пять процентов"),
        ("12% от 0.5%", "ru", "двенадцать процентов от ноль точка пять процента"),
        ("1 000 000 ₽", "ru", "один миллион рублей"),
        ("2,5 %", "ru", "два запятая пять процента"),
        ("$3", "ru", "три доллара"),
        ("код 007", "ru", "код ноль ноль семь"),
        ("№ 5", "ru", "номер пять"),
    ],
)  # fmt: skip
def test_numbers_and_signs_become_words(text: str, language: str, spoken: str) -> None:
    assert said(text, language) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("API вернул ошибку HTTP", "эй пи ай вернул ошибку эйч ти ти пи"),
        ("Это Python, да.", "Это питон, да."),
        ("цикл в Docker", "цикл в докер"),
        ("don't", "донт"),
    ],
)
def test_latin_words_are_said_in_russian_letters(text: str, spoken: str) -> None:
    assert said(text, "ru") == spoken


def test_russian_words_are_said_in_latin_letters() -> None:
    assert said("Meet Юля in Москва", "en") == "Meet yulya in moskva"


@pytest.mark.parametrize("text", ["", "  \n ", "\x00\x07", "... !?", "<>"])
def test_nothing_to_say_is_nothing(text: str) -> None:
    assert said(text, "en") == said(text, "ru") == ""


def test_markup_is_said_or_left_out() -> None:
    assert said('<break time="20s"/> hello & bye', "en") == "break time equals twenty s hello and bye"


def test_sentences_are_said_one_after_the_other() -> None:
    assert list(pieces("One. Two! Three?\nFour", "en")) == ["One.", "Two!", "Three?", "Four"]


def test_long_sentence_is_cut_at_commas_or_between_words() -> None:
    clauses = list(pieces(", ".join(["a clause of some words"] * 20), "en"))
    words = list(pieces(" ".join(["word"] * 200), "en"))
    letters = list(pieces("a" * 1000, "en"))
    for cut in (clauses, words, letters):
        assert len(cut) > 1
        assert max(map(len, cut)) <= MAX_CHARS
    assert all(piece.endswith((",", "words")) for piece in clauses)


@given(st.text(max_size=600), st.sampled_from(["ru", "en"]))
def test_any_text_becomes_pieces_that_the_model_can_say(text: str, language: str) -> None:
    for piece in pieces(text, language):
        assert len(piece) <= MAX_CHARS
        assert not set(piece) & set("<>&")
        assert any(character.isalpha() for character in piece)
