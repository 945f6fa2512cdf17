"""The thread that serves the page: uvicorn's loop in it, bounded in connections, headers and patience."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sottovoce.app.web.guard import EVERYWHERE, is_loopback
from sottovoce.core.errors import ConfigError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.threads import ThreadGroup

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from sottovoce.app.web.board import Board

_LOG = get_logger("web")

#: Connections that are answered, and that are kept at all.
MOST_ANSWERED, MOST_CONNECTIONS = 128, 160

#: Connections that may wait to be accepted.
BACKLOG = 64

#: The largest headers (bytes), how long they may take to come, and how long a client may be idle between requests (s).
MOST_HEADERS, HEADERS_S = 16 * 1024, 10.0

#: What may wait in this process for one client to read it (bytes); the system holds some more.
MOST_UNREAD = 16 * 1024

#: How long starting, and the end of all that is being answered, may take (s).
START_S, LAST_WORDS_S = 5.0, 0.3

#: Threads for what may wait for the disk or the sound system.
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: ``port`` 0 is any that is free; beyond this machine only with TLS."""

    host: str = "127.0.0.1"
    port: int = 0
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            missing = "web.key_file" if self.key is None else "web.cert_file"
            raise ConfigError(f"{missing} is not set: TLS takes a certificate and its key", key=missing)
        if not is_loopback(self.host) and self.cert is None:
            raise ConfigError(
                f"the page is not served on {self.host} without TLS: whoever is on the same network could read along",
                key="web.host",
                hint="name a certificate and its key with --web-cert and --web-key (see docs/web.md), "
                "or leave --web-host out to serve this machine alone",
            )

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.cert is not None

    def bind(self) -> socket.socket:
        """A socket that listens there.

        Raises
        ------
        ConfigError
            If somebody else does already, or the host is none of this machine's.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where REUSEADDR lets two listen
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self.host, self.port))
            listening.listen(BACKLOG)
        except (OSError, UnicodeError) as error:
            listening.close()
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"the page cannot be served on {self.host} port {self.port}: {reason}",
                key="web.port",
                hint="another program, or another session, may have that port: --web-port 0 takes any that is free",
            ) from error
        return listening

    def context(self) -> ssl.SSLContext | None:
        """For TLS, if it is spoken.

        Raises
        ------
        ConfigError
            If the files are not there, or are no certificate and its key.
        """
        if self.cert is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"{self.cert} and {self.key} cannot be used for TLS: {reason}",
                key="web.cert_file",
                hint="both are PEM files, the key without a password",
            ) from error
        return context


class Door:
    """Listens from now on; whoever comes waits until the page is served. A context manager.

    Raises
    ------
    ConfigError
        As :class:`Address`, its certificate included.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.context = address.context()
        self.listening = address.bind()
        self.port: int = self.listening.getsockname()[1]

    def link(self, token: str) -> str:
        """What lets a browser in."""
        host = _outward_address() if self.address.host in EVERYWHERE else self.address.host
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.address.secure else 'http'}://{shown}:{self.port}/?token={token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listening.close()


class _Connection(H11Protocol):
    """A connection that is given up if its headers do not come, or if what it was sent is not read."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.app_state = {**self.app_state, "hang_up": self._hang_up}
        self._patience: asyncio.TimerHandle | None = None
        self._unread: float = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        transport.set_write_buffer_limits(MOST_UNREAD)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Wait for the headers of a request, unless one is being answered."""
        cycle = getattr(self, "cycle", None)
        if cycle is not None and not cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._unread = math.inf
            self._patience = self.loop.call_later(HEADERS_S, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        unread = self.transport.get_write_buffer_size()
        if 0 < unread < self._unread:  # a slow reader of a long answer
            self._unread = unread
            self._patience = self.loop.call_later(HEADERS_S, self._lose_patience)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self.transport.abort()


class _Server(uvicorn.Server):
    """One that sleeps until it is told to stop, and does not wait for clients that do not read."""

    def __init__(self, config: uvicorn.Config, board: Board, started: threading.Event) -> None:
        super().__init__(config)
        self._board, self._has_started = board, started
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        config, loop = self.config, asyncio.get_running_loop()

        def connection() -> _Connection:
            return _Connection(config=config, server_state=self.server_state, app_state={}, _loop=loop)

        # who begins TLS and does not go on is as slow as one without headers
        patience_s = None if config.ssl is None else HEADERS_S
        self.servers = [
            await loop.create_server(
                connection, sock=listening, ssl=config.ssl, backlog=BACKLOG, ssl_handshake_timeout=patience_s
            )
            for listening in sockets or []
        ]
        self.started = True

    async def main_loop(self) -> None:
        work = asyncio.create_task(self._board.work())
        work.add_done_callback(_tell_crash)
        self._has_started.set()
        await self.stopping.wait()
        work.cancel()
        await asyncio.wait([work])
        self._board.end()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=LAST_WORDS_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class PageServer:
    """Serves an application on a thread of its own.

    Parameters
    ----------
    app : ASGI application
        With its guard around it.
    board : Board
        Works in the loop of the server.
    door : Door
        Where it listens; closed at the end.
    """

    def __init__(self, app: ASGIApp, board: Board, door: Door) -> None:
        self._app, self._board, self._door = app, board, door
        self._threads = ThreadGroup(lambda error: None)  # logged by the group; the session goes on without a page
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: _Server | None = None

    def start(self) -> None:
        """Serve from now on."""
        self._threads.start("web", self._run)
        if not self._started.wait(START_S):
            log_event(_LOG, logging.WARNING, "the page is not served yet")

    def close(self, timeout_s: float = 2.0) -> tuple[str, ...]:
        """End every connection and the thread; returns its name if it did not end within ``timeout_s`` seconds."""
        loop, server = self._loop, self._server
        if loop is not None and server is not None and not loop.is_closed():
            loop.call_soon_threadsafe(server.stopping.set)
        return self._threads.join(timeout_s)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)  # it would write over the terminal
        config = uvicorn.Config(
            self._app,
            http=_Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MOST_ANSWERED,
            timeout_keep_alive=math.ceil(HEADERS_S),
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MOST_HEADERS,
        )
        config.load()
        config.ssl = self._door.context
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_tell_fault)
        # ended, and waited for, with the loop
        self._loop.set_default_executor(ThreadPoolExecutor(_WORKERS, thread_name_prefix="sottovoce-web-work"))
        self._server = _Server(config, self._board, self._started)
        await self._server.serve(sockets=[self._door.listening])


def _outward_address() -> str:
    """The address of this machine that others of its network most likely know; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of the documentation's
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _tell_crash(work: asyncio.Task[None]) -> None:
    error = None if work.cancelled() else work.exception()
    if error is not None:
        _LOG.error("the page is not brought up to date any more: %s", type(error).__name__)


def _tell_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no request is to blame for; by default it would be written over the terminal."""
    _LOG.warning("fault in the loop of the page: %s", type(context.get("exception")).__name__)


def _no_password() -> str:
    raise ValueError("the key has a password")
