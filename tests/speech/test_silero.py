"""The synthesiser `silero`, on packages of the form that Silero's have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.tts import silero
from sottovoce.speech.tts._silero_model import VoicePackage
from sottovoce.speech.tts.silero import SileroSynthesizer
from tests.support.silero_package import LETTER_S, SPEAKERS, make_package

pytest.importorskip("torch", reason='install the extra: pip install -e ".[silero]"')
pytest.importorskip("num2words", reason='install the extra: pip install -e ".[silero]"')

TEXT = "On the third of June"

Open = Callable[..., SileroSynthesizer]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("silero")
    return {language: make_package(folder / f"{language}.pt", language) for language in SPEAKERS}


@pytest.fixture
def opened(files: dict[str, Path]) -> Iterator[Open]:
    made: list[SileroSynthesizer] = []

    def open_one(**settings: Any) -> SileroSynthesizer:
        models = {"ru_model": str(files["ru"]), "en_model": str(files["en"]), "deadline_s": 60.0}
        made.append(silero.open(**{**models, **settings}))
        return made[-1]

    yield open_one
    for synthesizer in made:
        synthesizer.close()


def speech(synthesizer: SileroSynthesizer, text: str = TEXT, language: str = "en") -> Mono:
    chunks = list(synthesizer.synthesize(text, language, CancelToken()))
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def pitch_of(sound: Mono, samplerate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * samplerate / len(sound))


@pytest.mark.parametrize("samplerate", [24_000, 48_000])
@pytest.mark.parametrize("speed", [0.5, 1.0, 1.35, 3.0])
def test_speed_and_samplerate_are_those_that_are_set(opened: Open, speed: float, samplerate: int) -> None:
    synthesizer = opened(speed=speed, samplerate=samplerate)
    assert synthesizer.samplerate == samplerate
    assert len(speech(synthesizer)) / samplerate == pytest.approx(len(TEXT) * LETTER_S / speed, rel=0.01)


@pytest.mark.parametrize(
    ("voice", "language", "speaker"),
    [("auto", "en", 0), ("auto", "ru", 4), ("en_2", "en", 2), ("baya", "ru", 1), ("baya", "en", 0), ("en_2", "ru", 4)],
)
def test_voice_is_the_wanted_one_or_the_usual_one_of_the_language(
    opened: Open, voice: str, language: str, speaker: int
) -> None:
    text = "Третьего июня" if language == "ru" else TEXT
    sound = speech(opened(voice=voice), text, language)
    assert pitch_of(sound, 48_000) == pytest.approx(110 + 20 * speaker, abs=2)


def test_numbers_and_foreign_words_are_heard(opened: Open) -> None:
    synthesizer = opened()
    assert len(speech(synthesizer, "2024", "ru")) > 20 * LETTER_S * 48_000 / 1.35
    assert len(speech(synthesizer, "API", "ru")) > 5 * LETTER_S * 48_000 / 1.35


def test_volume_is_ours_and_never_beyond_full_scale(opened: Open) -> None:
    peaks = [float(np.abs(speech(opened(volume=volume))).max()) for volume in (0.5, 1.0, 2.0)]
    assert peaks == pytest.approx([0.15, 0.3, 0.6], abs=0.01)


def test_long_text_is_said_whole(opened: Open) -> None:
    text = " ".join(["This sentence is said again and again."] * 100)
    assert len(speech(opened(), text)) > 0.9 * len(text) * LETTER_S * 48_000 / 1.35


def test_cancelled_it_ends_while_a_sentence_is_still_computed(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, cancel = threading.Event(), threading.Event(), CancelToken()

    def blocked(package: VoicePackage, *ignored: object) -> Mono:
        begun.set()
        go.wait(60.0)
        return np.zeros(1, np.float32)

    synthesizer = opened()
    synthesizer.warm()
    monkeypatch.setattr(VoicePackage, "speak", blocked)
    chunks: list[Mono] = []
    reader = threading.Thread(target=lambda: chunks.extend(synthesizer.synthesize(TEXT, "en", cancel)))
    reader.start()
    assert begun.wait(60.0)
    cancel.cancel()
    reader.join(60.0)
    assert chunks == []
    assert not go.is_set()
    go.set()


def test_sentence_that_takes_too_long_is_a_timeout(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    synthesizer = opened(deadline_s=0.05)
    synthesizer.warm()
    monkeypatch.setattr(VoicePackage, "speak", lambda *ignored: (go.wait(60.0), np.zeros(1, np.float32))[1])
    with pytest.raises(BackendTimeoutError):
        speech(synthesizer)
    go.set()


def test_unknown_voice_is_refused_with_what_there_is(opened: Open) -> None:
    with pytest.raises(BackendError, match="'nobody'; for en it has en_0, en_1, en_2"):
        opened(voice="nobody").warm()


def test_language_that_no_model_speaks_is_refused(opened: Open) -> None:
    with pytest.raises(BackendError, match="not 'de'"):
        speech(opened(), "Guten Tag", "de")


def test_model_that_refuses_is_an_error_without_its_text(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*ignored: object, **more: object) -> None:
        raise RuntimeError("cannot say 'secret'")

    synthesizer = opened()
    synthesizer.warm()
    monkeypatch.setattr(synthesizer._packages["en"]._loaded, "apply_tts", refuse)
    with pytest.raises(BackendError) as caught:
        speech(synthesizer)
    assert "secret" not in caught.value.message
    assert caught.value.__cause__ is None


def test_model_that_is_not_here_names_the_command(tmp_path: Path) -> None:
    synthesizer = silero.open(language="ru", folder=tmp_path)
    with pytest.raises(BackendError, match="silero/v5_5_ru is not on this machine") as caught:
        synthesizer.warm()
    assert caught.value.hint == "sottovoce models get silero/v5_5_ru"
    synthesizer.close()


def test_file_that_was_altered_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "silero").mkdir()
    make_package(tmp_path / "silero" / "v4_ru.pt", "ru")
    synthesizer = silero.open(language="ru", ru_model="v4_ru", folder=tmp_path)
    with pytest.raises(BackendError, match="damaged: its checksum is"):
        synthesizer.warm()
    synthesizer.close()


@pytest.mark.parametrize("content", [b"", b"not a package", b"PK\x03\x04 nor this"])
def test_file_that_is_no_package_is_refused(opened: Open, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.pt").write_bytes(content)
    with pytest.raises(BackendError, match="is no voice of Silero"):
        opened(en_model=str(tmp_path / "mine.pt")).warm()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"speed": 4.0}, "speed is 4.0"),
        ({"volume": -1.0}, "volume is -1.0"),
        ({"samplerate": 16_000}, "samplerate is 16000"),
        ({"ru_model": "v9_ru"}, "silero.ru_model is 'v9_ru'; there are v5_5_ru, v4_ru"),
        ({"en_model": "v5_5_ru"}, "silero.en_model is 'v5_5_ru'; there are v3_en"),
    ],
)
def test_setting_that_is_not_allowed_is_refused(opened: Open, settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        opened(**settings)
