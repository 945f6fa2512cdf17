"""Recognition by OpenAI over a socket, with the real client against the emulator: what goes out, every way to fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError
from sottovoce.core.types import Mono
from sottovoce.speech.asr._openai_limits import MAX_CLIP_S
from sottovoce.speech.asr._openai_realtime import RealtimeRecognizer
from sottovoce.speech.asr.base import StreamingRecognizer, Transcript
from sottovoce.speech.registry import open_recognizer
from tests.emulator import Does, Emulator

pytest.importorskip("openai", reason='install the extra: pip install -e ".[openai]"')

KEY = "sk-planted-0123456789abcdef"
EAR = 16_000
LIVE = "gpt-live-transcribe"
CLIP = (0.1 * np.sin(2 * np.pi * 440 / EAR * np.arange(EAR))).astype(np.float32)

Open = Callable[..., RealtimeRecognizer]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        started.hear = lambda samples, samplerate: "what time is it" if len(samples) > samplerate // 2 else ""
        yield started


@pytest.fixture
def opened(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ExitStack() as stack:

        def make(model: str = LIVE, **settings: object) -> RealtimeRecognizer:
            patience = {"first_word_s": 60.0, "stall_s": 60.0, "base_url": emulator.openai_url}
            made = open_recognizer("openai", model=model, **{**patience, **settings})
            stack.callback(made.close)
            assert isinstance(made, RealtimeRecognizer)
            return made

        yield make


def test_model_says_whether_it_hears_while_somebody_speaks(emulator: Emulator) -> None:
    for model, realtime, streams in (
        (LIVE, "auto", True),
        ("gpt-realtime-whisper", "auto", True),
        ("gpt-4o-transcribe", "auto", False),
        ("gpt-4o-transcribe", "on", True),
        (LIVE, "off", False),
    ):
        settings = {"base_url": emulator.openai_url, "model": model, "realtime": realtime}
        with closing(open_recognizer("openai", **settings)) as recognizer:
            assert isinstance(recognizer, StreamingRecognizer) == streams


@pytest.mark.parametrize(
    ("model", "hints"),
    [
        (LIVE, {"languages": ["ru"], "prompt": "When do we launch?", "keywords": ["Oslo"]}),
        ("gpt-realtime-whisper", {"language": "ru"}),
        ("gpt-4o-transcribe", {"language": "ru", "prompt": "Oslo, When do we launch?"}),
    ],
)
def test_session_is_set_up_for_the_model_and_ends_segments_when_told(
    emulator: Emulator, opened: Open, model: str, hints: dict[str, object]
) -> None:
    recognizer = opened(model, language="ru", realtime="on")
    recognizer.adapt(["When do we launch?"], ["Oslo"])
    recognizer.warm()
    request = emulator.wait_for("realtime")
    assert request.path == "/v1/realtime?intent=transcription"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    (session,) = request.messages
    assert session["type"] == "transcription"
    assert session["audio"]["input"] == {
        "format": {"type": "audio/pcm", "rate": 24_000},
        "transcription": {"model": model, **hints},
        "turn_detection": None,
    }


def test_sound_goes_out_at_24_khz_whole_and_as_it_was(emulator: Emulator, opened: Open) -> None:
    recognizer = opened()
    assert recognizer.transcribe(CLIP, CancelToken()) == Transcript("what time is it", "en", None, "openai")
    sent = np.frombuffer(emulator.wait_for("segment").body, "<i2") / 32767
    assert len(sent) == 24_000
    spectrum = np.abs(np.fft.rfft(sent))
    assert spectrum.argmax() == 440
    assert np.abs(sent[1000:-1000]).max() == pytest.approx(0.1, rel=0.02)


def test_one_socket_serves_one_segment_after_another(emulator: Emulator, opened: Open) -> None:
    recognizer = opened()
    recognizer.warm()
    texts = [recognizer.transcribe(CLIP, CancelToken()).text for _ in range(3)]
    assert texts == ["what time is it"] * 3
    assert len(emulator.made("realtime")) == 1


def test_new_phrases_need_a_new_session(emulator: Emulator, opened: Open) -> None:
    recognizer = opened()
    recognizer.transcribe(CLIP, CancelToken())
    recognizer.adapt([], ["Oslo"])
    recognizer.transcribe(CLIP, CancelToken())
    sent = [request.messages[0]["audio"]["input"]["transcription"] for request in emulator.made("realtime")]
    assert [transcription.get("keywords") for transcription in sent] == [None, ["Oslo"]]


def test_socket_lost_while_somebody_speaks_is_opened_again_and_nothing_is_lost(
    emulator: Emulator, opened: Open
) -> None:
    emulator.script("segment", Does(cut_after=1))
    recognizer = opened()
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        stream.feed(CLIP)
        assert emulator.wait_for("segment").gone.wait(10.0)
        again = emulator.wait_for("segment", 2)
        stream.feed(CLIP)
        assert stream.finish(CancelToken()).text == "what time is it"
    assert len(again.body) == 2 * 2 * 24_000
    assert len(emulator.made("realtime")) == 2


def test_idle_socket_that_was_lost_is_not_noticed_by_the_next_segment(emulator: Emulator, opened: Open) -> None:
    recognizer = opened()
    recognizer.warm()
    emulator.hang_up()
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        stream.feed(CLIP)
        emulator.wait_for("segment")
        assert stream.finish(CancelToken()).text == "what time is it"
    assert len(emulator.made("realtime")) == 2


@pytest.mark.parametrize(
    ("handshake", "segment", "kind", "words", "retryable", "hint"),
    [
        (Does(status=401, code="invalid_api_key"), None, BackendError, "refused the key (401", False, "OPENAI_API_KEY"),
        (Does(status=404), None, BackendError, "has no realtime transcription", False, "openai.asr_realtime"),
        (Does(status=429, headers={"Retry-After": "7"}), None, BackendError, "too many requests", True, "second"),
        (Does(status=500), None, BackendError, "has failed (500", True, ""),
        (Does(status=503), None, BackendError, "has failed (503", True, ""),
        (Does(error_after=0, code="model_not_found"), None, BackendError, "knows no model", False, "asr_model"),
        (Does(garbage=b"SSH-2.0-OpenSSH\r\n"), None, BackendError, "cannot be understood", False, "taken for"),
        (Does(stall_after=0), None, BackendTimeoutError, "too slow", True, ""),
        (
            Does(error_after=0, code="invalid_value", param="session.audio.input.transcription.language"),
            None,
            BackendError,
            "does not take this language",
            False,
            "asr.language",
        ),
        (None, Does(status=401), BackendError, "refused the key", False, "revoked"),
        (None, Does(status=429), BackendError, "too many requests", True, "second"),
        (None, Does(status=503), BackendError, "failed in the middle", True, ""),
        (None, Does(status=400, code="invalid_value"), BackendError, "refused the request (400", False, "asr_model"),
        (None, Does(delay_s=60.0), BackendTimeoutError, "gave no answer", True, ""),
        (None, Does(comments_s=60.0), BackendTimeoutError, "gave no answer", True, ""),
        (None, Does(stall_after=2), BackendTimeoutError, "in the middle of an answer", True, ""),
        (None, Does(cut_after=2), BackendError, "connection was lost", True, "proxies"),
        (None, Does(end_after=2), BackendError, "connection was lost", True, "proxies"),
        (None, Does(error_after=2), BackendError, "failed in the middle", True, ""),
        (None, Does(garbage=b"{nonsense"), BackendError, "cannot be understood", False, "taken for"),
        (None, Does(garbage=b"[1, 2]"), BackendError, "cannot be understood", False, "taken for"),
    ],
)
def test_what_fails_is_an_error_that_says_what_to_do(
    emulator: Emulator,
    opened: Open,
    handshake: Does | None,
    segment: Does | None,
    kind: type[BackendError],
    words: str,
    retryable: bool,
    hint: str,
) -> None:
    if handshake is not None:
        emulator.script("realtime", handshake)
    if segment is not None:
        emulator.script("segment", segment)
    slow = kind is BackendTimeoutError
    # a model that writes at the end: everything happens after the segment is over, when nothing is tried again
    recognizer = opened("gpt-4o-transcribe", realtime="on", **({"first_word_s": 0.5, "stall_s": 0.5} if slow else {}))
    with pytest.raises(kind) as caught:
        recognizer.transcribe(CLIP, CancelToken())
    error = caught.value
    assert words in error.message
    assert (error.backend, error.retryable) == ("openai", retryable)
    assert hint in error.hint
    assert "private" not in f"{error} {error.hint}"
    assert KEY not in f"{error!r} {error.hint}"
    if handshake is not None and "Retry-After" in handshake.headers:
        assert error.retry_after_s == 7.0


def test_server_that_is_not_there_is_an_error(opened: Open) -> None:
    with pytest.raises(BackendError, match="cannot be reached") as caught:
        opened(base_url="http://127.0.0.1:9/v1").transcribe(CLIP, CancelToken())
    assert caught.value.retryable


def test_no_key_is_found_out_when_warmed(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(BackendError, match="no key") as caught:
        opened(base_url="").warm()
    assert "OPENAI_API_KEY" in caught.value.hint


def test_warming_leaves_to_the_first_segment_what_a_retry_may_mend(emulator: Emulator, opened: Open) -> None:
    emulator.script("realtime", Does(status=503), Does(status=401))
    recognizer = opened()
    recognizer.warm()
    with pytest.raises(BackendError, match="refused the key"):
        recognizer.warm()


@pytest.mark.parametrize("audio", [CLIP[:0], CLIP[:1599], np.zeros(2 * EAR, np.float32)])
def test_nothing_is_sent_of_what_holds_no_word(emulator: Emulator, opened: Open, audio: Mono) -> None:
    recognizer = opened()
    assert recognizer.transcribe(audio, CancelToken()).text == ""
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        stream.feed(audio)
        assert stream.finish(CancelToken()).text == ""
    assert emulator.requests == []


def test_segment_of_half_an_hour_is_refused(opened: Open) -> None:
    recognizer = opened()
    minute = np.tile(CLIP, 60)
    with pytest.raises(BackendError, match="longer than openai takes"):
        recognizer.transcribe(np.ones(int(EAR * (MAX_CLIP_S + 1)), np.float32), CancelToken())
    with closing(recognizer.listen(lambda transcript: None)) as stream:
        for _ in range(30):
            stream.feed(minute)
        with pytest.raises(BackendError, match=r"1800 s is longer than openai takes") as caught:
            stream.finish(CancelToken())
    assert "vad.max_segment_s" in caught.value.hint
