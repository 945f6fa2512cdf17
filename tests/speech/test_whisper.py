"""The recogniser `whisper`: faster-whisper itself, on tiny models that the tests make."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sottovoce.app.demo import speak_question
from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.asr import _whisper_model, whisper
from sottovoce.speech.asr._whisper_model import Loading, SharedModel
from sottovoce.speech.asr.whisper import MAX_HINT_CHARS, SAMPLERATE, WhisperRecognizer
from tests.support.whisper_model import make_model, make_random_model

pytest.importorskip("faster_whisper", reason='install the extra: pip install -e ".[whisper]"')

PHRASE = "Сколько стоит батарея?"

Open = Callable[..., WhisperRecognizer]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = make_model(tmp_path_factory.mktemp("whisper") / "model", PHRASE)
    with closing(
        whisper.open(model=str(made), device="cpu")
    ) as kept:  # so that it is loaded once for most of the tests
        kept.warm()
        yield made


@pytest.fixture(scope="module")
def asked() -> Mono:
    return speak_question("How much does the battery cost?")


@pytest.fixture
def opened(folder: Path) -> Iterator[Open]:
    made: list[WhisperRecognizer] = []

    def open_one(**settings: Any) -> WhisperRecognizer:
        settings = {"model": str(folder), "device": "cpu", "deadline_s": 60.0, **settings}
        made.append(whisper.open(**settings))
        return made[-1]

    yield open_one
    for recognizer in made:
        recognizer.close()


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_speech_is_heard_in_the_language_that_is_set(opened: Open, asked: Mono, language: str) -> None:
    heard = opened(language=language).transcribe(asked, CancelToken())
    assert (heard.text, heard.language, heard.backend) == (PHRASE, language, "whisper")
    assert heard.confidence is not None
    assert 0.9 < heard.confidence <= 1.0


@pytest.mark.parametrize("beam_size", [1, 5])
def test_more_guesses_hear_the_same_here(opened: Open, asked: Mono, beam_size: int) -> None:
    assert opened(beam_size=beam_size).transcribe(asked, CancelToken()).text == PHRASE


def test_what_the_model_doubts_is_no_text(opened: Open, asked: Mono, tmp_path: Path, rng: np.random.Generator) -> None:
    recognizer = opened(model=str(make_random_model(tmp_path / "random", rng)))
    heard = recognizer.transcribe(asked, CancelToken())
    assert (heard.text, heard.confidence) == ("", 0.0)


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ({}, "said"),
        ({"avg_logprob": -1.6}, ""),
        ({"compression_ratio": 2.5}, ""),
        ({"text": " Субтитры сделал DimaTorzok"}, ""),
        ({"text": " Thanks for watching!"}, ""),
        ({"text": " Thank you, I watch."}, "Thank you, I watch."),
    ],
)
def test_hallucinations_are_left_out(
    opened: Open, asked: Mono, monkeypatch: pytest.MonkeyPatch, segment: dict[str, object], text: str
) -> None:
    usual = {"start": 0.0, "end": 1.0, "text": " said", "avg_logprob": -0.2, "compression_ratio": 1.0, **segment}
    monkeypatch.setattr(SharedModel, "transcribe", lambda self, audio, **options: iter([SimpleNamespace(**usual)]))
    assert opened().transcribe(asked, CancelToken()).text == text


def test_notes_are_given_as_hot_words_within_a_limit(
    opened: Open, asked: Mono, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    real = SharedModel.transcribe

    def spied(self: SharedModel, audio: Mono, **options: Any) -> Iterator[Any]:
        given.append(options["hotwords"])
        return real(self, audio, **options)

    monkeypatch.setattr(SharedModel, "transcribe", spied)
    recognizer = opened()
    assert recognizer.transcribe(asked, CancelToken()).text == PHRASE
    recognizer.adapt(["Сколько это стоит?"] * 100, ["Zephyr-9"])
    assert recognizer.transcribe(asked, CancelToken()).text == PHRASE
    assert given[0] is None
    assert given[1].startswith("Zephyr-9, Сколько это стоит?")
    assert len(given[1]) <= MAX_HINT_CHARS + 50


def test_clip_that_is_longer_than_a_window_is_heard_in_windows(opened: Open, asked: Mono) -> None:
    quiet = np.zeros(30 * SAMPLERATE, np.float32)
    clip = np.concatenate([asked, quiet, asked, quiet])
    assert opened().transcribe(clip, CancelToken()).text == f"{PHRASE} {PHRASE}"


def test_windows_are_cut_where_it_is_quiet(rng: np.random.Generator) -> None:
    clip = (0.1 * rng.standard_normal(70 * SAMPLERATE)).astype(np.float32)
    clip[27 * SAMPLERATE : 27 * SAMPLERATE + SAMPLERATE // 2] = 0.0
    windows = list(whisper._windows(clip))
    assert np.array_equal(np.concatenate(windows), clip)
    assert 27.0 <= len(windows[0]) / SAMPLERATE <= 27.5
    assert max(map(len, windows)) <= 30 * SAMPLERATE


class Blocked:
    """A model that computes until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

        def transcribe(shared: SharedModel, audio: Mono, **options: Any) -> Iterator[Any]:
            self.begun.set()
            self.go.wait(60.0)
            yield from ()

        monkeypatch.setattr(SharedModel, "transcribe", transcribe)


