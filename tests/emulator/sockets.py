"""OpenAI's realtime transcription: a WebSocket on which segments come in pieces and words go out."""

from __future__ import annotations

import base64
import json
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from websockets.frames import Opcode
from websockets.http11 import Request as Upgrade
from websockets.server import ServerProtocol

from tests.emulator.server import Does, Gone, Request, shut

if TYPE_CHECKING:
    from tests.emulator.server import Emulator

SAMPLERATE = 24_000
#: Shorter segments (s) the service refuses.
LEAST_S = 0.1
#: Models that write while they listen.
LIVE = ("gpt-live-", "gpt-realtime-")

_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


@dataclass(slots=True, eq=False)
class Segment:
    """What came between two commits, and what was said of it."""

    item: str
    request: Request
    does: Does
    sound: bytearray = field(default_factory=bytearray)
    said: list[str] = field(default_factory=list)
    items: int = 0


class Conversation:
    """One socket; :meth:`run` ends when the other side has gone."""

    def __init__(self, emulator: Emulator, request: Request, does: Does, connection: socket.socket) -> None:
        self._emulator = emulator
        self._request = request
        self._does = does
        self._connection = connection
        self._protocol = ServerProtocol(max_size=None)
        self._inbox: deque[dict[str, Any]] = deque()
        self._session: dict[str, Any] = {}
        self._segment: Segment | None = None
        self._segments = 0

    def run(self) -> None:
        try:
            self._shake_hands()
            self._say("session.created", session={"type": "transcription"})
            while True:
                self._answer(self._next())
        except (Gone, OSError):
            if self._segment is not None:
                _note_gone(self._segment.request)
            raise Gone from None

    def _shake_hands(self) -> None:
        if self._does.garbage is not None:
            self._connection.sendall(self._does.garbage)
            raise Gone
        self._pause(3600.0 if self._does.stall_after == 0 else 0.0)
        headers = "".join(f"{name}: {value}\r\n" for name, value in self._request.headers.items())
        self._protocol.receive_data(f"GET {self._request.path} HTTP/1.1\r\n{headers}\r\n".encode())
        upgrade = self._protocol.events_received()[0]
        assert isinstance(upgrade, Upgrade)
        self._protocol.send_response(self._protocol.accept(upgrade))
        self._flush()

    def _answer(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update" if self._does.error_after == 0:
                self._tell_error(self._does)
            case "session.update":
                self._session = event["session"]["audio"]["input"]
                self._request.messages.append(event["session"])
                self._say("session.updated", session=event["session"])
            case "input_audio_buffer.append":
                self._listen(base64.b64decode(event["audio"]))
            case "input_audio_buffer.clear":
                self._segment = None
                self._say("input_audio_buffer.cleared")
            case "input_audio_buffer.commit":
                self._commit()
            case _:
                self._tell_error(Does(status=400, code="unknown_event"))

    def _listen(self, sound: bytes) -> None:
        if self._segment is None:
            self._segments += 1
            request = replace(self._request, route="segment", body=b"", messages=[], gone=type(self._request.gone)())
            self._segment = Segment(f"item_{self._segments}", request, self._emulator.take(request))
        segment = self._segment
        segment.sound += sound
        segment.request.body = bytes(segment.sound)
        if str(self._session["transcription"]["model"]).startswith(LIVE):
            for word in self._new_words(segment):
                if not self._item(segment, "delta", delta=word):
                    return

    def _commit(self) -> None:
        segment = self._segment
        if segment is None or len(segment.sound) < 2 * LEAST_S * SAMPLERATE:
            self._tell_error(Does(status=400, code="input_audio_buffer_commit_empty"))
            return
        does = segment.does
        if does.status != 200:
            self._segment = None
            self._tell_error(does)
            return
        self._say("input_audio_buffer.committed", item_id=segment.item, previous_item_id=None)
        self._pause(does.delay_s)
        quiet_until = time.monotonic() + does.comments_s
        while time.monotonic() < quiet_until:
            self._say("rate_limits.updated", rate_limits=[])
            self._pause(0.05)
        for word in self._new_words(segment):
            if not self._item(segment, "delta", delta=word):
                return
        whole = "".join(segment.said).strip()
        if self._item(segment, "completed", transcript=whole, usage={"type": "duration", "seconds": 1.0}):
            self._segment = None

    def _new_words(self, segment: Segment) -> Iterator[str]:
        """What is heard by now and has not been said."""
        samples = np.frombuffer(bytes(segment.sound), "<i2")
        words = [f"{word} " for word in self._emulator.hear(samples, SAMPLERATE).split()]
        for word in words[len(segment.said) :]:
            segment.said.append(word)
            yield word

    def _item(self, segment: Segment, kind: str, **content: object) -> bool:
        """Say an item of the answer, or do with it what is scripted; False if the answer has ended by that."""
        does = segment.does
        if segment.items == does.stall_after:
            self._pause(3600.0)
        if segment.items == does.cut_after:
            shut(self._connection)
            raise Gone
        if segment.items == does.error_after:
            error = {"type": "server_error", "code": does.code or None, "message": "quoting something private"}
            self._say(f"{_TRANSCRIPTION}.failed", item_id=segment.item, content_index=0, error=error)
            self._segment = None
            return False
        if segment.items == does.end_after:
            self._protocol.send_close(1000)
            self._flush()
            raise Gone
        self._pause(does.every_s)
        segment.items += 1
        if does.garbage is None:
            self._say(f"{_TRANSCRIPTION}.{kind}", item_id=segment.item, content_index=0, **content)
        else:
            self._protocol.send_text(does.garbage)
            self._flush()
        return True

    def _tell_error(self, does: Does) -> None:
        code = does.code or _CODES.get(does.status, "")
        kind = "server_error" if does.status >= 500 else "invalid_request_error"
        error = {
            "type": kind,
            "code": code or None,
            "param": does.param or None,
            "message": "quoting something private",
        }
        self._say("error", error=error)

    def _say(self, kind: str, **content: object) -> None:
        self._protocol.send_text(json.dumps({"type": kind, "event_id": "event_1", **content}).encode())
        self._flush()

    def _next(self) -> dict[str, Any]:
        while not self._inbox:
            self._read(None)
        return self._inbox.popleft()

    def _pause(self, seconds: float) -> None:
        """Let time pass, and take in what comes meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, wait_s: float | None) -> None:
        if not select.select([self._connection], [], [], min(0.05, wait_s or 0.05))[0]:
            if self._emulator.ending:
                raise Gone
            return
        data = self._connection.recv(1 << 16)
        if not data:
            raise Gone
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if frame.opcode is Opcode.TEXT:  # type: ignore[union-attr]
                self._inbox.append(json.loads(frame.data))  # type: ignore[union-attr]
            elif frame.opcode is Opcode.CLOSE:  # type: ignore[union-attr]
                self._flush()
                raise Gone
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.sendall(data)


def _note_gone(request: Request) -> None:
    request.gone_at = time.monotonic()
    request.gone.set()
