"""What calls of services use up, with the real clients against the emulator: told, counted here, and not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.speech.llm.base import Question
from sottovoce.speech.registry import open_generator, open_recognizer, open_synthesizer
from sottovoce.speech.remote.server import OPENAI, server_of
from sottovoce.speech.usage import Call, Usage, begin_call, charged_to, tokens_of
from tests.contract.opening import service_settings
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')
pytest.importorskip("google.genai", reason='install the extra: pip install -e ".[google]"')

ASKED = Question("when do we launch", "en", 3)
THESES = ("On the third of June", "First in Europe")
#: The emulator is at this host, which is nobody's in particular.
HOST = "127.0.0.1"


class Bill:
    """An account that keeps what it is charged, and admits what the test says."""

    def __init__(self) -> None:
        self.usages: list[Usage | None] = []
        self.wanted: list[tuple[str, str]] = []
        self.refusal: BackendError | None = None
        self.open = 0
        self._condition = threading.Condition()

    def admit(self, part: str, provider: str) -> None:
        self.wanted.append((part, provider))
        if self.refusal is not None:
            raise self.refusal

    def opened(self) -> None:
        with self._condition:
            self.open += 1

    def closed(self, usage: Usage | None) -> None:
        with self._condition:
            self.open -= 1
            self.usages.append(usage)
            self._condition.notify_all()

    def wait(self, count: int = 1) -> Usage | None:
        """The last of so many; a call that is given up ends a moment later."""
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.usages) >= count, 10.0), self.usages
            return self.usages[count - 1]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        started.knows["when do we launch"] = THESES
        yield started


@pytest.fixture
def bill() -> Bill:
    return Bill()


def ask(name: str, emulator: Emulator, bill: Bill, question: Question = ASKED) -> list[str]:
    with closing(open_generator(name, **service_settings("llm", name, emulator))) as generator, charged_to(bill):
        return "".join(delta.text for delta in generator.generate(question, CancelToken())).split("\n")


@pytest.mark.parametrize(("name", "route"), [("openai", "chat"), ("gemini", "gemini")])
def test_tokens_of_a_language_model_are_those_that_it_has_counted(
    emulator: Emulator, bill: Bill, name: str, route: str
) -> None:
    emulator.cached_tokens = 7
    ask(name, emulator, bill, replace(ASKED, max_theses=8))  # read to its end
    usage = bill.wait()
    assert usage is not None
    assert (usage.part, usage.provider, usage.estimated) == ("llm", HOST, False)
    assert (usage.output_tokens, usage.cached_tokens) == (9, 7)  # eight words and a line break, each a token
    assert usage.input_tokens > 50
    assert (bill.wanted, bill.open) == ([("llm", HOST)], 0)
    assert len(emulator.made(route)) == 1


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_tokens_that_the_service_does_not_count_are_estimated(emulator: Emulator, bill: Bill, name: str) -> None:
    emulator.counts = False
    ask(name, emulator, bill, replace(ASKED, max_theses=8))
    usage = bill.wait()
    assert usage is not None
    assert usage.estimated
    assert usage.output_tokens == tokens_of("\n".join(THESES))
    assert usage.input_tokens > 50


@pytest.mark.parametrize(("name", "route"), [("openai", "chat"), ("gemini", "gemini")])
@pytest.mark.parametrize("does", [Does(status=401), Does(status=503), Does(cut_after=0)])
def test_call_that_was_refused_costs_nothing(emulator: Emulator, bill: Bill, name: str, route: str, does: Does) -> None:
    emulator.script(route, does)
    with pytest.raises(BackendError):
        ask(name, emulator, bill)
    assert bill.wait() is None


@pytest.mark.parametrize(("name", "route"), [("openai", "chat"), ("gemini", "gemini")])
def test_answer_that_breaks_off_is_paid_as_far_as_it_came(
    emulator: Emulator, bill: Bill, name: str, route: str
) -> None:
    emulator.script(route, Does(cut_after=3))
    with pytest.raises(BackendError):
        ask(name, emulator, bill)
    usage = bill.wait()
    assert usage is not None
    assert usage.estimated
    assert 0 < usage.output_tokens < tokens_of("\n".join(THESES))


@pytest.mark.parametrize(("name", "route"), [("openai", "chat"), ("gemini", "gemini")])
def test_call_that_is_given_up_is_paid_for(emulator: Emulator, bill: Bill, name: str, route: str) -> None:
    emulator.script(route, Does(delay_s=60.0))
    cancel = CancelToken()
    with closing(open_generator(name, **service_settings("llm", name, emulator))) as generator:

        def listen() -> None:
            with charged_to(bill):
                list(generator.generate(ASKED, cancel))

        thread = threading.Thread(target=listen)
        thread.start()
        emulator.wait_for(route)
        cancel.cancel()
        thread.join(10.0)
        usage = bill.wait()
    assert usage is not None
    assert usage.estimated
    assert usage.input_tokens > 50
    assert usage.output_tokens == 0


def test_call_that_is_not_admitted_is_not_made(emulator: Emulator, bill: Bill) -> None:
    bill.refusal = BackendError("the budget is spent", backend="openai")
    with pytest.raises(BackendError, match="the budget is spent"):
        ask("openai", emulator, bill)
    assert emulator.made("chat") == []
    assert bill.usages == []


@pytest.mark.parametrize(
    ("model", "counts", "audio_tokens"), [("gpt-4o-mini-transcribe", True, 10), ("whisper-1", True, 0)]
)
def test_recognition_counts_sound_and_the_tokens_it_is_told(
    emulator: Emulator, bill: Bill, model: str, counts: bool, audio_tokens: int
) -> None:
    emulator.counts = counts
    sound = np.full(16_000, 0.1, np.float32)
    settings = service_settings("asr", "openai", emulator)
    with closing(open_recognizer("openai", model=model, **settings)) as recognizer, charged_to(bill):
        recognizer.transcribe(sound, CancelToken())
        recognizer.transcribe(np.zeros(16_000, np.float32), CancelToken())  # silence is not sent
    usage = bill.wait()
    assert usage is not None
    assert (usage.part, usage.model, usage.audio_s) == ("asr", model, 1.0)
    assert (usage.input_tokens, usage.audio_tokens) == (audio_tokens, audio_tokens)
    assert not usage.estimated
    assert len(bill.usages) == 1


def test_speech_counts_characters_and_sound(emulator: Emulator, bill: Bill) -> None:
    settings = service_settings("tts", "openai", emulator)
    with closing(open_synthesizer("openai", **settings)) as synthesizer, charged_to(bill):
        frames = sum(map(len, synthesizer.synthesize("Half past nine", "en", CancelToken())))
    usage = bill.wait()
    assert usage is not None
    assert (usage.part, usage.model, usage.characters, usage.estimated) == ("tts", "tts-1", 14, False)
    assert usage.audio_s == pytest.approx(frames / 24_000)


@pytest.mark.parametrize("voice", ["en-US-Wavenet-D", "en-US-Chirp3-HD-Kore"])
def test_voices_of_google_are_paid_by_their_names(emulator: Emulator, bill: Bill, voice: str) -> None:
    pytest.importorskip("google.cloud.texttospeech", reason='install the extra: pip install -e ".[google]"')
    settings = service_settings("tts", "google", emulator)
    with closing(open_synthesizer("google", voice=voice, **settings)) as synthesizer, charged_to(bill):
        frames = sum(map(len, synthesizer.synthesize("Half past nine", "en", CancelToken())))
    usage = bill.wait()
    assert usage is not None
    assert (usage.part, usage.model, usage.characters) == ("tts", voice, 14)
    assert usage.audio_s == pytest.approx(frames / 24_000)


def test_segment_over_a_socket_is_paid_by_its_sound_and_silence_by_nobody(emulator: Emulator, bill: Bill) -> None:
    settings = service_settings("asr", "openai", emulator) | {"model": "gpt-live-transcribe"}
    emulator.script("segment", Does(), Does(error_after=0))
    with closing(open_recognizer("openai", **settings)) as recognizer, charged_to(bill):
        recognizer.transcribe(np.full(32_000, 0.1, np.float32), CancelToken())
        recognizer.transcribe(np.zeros(16_000, np.float32), CancelToken())
        with pytest.raises(BackendError):
            recognizer.transcribe(np.full(16_000, 0.1, np.float32), CancelToken())
    usage = bill.wait()
    assert usage is not None
    assert (usage.part, usage.model, usage.audio_s) == ("asr", "gpt-live-transcribe", 2.0)
    assert bill.wait(2) is None
    assert bill.open == 0


def test_account_is_that_of_the_thread_and_ends_with_its_block() -> None:
    inner, outer = Bill(), Bill()
    with charged_to(outer):
        with charged_to(inner), begin_call("llm", "openai", "m"):
            pass
        with begin_call("llm", "openai", "m"):
            pass
        thread = threading.Thread(target=lambda: begin_call("llm", "openai", "m").__enter__())
        thread.start()
        thread.join()
    begin_call("llm", "openai", "m")
    assert (len(inner.wanted), len(outer.wanted), outer.open) == (1, 1, 0)


def test_count_of_which_the_service_says_only_half_is_none() -> None:
    call = Call("llm", "openai", "m")
    call.sends("four score")
    call.told(input_tokens=5, output_tokens=None)
    assert (call.usage.input_tokens, call.usage.estimated) == (3, True)
    call.told(input_tokens=5, output_tokens=0)
    assert (call.usage.input_tokens, call.usage.estimated) == (5, False)


@pytest.mark.parametrize(
    ("url", "billed"), [("", "openai"), ("https://api.openai.com/v1", "openai"), ("http://box:8000/v1", "box")]
)
def test_provider_is_paid_at_its_own_address_only(url: str, billed: str) -> None:
    assert server_of(OPENAI, url, "m", "", None).billed_by == billed
