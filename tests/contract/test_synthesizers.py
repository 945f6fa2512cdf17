"""What every synthesiser that is installed keeps to."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.registry import backend_names, describe, open_synthesizer
from sottovoce.speech.tts.base import Synthesizer
from tests.contract.opening import Models, service_settings
from tests.emulator import Emulator

TEXT = "On the third of June, first in Europe, then everywhere"
LONG = " ".join(["This sentence is said again and again."] * 60)

#: Backends, and voices of theirs that are asked otherwise.
VOICES = {"google": ("auto", "en-US-Chirp3-HD-Kore")}
INSTALLED = [
    (name, voice)
    for name in backend_names("tts")
    if not describe("tts", name).missing
    for voice in VOICES.get(name, ("auto",))
]


@pytest.fixture(params=INSTALLED, ids=" ".join)
def synthesizer(request: pytest.FixtureRequest, emulator: Emulator, models: Models) -> Iterator[Synthesizer]:
    name, voice = request.param
    settings = service_settings("tts", name, emulator) | models.settings("tts", name)
    opened = open_synthesizer(name, voice=voice, **settings)
    opened.warm()
    yield opened
    opened.close()


def speech(synthesizer: Synthesizer, text: str, language: str = "en") -> np.ndarray:
    chunks = list(synthesizer.synthesize(text, language, CancelToken()))
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


@pytest.mark.parametrize(("text", "language"), [(TEXT, "en"), ("Третьего июня, сначала в Европе", "ru")])
def test_speech_is_float32_within_range_and_as_long_as_words_take(
    synthesizer: Synthesizer, text: str, language: str
) -> None:
    sound = speech(synthesizer, text, language)
    assert sound.dtype == np.float32
    assert sound.ndim == 1
    assert 1.0 < len(sound) / synthesizer.samplerate < 6.0
    assert 0.05 < np.abs(sound).max() <= 1.0


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07\n"])
def test_nothing_to_say_gives_no_sound_and_no_error(synthesizer: Synthesizer, text: str) -> None:
    assert speech(synthesizer, text).size == 0


def test_markup_is_spoken_or_left_out_but_never_obeyed(synthesizer: Synthesizer) -> None:
    assert speech(synthesizer, '<break time="20s"/> hello').size < 10 * synthesizer.samplerate


def test_cancellation_ends_the_stream_early(synthesizer: Synthesizer) -> None:
    cancel, taken = CancelToken(), 0
    whole = speech(synthesizer, LONG).size
    for chunk in synthesizer.synthesize(LONG, "en", cancel):
        taken += len(chunk)
        cancel.cancel()
    assert taken < whole / 4
    assert speech(synthesizer, TEXT).size > 0


def test_100_kb_of_text_begin_to_sound_and_may_be_given_up(synthesizer: Synthesizer) -> None:
    cancel = CancelToken()
    stream = synthesizer.synthesize(f"{TEXT}. " * 1900, "en", cancel)
    assert len(next(iter(stream)))
    cancel.cancel()
    deque(stream, maxlen=0)
    assert speech(synthesizer, TEXT).size > 0


def test_abandoned_stream_lets_the_next_one_speak(synthesizer: Synthesizer) -> None:
    stream = synthesizer.synthesize(LONG, "en", CancelToken())
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    assert speech(synthesizer, TEXT).size > 0


def test_several_threads_may_speak_at_once(synthesizer: Synthesizer) -> None:
    lengths: dict[int, int] = {}

    def speak(number: int) -> None:
        lengths[number] = speech(synthesizer, TEXT).size

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert len(lengths) == 4
    # espeak's own pitch flutters, so that no two are of quite the same length
    assert max(lengths.values()) - min(lengths.values()) < 0.01 * max(lengths.values())


def test_close_is_idempotent_ends_what_is_spoken_and_leaves_no_thread(synthesizer: Synthesizer) -> None:
    before = set(threading.enumerate())
    stream = iter(synthesizer.synthesize(LONG, "en", CancelToken()))
    next(stream)
    synthesizer.close()
    synthesizer.close()
    with suppress(BackendError):
        deque(stream, maxlen=0)
    with pytest.raises(BackendError):
        speech(synthesizer, TEXT)
    deadline_s = time.monotonic() + 5.0
    while set(threading.enumerate()) - before and time.monotonic() < deadline_s:
        for thread in set(threading.enumerate()) - before:
            thread.join(0.1)
    assert set(threading.enumerate()) <= before
