"""Who may come in: the token of the link once, then a cookie; only pages of this server, under its own name."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from sottovoce.app.web.answers import SAFE_HEADERS, Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset(("GET", "POST", "DELETE"))
_CHANGES = frozenset(("POST", "DELETE"))

#: Addresses that mean every one of this machine.
EVERYWHERE = frozenset(("0.0.0.0", "::"))

LINK_HINT = "open the link that `sottovoce live --web` has printed, by pasting it into the address bar"


class Guard:
    """Wraps the application: whoever is not let in gets nothing of it.

    Parameters
    ----------
    app : ASGI application
        For those who are let in.
    port : int
        Where it listens; the cookie is named after it.
    names : iterable of str
        Names of this server besides the address that a connection comes in on.
    secure : bool
        Whether TLS is spoken.
    """

    def __init__(self, app: ASGIApp, port: int, names: Iterable[str], *, secure: bool) -> None:
        self._app = app
        self._port = port
        self._names = frozenset(name.lower() for name in names)
        self._scheme = "https" if secure else "http"
        self._cookie = f"sottovoce-{port}"
        self._pass = secrets.token_urlsafe(32)
        #: What lets a browser in, as a part of the first link.
        self.token = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a socket is nothing that this server has
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                safe = [(name, value) for name, value in SAFE_HEADERS if name not in given]
                message = {**message, "headers": [*message["headers"], *safe]}
            await send(message)

        try:
            let_in = self._check(scope)
            if let_in is not None:
                await _redirect(let_in, send_safely)
                return
            await self._app(scope, receive, send_safely)
        except Problem as problem:
            await problem.answer(send_safely)

    def _check(self, scope: Scope) -> bytes | None:
        """Raise a Problem unless the request may pass; the cookie to set, if it is the one with the token."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        if b"upgrade" in headers:
            raise Problem(400, "this server speaks plain HTTP only: there is nothing to upgrade to")
        method, first_page = scope["method"], scope["method"] == "GET" and scope["path"] == "/"
        if method not in _METHODS:
            raise Problem(405, f"{method[:20]} is not allowed; allowed: GET, POST, DELETE")
        self._check_origin(scope, headers, method, first_page=first_page)
        if first_page and b"token=" in scope["query_string"]:
            return self._check_token(scope["query_string"])
        if not self._has_cookie(headers.get(b"cookie", [])):
            raise Problem(401, "this browser was not let in", LINK_HINT)
        return None

    def _check_origin(self, scope: Scope, headers: dict[bytes, list[bytes]], method: str, *, first_page: bool) -> None:
        hosts = [value.decode("latin-1").lower() for value in headers.get(b"host", [])]
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            raise Problem(403, "the request names another host", "use the address of the link as it was printed")
        origins = headers.get(b"origin", [])
        if any(origin.decode("latin-1").lower() != f"{self._scheme}://{hosts[0]}" for origin in origins):
            raise Problem(403, "the request comes from another page")
        if method in _CHANGES and not origins:
            raise Problem(403, "the request does not say which page it comes from", "send Origin, as browsers do")
        sites = headers.get(b"sec-fetch-site", [])
        # a link may lead here from anywhere, and shows nothing without the cookie
        if not first_page and any(site not in (b"same-origin", b"none") for site in sites):
            raise Problem(403, "the request comes from another site")

    def _is_ours(self, host: str, scope: Scope) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or port != str(self._port):
            return False
        address = (scope.get("server") or ("", 0))[0]
        return name in self._names or name.strip("[]") == address

    def _check_token(self, query: bytes) -> bytes:
        given = parse_qs(query.decode("latin-1")).get("token", [""])
        if len(given) != 1 or not secrets.compare_digest(given[0].encode(), self.token.encode()):
            raise Problem(401, "the token of this link is not that of this session", LINK_HINT)
        secure = "; Secure" if self._scheme == "https" else ""
        return f"{self._cookie}={self._pass}; HttpOnly; SameSite=Strict; Path=/{secure}".encode()

    def _has_cookie(self, values: Iterable[bytes]) -> bool:
        wanted = f"{self._cookie}={self._pass}".encode()
        given = (part.strip() for value in values for part in value.split(b";"))
        # all are compared, and each in the same time
        return True in [secrets.compare_digest(part, wanted) for part in given]


def own_names(host: str) -> frozenset[str]:
    """Names under which a browser may know a server that listens on ``host``."""
    names = {"localhost", "127.0.0.1", "[::1]"}
    if host not in EVERYWHERE:
        names.add(f"[{host}]" if ":" in host else host)
    if not is_loopback(host):
        machine = socket.gethostname()
        names |= {machine, f"{machine}.local"}
    return frozenset(names)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _redirect(cookie: bytes, send: Send) -> None:
    headers = [(b"location", b"/"), (b"set-cookie", cookie), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
