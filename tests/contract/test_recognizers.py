"""What every recogniser that is installed keeps to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from sottovoce.app.demo import speak_question
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.registry import backend_names, describe, open_recognizer
from tests.contract.opening import Models, service_settings
from tests.emulator import Emulator

PHRASES = ["When do we launch?", "How much does it cost?", "Who leads the team?"]

#: Backends, and models of theirs that are asked otherwise.
MODELS = {"openai": ("gpt-4o-mini-transcribe", "whisper-1", "gpt-live-transcribe")}
INSTALLED = [
    (name, model)
    for name in backend_names("asr")
    if not describe("asr", name).missing
    for model in MODELS.get(name, ("",))
]


@pytest.fixture(scope="module")
def asked() -> Mono:
    quiet = np.zeros(4800, np.float32)
    return np.concatenate([quiet, speak_question(PHRASES[1]), quiet])


def hear(samples: npt.NDArray[np.int16], samplerate: int) -> str:
    """What the emulator's model hears: the phrase in what begins with quiet and goes on with sound."""
    begins = samples[: samplerate // 5]
    return PHRASES[1] if len(samples) > samplerate and not begins.any() and samples.any() else ""


@pytest.fixture(params=INSTALLED, ids=lambda backend: " ".join(filter(None, backend)))
def recognizer(request: pytest.FixtureRequest, emulator: Emulator, models: Models) -> Iterator[Recognizer]:
    emulator.hear = hear
    name, model = request.param
    own = {"model": model} if model else models.settings("asr", name)
    settings = service_settings("asr", name, emulator) | own
    opened = open_recognizer(name, **settings)
    opened.warm()
    yield opened
    opened.close()


def words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in text.casefold()).split()


def test_expected_phrase_is_heard_and_its_confidence_lies_within_0_and_1(recognizer: Recognizer, asked: Mono) -> None:
    recognizer.adapt(PHRASES)
    heard = recognizer.transcribe(asked, CancelToken())
    assert words(heard.text) == words(PHRASES[1])
    assert heard.backend == recognizer.name
    assert heard.language == "en"
    assert heard.confidence is None or 0.0 <= heard.confidence <= 1.0


def test_expectations_may_change_and_be_none(recognizer: Recognizer, asked: Mono) -> None:
    recognizer.adapt(PHRASES)
    recognizer.adapt([])
    assert recognizer.transcribe(asked, CancelToken()).text
    recognizer.adapt(PHRASES[::-1])
    assert words(recognizer.transcribe(asked, CancelToken()).text) == words(PHRASES[1])


@pytest.mark.parametrize("phrases", [["Blorptangle zygomorphs?"], ["что это"], ["", "???", "C++ / Rust (2024)"]])
def test_any_phrase_may_be_expected(recognizer: Recognizer, asked: Mono, phrases: list[str]) -> None:
    recognizer.adapt(phrases)
    recognizer.transcribe(asked, CancelToken())


@pytest.mark.parametrize("frames", [0, 1, 100, 4800])
def test_what_is_too_short_for_a_word_gives_no_text(recognizer: Recognizer, frames: int) -> None:
    assert recognizer.transcribe(np.zeros(frames, np.float32), CancelToken()).text == ""


def test_noise_gives_no_text(recognizer: Recognizer) -> None:
    recognizer.adapt(PHRASES)
    noise = (0.1 * np.random.default_rng(1).standard_normal(3 * recognizer.samplerate)).astype(np.float32)
    assert recognizer.transcribe(noise, CancelToken()).text == ""


def test_cancelled_work_ends_early(recognizer: Recognizer, asked: Mono) -> None:
    cancel = CancelToken()
    cancel.cancel()
    assert recognizer.transcribe(np.tile(asked, 20), cancel).text == ""


def test_close_while_busy_ends_the_work_and_is_idempotent(recognizer: Recognizer, asked: Mono) -> None:
    before = set(threading.enumerate())
    started, outcome = threading.Event(), []

    def work() -> None:
        started.set()
        try:
            outcome.append(recognizer.transcribe(np.tile(asked, 60), CancelToken()).text)
        except BackendError as error:
            outcome.append(error.message)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(10.0)
    recognizer.close()
    recognizer.close()
    thread.join(20.0)
    assert not thread.is_alive()
    assert outcome
    assert set(threading.enumerate()) <= before
    with pytest.raises(BackendError):
        recognizer.transcribe(asked, CancelToken())
