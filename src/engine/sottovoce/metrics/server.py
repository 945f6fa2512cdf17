"""Answers scrapers over HTTP, on this machine alone unless it is told otherwise; needs the extra ``metrics``.

Nothing here holds up the session: a scraper is served by a thread of its own, those that dawdle are let go when there
are too many, and what they are given is a picture that was taken before they read it.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import selectors
import socket
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from sottovoce.core.errors import ConfigError
from sottovoce.core.log import get_logger, log_event
from sottovoce.metrics.exposition import Exposition
from sottovoce.metrics.registry import Registry

_LOG = get_logger("metrics")

#: Scrapers that are served at once; one more, and the one that has taken longest is let go.
MOST_CONNECTIONS = 8

#: How long (s) a scraper may be silent before it is let go, and deaf.
PATIENCE_S = 5.0

#: How long (s) to wait when the system has no connection to give.
_PAUSE_S = 0.2

PATH = "/metrics"


class MetricsServer:
    """Serves the metrics of a registry, from now until it is closed.

    Parameters
    ----------
    registry : Registry
        What is shown.
    port : int
        0 takes one that is free.
    address : str
        Where it listens: an address of this machine, or a name that leads to one.

    Raises
    ------
    ConfigError
        The port is in use or not to be had, or the address is none of this machine.
    """

    def __init__(self, registry: Registry, port: int, address: str = "127.0.0.1") -> None:
        self._exposition = Exposition(registry)
        self._listener = _listen(address, port)
        self.address, self.port = self._listener.getsockname()[:2]
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # the oldest first
        self._stopping = threading.Event()
        self._woken, self._waker = socket.socketpair()
        self._pool = ThreadPoolExecutor(MOST_CONNECTIONS, thread_name_prefix="sottovoce-scrape")
        self._thread = threading.Thread(target=self._accept, name="sottovoce-metrics", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where a scraper of this machine finds them."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.address, self.address)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{PATH}"

    @property
    def exposed(self) -> bool:
        """Whether other machines may reach it."""
        return not ipaddress.ip_address(self.address).is_loopback

    def close(self) -> None:
        """Let every scraper go; a second call does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._waker.send(b".")
        self._thread.join()
        with self._lock:
            for connection in self._open:
                _shut(connection)
        self._pool.shutdown()
        for each in (self._listener, self._woken, self._waker):
            each.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._listener, self._woken):
                selector.register(each, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if self._stopping.is_set():
                    return
                try:
                    connection, peer = self._listener.accept()
                except OSError:  # it has gone again, or there are too many files open
                    self._stopping.wait(_PAUSE_S)
                    continue
                self._admit(connection, peer)

    def _admit(self, connection: socket.socket, peer: object) -> None:
        with self._lock:
            while len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                _shut(oldest)
            self._open[connection] = None
        self._pool.submit(self._serve, connection, peer).add_done_callback(_tell_of_failure)

    def _serve(self, connection: socket.socket, peer: object) -> None:
        with self._lock:
            wanted = connection in self._open
        try:
            if wanted:
                _Handler(connection, peer, self._exposition, self.exposed)
        except OSError:  # it has hung up, or is deaf
            return
        finally:
            with self._lock:
                self._open.pop(connection, None)
            _shut(connection)
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    """One request, after which the connection is closed."""

    timeout = PATIENCE_S
    server_version, sys_version = "sottovoce", ""

    def __init__(self, connection: socket.socket, peer: object, exposition: Exposition, exposed: bool) -> None:
        self._exposition, self._exposed = exposition, exposed
        super().__init__(connection, peer, None)  # type: ignore[arg-type]  # answers before it returns

    def do_GET(self) -> None:
        if not self._exposed and not _names_this_machine(self.headers.get("Host", "")):
            # a page of some site that lets its own name lead to this machine
            self._answer(403, "text/plain", b"ask for localhost\n")
        elif urlsplit(self.path).path != PATH:
            self._answer(404, "text/plain", f"metrics are at {PATH}\n".encode())
        else:
            self._answer(200, *self._exposition.page(self.headers.get("Accept", "")))

    def _answer(self, code: int, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who asks is nobody's business."""


def _listen(address: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _refusal(error, address, port) from error
    try:
        if sys.platform != "win32":  # where it would let two programs have the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except OSError as error:
        listener.close()
        raise _refusal(error, address, port) from error
    listener.setblocking(False)  # who has gone since select() said so is not waited for
    return listener


def _refusal(error: Exception, address: str, port: int) -> ConfigError:
    code = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if code == errno.EADDRINUSE:
        hint = "another session may have it: choose another port, or 0 for one that is free"
        return ConfigError(f"metrics.port is {port}, which is in use on {address}", key="metrics.port", hint=hint)
    if code in (errno.EACCES, errno.EPERM):
        hint = "ports below 1024 belong to the system: choose another, as 9464"
        return ConfigError(f"metrics.port is {port}, which may not be used here", key="metrics.port", hint=hint)
    hint = "127.0.0.1 is seen by this machine alone, 0.0.0.0 by every machine that reaches it"
    return ConfigError(
        f"metrics.address is {address!r}, which is no address of this machine", key="metrics.address", hint=hint
    )


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return not host or name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _tell_of_failure(served: Future[None]) -> None:
    error = served.exception()
    if error is not None:
        log_event(_LOG, logging.ERROR, "metrics could not be given", error=type(error).__name__)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has hung up
        connection.shutdown(socket.SHUT_RDWR)
