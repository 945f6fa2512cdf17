"""espeak-ng: voices, turns, cancellation, and what it must never take for a command."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.speech.asr._pronunciations import arpabet
from sottovoce.speech.tts import espeak
from sottovoce.speech.tts.espeak import EspeakSynthesizer, phonemes

TEXT = "The quick brown fox jumps over the lazy dog."
HASHED = """
import hashlib, sys
from sottovoce.core.cancel import CancelToken
from sottovoce.speech.tts.espeak import EspeakSynthesizer
spoken = EspeakSynthesizer().synthesize(sys.argv[1], "en", CancelToken())
print(hashlib.sha256(b"".join(chunk.tobytes() for chunk in spoken)).hexdigest())
"""
MINUTES = "This sentence is said again and again. " * 200


def frames(text: str = TEXT, language: str = "en", **settings: Any) -> int:
    return sum(map(len, EspeakSynthesizer(**settings).synthesize(text, language, CancelToken())))


@pytest.fixture
def stream() -> Iterator[Callable[..., Any]]:
    """Opens streams, and closes at the end those that a test has left open."""
    opened: list[Any] = []

    def make(text: str, cancel: CancelToken | None = None) -> Any:
        made = EspeakSynthesizer().synthesize(text, "en", cancel or CancelToken())
        opened.append(made)
        return made

    yield make
    for one in opened:
        one.close()


@pytest.mark.parametrize("voice", ["en", "en-us", "gmw/en-US", "en-us+f3", "ru"])
def test_voices_are_chosen_by_any_of_their_names(voice: str) -> None:
    assert frames(voice=voice) > 10_000


@pytest.mark.parametrize(
    ("voice", "said"),
    [("klingonese", "no voice 'klingonese'.*: af,"), ("en-us+nope", "no variant 'nope'.*: Alex,"), ("", "no voice ''")],
)
def test_unknown_voice_is_refused_by_name_with_some_that_exist(voice: str, said: str) -> None:
    synthesizer = EspeakSynthesizer(voice=voice)
    with pytest.raises(BackendError, match=said) as caught:
        synthesizer.warm()
    assert caught.value.hint.startswith("try ")
    with pytest.raises(BackendError):
        list(synthesizer.synthesize(TEXT, "en", CancelToken()))
    assert frames() > 10_000, "a wrong voice must not spoil the next text"


def test_language_without_a_voice_is_refused() -> None:
    with pytest.raises(BackendError, match="no voice 'zz'"):
        frames(language="zz")


def test_auto_speaks_the_language_of_the_text_and_a_chosen_voice_any() -> None:
    russian = "Привет, как дела?"
    assert frames(russian, "ru") == pytest.approx(frames(russian, "en", voice="ru"), rel=0.02)
    assert frames(russian, "en", voice="en-us") > 2 * frames(russian, "ru"), "an English voice spells Cyrillic letters"


def test_speed_and_volume_are_obeyed_whoever_spoke_before() -> None:
    assert frames(speed=1.0) == pytest.approx(2 * frames(speed=2.0), rel=0.1)
    loudness = []
    for volume in (0.25, 1.0):
        synthesizer = EspeakSynthesizer(volume=volume)
        loudness.append(np.abs(np.concatenate(list(synthesizer.synthesize(TEXT, "en", CancelToken())))).max())
    assert loudness[0] < 0.5 * loudness[1]


@pytest.mark.parametrize(("key", "value"), [("speed", 0.1), ("speed", 9.0), ("volume", -0.1), ("volume", 3.0)])
def test_settings_out_of_range_are_named_with_what_is_allowed(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{key} is {value}.*are allowed") as caught:
        EspeakSynthesizer(**{key: value})
    assert caught.value.key == key


def test_control_characters_and_phoneme_brackets_are_no_commands() -> None:
    assert frames("one \x01 90S two") < 2.5 * frames("one two"), "a command would change the speed"
    assert frames("one\x00two") > frames("one"), "a NUL would end the text"


def test_every_process_says_the_same_alike() -> None:
    said = {
        subprocess.run([sys.executable, "-c", HASHED, TEXT], capture_output=True, check=True).stdout for _ in range(2)
    }
    assert len(said) == 1
    assert said != {b""}
    other = subprocess.run([sys.executable, "-c", HASHED, TEXT + " Twice."], capture_output=True, check=True).stdout
    assert other not in said


def test_stopped_text_leaves_nothing_for_the_next_one(stream: Callable[..., Any]) -> None:
    alone = frames("One.")
    for taken in (1, 3, 10):
        half = stream(TEXT)
        for _ in range(taken):
            next(half)
        half.close()
        assert frames("One.") == pytest.approx(alone, rel=0.05)


def test_slow_consumer_holds_a_bounded_amount_and_lets_go_of_its_turn(stream: Callable[..., Any]) -> None:
    slow = stream(MINUTES)
    next(slow)
    (utterance,) = [one for one in _utterances() if one.text.startswith("This sentence")]
    with utterance._changed:
        full = utterance._changed.wait_for(lambda: utterance._frames >= utterance._most_frames, 10.0)
    assert full
    assert utterance._frames < utterance._most_frames + 22_050
    cancel, heard = CancelToken(), []
    waiting = threading.Thread(target=lambda: heard.append(sum(map(len, stream(TEXT, cancel)))))
    waiting.start()
    cancel.cancel()
    waiting.join(10.0)
    assert heard == [0], "cancellation reaches who waits for a turn"
    slow.close()
    assert frames() > 10_000


def test_thesis_that_is_not_played_yet_does_not_hold_up_the_next(stream: Callable[..., Any]) -> None:
    first = stream(TEXT)
    next(first)
    assert frames("One.") > 1_000
    assert sum(map(len, first)) > 10_000


def test_iterator_that_was_never_started_starts_nothing() -> None:
    before = threading.active_count()
    unused = EspeakSynthesizer().synthesize(TEXT, "en", CancelToken())
    assert threading.active_count() == before
    unused.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("word", "phones"),
    [("limiter", "L IH M IH T ER"), ("judge", "JH AH JH"), ("photosynthesis", "F OW T OW S IH N TH AH S IH S")],
)
def test_words_are_pronounced_for_recognisers(word: str, phones: str) -> None:
    assert arpabet(phonemes(word)) == phones


@pytest.mark.parametrize("word", ["1945", "C++", "PostgreSQL", "Poincaré", "привет", "🙂x", "naïve", "x" * 60])
def test_any_word_has_a_pronunciation_of_known_phones(word: str) -> None:
    phones = arpabet(phonemes(word)).split()
    assert phones
    assert set(phones) <= set(CMU_PHONES.split())


def test_nothing_has_no_pronunciation() -> None:
    assert phonemes("...") == ()
    assert arpabet(("ꙮ", "")) == ""


CMU_PHONES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"


def _utterances() -> list[espeak._Utterance]:
    current = espeak._engine()._current
    return [current] if current is not None else []
