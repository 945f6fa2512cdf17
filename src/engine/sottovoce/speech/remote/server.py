"""Which server a backend calls, and what of a key may be sent there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sottovoce.core.errors import ConfigError
from sottovoce.speech.remote.keys import Key, KeyPlace


@dataclass(frozen=True, slots=True)
class Provider:
    """Who runs a service.

    Attributes
    ----------
    name : str
        As in the settings.
    base_url : str
        Where the service is, unless a setting says otherwise.
    key_variables : tuple of str
        Variables of the environment that may hold its key, the strongest first.
    accounts : bool
        See :class:`KeyPlace`.
    """

    name: str
    base_url: str
    key_variables: tuple[str, ...]
    accounts: bool = False


OPENAI = Provider("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",))
GEMINI = Provider("gemini", "https://generativelanguage.googleapis.com", ("GEMINI_API_KEY", "GOOGLE_API_KEY"))
GOOGLE = Provider("google", "https://texttospeech.googleapis.com", ("GOOGLE_TTS_API_KEY",), accounts=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A server, its model, and how its key is found; made by :func:`server_of`.

    Attributes
    ----------
    provider : Provider
        Whose language it speaks.
    base_url : str
        Where it is.
    model : str
        The model.
    model_key : str
        The setting that names it, for errors.
    key_file : Path or None
        See :class:`KeyPlace`.
    """

    provider: Provider
    base_url: str
    model: str
    model_key: str
    key_file: Path | None

    @property
    def host(self) -> str:
        """Host and port, as shown to people."""
        return _host_of(self.base_url)

    @property
    def is_providers_own(self) -> bool:
        """Whether it is the provider's, not one that only speaks its language."""
        own = _host_of(self.provider.base_url)
        return self.host == own or self.host.endswith(f"-{own}")  # Google's endpoints of a region

    @property
    def billed_by(self) -> str:
        """Who is paid for its calls: the provider by its name, or whoever runs this host."""
        return self.provider.name if self.is_providers_own else urlsplit(self.base_url).hostname or self.host

    @property
    def key_place(self) -> KeyPlace:
        return KeyPlace(self.provider.name, self.provider.key_variables, self.key_file, self.provider.accounts)

    @property
    def takes_key(self) -> bool:
        """Whether a key may be sent there: never readable on a network."""
        return urlsplit(self.base_url).scheme == "https" or self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    def find_key(self) -> Key | None:
        """The key, if any. The provider needs one; to others goes only what was given for this program."""
        if self.is_providers_own:
            return self.key_place.require()
        return self.key_place.find(elsewhere=False)

    def describe(self) -> str:
        """The model, the server and the origin of its key, in words.

        Raises
        ------
        BackendError
            There is no key for the provider, or what was found is none.
        """
        key = self.find_key()
        shown = "no key"
        if key is not None:
            unsent = "" if self.takes_key else ", which is not sent over http"
            shown = f"key from {key.origin}{unsent}"
        return f"{self.model} at {self.host}, {shown}"


def server_of(provider: Provider, base_url: str, model: str, model_key: str, key_file: Path | str | None) -> Server:
    """The server of a backend's settings; an empty ``base_url`` is the provider's.

    Raises
    ------
    ConfigError
        ``base_url`` is none.
    """
    url, key = base_url or provider.base_url, f"{provider.name}.base_url"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{key} = {url!r} is no address of a server",
            key=key,
            hint='write it with http or https, and with its path if it has one, as "http://localhost:11434/v1"',
        )
    file = None if key_file is None else Path(key_file)
    server = Server(provider, url, model, model_key, file)
    if parts.username or parts.password:
        raise ConfigError(
            f"{key} for {parts.hostname} has a password in it", key=key, hint=f"leave it out; {server.key_place.hint}"
        )
    return server


def _host_of(url: str) -> str:
    return urlsplit(url).netloc


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
