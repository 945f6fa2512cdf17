"""The server: requests in, scripted behaviour out. Nothing here knows a service; those are in `services`."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.emulator.voices import Voices


@dataclass(frozen=True, slots=True)
class Does:
    """What the emulator does with one request; by default it answers well and at once.

    Attributes
    ----------
    delay_s : float
        Before anything is sent.
    status, headers : int, mapping
        An error status is sent with a body as the service writes it, and ``code`` in it.
    code, param : str
        What the service calls its error, and what of the request it is about.
    comments_s : float
        So long only keep-alive comments are sent (event streams), every 50 ms, before the first item.
    every_s : float
        Before each item of the answer.
    stall_after, cut_after, error_after : int or None
        After so many items: silence; the connection is reset; the service tells of an error in the stream.
    end_after : int or None
        After so many items the answer ends, as if it were whole.
    garbage : bytes or None
        Sent instead of what the service would say.
    content_type : str
        Instead of the right one.
    """

    delay_s: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    param: str = ""
    comments_s: float = 0.0
    every_s: float = 0.0
    stall_after: int | None = None
    cut_after: int | None = None
    error_after: int | None = None
    end_after: int | None = None
    garbage: bytes | None = None
    content_type: str = ""


@dataclass(slots=True, eq=False)
class Request:
    """A request as it came, and what became of it.

    Attributes
    ----------
    route : str
        What was asked of: "chat", "gemini", "transcription", "speech", "model"; "realtime" for a socket, and "segment"
        for each segment on it, whose ``body`` is the sound; "google", "google-stream" and "voices".
    messages : list
        What was sent otherwise than in ``body``: messages of gRPC, settings of a socket.
    gone : threading.Event
        Set when the client has closed the connection before the answer was whole.
    gone_at : float
        When that was noticed (``time.monotonic``).
    """

    route: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    messages: list[Any] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    gone_at: float = 0.0

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service says: a type, and the items of its body; ``comment`` keeps a stream alive, if it can be."""

    content_type: str
    items: Iterable[bytes]
    comment: bytes = b""
    error_item: bytes = b""


class Gone(Exception):
    """The client has closed its connection, or the emulator ends."""