def test_cancelled_it_returns_while_the_model_still_computes(
    opened: Open, asked: Mono, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, cancel, texts = Blocked(monkeypatch), CancelToken(), []
    recognizer = opened()
    thread = threading.Thread(target=lambda: texts.append(recognizer.transcribe(asked, cancel).text))
    thread.start()
    assert blocked.begun.wait(60.0)
    cancel.cancel()
    thread.join(60.0)
    assert texts == [""]
    assert not blocked.go.is_set()
    blocked.go.set()


def test_segment_that_takes_too_long_is_a_timeout(opened: Open, asked: Mono, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = Blocked(monkeypatch)
    recognizer = opened(deadline_s=0.05)
    recognizer.warm()
    with pytest.raises(BackendTimeoutError) as caught:
        recognizer.transcribe(asked, CancelToken())
    assert "whisper.deadline_s" in caught.value.hint
    blocked.go.set()


def test_workers_share_one_model_until_the_last_is_closed(opened: Open, folder: Path) -> None:
    first, second = opened(workers=2), opened(workers=2)
    first.warm()
    second.warm()
    loading = Loading(folder, "cpu", 0, 2)
    shared, users = _whisper_model._borrowed[loading]
    assert users == 2
    assert first._model is second._model is shared
    first.close()
    assert loading in _whisper_model._borrowed
    second.close()
    assert loading not in _whisper_model._borrowed


class FakeModel:
    """What faster-whisper's model is to us; on the graphics card it fails as it is told."""

    def __init__(self, device: str, fails_after: int | None) -> None:
        self.device, self.fails_after, self.calls = device, fails_after, 0

    def transcribe(self, audio: Mono, **options: Any) -> tuple[Iterator[Any], None]:
        def segments() -> Iterator[Any]:
            for number in range(3):
                if self.device == "cuda" and number == self.fails_after:
                    raise RuntimeError("cuDNN failed with status CUDNN_STATUS_EXECUTION_FAILED")
                yield SimpleNamespace(
                    text=f" {self.device}{number}", start=0.0, end=1.0, avg_logprob=-0.1, compression_ratio=1.0
                )

        return segments(), None


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Pretend that there is a graphics card, which fails after so many segments."""

    def pretend(fails_after: int | None) -> None:
        monkeypatch.setattr(_whisper_model, "_cuda", lambda loading: ("float16", ""))
        monkeypatch.setattr(SharedModel, "_open", lambda self, device, kind: self._opened(device, fails_after))

        def opened(self: SharedModel, device: str, fails_after: int | None) -> FakeModel:
            self.device = device
            return FakeModel(device, fails_after)

        monkeypatch.setattr(SharedModel, "_opened", opened, raising=False)

    return pretend


def test_graphics_card_is_used_where_it_works(
    opened: Open, asked: Mono, card: Callable[[int | None], None], caplog: pytest.LogCaptureFixture
) -> None:
    card(None)
    assert opened(device="auto").transcribe(asked, CancelToken()).text == "cuda0 cuda1 cuda2"
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(("fails_after", "text"), [(0, "cpu0 cpu1 cpu2"), (2, "cuda0 cuda1 cpu2")])
def test_graphics_card_that_fails_late_leaves_the_rest_to_the_processor(
    opened: Open,
    asked: Mono,
    card: Callable[[int | None], None],
    caplog: pytest.LogCaptureFixture,
    fails_after: int,
    text: str,
) -> None:
    card(fails_after)
    recognizer = opened(device="auto")
    assert recognizer.transcribe(asked, CancelToken()).text == text
    assert recognizer.transcribe(asked, CancelToken()).text == "cpu0 cpu1 cpu2"
    assert len(warnings_of(caplog)) == 1
    assert "CUDNN_STATUS_EXECUTION_FAILED" in warnings_of(caplog)[0]


def test_model_that_does_not_load_on_the_card_is_loaded_on_the_processor(
    opened: Open, asked: Mono, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_whisper_model, "_cuda", lambda loading: ("float16", ""))
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("there is a graphics card here; this is about machines without one")
    assert opened(device="auto").transcribe(asked, CancelToken()).text == PHRASE
    assert len(warnings_of(caplog)) == 1


def test_card_that_was_asked_for_and_is_not_there_is_told_of(
    opened: Open, asked: Mono, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    assert opened(device="auto").transcribe(asked, CancelToken()).text == PHRASE
    assert warnings_of(caplog) == []
    assert opened(device="cuda").transcribe(asked, CancelToken()).text == PHRASE
    assert ["no such device" in warning for warning in warnings_of(caplog)] == [True]


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        ("import os; os.abort()", "exit code"),
        ("raise RuntimeError('Library libcublas.so.12 is not found')", "libcublas.so.12 is not found"),
        ("", ""),
    ],
)
def test_trial_survives_whatever_the_card_does_to_its_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trial: str, reason: str
) -> None:
    monkeypatch.setattr(_whisper_model, "_TRIAL", trial)
    problem = _whisper_model._tried(folder, "float16")
    assert reason in problem
    assert bool(problem) == bool(reason)


def test_unknown_size_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="tiny, base, small, medium, large-v3, large-v3-turbo") as caught:
        whisper.open(model="smal")
    assert caught.value.key == "whisper.model"


def test_model_that_is_not_here_names_the_command() -> None:
    with closing(whisper.open(model="large-v3-turbo")) as recognizer, pytest.raises(BackendError) as caught:
        recognizer.warm()
    assert "not on this machine" in caught.value.message
    assert caught.value.hint == "sottovoce models get whisper/large-v3-turbo"


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "vocabulary.json"])
def test_folder_that_lacks_a_file_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / name).unlink()
    with closing(whisper.open(model=str(tmp_path / "copy"))) as recognizer, pytest.raises(BackendError, match=name):
        recognizer.warm()


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_damaged_file_is_an_error_with_a_hint(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    whole = (tmp_path / "copy" / name).read_bytes()
    (tmp_path / "copy" / name).write_bytes(whole[: len(whole) // 2])
    copy = str(tmp_path / "copy")
    with (
        closing(whisper.open(model=copy, device="cpu")) as recognizer,
        pytest.raises(BackendError, match="cannot be loaded") as caught,
    ):
        recognizer.warm()
    assert "sottovoce models remove" in caught.value.hint
