"""Sockets over which OpenAI transcribes, each made ready for one segment before it is needed."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sottovoce.core.errors import BackendError
from sottovoce.speech.asr._openai_limits import count
from sottovoce.speech.remote.failures import distrusts, retry_after_s
from sottovoce.speech.remote.keys import Key
from sottovoce.speech.remote.openai_client import OpenAIConnection
from sottovoce.speech.remote.server import Server
from sottovoce.speech.usage import Call

if TYPE_CHECKING:
    import ssl

    from openai import AsyncOpenAI
    from openai.resources.realtime.realtime import AsyncRealtimeConnection
    from openai.types.realtime.realtime_error import RealtimeError

#: What a socket carries: mono int16, little-endian, at this samplerate (Hz).
SOCKET_SAMPLERATE = 24_000

#: Sound (bytes) in one message; the service takes 15 MB, in base64.
_MAX_MESSAGE = 1 << 20

#: Longest message (bytes) that is taken from the service; it is text.
_MAX_ANSWER = 1 << 20

#: How long (s) a socket that is closed waits for the other side to say so, too.
_CLOSE_S = 0.2

#: The service ends a session after an hour; one that is older than this (s) is not begun with.
_MAX_AGE_S = 50 * 60.0

#: At debug level the client would log the key, and what was said.
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)

_STATUS = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
}


class RealtimeConnection(OpenAIConnection):
    """A connection whose sockets are asked for words while somebody speaks."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.options: dict[str, Any] = {}
        self.sessions = Sessions(self)

    def translate(self, error: Exception) -> BackendError:
        from websockets import exceptions

        match error:
            case exceptions.InvalidStatus():
                response = error.response
                if response.status_code in (400, 404, 405, 426):
                    return self._lacks_sockets(response.status_code)
                return self.service.refused(response.status_code, _code(response.body), retry_after_s(response.headers))
            case exceptions.InvalidHandshake() | exceptions.InvalidURI():
                return self.service.garbled(type(error).__name__)
            case exceptions.ConnectionClosed():
                return self.service.unreachable()
            case TimeoutError():
                return self.service.late()
            case OSError():
                return self.service.untrusted() if distrusts(error) else self.service.unreachable()
            case _:
                return super().translate(error)

    def told(self, error: RealtimeError) -> BackendError:
        """The service tells of an error in a message."""
        code = error.code or error.type
        about = (error.param or "").rpartition(".")[2]
        if code in _STATUS:
            return self.service.refused(_STATUS[code], code)
        if error.type == "invalid_request_error":
            return self.service.refused(400, code, about=about)
        return self.service.failed_within()

    async def _release(self) -> None:
        await self.sessions.close()
        await super()._release()

    def _lacks_sockets(self, status: int) -> BackendError:
        return self.service.lacks(
            f"realtime transcription ({status})",
            "set openai.asr_realtime to off, or openai.asr_base_url to a server that has it",
        )

    def _make(self, key: Key | None) -> AsyncOpenAI:
        import httpx2

        client = super()._make(key)
        _ = client.realtime.connect  # imported when first looked at
        certificates: ssl.SSLContext | None = None
        if self.server.base_url.startswith("https:"):
            certificates = httpx2.create_ssl_context()
        self.options = {
            "max_size": _MAX_ANSWER,
            "compression": None,
            "close_timeout": _CLOSE_S,
            "logger": _SILENT,
            **({} if certificates is None else {"ssl": certificates}),
        }
        return client


class Session:
    """A socket that is set up for transcription, for one segment after another."""

    def __init__(self, connection: RealtimeConnection, socket: AsyncRealtimeConnection, hints: dict[str, Any]) -> None:
        self._connection = connection
        self._socket = socket
        self._opened_s = asyncio.get_running_loop().time()
        self._done: set[str] = set()
        self._watcher: asyncio.Task[None] | None = None
        self.hints = hints

    def rest(self) -> None:
        """Nobody asks it for anything for a while."""
        self._watcher = asyncio.ensure_future(self._watch())
        self._watcher.add_done_callback(_ended)

    async def wake(self) -> bool:
        """Be asked again; False if it has been lost meanwhile, or is too old."""
        watcher, self._watcher = self._watcher, None
        lost = watcher is None or watcher.done()
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        return not lost and asyncio.get_running_loop().time() - self._opened_s < _MAX_AGE_S

    async def _watch(self) -> None:
        while True:  # what is still said of earlier segments is for nobody
            await self._socket.recv()

    async def append(self, sound: bytes) -> None:
        """Send sound."""
        for at in range(0, len(sound), _MAX_MESSAGE):
            part = base64.b64encode(sound[at : at + _MAX_MESSAGE]).decode()
            await self._socket.input_audio_buffer.append(audio=part)

    async def commit(self) -> None:
        """Say that the segment is over."""
        await self._socket.input_audio_buffer.commit()

    async def words(self, bill: Call) -> AsyncIterator[tuple[str, bool]]:
        """What of the segment is new, with False; at its end all of it, with True, and what it costs in ``bill``."""
        prefix = "conversation.item.input_audio_transcription."
        while True:
            event: Any = await self._socket.recv()
            kind = getattr(event, "type", None)
            if not isinstance(kind, str):
                raise self._connection.service.garbled("no event")
            if kind == "error":
                raise self._connection.told(event.error)
            if not kind.startswith(prefix) or event.item_id in self._done:
                continue
            if kind == f"{prefix}failed":
                raise self._connection.told(event.error)
            if kind == f"{prefix}delta":
                yield event.delta or "", False
            elif kind == f"{prefix}completed":
                self._done.add(event.item_id)
                count(getattr(event, "usage", None), bill)
                yield event.transcript, True
                return

    async def close(self) -> None:
        """Close the socket; the other side is told at once."""
        if self._watcher is not None:
            self._watcher.cancel()
        await self._socket.close()


