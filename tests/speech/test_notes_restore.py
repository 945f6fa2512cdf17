"""Names, abbreviations and numbers of the notes come back into transcripts, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.core.cancel import CancelToken
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import RecognizerStream, StreamingRecognizer, Transcript
from sottovoce.speech.notes.note import Note
from sottovoce.speech.notes.numbers import fold_numbers
from sottovoce.speech.notes.restore import Change, Restorer
from sottovoce.speech.notes.restoring import restoring
from sottovoce.speech.notes.sounds import romanized, sounds, stream
from sottovoce.speech.notes.vocabulary import Terms, terms_of
from tests.support.fakes import WordRecognizer


def points(*lines: str) -> list[Note]:
    return [Note("About us", (), lines, Path("talk.md"), 1)]


ENGLISH = Restorer(
    terms_of(
        points(
            "We moved to Kubernetes in 2026, with PostgreSQL and the API of Siemens",
            "Ask Maria Lopez about it, or Volodymyr",
            "It costs 35 % less, 1,200 euros; see the SQL, the S3 and the WWF",
            "our launch is safe",
        )
    )
)
RUSSIAN = Restorer(
    terms_of(
        points(
            "Мы перешли на Kubernetes и Яндекс в 2026 году",
            "За НДС и КПД отвечает Серебренников, за CRM Екатерина",
            "Это на 35 % дешевле, всего 1 200 рублей",
        )
    )
)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("do you run cuber netties", "do you run Kubernetes"),
        ("what about cubernetes now", "what about Kubernetes now"),
        ("is it post gress q l", "is it PostgreSQL"),
        ("who is maria low pez", "who is maria Lopez"),
        ("and seamens", "and Siemens"),
        ("the a p i please", "the API please"),
        ("the ay pee eye", "the API"),
        ("use s q l or A.P.I.", "use SQL or API."),
        ("s three is fine", "S3 is fine"),
        ("the double u double u f", "the WWF"),
        ("thirty five percent of it", "35 % of it"),
        ("in twenty twenty six it was twelve hundred", "in 2026 it was 1200"),
    ],
)
def test_english_terms_are_restored(heard: str, written: str) -> None:
    assert ENGLISH(heard).text == written


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("вы используете кубернетес", "вы используете Kubernetes"),
        ("это кубер нетис", "это Kubernetes"),
        ("и яндыкс тоже", "и Яндекс тоже"),
        ("сколько эн дэ эс", "сколько НДС"),
        ("что с си ар эм", "что с CRM"),
        ("на тридцать пять процентов", "на 35 %"),
        ("в две тысячи двадцать шестом году", "в 2026 году"),
        ("где серебреников", "где Серебренников"),
    ],
)
def test_russian_terms_are_restored(heard: str, written: str) -> None:
    assert RUSSIAN(heard).text == written


@pytest.mark.parametrize(
    "heard",
    [
        "",
        "when is lunch",
        "our launch is safe",
        "see what you are",
        "i see queues",
        "one of them is a man",
        "thirty six percent",
        "to be or not to be",
        "kubernetes and Maria Lopez",
        "why you are so low",
        "мы с вами и я",
        "тридцать шесть процентов",
    ],
)
def test_what_is_none_of_them_stays(heard: str) -> None:
    for restorer in (ENGLISH, RUSSIAN):
        assert restorer(heard).text == heard
        assert restorer(heard).changes == ()


def test_changes_are_named() -> None:
    assert ENGLISH("cuber netties, thirty five percent").changes == (
        Change("cuber netties", "Kubernetes"),
        Change("thirty five percent", "35 %"),
    )


@given(st.text(max_size=80))
def test_any_text_can_be_restored_and_without_terms_none_changes(text: str) -> None:
    ENGLISH(text)
    assert Restorer(Terms())(text).text == text


def test_terms_are_what_is_written_in_a_way_of_its_own() -> None:
    terms = terms_of(points("Ask Maria of the QA about 1,200 lamps", "the lamps of maria", "See iPhone"))
    assert terms.names == ("iPhone",)
    assert terms.abbreviations == ("QA",)
    assert terms.numbers == {"1200"}
    assert {"maria", "lamps", "of"} <= terms.ordinary


# Numbers


@pytest.mark.parametrize(
    ("spoken", "figures"),
    [
        ("two hundred and ten thousand", "210000"),
        ("nineteen eighty four", "1984"),
        ("two thousand and six", "2006"),
        ("one two three", "1 2 3"),
        ("twenty first of may", "21 of may"),
        ("3rd of june at five per cent", "3 of june at 5 %"),
        ("a million and a half", "a 1000000 and a half"),
        ("5 million", "5000000"),
        ("тысяча двести", "1200"),
        ("сто двадцать пять тысяч", "125000"),
        ("двадцать пятого мая", "25 мая"),
        ("восемьюдесятью процентами", "80 %"),
        ("пятисот пятидесяти", "550"),
        ("третья страна", "3 страна"),
        ("forty and counting", "40 and counting"),
    ],
)
def test_spoken_numbers_become_figures(spoken: str, figures: str) -> None:
    assert " ".join(fold_numbers(spoken.split())) == figures


@given(
    st.lists(
        st.sampled_from(["one", "twenty", "hundred", "thousand", "and", "сто", "пять", "тысяч", "7", "lamps", "%"]),
        max_size=12,
    )
)
def test_folding_again_changes_nothing_but_sums(words: list[str]) -> None:
    folded = fold_numbers(words)
    assert len(folded) <= len(words)
    assert [word for word in folded if word == "lamps"] == [word for word in words if word == "lamps"]


# Sounds


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("kubernetes",), ("cuber", "netties")),
        (("kubernetes",), ("кубернетис",)),
        (("siemens",), ("сименс",)),
        (("yandex",), ("яндекс",)),
        (("phone",), ("fone",)),
        (("джон",), ("john",)),
    ],
)
def test_what_sounds_alike_has_one_code_in_both_alphabets(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert sounds("".join(one)) == sounds("".join(other)) != ""


@given(st.text(max_size=60))
def test_any_word_has_a_sound(word: str) -> None:
    assert sounds(word.lower()).isascii()
    assert isinstance(romanized(word.lower()), str)
    assert stream([]) == sounds("35") == ""


# A recogniser behind which terms are restored


def test_transcript_is_restored_and_keeps_what_was_heard() -> None:
    recognizer = restoring(WordRecognizer({1: "use s q l", 2: "hello"}), lambda text: ENGLISH(text).text)
    first, second = (recognizer.transcribe(np.full(1, word, np.float32), CancelToken()) for word in (1, 2))
    assert (first.text, first.heard) == ("use SQL", "use s q l")
    assert (second.text, second.heard) == ("hello", "")
    assert (recognizer.name, recognizer.samplerate) == (WordRecognizer.name, WordRecognizer.samplerate)
    assert not isinstance(recognizer, StreamingRecognizer)


class Streaming(WordRecognizer):
    """Says everything twice: while it is spoken, and at the end."""

    def listen(self, heard: Callable[[Transcript], None]) -> RecognizerStream:
        recognizer, said = self, np.zeros(1, np.float32)

        class Stream:
            def feed(self, audio: Mono) -> None:
                said[0] = audio[0]
                heard(recognizer.transcribe(said, CancelToken()))

            def finish(self, cancel: CancelToken) -> Transcript:
                return recognizer.transcribe(said, cancel)

            def close(self) -> None: ...

        return Stream()


def test_partial_transcripts_are_restored_too() -> None:
    recognizer = restoring(Streaming({1: "use s q l"}), lambda text: ENGLISH(text).text)
    assert isinstance(recognizer, StreamingRecognizer)
    partial: list[Transcript] = []
    stream = recognizer.listen(partial.append)
    stream.feed(np.ones(1, np.float32))
    whole = stream.finish(CancelToken())
    stream.close()
    assert [transcript.text for transcript in (*partial, whole)] == ["use SQL", "use SQL"]
