"""The connection to an OpenAI-compatible server that the backends named `openai` share."""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.core.log import get_logger, log_event
from sottovoce.speech.remote.failures import Service, retry_after_s
from sottovoce.speech.remote.keys import Key, KeyPlace
from sottovoce.speech.remote.network import Deadlines, NetworkThread

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NAME = "openai"
BASE_URL = "https://api.openai.com/v1"
KEY_VARIABLES = ("OPENAI_API_KEY",)

#: Idle connections are kept so long (s): questions come minutes apart, and the client's own 5 s would drop them all.
KEEPALIVE_S = 300.0

#: How long (s) :meth:`OpenAIConnection.warm` waits.
WARM_S = 5.0

_LOG = get_logger("openai")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """Which server, which model of it, and how its key is found.

    Attributes
    ----------
    base_url : str
        Where it is, with its ``/v1``.
    model : str
        The model.
    model_key : str
        The setting that names it, for errors.
    key_file : Path or None
        See :class:`KeyPlace`.
    """

    base_url: str
    model: str
    model_key: str
    key_file: Path | None = None
    host: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", host_of(self.base_url))

    @property
    def is_openai(self) -> bool:
        """Whether it is OpenAI's own, not one that speaks its language."""
        return self.host == host_of(BASE_URL)

    @property
    def key_place(self) -> KeyPlace:
        return KeyPlace(NAME, KEY_VARIABLES, self.key_file)

    def find_key(self) -> Key | None:
        """The key to send, if any. OpenAI's own needs one; to others goes only what was given for this program."""
        if self.is_openai:
            return self.key_place.require()
        return self.key_place.find(in_keyring=False)

    @property
    def takes_key(self) -> bool:
        """Whether a key may be sent there: never readable on a network."""
        parts = urlsplit(self.base_url)
        return parts.scheme == "https" or _is_loopback(parts.hostname or "")


class OpenAIConnection:
    """A client of an OpenAI-compatible server, made at first use. Safe to use from several threads.

    The client's own retries are off and so are redirects: what was said goes to the server that was named, or nowhere.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.service = Service(NAME, server.host, server.model, server.model_key, server.key_place.hint)
        self._network = NetworkThread(NAME, self.translate)
        self._lock = threading.Lock()
        self._client: AsyncOpenAI | None = None

    @property
    def client(self) -> AsyncOpenAI:
        """The client; a BackendError if there is no key for it."""
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def warm(self) -> None:
        """Open a connection by asking for the model; what a retry may mend is left to the first call.

        Raises
        ------
        BackendError
            There is no key, it is refused, or the model is unknown.
        """
        client, model = self.client, self.server.model
        import openai

        async def look() -> None:
            try:
                await client.models.retrieve(model)
            except openai.NotFoundError as error:
                if error.code == "model_not_found":  # else this server does not tell of its models
                    raise

        try:
            self._network.call(look, WARM_S, CancelToken())
        except BackendError as error:
            if not error.retryable:
                raise
            log_event(_LOG, logging.WARNING, "not reached yet", host=self.server.host)

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

    def translate(self, error: Exception) -> BackendError:
        """The BackendError of what the client has raised."""
        import httpx2
        import openai

        match error:
            case openai.APIStatusError():
                wait_s = retry_after_s(error.response.headers)
                return self.service.refused(error.status_code, error.code, wait_s)
            case openai.APITimeoutError() | httpx2.TimeoutException():
                return self.service.late()
            case openai.APIConnectionError() | httpx2.TransportError():
                return self.service.unreachable()
            case openai.APIError():
                return self.service.failed_within()
            case _:
                return self.service.garbled(type(error).__name__)

    def close(self) -> None:
        """Give up every call and close the connections; idempotent."""
        with self._lock:
            client = self._client

        async def release() -> None:
            if client is not None:
                await client.close()

        self._network.close(release)

    def _make(self) -> AsyncOpenAI:
        import httpx2
        from openai import AsyncOpenAI

        server = self.server
        found = server.find_key() if server.takes_key else None
        key = "none" if found is None else found.reveal()  # the client wants one, a server of one's own as a rule not
        limits = httpx2.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=KEEPALIVE_S)
        # Deadlines are our own; this only ends what nobody waits for any more.
        transport = httpx2.AsyncClient(limits=limits, timeout=httpx2.Timeout(60.0, connect=10.0))
        return AsyncOpenAI(api_key=key, base_url=server.base_url, max_retries=0, http_client=transport)


def server_of(base_url: str, model: str, model_key: str, key_file: Path | str | None) -> Server:
    """The server of a backend's settings; an empty ``base_url`` is OpenAI's.

    Raises
    ------
    ConfigError
        ``base_url`` is none.
    """
    url = base_url or BASE_URL
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"openai.base_url = {url!r} is no address of a server",
            key="openai.base_url",
            hint='write it with http or https, and with its path, as "http://localhost:11434/v1"',
        )
    if parts.username or parts.password:
        raise ConfigError(
            f"openai.base_url for {parts.hostname} has a password in it",
            key="openai.base_url",
            hint=f"leave it out; {KeyPlace(NAME, KEY_VARIABLES).hint}",
        )
    return Server(url, model, model_key, None if key_file is None else Path(key_file))


def describe_server(server: Server) -> str:
    """The model, the server and the origin of its key, in words.

    Raises
    ------
    BackendError
        There is no key for OpenAI, or what was found is none.
    """
    key = server.find_key()
    shown = "no key"
    if key is not None:
        unsent = "" if server.takes_key else ", which is not sent over http"
        shown = f"key from {key.origin}{unsent}"
    return f"{server.model} at {server.host}, {shown}"


def host_of(url: str) -> str:
    """Host and port, as shown to people."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