class Sessions:
    """The sockets of one recogniser: one for each segment that is under way, and one in reserve. Lives in the loop."""

    def __init__(self, connection: RealtimeConnection) -> None:
        self._connection = connection
        self._reserve: Session | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def session(self, hints: dict[str, Any], limit_s: float) -> AsyncIterator[Session]:
        """A session for one segment: the one in reserve, or a new one, which may take ``limit_s``.

        If the segment came to its end, the session is kept for the next one; else its socket is closed, so that the
        service does not go on, and the next one is prepared.
        """
        if self._reserve is None and self._preparing is not None:
            await asyncio.wait([self._preparing])
        session = await self._take(hints) or await self._open(hints, limit_s)
        whole = False
        try:
            yield session
            whole = True
        finally:
            if whole:
                self._keep(session)
            else:
                self._drop(session)
                self._prepare(hints, limit_s)

    async def reserve(self, hints: dict[str, Any], limit_s: float) -> None:
        """Have a session ready for the next segment."""
        self._keep(await self._take(hints) or await self._open(hints, limit_s))

    async def close(self) -> None:
        """Close all; no segment is under way any more."""
        if self._preparing is not None:
            self._preparing.cancel()
        if self._reserve is not None:
            self._drop(self._reserve)
            self._reserve = None
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _take(self, hints: dict[str, Any]) -> Session | None:
        session, self._reserve = self._reserve, None
        if session is None:
            return None
        if await session.wake() and session.hints == hints:
            return session
        self._drop(session)
        return None

    async def _open(self, hints: dict[str, Any], limit_s: float) -> Session:
        try:
            async with asyncio.timeout(limit_s):
                return await self._set_up(hints)
        except TimeoutError:
            raise self._connection.service.late() from None

    async def _set_up(self, hints: dict[str, Any]) -> Session:
        connection = self._connection
        asked = connection.client.realtime.connect(
            extra_query={"intent": "transcription"}, websocket_connection_options=cast(Any, connection.options)
        )
        socket = await asked.enter()
        session = Session(connection, socket, hints)
        with ExitStack() as undo:
            undo.callback(self._drop, session)
            await socket.session.update(session=_setup(connection.server.model, hints))
            event: Any = await socket.recv()
            while event.type != "session.updated":
                if event.type == "error":
                    raise connection.told(event.error)
                event = await socket.recv()
            undo.pop_all()
        return session

    def _prepare(self, hints: dict[str, Any], limit_s: float) -> None:
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.ensure_future(self.reserve(hints, limit_s))
            self._preparing.add_done_callback(_ended)  # whoever needs it opens one, and is told why it cannot be

    def _keep(self, session: Session) -> None:
        if self._reserve is not None:
            self._drop(self._reserve)
        self._reserve = session
        session.rest()

    def _drop(self, session: Session) -> None:
        closing = asyncio.ensure_future(session.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        closing.add_done_callback(_ended)


def _ended(task: asyncio.Task[None]) -> None:
    """Take note of how a task ended that nobody waits for."""
    if not task.cancelled():
        task.exception()


def _setup(model: str, hints: dict[str, Any]) -> Any:
    return {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": SOCKET_SAMPLERATE},
                "transcription": {"model": model, **hints},
                "turn_detection": None,  # where a segment ends is ours to say
            }
        },
    }


def _code(body: object) -> object:
    """The code of an error as the service writes it; None if it wrote something else."""
    try:
        return json.loads(bytes(cast(bytes, body)))["error"]["code"]
    except (ValueError, TypeError, KeyError):
        return None
