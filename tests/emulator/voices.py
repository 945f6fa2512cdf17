"""Google Cloud Text-to-Speech: voices that come whole, and voices that are streamed, by gRPC."""

from __future__ import annotations

import io
import threading
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud import texttospeech as api
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.emulator.relay import Relay
from tests.emulator.server import Does, Gone, Request
from tests.emulator.services import CHUNK_S, tone

if TYPE_CHECKING:
    from tests.emulator.server import Emulator

SERVICE = "google.cloud.texttospeech.v1.TextToSpeech"
VOICES = (
    "en-US-Wavenet-D",
    "en-US-Neural2-A",
    "en-US-Chirp3-HD-Kore",
    "ru-RU-Wavenet-D",
    "ru-RU-Chirp3-HD-Kore",
    "de-DE-Wavenet-D",
)
LANGUAGES = {voice.partition("-")[0] for voice in VOICES}

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class Voices:
    """The server; what it is told to do is that of its :class:`Emulator`.

    Of :class:`Does` it heeds ``delay_s``, ``status`` (as the status of gRPC that means the same), ``code`` (the reason
    in the details), ``Retry-After`` among the headers, ``every_s``, and what happens ``after`` so many pieces of sound;
    of a voice that comes whole, ``end_after`` leaves out the pieces behind it. ``garbage`` is sent in the place of
    sound, or, with the ``content_type`` "nonsense", in the place of a message.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="emulator-voices")
        self._server = grpc.server(self._pool)
        handlers = {
            "ListVoices": grpc.unary_unary_rpc_method_handler(
                self._list, api.ListVoicesRequest.deserialize, _serializer(api.ListVoicesResponse)
            ),
            "SynthesizeSpeech": grpc.unary_unary_rpc_method_handler(
                self._whole, api.SynthesizeSpeechRequest.deserialize, _serializer(api.SynthesizeSpeechResponse)
            ),
            "StreamingSynthesize": grpc.stream_stream_rpc_method_handler(
                self._streamed, api.StreamingSynthesizeRequest.deserialize, _serializer(api.StreamingSynthesizeResponse)
            ),
        }
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        self._relay = Relay(self._server.add_insecure_port("127.0.0.1:0"), lambda: emulator.pause(emulator.handshake_s))
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._relay.port}"

    @property
    def connections(self) -> int:
        """How many were made."""
        return self._relay.connections

    def close(self) -> None:
        self._relay.close()
        self._server.stop(None).wait(5.0)
        self._pool.shutdown()

    def _list(self, request: api.ListVoicesRequest, context: grpc.ServicerContext) -> Any:
        call = _Call(self, context, "voices", [request])
        with call:
            call.begin()
            fitting = [name for name in VOICES if name.startswith(request.language_code)]
            return api.ListVoicesResponse(voices=[api.Voice(name=name) for name in fitting])

    def _whole(self, request: api.SynthesizeSpeechRequest, context: grpc.ServicerContext) -> Any:
        call = _Call(self, context, "google", [request])
        with call:
            call.begin()
            call.check(request.voice, streamed=False)
            config, text = request.audio_config, request.input.text
            samplerate = config.sample_rate_hertz or 24_000
            pieces = list(_pieces(text, config.speaking_rate, samplerate))
            kept = list(call.say(pieces))
            sound = wav(b"".join(pieces), samplerate, len(b"".join(kept)))
            return call.message(api.SynthesizeSpeechResponse, sound)

    def _streamed(self, requests: Iterator[api.StreamingSynthesizeRequest], context: grpc.ServicerContext) -> Any:
        # to their end: grpc's client takes a refusal that comes while it still writes for a failure of its own
        first, *rest = requests
        call = _Call(self, context, "google-stream", [first])
        with call:
            call.begin()
            config = first.streaming_config
            call.check(config.voice, streamed=True)
            for request in rest:
                call.request.messages.append(request)
                audio = config.streaming_audio_config
                samplerate = audio.sample_rate_hertz or 24_000
                for piece in call.say(_pieces(request.input.text, audio.speaking_rate, samplerate)):
                    yield call.message(api.StreamingSynthesizeResponse, piece)


class _Call:
    """A call, and what is to be done with it."""

    def __init__(self, voices: Voices, context: grpc.ServicerContext, route: str, messages: list[Any]) -> None:
        self._relay, self._emulator = voices._relay, voices._emulator
        self._context = context
        headers = {name: str(value) for name, value in context.invocation_metadata()}
        self.request = Request(route, route, headers, b"", voices.connections, messages)
        self._answered = False
        self._over = threading.Event()
        context.add_callback(self._ended)
        self.does: Does = self._emulator.take(self.request)

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        self._answered = self._answered or kind is None
        return kind is Gone

    def begin(self) -> None:
        self._pause(self.does.delay_s + self.does.comments_s)
        if self.does.status != 200:
            self.abort(self.does.status, self.does.code, "API key sk-emul is not valid: something private")

    def check(self, voice: api.VoiceSelectionParams, *, streamed: bool) -> None:
        """Refuse what the service would refuse."""
        if voice.name and voice.name not in VOICES:
            self.abort(400, "", f"Voice '{voice.name}' does not exist. Is it misspelled?")
        if streamed and "-Chirp3-HD-" not in voice.name:
            self.abort(400, "", "Currently, only Chirp 3: HD voices are supported for streaming synthesis.")
        if not voice.name and voice.language_code.partition("-")[0] not in LANGUAGES:
            self.abort(400, "", f"Requested language code '{voice.language_code}' is not supported.")

    def say(self, pieces: Any) -> Iterator[bytes]:
        """The pieces that are sent, each when it is time."""
        does = self.does
        for count, piece in enumerate(pieces if does.garbage is None else [does.garbage]):
            if count == does.stall_after:
                self._pause(3600.0)
            if count == does.cut_after:
                self._relay.cut()
                raise Gone
            if count == does.error_after:
                self.abort(500, "", "quoting something private")
            if count == does.end_after:
                return
            self._pause(does.every_s)
            yield piece

    def message(self, kind: Any, sound: bytes) -> Any:
        if self.does.garbage is None:
            return kind(audio_content=sound)
        return self.does.garbage if self.does.content_type == "nonsense" else kind(audio_content=self.does.garbage)

    def abort(self, status: int, code: str, words: str) -> None:
        self._answered = True
        details = []
        if code:
            details.append(error_details_pb2.ErrorInfo(reason=code, domain="googleapis.com"))
        if "Retry-After" in self.does.headers:
            delay = duration_pb2.Duration(seconds=int(self.does.headers["Retry-After"]))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        packed = []
        for detail in details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        number = _CODES[status].value[0]
        self._context.abort_with_status(
            rpc_status.to_status(status_pb2.Status(code=number, message=words, details=packed))
        )

    def _pause(self, seconds: float) -> None:
        if seconds and (self._over.wait(seconds) or self._emulator.ending):
            raise Gone

    def _ended(self) -> None:
        self._over.set()
        if not self._answered:
            self.request.gone_at = time.monotonic()
            self.request.gone.set()


def wav(sound: bytes, samplerate: int, kept_bytes: int | None = None, channels: int = 1) -> bytes:
    """A WAV file; of its sound only so many bytes are there, whatever its header says."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((channels, 2, samplerate, 0, "NONE", ""))
        file.writeframes(sound)
    lost = 0 if kept_bytes is None else len(sound) - kept_bytes
    return out.getvalue()[: len(out.getvalue()) - lost]


def _pieces(text: str, speed: float, samplerate: int) -> Iterator[bytes]:
    pcm = tone(text, speed or 1.0, samplerate)
    size = int(2 * samplerate * CHUNK_S)
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


def _serializer(kind: Any) -> Any:
    return lambda message: message if isinstance(message, bytes) else kind.serialize(message)
