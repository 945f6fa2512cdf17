"""What each service says to a request: OpenAI's chat, transcription and speech, and Gemini's answers.

Transcription over a socket is in `sockets`, Google's voices are in `voices`.
"""

from __future__ import annotations

import io
import json
import re
import wave
from collections.abc import Iterable, Iterator
from dataclasses import replace
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.emulator.server import Answer, Emulator, Request

SSE = "text/event-stream"
COMMENT = b": keep-alive\n\n"
SPEECH_RATE = 24_000
#: Length of the sound (s) of each character that is spoken, and of a chunk of it.
CHARACTER_S, CHUNK_S = 0.06, 0.1

ROUTES = (
    (r"/v1/chat/completions", "chat"),
    (r"/v1/audio/transcriptions", "transcription"),
    (r"/v1/audio/speech", "speech"),
    (r"/v1/realtime", "realtime"),
    (r"/v1beta/models/[^/:]+:(streamGenerateContent|generateContent)", "gemini"),
    (r"/v1(beta)?/models(/.+)?", "model"),
)


def route_of(path: str) -> str:
    """What a path asks of; "nothing" if there is nothing there."""
    path = path.partition("?")[0]
    return next((route for pattern, route in ROUTES if re.fullmatch(pattern, path)), "nothing")


def answer(emulator: Emulator, request: Request) -> Answer | None:
    makers = {
        "chat": _chat,
        "gemini": _gemini,
        "transcription": _transcription,
        "speech": _speech,
        "model": _model,
    }
    maker = makers.get(request.route)
    return None if maker is None else maker(emulator, request)


def error(route: str, status: int, code: str, param: str = "") -> bytes:
    """An error of the service that the route belongs to; like the real ones it quotes what it should not."""
    words = "Incorrect API key provided: sk-emul****; the prompt was: something private"
    if route == "gemini":
        return _json({"error": {"code": status, "message": words, "status": code or "UNAVAILABLE"}})
    return _json({"error": {"message": words, "type": "emulated_error", "param": param or None, "code": code or None}})


