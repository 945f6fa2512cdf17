"""The connection to Google Cloud Text-to-Speech, by gRPC."""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.speech.remote.connection import WARM_S, Connection
from sottovoce.speech.remote.keys import Key
from sottovoce.speech.remote.server import Server

if TYPE_CHECKING:
    import grpc
    from google.cloud.texttospeech import TextToSpeechAsyncClient

#: What a token of an account is asked for.
SCOPE = "https://www.googleapis.com/auth/cloud-platform"

#: Longest message (bytes) that is taken; gRPC's own 4 MB are 87 s of speech.
MAX_MESSAGE = 32 << 20

#: A connection that was lost is tried again after so long (ms), in the place of gRPC's 1 s to 120 s.
RECONNECT_MS, LONGEST_RECONNECT_MS = 100, 5_000

#: Statuses of gRPC as those of HTTP, which errors are made from.
STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "ABORTED": 503,
}

#: What gRPC says of a connection that was not there, or was lost.
_UNREACHABLE = re.compile("failed to connect|dns resolution|socket closed|connection reset|recvmsg|broken pipe|goaway")
#: What it says of a server that speaks no gRPC.
_FOREIGN = re.compile(
    "http1|parsing http/2|http2 header|http/1|content-type|wrong_version_number|invalid .*frame|deserializ"
)


