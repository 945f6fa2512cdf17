"""A port in front of another one: connections through it can be made to wait, be cut, and be sealed."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.emulator.server import shut


class Relay:
    """Listens at a free port of its own, with a thread for each connection.

    Parameters
    ----------
    port : int
        Where connections lead.
    before : callable, optional
        Called in the thread of each new connection before anything is passed on.
    tls : ssl.SSLContext, optional
        Speaks TLS to those who connect; what is behind it does not.
    proxy : bool
        Asks those who connect where they want to go (CONNECT), notes it in ``asked``, and leads them to ``port``.
    """

    def __init__(
        self,
        port: int,
        before: Callable[[], None] = lambda: None,
        *,
        tls: ssl.SSLContext | None = None,
        proxy: bool = False,
    ) -> None:
        self._to = port
        self._before = before
        self._tls = tls
        self._proxy = proxy
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        #: Connections that were made.
        self.connections = 0
        #: Where they wanted to go, of a proxy.
        self.asked: list[str] = []
        self._start(self._accept)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every connection."""
        with self._lock:
            for connection in self._open:
                shut(connection)

    def close(self) -> None:
        self._closed = True
        shut(self._listener)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5.0)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="emulator-relay", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            self.connections += 1
            self._start(lambda near=near: self._serve(near))  # type: ignore[misc]

    def _serve(self, near: socket.socket) -> None:
        self._before()
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self._to)) as far:
            if self._proxy:
                self._answer_connect(near)
            if self._tls is None:
                self._pass_on(near, far)
            else:
                with self._tls.wrap_socket(near, server_side=True) as sealed:
                    self._pass_on(sealed, far)

    def _answer_connect(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(1 << 12)
        self.asked.append(head.split()[1].decode())
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        both = {near: far, far: near}
        for connection in both:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.update(both)
        try:
            while not self._closed:
                for ready in select.select(list(both), [], [], 1.0)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    while isinstance(ready, ssl.SSLSocket) and ready.pending():
                        data += ready.recv(1 << 16)
                    both[ready].sendall(data)
        finally:
            with self._lock:
                self._open.difference_update(both)