class Emulator:
    """All services, with a thread for each connection: those of OpenAI and Gemini at one address, Google's at another.

    Parameters
    ----------
    port : int
        0 takes a free one.
    otherwise : tuple of str
        Theses for questions of which nothing is known.
    handshake_s : float
        How long a new connection takes before its first request is read, as TLS over a long way would.

    Attributes
    ----------
    knows : dict of str to tuple of str
        Theses by question; a question that holds none of the keys has no answer, or ``otherwise``.
    hear : callable
        Text of a recording, from its samples and its samplerate.
    counts, cached_tokens : bool, int
        Whether the services say how many tokens they have counted, and how many of those sent were cached.
    requests : list of Request
        All that were made, oldest first.
    """

    def __init__(self, port: int = 0, *, otherwise: tuple[str, ...] = (), handshake_s: float = 0.0) -> None:
        from tests.emulator import services

        self.knows: dict[str, tuple[str, ...]] = {}
        self.otherwise = otherwise
        self.handshake_s = handshake_s
        self.hear: Callable[[Any, int], str] = lambda samples, samplerate: "what time is it"
        self.counts = True
        self.cached_tokens = 0
        self.requests: list[Request] = []
        self._scripts: dict[str, deque[Does]] = defaultdict(deque)
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._connections = 0
        self._services = services
        self._voices: Voices | None = None
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="emulator")

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def google_url(self) -> str:
        """Where Google's voices are; they are started when this is first asked for, since their library loads long."""
        return self.voices.url

    @property
    def voices(self) -> Voices:
        from tests.emulator.voices import Voices

        with self._changed:
            if self._voices is None:
                self._voices = Voices(self)
            return self._voices

    @property
    def ending(self) -> bool:
        """Whether everybody is to stop."""
        return self._ending.is_set()

    def hang_up(self) -> None:
        """End every connection of HTTP and its sockets."""
        self._server.hang_up()

    def script(self, route: str, *does: Does) -> None:
        """What to do with the next requests of a route, one after another."""
        with self._changed:
            self._scripts[route].extend(does)

    def made(self, route: str) -> list[Request]:
        """The requests of a route."""
        with self._changed:
            return [request for request in self.requests if request.route == route]

    def wait_for(self, route: str, count: int = 1) -> Request:
        """The request number ``count`` of a route; waits until it is made."""
        with self._changed:
            made = self._changed.wait_for(
                lambda: sum(request.route == route for request in self.requests) >= count, 10.0
            )
        assert made, f"{count} requests of {route!r} were not made; there were {[r.path for r in self.requests]}"
        return self.made(route)[count - 1]

    def __enter__(self) -> Emulator:
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)
        if self._voices is not None:
            self._voices.close()

    def take(self, request: Request) -> Does:
        """Note a request and say what to do with it."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            script = self._scripts[request.route]
            return script.popleft() if script else Does()

    def connected(self) -> int:
        """The number of a new connection."""
        with self._changed:
            self._connections += 1
            return self._connections

    def theses(self, text: str) -> tuple[str, ...]:
        """What is known about a question."""
        return next((theses for key, theses in self.knows.items() if key in text.casefold()), self.otherwise)

    def answer(self, request: Request) -> Answer | None:
        """What the service says; None if there is nothing at that path."""
        return self._services.answer(self, request)

    def error(self, request: Request, does: Does) -> bytes:
        """An error as the service writes it."""
        return self._services.error(request.route, does.status, does.code, does.param)

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the emulator ends."""
        if seconds:
            self._ending.wait(seconds)

    def wait(self, seconds: float, connection: socket.socket) -> None:
        """Let time pass, unless the client goes away."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([connection], [], [], min(left, 0.005))[0] or self._ending.is_set():
                raise Gone


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = False

    def __init__(self, address: tuple[str, int], emulator: Emulator) -> None:
        self.emulator = emulator
        self.open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def hang_up(self) -> None:
        for connection in tuple(self.open):
            shut(connection)

    def server_close(self) -> None:
        self.hang_up()
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away are what is tested


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    number = 0

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)
        self.number = self.server.emulator.connected()
        self.server.emulator.pause(self.server.emulator.handshake_s)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        emulator = self.server.emulator
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        route = emulator._services.route_of(self.path)
        headers = {name.casefold(): value for name, value in self.headers.items()}
        request = Request(route, self.path, headers, body, self.number)
        does = emulator.take(request)
        try:
            emulator.wait(does.delay_s, self.connection)
            if request.route == "realtime" and does.status == 200 and "upgrade" in headers:
                from tests.emulator.sockets import Conversation

                Conversation(emulator, request, does, self.connection).run()
            answer = emulator.answer(request) if does.status == 200 else None
            if answer is None:
                self._refuse(request, does)
            else:
                self._say(answer, does)
        except (Gone, OSError):
            self.close_connection = True
            request.gone_at = time.monotonic()
            request.gone.set()

    def _refuse(self, request: Request, does: Does) -> None:
        does = does if does.status != 200 else Does(status=404)
        body = does.garbage if does.garbage is not None else self.server.emulator.error(request, does)
        self.send_response(does.status)
        for name, value in does.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", does.content_type or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _say(self, answer: Answer, does: Does) -> None:
        self.send_response(200)
        for name, value in does.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", does.content_type or answer.content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        emulator, connection = self.server.emulator, self.connection
        quiet_until = time.monotonic() + does.comments_s
        while answer.comment and time.monotonic() < quiet_until:
            self._chunk(answer.comment)
            emulator.wait(0.05, connection)
        items = answer.items if does.garbage is None else (does.garbage,)
        for count, item in enumerate(items):
            if count == does.stall_after:
                emulator.wait(3600.0, connection)
            if count == does.cut_after:
                shut(connection)
                raise Gone
            if count == does.error_after:
                self._chunk(answer.error_item)
                break
            if count == does.end_after:
                break
            emulator.wait(does.every_s, connection)
            self._chunk(item)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def shut(connection: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connection.shutdown(socket.SHUT_RDWR)