class GoogleConnection(Connection["TextToSpeechAsyncClient"]):
    """A connection by the client `google-cloud-texttospeech`."""

    choice = "voice"

    def __init__(self, server: Server) -> None:
        if not server.takes_key:
            raise ConfigError(
                f"google.base_url = {server.base_url!r} is another machine without TLS",
                key="google.base_url",
                hint="write it with https; http is for this machine alone",
            )
        super().__init__(server)
        self._channel: grpc.aio.Channel | None = None
        #: What every call carries: the key, if it is not an account's.
        self.metadata: Sequence[tuple[str, str]] = ()

    def translate(self, error: Exception) -> BackendError:
        import grpc
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        if isinstance(error, grpc.RpcError):
            error = exceptions.from_grpc_error(error)
        match error:
            case exceptions.GoogleAPICallError():
                return self._refused(error)
            case GoogleAuthError():
                return self.service.refused(401)
            case _:
                return self.service.garbled(type(error).__name__)

    def _refused(self, error: Any) -> BackendError:
        status = getattr(error.grpc_status_code, "name", "UNKNOWN")
        reason, said = error.reason, str(error.message).casefold()
        if status == "DEADLINE_EXCEEDED":
            return self.service.late()
        if "metadata from plugin" in said or reason == "API_KEY_INVALID":
            return self.service.refused(401, reason)
        if "certificate_verify_failed" in said:
            return self.service.untrusted()
        if _FOREIGN.search(said) or status == "UNIMPLEMENTED":
            return self.service.garbled(status)
        if status == "CANCELLED" or _UNREACHABLE.search(said):
            return self.service.unreachable()
        about = next((word for word in ("voice", "language") if word in said), "") if status in _ABOUT else ""
        return self.service.refused(STATUS.get(status, 500), reason or status, _wish_s(error.details), about=about)

    def _make(self, key: Key | None) -> TextToSpeechAsyncClient:
        import google.cloud.texttospeech
        import grpc.aio
        from google.cloud.texttospeech_v1.services.text_to_speech.transports import (
            TextToSpeechGrpcAsyncIOTransport as Transport,
        )

        credentials = None if self._plain else self._credentials(key)
        if key is not None and not _is_account(key):
            self.metadata = (("x-goog-api-key", key.reveal()),)

        proxy = self._find_proxy()

        async def connect() -> TextToSpeechAsyncClient:  # a channel belongs to the loop that it is made in
            options: list[tuple[str, int | str]] = [
                ("grpc.enable_retries", 0),
                ("grpc.use_local_subchannel_pool", 1),  # else whoever calls the same address shares the connection
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS),
                ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
                ("grpc.enable_http_proxy", int(proxy is not None)),
            ]
            if proxy is not None:
                options.append(("grpc.http_proxy", proxy))
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(self._target, options)
            else:
                self._channel = grpc.aio.secure_channel(self._target, credentials, options)
            return google.cloud.texttospeech.TextToSpeechAsyncClient(transport=Transport(channel=self._channel))

        client = self._network.call(connect, WARM_S, CancelToken())
        assert client is not None  # nobody cancels it
        return client

    async def _look(self, client: TextToSpeechAsyncClient) -> None:
        from google.api_core.exceptions import MethodNotImplemented

        asked = self.server.model
        language = locale_of(asked)
        try:
            found = await client.list_voices(language_code=language, retry=None, timeout=None, metadata=self.metadata)
        except MethodNotImplemented:  # this server does not tell of its voices
            return
        if language and found.voices and asked not in {voice.name for voice in found.voices}:
            raise self.service.refused(404)

    def close(self) -> None:
        super().close()
        gc.collect()  # the client is a ring of references, and gRPC's thread runs as long as there is one

    async def _release(self) -> None:
        channel, self._channel, self._client = self._channel, None, None
        if channel is not None:
            await channel.close(None)

    @property
    def _plain(self) -> bool:
        return urlsplit(self.server.base_url).scheme == "http"

    @property
    def _target(self) -> str:
        parts = urlsplit(self.server.base_url)
        return f"{parts.hostname}:{parts.port or (80 if self._plain else 443)}"

    def _find_proxy(self) -> str | None:
        """The proxy that the environment names; gRPC itself knows the variables in small letters alone."""
        host = urlsplit(self.server.base_url).hostname or ""
        if self._plain or proxy_bypass(host):
            return None
        proxies = getproxies()
        return proxies.get("https") or proxies.get("all")

    def _credentials(self, key: Key | None) -> grpc.ChannelCredentials:
        import grpc

        certificates = os.environ.get("SSL_CERT_FILE")
        try:
            trusted = Path(certificates).read_bytes() if certificates else None
        except OSError as error:
            raise ConfigError(
                f"SSL_CERT_FILE = {certificates!r} cannot be read: {error.strerror}",
                key="SSL_CERT_FILE",
                hint="name a file of certificates, or unset it",
            ) from None
        channel = grpc.ssl_channel_credentials(trusted)
        if key is None or not _is_account(key):
            return channel
        return grpc.composite_channel_credentials(channel, self._account(key, certificates))

    def _account(self, key: Key, certificates: str | None) -> grpc.CallCredentials:
        import grpc
        import requests
        from google.auth.transport.grpc import AuthMetadataPlugin
        from google.auth.transport.requests import Request
        from google.oauth2 import credentials, service_account

        account = json.loads(key.reveal())
        try:
            if account["type"] == "service_account":
                own = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE])
                # signed here, so that no token is fetched before the first word
                signed = own.with_always_use_jwt_access(True)
            else:
                signed = credentials.Credentials.from_authorized_user_info(account, scopes=[SCOPE])
        except (ValueError, KeyError):
            raise BackendError(
                f"{key.origin} holds no account for {self.server.provider.name}: a part of it is missing",
                backend=self.server.provider.name,
                hint=self.server.key_place.hint,
            ) from None
        session = requests.Session()
        if certificates:
            session.verify = certificates
        host = urlsplit(self.server.base_url).hostname
        plugin = AuthMetadataPlugin(signed, Request(session), default_host=host)
        return grpc.metadata_call_credentials(plugin)


#: Statuses of which the words tell what was wrong.
_ABOUT = ("INVALID_ARGUMENT", "NOT_FOUND")

_LOCALE = re.compile(r"([a-z]{2,3}-[A-Z]{2})-")


def locale_of(voice: str) -> str:
    """The language of a voice of Google's, as "en-US" of "en-US-Wavenet-D"; empty if the name does not tell."""
    match = _LOCALE.match(voice)
    return match[1] if match else ""


def _is_account(key: Key) -> bool:
    return key.reveal().startswith("{")


def _wish_s(details: object) -> float | None:
    """Seconds that a service asks to wait, from the details of its error."""
    for detail in details if isinstance(details, list | tuple) else ():
        delay = getattr(detail, "retry_delay", None)
        if delay is not None:
            return max(0.0, float(delay.seconds + delay.nanos / 1e9))
    return None
