"""What every recogniser that is installed keeps to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

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
from tests.emulator import Does, Emulator

PHRASES = ["When do we launch?", "How much does it cost?", "Who leads the team?"]

#: Backends, and models of theirs that are asked otherwise.
MODELS = {"openai": ("gpt-4o-mini-transcribe", "whisper-1", "gpt-live-transcribe")}
INSTALLED = [
    (name, model)
    for name in backend_names("asr")
    if not describe("asr", name).missing
    for model in MODELS.get(name, ("",))
]
#: What the emulator calls the requests of a model; of others nothing is asked.
ROUTES = {"gpt-4o-mini-transcribe": "transcription", "whisper-1": "transcription", "gpt-live-transcribe": "segment"}

HALF_AN_HOUR_S = 1800


@pytest.fixture(scope="module")
def asked() -> Mono:
    quiet = np.zeros(4800, np.float32)
    return np.concatenate([quiet, speak_question(PHRASES[1]), quiet])


def hear(samples: npt.NDArray[np.int16], samplerate: int) -> str:
    """What the emulator's model hears: the phrase in what begins with quiet and goes on with sound."""
    begins = samples[: samplerate // 5]
    return PHRASES[1] if len(samples) > samplerate and not begins.any() and samples.any() else ""


@pytest.fixture(params=INSTALLED, ids=lambda backend: " ".join(filter(None, backend)))
def backend(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def opened(backend: tuple[str, str], emulator: Emulator, models: Models) -> Iterator[Callable[[], Recognizer]]:
    """Opens one more of them, warm."""
    emulator.hear = hear
    name, model = backend
    own = {"model": model} if model else models.settings("asr", name)
    settings = service_settings("asr", name, emulator) | own
    with ExitStack() as stack:

        def open_one() -> Recognizer:
            recognizer = stack.enter_context(closing(open_recognizer(name, **settings)))
            recognizer.warm()
            return recognizer

        yield open_one


@pytest.fixture
def recognizer(opened: Callable[[], Recognizer]) -> Recognizer:
    return opened()


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


def test_cancelled_in_the_middle_it_returns_and_hears_the_next_segment(
    recognizer: Recognizer, backend: tuple[str, str], emulator: Emulator, asked: Mono
) -> None:
    cancel, heard = CancelToken(), []
    route = ROUTES.get(backend[1], "")
    clip = asked if route else np.resize(asked, HALF_AN_HOUR_S * recognizer.samplerate)
    if route:
        emulator.script(route, Does(delay_s=60.0))
    worker = threading.Thread(target=lambda: heard.append(recognizer.transcribe(clip, cancel)))
    worker.start()
    if route:
        emulator.wait_for(route)
    cancel.cancel()
    worker.join(20.0)
    assert len(heard) == 1, "it has left what takes far longer than a minute"
    recognizer.adapt(PHRASES)
    assert words(recognizer.transcribe(asked, CancelToken()).text) == words(PHRASES[1])


def test_half_an_hour_is_refused_with_its_length_by_who_cannot_hear_it(
    recognizer: Recognizer, backend: tuple[str, str], asked: Mono
) -> None:
    clip = np.resize(asked, HALF_AN_HOUR_S * recognizer.samplerate)
    if backend[1] not in ROUTES:
        cancel = CancelToken()
        cancel.cancel()
        assert recognizer.transcribe(clip, cancel).text == ""
        return
    with pytest.raises(BackendError, match="1800 s") as caught:
        recognizer.transcribe(clip, CancelToken())
    assert not caught.value.retryable
    assert caught.value.hint


def test_each_worker_has_its_own_and_they_hear_side_by_side(opened: Callable[[], Recognizer], asked: Mono) -> None:
    both = [opened(), opened()]
    for recognizer in both:
        recognizer.adapt(PHRASES)
    with ThreadPoolExecutor(2) as pool:
        heard = list(pool.map(lambda recognizer: recognizer.transcribe(asked, CancelToken()).text, both))
    assert [words(text) for text in heard] == [words(PHRASES[1])] * 2


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
