"""What the server answers: JSON, and errors as JSON, each with the headers that keep browsers on the safe side."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from sottovoce.core.errors import (
    BackendError,
    ConfigError,
    DeviceError,
    SottovoceError,
    StoreError,
    StreamError,
)
from sottovoce.core.secrets import redacted

if TYPE_CHECKING:
    from starlette.types import Send

#: Of the page: nothing from elsewhere, no script or style in the markup, no frame around it.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

#: Of a document that brings its own style, and may do nothing at all: a report, a drawing.
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"

SAFE_HEADERS = (
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)


class Problem(Exception):
    """A request that is not carried out: its status, what is wrong, and what to do."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint

    @classmethod
    def of(cls, error: SottovoceError) -> Problem:
        """The problem that an error of ours is to somebody who asks by HTTP."""
        match error:
            case StoreError():
                status = 503
            case DeviceError() | StreamError():
                status = 409
            case ConfigError():
                status = 400
            case BackendError():
                status = 503
            case _:
                status = 500
        return cls(status, redacted(error.message), redacted(error.hint))

    @property
    def body(self) -> bytes:
        """As JSON."""
        return json.dumps({"error": self.error, "hint": self.hint}, ensure_ascii=False).encode()

    async def answer(self, send: Send) -> None:
        """Send it."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self.body)).encode())]
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", b"5"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})
