"""The embedded recogniser: the notes' own questions, words nobody knows, and what it does not understand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.sounds import music
from sottovoce.app.demo import SAMPLE_NOTES
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.asr import pocketsphinx
from sottovoce.speech.asr._ngrams import write_arpa
from sottovoce.speech.asr.base import Transcript
from sottovoce.speech.asr.pocketsphinx import PocketsphinxRecognizer, words_of
from sottovoce.speech.notes.index import NotesIndex
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.registry import open_synthesizer
from tests.support.shared import manifest, shared_data

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer() -> Iterator[PocketsphinxRecognizer]:
    opened = PocketsphinxRecognizer()
    opened.warm()
    yield opened
    opened.close()


def spoken(text: str, voice: str) -> Mono:
    synthesizer = open_synthesizer("espeak", voice=voice, speed=0.9)
    sound = np.concatenate(list(synthesizer.synthesize(text, "en", CancelToken())))
    at = np.arange(len(sound) * RATE // synthesizer.samplerate) * synthesizer.samplerate / RATE
    quiet = np.zeros(4800, np.float32)
    return np.concatenate([quiet, np.interp(at, np.arange(len(sound)), sound).astype(np.float32), quiet])


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3"])
def test_questions_of_the_notes_are_heard_word_by_word(recognizer: PocketsphinxRecognizer, voice: str) -> None:
    index = NotesIndex(read_notes(SAMPLE_NOTES))
    questions = [question for question in index.questions() if question.endswith("?")]
    recognizer.adapt(index.questions())
    index.close()
    heard = [recognizer.transcribe(spoken(question, voice), CancelToken()).text for question in questions]
    exact = sum(words_of(text) == words_of(question) for text, question in zip(heard, questions, strict=True))
    assert exact >= len(questions) - 1, list(zip(questions, heard, strict=True))


def test_question_that_is_in_no_note_is_heard_by_the_default_model(recognizer: PocketsphinxRecognizer) -> None:
    recognizer.adapt(NotesIndex(read_notes(SAMPLE_NOTES)).questions())
    heard = recognizer.transcribe(spoken("I think we should go home now", "en-us"), CancelToken())
    assert {"think", "should", "home"} & set(words_of(heard.text))


def test_word_that_no_dictionary_knows_is_pronounced_and_heard(recognizer: PocketsphinxRecognizer) -> None:
    recognizer.adapt(["What is a zorbitron?", "How old is the moon?"])
    heard = recognizer.transcribe(spoken("What is a zorbitron?", "en-us"), CancelToken())
    assert words_of(heard.text) == ["what", "is", "a", "zorbitron"]


class ImpatientToken(CancelToken):
    """Is cancelled after it has been asked a number of times."""

    __slots__ = ("asked", "patience")

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.asked, self.patience = 0, patience

    @property
    def cancelled(self) -> bool:
        self.asked += 1
        return self.asked > self.patience


def test_cancellation_is_seen_between_two_pieces_of_a_segment(recognizer: PocketsphinxRecognizer) -> None:
    recognizer.adapt(["How old is the moon?"])
    half_a_minute = np.tile(spoken("I think we should go home now", "en-us"), 15)
    cancel = ImpatientToken(patience=5)
    assert recognizer.transcribe(half_a_minute, cancel).text == ""
    assert cancel.asked <= 10


def test_segment_is_heard_alike_whatever_was_heard_before(recognizer: PocketsphinxRecognizer) -> None:
    recognizer.adapt([])
    question = spoken("Where is the nearest train station?", "en-us+f3")
    noise = (0.05 * np.random.default_rng(3).standard_normal(2 * RATE)).astype(np.float32)
    alone = recognizer.transcribe(question, CancelToken())
    for other in (noise, spoken("She bought a new car last week.", "en-us+m3")):
        recognizer.transcribe(other, CancelToken())
        assert recognizer.transcribe(question, CancelToken()) == alone


def test_words_that_nobody_can_pronounce_are_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sottovoce.speech.asr.pocketsphinx._pronounce", lambda word: "")
    opened = PocketsphinxRecognizer()
    opened.adapt(["What is a zorbitron?", "How old is the moon?", "Zorbitron zorbitron!"])
    opened.warm()
    assert opened.transcribe(spoken("How old is the moon?", "en-us"), CancelToken()).text == "How old is the moon?"
    opened.close()
    (record,) = [record for record in caplog.records if "cannot be heard" in record.message]
    assert record.fields == {"words": 1}  # type: ignore[attr-defined]
    assert "zorbitron" not in caplog.text


def test_language_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="only 'en'"):
        PocketsphinxRecognizer(language="ru")


def test_words_are_those_of_the_dictionary() -> None:
    assert words_of("What’s a “C++” limiter — and why?") == ["what's", "a", "c++", "limiter", "and", "why"]


def test_language_model_gives_each_history_probabilities_that_sum_to_one(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa"
    write_arpa(path, [["how", "much"], ["how", "old"], ["who"]], order=2)
    (section,) = [part for part in path.read_text(encoding="utf-8").split("\\") if part.startswith("1-grams")]
    unigrams = [line.split("\t") for line in section.splitlines()[1:] if line]
    total = sum(10 ** float(line[0]) for line in unigrams if line[1] != "<s>")
    assert total == pytest.approx(1.0, abs=1e-3)
    assert {line[1] for line in unigrams} == {"<s>", "</s>", "how", "much", "old", "who"}


@pytest.mark.data
def test_real_recordings_are_heard_with_a_bank_that_holds_them(recognizer: PocketsphinxRecognizer) -> None:
    import soundfile

    rows = [*manifest("questions"), *manifest("cards")]
    recognizer.adapt([row["transcript"] for row in rows])
    for row in rows:
        audio, samplerate = soundfile.read(shared_data() / "speech" / row["file"], dtype="float32")
        assert samplerate == RATE
        assert recognizer.transcribe(audio, CancelToken()).text == row["transcript"]


@pytest.mark.data
def test_recorded_noise_gives_no_text(recognizer: PocketsphinxRecognizer) -> None:
    import soundfile

    for phrases in ([], ["What is in it?", "Who has to go?"]):
        recognizer.adapt(phrases)
        for row in manifest("noise"):
            audio, _ = soundfile.read(shared_data() / "speech" / row["file"], dtype="float32")
            assert recognizer.transcribe(audio, CancelToken()).text == "", row["file"]


def believed_early(recognizer: PocketsphinxRecognizer, question: str) -> bool:
    """Whether a question is believed before its stream is finished, which must give it."""
    told = threading.Event()

    def heard(transcript: Transcript) -> None:
        if transcript.text == question:
            told.set()

    stream = recognizer.listen(heard)
    audio = spoken(question, "en-us")
    for at in range(0, len(audio), 512):
        stream.feed(audio[at : at + 512])
    early = told.wait(5.0)
    assert stream.finish(CancelToken()).text == question
    stream.close()
    return early


def test_expected_question_is_believed_before_it_has_been_said_to_its_end(recognizer: PocketsphinxRecognizer) -> None:
    index = NotesIndex(read_notes(SAMPLE_NOTES))
    questions = [question for question in index.questions() if question.endswith("?")][:6]
    recognizer.adapt(index.questions())
    index.close()
    early = [believed_early(recognizer, question) for question in questions]
    assert sum(early) >= len(questions) - 1


def test_stream_hears_nothing_before_the_end_where_nothing_is_expected(recognizer: PocketsphinxRecognizer) -> None:
    recognizer.adapt([])
    audio = spoken("Where is the nearest train station?", "en-us")
    told: list[Transcript] = []
    stream = recognizer.listen(told.append)
    stream.feed(audio)
    assert stream.finish(CancelToken()) == recognizer.transcribe(audio, CancelToken())
    assert told == []


def test_second_stream_hears_nothing_before_its_end_and_the_first_goes_on(recognizer: PocketsphinxRecognizer) -> None:
    recognizer.adapt(["How old is the moon?"])
    audio = spoken("How old is the moon?", "en-us")
    first, second = recognizer.listen(lambda transcript: None), recognizer.listen(lambda transcript: None)
    first.feed(audio[:8000])
    second.feed(audio)
    assert second.finish(CancelToken()).text == "How old is the moon?"
    first.feed(audio[8000:])
    assert first.finish(CancelToken()).text == "How old is the moon?"
    first.close()
    second.close()


def test_music_gives_no_text(recognizer: PocketsphinxRecognizer) -> None:
    for seed in range(2):
        chords = music(np.random.default_rng(seed), 3 * RATE)
        sound = np.concatenate([np.zeros(4800, np.float32), 0.1 * chords / np.abs(chords).max(), np.zeros(4800, "f4")])
        for phrases in ((), NotesIndex(read_notes(SAMPLE_NOTES)).questions()):
            recognizer.adapt(phrases)
            assert recognizer.transcribe(sound, CancelToken()).text == ""


def test_question_of_the_notes_is_believed_more_than_what_is_heard_freely(recognizer: PocketsphinxRecognizer) -> None:
    question = "Where is the nearest train station?"
    recognizer.adapt([question])
    expected = recognizer.transcribe(spoken(question, "en-us"), CancelToken())
    recognizer.adapt([])
    free = recognizer.transcribe(spoken(question, "en-us"), CancelToken())
    assert expected.text == question
    assert expected.confidence is not None
    assert free.confidence is not None
    assert expected.confidence > 0.9
    assert free.confidence < expected.confidence


@pytest.mark.parametrize(("freely", "text"), [("when do we launch", "when do we launch"), ("when you lean on", "")])
def test_words_that_both_models_hear_are_believed_however_uncertain(
    recognizer: PocketsphinxRecognizer, monkeypatch: pytest.MonkeyPatch, freely: str, text: str
) -> None:
    def decode(engine: object, pcm: bytes, mean: str, wanted: object, *, notes: bool) -> pocketsphinx._Hearing:
        heard, posterior = ("when do we launch", 0.88) if notes else (freely, 0.2)
        return pocketsphinx._Hearing(tuple(pocketsphinx._Word(one, 0.3, posterior) for one in heard.split()), 1.8)

    recognizer.adapt(["What stands in the way of the launch?"])
    monkeypatch.setattr(pocketsphinx._Engine, "decode", decode)
    assert recognizer.transcribe(np.zeros(RATE, np.float32), CancelToken()).text == text