def _chat(emulator: Emulator, request: Request) -> Answer:
    body = request.json
    asked = str(body["messages"][-1]["content"]).rpartition("Question:")[2]

    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(
            {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
            | {"choices": [choice]}
        )

    def items() -> Iterator[bytes]:
        for word in _words(emulator.theses(asked)):
            yield chunk({"content": word})
        yield chunk({}, "stop")
        if emulator.counts and body.get("stream_options", {}).get("include_usage"):
            yield _event(_chat_usage(emulator, body, emulator.theses(asked)))
        yield b"data: [DONE]\n\n"

    return _stream(items(), _event({"error": {"message": "quoting something private", "type": "server_error"}}))


def _gemini(emulator: Emulator, request: Request) -> Answer:
    asked = str(request.json["contents"][-1]["parts"][-1]["text"]).rpartition("Question:")[2]

    def chunk(text: str, finish: str | None = None) -> bytes:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        if finish is not None:
            candidate["finishReason"] = finish
        counted = {"usageMetadata": _gemini_usage(emulator, request, asked)} if finish and emulator.counts else {}
        return _event({"candidates": [candidate], "modelVersion": "emulated", **counted})

    def items() -> Iterator[bytes]:
        for word in _words(emulator.theses(asked)):
            yield chunk(word)
        yield chunk("", "STOP")

    # an empty line is all that Gemini's own client takes for a sign of life
    return replace(_stream(items(), error("gemini", 503, "UNAVAILABLE")), comment=b"\n")


def _transcription(emulator: Emulator, request: Request) -> Answer:
    fields = _form(request)
    with wave.open(io.BytesIO(fields["file"])) as file:
        samplerate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    text = emulator.hear(samples, samplerate)
    if fields.get("stream", b"") != b"true":
        return _body(_json({"text": text}))

    def items() -> Iterator[bytes]:
        for word in re.findall(r"\S+\s*", text):
            yield _event({"type": "transcript.text.delta", "delta": word})
        done: dict[str, Any] = {"type": "transcript.text.done", "text": text}
        if emulator.counts:
            done["usage"] = _transcription_usage(len(samples) / samplerate, text)
        yield _event(done)
        yield b"data: [DONE]\n\n"

    return _stream(items(), _event({"error": {"message": "quoting something private", "type": "server_error"}}))


def _speech(emulator: Emulator, request: Request) -> Answer:
    from tests.emulator.server import Answer

    body = request.json
    pcm = tone(body["input"], float(body.get("speed", 1.0)), SPEECH_RATE)
    size = int(2 * SPEECH_RATE * CHUNK_S)
    return Answer("audio/pcm", (pcm[at : at + size] for at in range(0, len(pcm), size)))


def _chat_usage(emulator: Emulator, body: Any, theses: tuple[str, ...]) -> dict[str, Any]:
    """A last event that counts tokens: a word is one."""
    sent = sum(len(str(message["content"]).split()) for message in body["messages"])
    usage = {
        "prompt_tokens": sent,
        "completion_tokens": len(_words(theses)),
        "total_tokens": sent + len(_words(theses)),
    }
    usage["prompt_tokens_details"] = {"cached_tokens": min(sent, emulator.cached_tokens)}  # type: ignore[assignment]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    return {**head, "choices": [], "usage": usage}


def _gemini_usage(emulator: Emulator, request: Request, asked: str) -> dict[str, int]:
    body = request.json
    parts = [*body["contents"][-1]["parts"], *body.get("systemInstruction", {}).get("parts", [])]
    sent = sum(len(str(part["text"]).split()) for part in parts)
    answered = len(_words(emulator.theses(asked)))
    counted = {"promptTokenCount": sent, "candidatesTokenCount": answered, "totalTokenCount": sent + answered}
    return counted | {"cachedContentTokenCount": min(sent, emulator.cached_tokens)}


def _transcription_usage(seconds: float, text: str) -> dict[str, Any]:
    """Ten tokens a second of sound."""
    sound, words = round(10 * seconds), len(text.split())
    details = {"audio_tokens": sound, "text_tokens": 0}
    return {"type": "tokens", "input_tokens": sound, "output_tokens": words, "total_tokens": sound + words} | {
        "input_token_details": details
    }


def tone(text: str, speed: float, samplerate: int) -> bytes:
    """What a text sounds like: int16, as long as it takes to say it."""
    frames = int(len(text) * CHARACTER_S * samplerate / speed)
    sound = 0.3 * np.sin(2 * np.pi * 220 / samplerate * np.arange(frames))
    return (sound * np.iinfo(np.int16).max).astype("<i2").tobytes()


def _model(emulator: Emulator, request: Request) -> Answer:
    name = request.path.partition("?")[0].rpartition("/")[2]
    return _body(
        _json({"id": name, "name": f"models/{name}", "object": "model", "created": 1, "owned_by": "the emulator"})
    )


def _words(theses: Iterable[str]) -> list[str]:
    """The answer in pieces as models give them: a word with the space before it, or a line break."""
    return re.findall(r"\n|[^\S\n]*\S+", "\n".join(theses))


def _form(request: Request) -> dict[str, bytes]:
    """The fields of a form with files."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    fields: dict[str, bytes] = {}
    for part in message.get_payload():  # type: ignore[union-attr]
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        fields[str(name)] = part.get_payload(decode=True)  # type: ignore[union-attr,assignment]
    return fields


def _stream(items: Iterable[bytes], error_item: bytes) -> Answer:
    from tests.emulator.server import Answer

    return Answer(SSE, items, COMMENT, error_item)


def _body(body: bytes) -> Answer:
    from tests.emulator.server import Answer

    return Answer("application/json", (body,))


def _event(value: object) -> bytes:
    return b"data: " + _json(value) + b"\n\n"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
