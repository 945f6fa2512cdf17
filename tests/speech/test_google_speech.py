"""The synthesiser `google` with its real client against the emulator: what goes out, every way to fail."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError, ConfigError
from sottovoce.core.types import Mono
from sottovoce.speech.registry import check_backend, open_synthesizer
from sottovoce.speech.tts.base import Synthesizer
from sottovoce.speech.tts.google import MAX_BYTES, SAMPLERATE, voice_for
from tests.emulator import Does, Emulator
from tests.support.soundcard import wait_until

api = pytest.importorskip("google.cloud.texttospeech", reason='install the extra: pip install -e ".[google]"')

KEY = "AIza-planted-0123456789abcdef"
CHIRP, WAVENET = "en-US-Chirp3-HD-Kore", "en-US-Wavenet-D"
TEXT = "On the third of June"

Open = Callable[..., Synthesizer]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GOOGLE_TTS_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


@pytest.fixture
def opened(emulator: Emulator) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(**settings: object) -> Synthesizer:
            patience = {"base_url": emulator.google_url, "first_sound_s": 60.0, "stall_s": 60.0, "speed": 1.0}
            return stack.enter_context(closing(open_synthesizer("google", **{**patience, **settings})))

        yield make


def speech(synthesizer: Synthesizer, text: str = TEXT, language: str = "en") -> Mono:
    chunks = list(synthesizer.synthesize(text, language, CancelToken()))
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def test_wavenet_comes_whole_and_its_header_is_no_sound(emulator: Emulator, opened: Open) -> None:
    sound = speech(opened(voice=WAVENET, speed=1.5), "x" * 50)
    assert len(sound) == 50 * 0.06 * SAMPLERATE / 1.5
    assert np.abs(np.diff(sound, prepend=0)).max() < 0.03  # a header would be a click
    assert np.abs(sound).max() == pytest.approx(0.3, abs=0.01)
    (asked,) = emulator.wait_for("google").messages
    assert asked.input.text == "x" * 50
    assert (asked.voice.name, asked.voice.language_code) == (WAVENET, "en-US")
    assert asked.audio_config.audio_encoding == api.AudioEncoding.LINEAR16
    assert (asked.audio_config.sample_rate_hertz, asked.audio_config.speaking_rate) == (SAMPLERATE, 1.5)
    assert emulator.made("google-stream") == []


def test_chirp_is_streamed_and_sounds_before_it_is_whole(emulator: Emulator, opened: Open) -> None:
    emulator.script("google-stream", Does(stall_after=1))
    cancel = CancelToken()
    stream = iter(opened(voice=CHIRP, speed=1.25).synthesize(TEXT, "en", cancel))
    assert len(next(stream)) > 0
    cancel.cancel()
    assert list(stream) == []
    request = emulator.wait_for("google-stream")
    assert request.gone.wait(10.0)
    config, asked = request.messages
    assert config.streaming_config.voice.name == CHIRP
    audio = config.streaming_config.streaming_audio_config
    assert (audio.audio_encoding, audio.sample_rate_hertz) == (api.AudioEncoding.PCM, SAMPLERATE)
    assert audio.speaking_rate == 1.25
    assert asked.input.text == TEXT
    assert emulator.made("google") == []


def test_pace_is_kept_within_what_the_service_takes(emulator: Emulator, opened: Open) -> None:
    speech(opened(speed=3.0))
    assert emulator.wait_for("google").messages[0].audio_config.speaking_rate == 2.0


def test_volume_is_ours(opened: Open) -> None:
    peaks = [float(np.abs(speech(opened(volume=volume))).max()) for volume in (0.5, 5.0)]
    assert peaks == pytest.approx([0.15, 1.0], abs=0.01)


@pytest.mark.parametrize(
    ("voice", "language", "expected"),
    [
        ("auto", "en", ("en-US-Wavenet-D", "en-US")),
        ("auto", "ru", ("ru-RU-Wavenet-D", "ru-RU")),
        ("auto", "de", ("", "de")),
        ("en-GB-Wavenet-B", "en", ("en-GB-Wavenet-B", "en-GB")),
        ("en-GB-Wavenet-B", "ru", ("ru-RU-Wavenet-D", "ru-RU")),
        ("en-GB-Wavenet-B", "de", ("", "de")),
        (CHIRP, "ru", ("ru-RU-Chirp3-HD-Kore", "ru-RU")),
        ("cmn-CN-Wavenet-A", "zh", ("cmn-CN-Wavenet-A", "cmn-CN")),
        ("my-own-voice", "ru", ("my-own-voice", "ru")),
    ],
)
def test_voice_fits_the_language(voice: str, language: str, expected: tuple[str, str]) -> None:
    assert voice_for(voice, language) == expected


def test_key_is_sent_with_each_call(emulator: Emulator, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_TTS_API_KEY", KEY)
    for voice, route in ((WAVENET, "google"), (CHIRP, "google-stream")):
        speech(opened(voice=voice))
        assert emulator.wait_for(route).headers["x-goog-api-key"] == KEY


@pytest.mark.parametrize("samplerate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_of_another_rate_or_of_two_channels_is_converted(
    emulator: Emulator, opened: Open, samplerate: int, channels: int
) -> None:
    from tests.emulator.voices import wav

    tone = np.sin(2 * np.pi * 440 / samplerate * np.arange(samplerate)) * 10_000
    both = np.repeat(tone.astype("<i2")[:, None], channels, axis=1)
    emulator.script("google", Does(garbage=wav(both.tobytes(), samplerate, channels=channels)))
    sound = speech(opened())
    assert len(sound) == SAMPLERATE
    assert np.abs(np.fft.rfft(sound)).argmax() == 440


def test_long_text_is_cut_to_what_the_service_takes_at_a_word(emulator: Emulator, opened: Open) -> None:
    emulator.script("google", Does(garbage=b""), Does(garbage=b""))
    for text in ("слово " * 10_000, "ы" * 100_000):
        with pytest.raises(BackendError):
            speech(opened(), text, "ru")
    words, letters = (request.messages[0].input.text for request in emulator.made("google"))
    assert MAX_BYTES - 20 < len(words.encode()) <= MAX_BYTES
    assert words.endswith("слово")
    assert letters == "ы" * (MAX_BYTES // 2)


@pytest.mark.parametrize("voice", [WAVENET, CHIRP])
@pytest.mark.parametrize(
    ("does", "kind", "words", "retryable", "hint"),
    [
        (Does(status=401), BackendError, "refused the key (401, UNAUTHENTICATED)", False, "GOOGLE_TTS_API_KEY"),
        (Does(status=400, code="API_KEY_INVALID"), BackendError, "refused the key", False, "gcloud auth"),
        (Does(status=403), BackendError, "refused the key (403", False, "revoked"),
        (Does(status=403, code="SERVICE_DISABLED"), BackendError, "switched off", False, "console"),
        (Does(status=404), BackendError, "knows no voice", False, "tts.voice"),
        (Does(status=429, headers={"Retry-After": "7"}), BackendError, "too many requests", True, "second"),
        (Does(status=500), BackendError, "has failed (500", True, ""),
        (Does(status=503), BackendError, "has failed (503", True, ""),
        (Does(status=501), BackendError, "cannot be understood", False, "taken for"),
        (Does(delay_s=60.0), BackendTimeoutError, "gave no answer", True, ""),
        (Does(cut_after=0), BackendError, "connection was lost", True, "proxies"),
        (Does(error_after=0), BackendError, "has failed (500", True, ""),
        (Does(garbage=b""), BackendError, "no sound", False, "taken for"),
        (Does(garbage=b"\xff\xff\xff", content_type="nonsense"), BackendError, "", False, ""),
    ],
)
def test_speech_that_fails_is_an_error_that_says_what_to_do(
    emulator: Emulator,
    opened: Open,
    voice: str,
    does: Does,
    kind: type[BackendError],
    words: str,
    retryable: bool,
    hint: str,
) -> None:
    emulator.script("google" if voice == WAVENET else "google-stream", does)
    with pytest.raises(kind) as caught:
        speech(opened(voice=voice, **({"first_sound_s": 0.5} if does.delay_s else {})))
    error = caught.value
    assert words in error.message
    assert error.backend == "google"
    assert error.retryable == retryable or not words
    assert hint in error.hint
    assert "private" not in f"{error} {error.hint}"
    if "Retry-After" in does.headers:
        assert error.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("voice", "does", "kind", "words"),
    [
        (WAVENET, Does(end_after=1), BackendError, "ended its answer in the middle"),
        (WAVENET, Does(garbage=b"ID3 this is an mp3"), BackendError, "no sound"),
        (CHIRP, Does(garbage=b"\x00" * 4801), BackendError, "ended its answer in the middle"),
        (CHIRP, Does(end_after=0), BackendError, "no sound"),
        (CHIRP, Does(stall_after=1), BackendTimeoutError, "in the middle of an answer"),
        (CHIRP, Does(cut_after=1), BackendError, "connection was lost"),
        (CHIRP, Does(error_after=1), BackendError, "has failed"),
    ],
)
def test_truncated_and_foreign_sound_is_an_error(
    emulator: Emulator, opened: Open, voice: str, does: Does, kind: type[BackendError], words: str
) -> None:
    emulator.script("google" if voice == WAVENET else "google-stream", does)
    with pytest.raises(kind, match=words):
        speech(opened(voice=voice, **({"stall_s": 0.5} if does.stall_after else {})))


@pytest.mark.parametrize("voice", [WAVENET, CHIRP])
def test_next_text_is_spoken_after_a_connection_was_lost(emulator: Emulator, opened: Open, voice: str) -> None:
    emulator.script("google" if voice == WAVENET else "google-stream", Does(cut_after=0))
    synthesizer = opened(voice=voice)
    with pytest.raises(BackendError, match="connection was lost"):
        speech(synthesizer)

    def speaks() -> bool:
        try:
            return speech(synthesizer).size > 0
        except BackendError as error:  # the client may have begun to connect before all of the old one was gone
            if not error.retryable:
                raise
            return False

    wait_until(speaks, 10.0, "speech over a new connection")


@pytest.mark.parametrize("voice", [WAVENET, CHIRP])
def test_cancelled_speech_ends_the_call(emulator: Emulator, opened: Open, voice: str) -> None:
    route = "google" if voice == WAVENET else "google-stream"
    emulator.script(route, Does(delay_s=60.0))
    synthesizer, cancel = opened(voice=voice), CancelToken()
    worker = threading.Thread(target=lambda: list(synthesizer.synthesize(TEXT, "en", cancel)))
    worker.start()
    request = emulator.wait_for(route)
    cancel.cancel()
    worker.join(10.0)
    assert not worker.is_alive()
    assert request.gone.wait(10.0)


def test_unknown_voice_is_found_out_when_warmed_and_when_it_is_to_speak(emulator: Emulator, opened: Open) -> None:
    synthesizer = opened(voice="en-US-Wavenet-Z")
    for attempt in (synthesizer.warm, lambda: speech(synthesizer)):
        with pytest.raises(BackendError, match=r"knows no voice 'en-US-Wavenet-Z'") as caught:
            attempt()
        assert "tts.voice" in caught.value.hint
        assert not caught.value.retryable


def test_voice_that_cannot_be_streamed_and_language_that_nobody_speaks_are_errors(opened: Open) -> None:
    with pytest.raises(BackendError, match="does not take this language") as caught:
        speech(opened(), TEXT, "xx")
    assert "llm.language" in caught.value.hint


def test_warming_asks_for_the_voice_alone_and_opens_the_connection(emulator: Emulator, opened: Open) -> None:
    synthesizer = opened(voice=CHIRP)
    synthesizer.warm()
    speech(synthesizer)
    assert [request.route for request in emulator.requests] == ["voices", "google-stream"]
    assert emulator.voices.connections == 1


def test_server_that_tells_of_no_voices_will_do(emulator: Emulator, opened: Open) -> None:
    emulator.script("voices", Does(status=501))
    synthesizer = opened(voice="en-US-Wavenet-D")
    synthesizer.warm()
    assert speech(synthesizer).size > 0


def test_nothing_of_grpc_is_left_when_closed(opened: Open) -> None:
    def ours() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if "_poll_wrapper" in thread.name]

    synthesizer = opened(voice=CHIRP)
    speech(synthesizer)
    assert ours()
    synthesizer.close()
    for thread in ours():
        thread.join(10.0)
    assert not ours()


def test_server_that_speaks_http_is_not_taken_for_the_service(emulator: Emulator, opened: Open) -> None:
    with pytest.raises(BackendError, match="cannot be understood") as caught:
        speech(opened(base_url=emulator.url))
    assert "taken for" in caught.value.hint


def test_service_is_not_taken_for_a_server_that_speaks_http(emulator: Emulator) -> None:
    with (
        closing(open_synthesizer("openai", base_url=f"{emulator.google_url}/v1")) as synthesizer,
        pytest.raises(BackendError, match=r"cannot be understood|cannot be reached|lost"),
    ):
        speech(synthesizer)


def test_server_that_is_not_there_is_an_error(opened: Open) -> None:
    with pytest.raises(BackendError, match="cannot be reached") as caught:
        speech(opened(base_url="http://127.0.0.1:9"))
    assert caught.value.retryable
    assert "127.0.0.1:9" in caught.value.hint


def test_words_go_to_another_machine_by_tls_alone() -> None:
    with pytest.raises(ConfigError, match="without TLS") as caught:
        open_synthesizer("google", base_url="http://192.0.2.1:50051")
    assert "https" in caught.value.hint


def test_missing_key_is_told_with_every_way_to_give_one() -> None:
    with closing(open_synthesizer("google")) as synthesizer, pytest.raises(BackendError, match="no key") as caught:
        speech(synthesizer)
    for way in ("GOOGLE_TTS_API_KEY", "google.key_file", "keyring set sottovoce google", "gcloud auth"):
        assert way in caught.value.hint


def test_account_of_googles_tools_is_found_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"type": "service_account", "private_key": "planted"}), encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    settings = {"base_url": "", "key_file": None, "voice": "auto"}
    assert f"key from the file {file}" in check_backend("tts", "google", **settings)
    with (
        closing(open_synthesizer("google")) as synthesizer,
        pytest.raises(BackendError, match="a part of it") as caught,
    ):
        speech(synthesizer)
    assert "planted" not in f"{caught.value!r} {caught.value.hint}"


def test_account_goes_to_google_alone(
    emulator: Emulator, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"type": "service_account"}), encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    speech(opened())
    headers = emulator.wait_for("google").headers
    assert "authorization" not in headers
    assert "x-goog-api-key" not in headers


def test_certificates_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_TTS_API_KEY", KEY)
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    with closing(open_synthesizer("google")) as synthesizer, pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        speech(synthesizer)
