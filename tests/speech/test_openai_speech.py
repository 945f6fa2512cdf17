"""The recogniser and the synthesiser `openai` with their real client against the emulator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError
from sottovoce.core.types import Mono
from sottovoce.speech.asr._openai_limits import MAX_CLIP_S, MAX_HINT_CHARS
from sottovoce.speech.registry import open_recognizer, open_synthesizer
from sottovoce.speech.tts.base import Synthesizer
from sottovoce.speech.tts.openai import MAX_CHARS, SAMPLERATE
from tests.contract.opening import PATIENCE
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')

SAID = "what time is it"
CLIP = np.full(16_000, 0.1, np.float32)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        started.hear = lambda samples, samplerate: f"{SAID} {samplerate} {len(samples)} {samples.max()}"
        yield started


@pytest.fixture
def synthesizer(emulator: Emulator) -> Iterator[Synthesizer]:
    with closing(open_synthesizer("openai", base_url=emulator.openai_url, **PATIENCE["tts"])) as opened:
        yield opened


def speech(synthesizer: Synthesizer, text: str = "On the third of June", cancel: CancelToken | None = None) -> Mono:
    chunks = list(synthesizer.synthesize(text, "en", cancel or CancelToken()))
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def text_of(body: bytes, field: str) -> str:
    return body.partition(f'name="{field}"'.encode())[2].split(b"\r\n")[2].decode()


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-mini-transcribe", "Systran/faster-whisper-small"])
def test_segment_is_sent_as_it_is_and_streamed_where_the_model_can(emulator: Emulator, model: str) -> None:
    with closing(
        open_recognizer("openai", base_url=emulator.openai_url, model=model, language="ru", **PATIENCE["asr"])
    ) as recognizer:
        heard = recognizer.transcribe(CLIP, CancelToken())
    assert (heard.text, heard.language, heard.backend) == (f"{SAID} 16000 16000 3277", "ru", "openai")
    body = emulator.wait_for("transcription").body
    assert (text_of(body, "model"), text_of(body, "language")) == (model, "ru")
    assert (b'name="stream"' in body) == model.startswith("gpt-")


def test_phrases_of_the_notes_are_sent_as_a_hint_within_its_limit(emulator: Emulator) -> None:
    with closing(open_recognizer("openai", base_url=emulator.openai_url, **PATIENCE["asr"])) as recognizer:
        recognizer.adapt(["When do we launch?", *["How much does it cost?"] * 100])
        recognizer.transcribe(CLIP, CancelToken())
    hint = text_of(emulator.wait_for("transcription").body, "prompt")
    assert hint.startswith("When do we launch? How much")
    assert MAX_HINT_CHARS - 50 < len(hint) <= MAX_HINT_CHARS + 50


@pytest.mark.parametrize("audio", [CLIP[:0], CLIP[:1599], np.zeros(32_000, np.float32)])
def test_nothing_is_sent_of_what_holds_no_word(emulator: Emulator, audio: Mono) -> None:
    with closing(open_recognizer("openai", base_url=emulator.openai_url, **PATIENCE["asr"])) as recognizer:
        assert recognizer.transcribe(audio, CancelToken()).text == ""
    assert emulator.requests == []


def test_clip_that_is_too_long_is_refused_before_it_is_sent(emulator: Emulator) -> None:
    with (
        closing(open_recognizer("openai", base_url=emulator.openai_url, **PATIENCE["asr"])) as recognizer,
        pytest.raises(BackendError, match="longer than openai takes") as caught,
    ):
        recognizer.transcribe(np.ones(int(16_000 * (MAX_CLIP_S + 1)), np.float32), CancelToken())
    assert "vad.max_segment_s" in caught.value.hint


@pytest.mark.parametrize(
    ("does", "kind", "words"),
    [
        (Does(status=503), BackendError, "has failed"),
        (Does(comments_s=60.0), BackendTimeoutError, "gave no answer"),
        (Does(stall_after=2), BackendTimeoutError, "in the middle of an answer"),
        (Does(cut_after=2), BackendError, "connection was lost"),
        (Does(end_after=2), BackendError, "ended its answer in the middle"),
        (Does(garbage=b"<html>"), BackendError, "in the middle"),
    ],
)
def test_transcription_that_fails_is_an_error(
    emulator: Emulator, does: Does, kind: type[BackendError], words: str
) -> None:
    emulator.script("transcription", does)
    limits = {"first_word_s": 0.5 if does.comments_s else 60.0, "stall_s": 0.5 if does.stall_after else 60.0}
    with (
        closing(open_recognizer("openai", base_url=emulator.openai_url, **limits)) as recognizer,
        pytest.raises(kind, match=words),
    ):
        recognizer.transcribe(CLIP, CancelToken())


@pytest.mark.parametrize(
    ("status", "code", "param", "words", "hint"),
    [
        (400, "invalid_language_format", "language", "does not take this language (400", "asr.language"),
        (404, "model_not_found", "model", "knows no model 'gpt-4o-mini-transcribe'", "openai.asr_model"),
        (400, "", "model", "knows no model", "openai.asr_model"),
        (401, "invalid_api_key", "", "refused the key (401, invalid_api_key)", "OPENAI_API_KEY"),
        (400, "", "", "refused the request (400)", "openai.asr_model"),
    ],
)
def test_what_recognition_does_not_take_is_told_with_its_setting(
    emulator: Emulator, status: int, code: str, param: str, words: str, hint: str
) -> None:
    emulator.script("transcription", Does(status=status, code=code, param=param))
    with closing(open_recognizer("openai", base_url=emulator.openai_url, **PATIENCE["asr"])) as recognizer:
        with pytest.raises(BackendError) as caught:
            recognizer.transcribe(CLIP, CancelToken())
        assert words in caught.value.message
        assert hint in caught.value.hint
        assert not caught.value.retryable


def test_voice_that_the_service_does_not_have_is_told_with_its_setting(
    synthesizer: Synthesizer, emulator: Emulator
) -> None:
    emulator.script("speech", Does(status=400, code="invalid_value", param="voice"))
    with pytest.raises(BackendError, match="does not take this voice") as caught:
        speech(synthesizer)
    assert "tts.voice" in caught.value.hint


def test_cancelled_transcription_closes_the_connection_and_keeps_what_has_come(emulator: Emulator) -> None:
    emulator.script("transcription", Does(stall_after=2))
    cancel, texts = CancelToken(), []
    with closing(open_recognizer("openai", base_url=emulator.openai_url, **PATIENCE["asr"])) as recognizer:
        worker = threading.Thread(target=lambda: texts.append(recognizer.transcribe(CLIP, cancel).text))
        worker.start()
        request = emulator.wait_for("transcription")
        cancel.cancel()
        worker.join(10.0)
        assert request.gone.wait(10.0)
    assert len(texts) == 1
    assert SAID.startswith(texts[0])


def test_speech_is_asked_for_as_samples_with_voice_and_speed(emulator: Emulator) -> None:
    settings = {"base_url": emulator.openai_url, "voice": "nova", "speed": 1.5, **PATIENCE["tts"]}
    with closing(open_synthesizer("openai", **settings)) as synthesizer:
        sound = speech(synthesizer, "x" * 50)
    assert len(sound) == 50 * 0.06 * SAMPLERATE / 1.5
    body = emulator.wait_for("speech").json
    assert body == {"model": "tts-1", "voice": "nova", "input": "x" * 50, "response_format": "pcm", "speed": 1.5}


def test_volume_is_ours(emulator: Emulator) -> None:
    peaks = []
    for volume in (0.5, 1.0, 2.0, 5.0):
        with closing(
            open_synthesizer("openai", base_url=emulator.openai_url, volume=volume, **PATIENCE["tts"])
        ) as synthesizer:
            peaks.append(float(np.abs(speech(synthesizer)).max()))
    assert peaks == pytest.approx([0.15, 0.3, 0.6, 1.0], abs=0.01)


def test_first_sound_comes_before_the_rest_is_made(synthesizer: Synthesizer, emulator: Emulator) -> None:
    emulator.script("speech", Does(stall_after=1))
    cancel = CancelToken()
    stream = iter(synthesizer.synthesize("On the third of June", "en", cancel))
    assert len(next(stream)) > 0
    cancel.cancel()
    assert list(stream) == []


def test_long_text_is_cut_to_what_the_service_takes(synthesizer: Synthesizer, emulator: Emulator) -> None:
    emulator.script("speech", Does(end_after=1))
    speech(synthesizer, "word " * 20_000)
    assert len(emulator.wait_for("speech").json["input"]) == MAX_CHARS


@pytest.mark.parametrize(
    ("does", "kind", "words"),
    [
        (Does(status=503), BackendError, "has failed"),
        (Does(delay_s=60.0), BackendTimeoutError, "gave no answer"),
        (Does(stall_after=1), BackendTimeoutError, "in the middle"),
        (Does(cut_after=2), BackendError, "connection was lost"),
        (Does(end_after=0), BackendError, "no sound"),
        (Does(garbage=b"\x00" * 4801), BackendError, "in the middle"),
        (Does(garbage=b"RIFF" + b"\x00" * 4800), BackendError, "a file in the place of samples"),
        (Does(garbage=b'{"error": "private"}', content_type="application/json"), BackendError, "cannot be understood"),
        (Does(garbage=b"<html>", content_type="text/html; charset=utf-8"), BackendError, "cannot be understood"),
    ],
)
def test_speech_that_fails_is_an_error(emulator: Emulator, does: Does, kind: type[BackendError], words: str) -> None:
    emulator.script("speech", does)
    limits = {"first_sound_s": 0.5 if does.delay_s else 60.0, "stall_s": 0.5 if does.stall_after else 60.0}
    with closing(open_synthesizer("openai", base_url=emulator.openai_url, **limits)) as synthesizer:
        with pytest.raises(kind, match=words) as caught:
            speech(synthesizer)
        assert "private" not in f"{caught.value} {caught.value.hint}"


def test_cancelled_speech_closes_the_connection(synthesizer: Synthesizer, emulator: Emulator) -> None:
    emulator.script("speech", Does(every_s=0.1))
    cancel = CancelToken()
    stream = iter(synthesizer.synthesize("word " * 200, "en", cancel))
    next(stream)
    cancel.cancel()
    assert list(stream) == []
    assert emulator.wait_for("speech").gone.wait(10.0)
