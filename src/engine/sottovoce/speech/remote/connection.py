"""A client of a service, made at first use, and the thread that its calls wait in."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError
from sottovoce.core.log import get_logger, log_event
from sottovoce.speech.remote.failures import Service
from sottovoce.speech.remote.keys import Key
from sottovoce.speech.remote.network import Deadlines, NetworkThread, Running
from sottovoce.speech.remote.server import Server
from sottovoce.speech.usage import Call, Part, begin_call

if TYPE_CHECKING:
    import httpx2

C = TypeVar("C")
T = TypeVar("T")

#: Idle connections are kept so long (s): questions come minutes apart, and the clients' own 5 s would drop them all.
KEEPALIVE_S = 300.0

#: How long (s) :meth:`Connection.warm` waits.
WARM_S = 5.0

_LOG = get_logger("network")

#: Loggers of the libraries below, and of all below them.
TALKATIVE = ("openai", "google", "google_genai", "grpc", "hpack", "httpcore2", "httpx2", "websockets")


class Connection(ABC, Generic[C]):
    """The connection of one backend to its server. Safe to use from several threads.

    A client's own retries are off, and so are redirects: what was said goes to the server that was named, or nowhere.
    """

    #: What of the service a setting chooses by name.
    choice = "model"

    def __init__(self, server: Server) -> None:
        self.server = server
        self.service = Service(
            server.provider.name, server.host, server.model, server.model_key, server.key_place.hint, self.choice
        )
        self._network = NetworkThread(server.provider.name, self.translate)
        self._lock = threading.Lock()
        self._client: C | None = None

    @property
    def client(self) -> C:
        """The client; a BackendError if there is no key for it."""
        with self._lock:
            if self._client is None:
                self._client = self._make(self.server.find_key() if self.server.takes_key else None)
                _hush()
            return self._client

    def warm(self) -> None:
        """Open a connection by asking for the model; what a retry may mend is left to the first call.

        Raises
        ------
        BackendError
            There is no key, it is refused, or the model is unknown.
        """
        client = self.client
        self.try_out(lambda: self._look(client))

    def try_out(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Run a coroutine; a BackendError only if no retry would mend it."""
        try:
            self._network.call(make, WARM_S, CancelToken())
        except BackendError as error:
            if not error.retryable:
                raise
            log_event(_LOG, logging.WARNING, "not reached yet", host=self.server.host)

    def begin(self, part: Part, model: str = "") -> Call:
        """A call that is about to be made, charged to the account of this thread; see :func:`begin_call`.

        ``model`` is what it goes to, if not to the server's model.
        """
        return begin_call(part, self.server.billed_by, model or self.server.model)

    def stream(
        self,
        make: Callable[[], AsyncGenerator[T, None]],
        deadlines: Deadlines,
        cancel: CancelToken,
        *,
        linger_s: float = 0.0,
    ) -> Iterator[T]:
        """See :meth:`NetworkThread.stream`."""
        return self._network.stream(make, deadlines, cancel, linger_s=linger_s)

    def start(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Running[T]:
        """See :meth:`NetworkThread.start`."""
        return self._network.start(make)

    def close(self) -> None:
        """Give up every call and close the connections; idempotent."""
        self._network.close(self._release)

    @abstractmethod
    def translate(self, error: Exception) -> BackendError:
        """The BackendError of what the client has raised."""

    @abstractmethod
    def _make(self, key: Key | None) -> C:
        """The client, loaded with all that its first call would load."""

    @abstractmethod
    async def _look(self, client: C) -> None:
        """Ask for the model, the cheapest of calls; an error if there is none of that name."""

    @abstractmethod
    async def _release(self) -> None:
        """Close what the client holds open."""


class HttpConnection(Connection[C]):
    """A connection by a client that takes its transport from here."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._transport: httpx2.AsyncClient | None = None

    @abstractmethod
    def _make_over(self, transport: httpx2.AsyncClient, key: str) -> C:
        """As :meth:`_make`, over this transport."""

    def _make(self, key: Key | None) -> C:
        self._transport = _make_transport()
        # the clients want a key, a server of one's own as a rule does not
        return self._make_over(self._transport, "none" if key is None else key.reveal())

    async def _release(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()


def _hush() -> None:
    """Whatever the environment wants: these libraries log requests, and with them what was said."""
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


def _make_transport() -> httpx2.AsyncClient:
    """What carries the requests; proxies and certificates are those of the environment."""
    import httpx2

    limits = httpx2.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=KEEPALIVE_S)
    # Deadlines are our own; these only end what nobody waits for any more.
    return httpx2.AsyncClient(limits=limits, timeout=httpx2.Timeout(60.0, connect=10.0), follow_redirects=False)
