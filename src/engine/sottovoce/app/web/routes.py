"""What the server answers, and to which path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sottovoce.app.web.answers import DOCUMENT_POLICY, PAGE_POLICY, Problem
from sottovoce.app.web.controls import Wearer, carry_out
from sottovoce.app.web.stream import Events
from sottovoce.core.errors import SottovoceError
from sottovoce.core.log import get_logger

if TYPE_CHECKING:
    from sottovoce.app.web.archive import Archive
    from sottovoce.app.web.board import Board
    from sottovoce.app.web.devices import Devices

_LOG = get_logger("web")

#: The largest body (bytes), and how long it may take to come (s).
MOST_BODY, BODY_S = 16 * 1024, 10.0

#: Pieces of work that may wait for a thread.
MOST_WAITING = 16

#: The largest number of a session that is looked for; SQLite has no larger ones than 2^63.
MOST_NUMBER = 2**53

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_EXPORTS = {"md": "text/markdown; charset=utf-8", "json": "application/json", "srt": "application/x-subrip"}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Services:
    """What the page can ask for; ``devices`` is None where there are none."""

    board: Board
    wearer: Wearer
    actions: tuple[str, ...]
    language: str
    archive: Archive
    settings: Callable[[], dict[str, object]]
    devices: Devices | None = None


def application(services: Services) -> Starlette:
    """Everything behind the guard."""
    api = _Api(services)
    one, turn = "/api/sessions/{number:int}", "/api/sessions/{number:int}/turns/{turn:int}.svg"
    return Starlette(
        routes=[
            Route("/", api.index, methods=["GET"]),
            Route("/static/{name}", api.static, methods=["GET"]),
            Route("/api/events", Events(services.board), methods=["GET"]),
            Route("/api/control", api.control, methods=["POST"]),
            Route("/api/devices", api.devices, methods=["GET"]),
            Route("/api/devices", api.move, methods=["POST"]),
            Route("/api/sessions", api.sessions, methods=["GET"]),
            Route(one, api.session, methods=["GET"]),
            Route(one, api.delete, methods=["DELETE"]),
            Route(turn, api.waterfall, methods=["GET"]),
            Route("/api/sessions/{number:int}/export.{kind}", api.export, methods=["GET"]),
            Route("/api/sessions/{number:int}/report.html", api.report, methods=["GET"]),
            Route("/api/settings", api.settings, methods=["GET"]),
        ],
        exception_handlers={
            Problem: _answer_problem,
            SottovoceError: _answer_error,
            HTTPException: _answer_http,
            ClientDisconnect: _answer_nobody,
            500: _answer_crash,
        },
    )


class _Api:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting = 0

    async def index(self, request: Request) -> Response:
        return _file("index.html")

    async def static(self, request: Request) -> Response:
        return _file(request.path_params["name"])

    async def control(self, request: Request) -> Response:
        wish, services = await _json(request), self._services
        await self._do(lambda: carry_out(services.wearer, wish, services.actions, services.language))
        return Response(status_code=204)

    async def devices(self, request: Request) -> Response:
        devices = self._services.devices
        if devices is None:
            return _as_json({"outputs": [], "inputs": []})
        return _as_json(await self._do(devices.listing))

    async def move(self, request: Request) -> Response:
        wish, devices = await _json(request), self._services.devices
        if devices is None:
            raise Problem(409, "this session has no device to move: it hears a recording")
        await self._do(lambda: devices.move(wish.get("direction"), wish.get("id")))
        return Response(status_code=204)

    async def sessions(self, request: Request) -> Response:
        query = request.query_params
        limit = _whole(query.get("limit"), "limit", 30, 1, 100)
        before = _whole(query.get("before"), "before", None, 1, MOST_NUMBER)
        text = query.get("query", "")[:1000]
        return _as_json(await self._do(lambda: self._services.archive.listing(text, limit or 30, before)))

    async def session(self, request: Request) -> Response:
        text = await self._do(lambda: self._services.archive.export(_number(request), "json"))
        return Response(text, media_type="application/json")

    async def delete(self, request: Request) -> Response:
        await self._do(lambda: self._services.archive.delete(_number(request)))
        return Response(status_code=204)

    async def waterfall(self, request: Request) -> Response:
        turn = request.path_params["turn"]
        drawing = await self._do(lambda: self._services.archive.waterfall(_number(request), turn))
        return Response(drawing, media_type="image/svg+xml", headers={"content-security-policy": DOCUMENT_POLICY})

    async def export(self, request: Request) -> Response:
        number, kind = _number(request), request.path_params["kind"]
        if kind not in _EXPORTS:
            raise Problem(404, "there is no such export", f"there are: {', '.join(_EXPORTS)}")
        text = await self._do(lambda: self._services.archive.export(number, kind))
        name = f'attachment; filename="session-{number}.{kind}"'
        return Response(text, media_type=_EXPORTS[kind], headers={"content-disposition": name})

    async def report(self, request: Request) -> Response:
        redact = request.query_params.get("redact", "0")
        if redact not in ("0", "1"):
            raise Problem(400, f"redact is {redact[:20]!r}; allowed: 0, 1")
        page = await self._do(lambda: self._services.archive.report(_number(request), redact=redact == "1"))
        return Response(page, media_type="text/html", headers={"content-security-policy": DOCUMENT_POLICY})

    async def settings(self, request: Request) -> Response:
        return _as_json(await self._do(self._services.settings))

    async def _do(self, work: Callable[[], _T]) -> _T:
        """Do what may wait for the disk or the sound system in a thread for that."""
        if self._waiting >= MOST_WAITING:
            raise Problem(503, "too much is asked for at once", "try again soon")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work)
        finally:
            self._waiting -= 1


def _as_json(value: object) -> Response:
    return Response(json.dumps(value, ensure_ascii=False, default=str), media_type="application/json")


@cache
def _static_files() -> Mapping[str, tuple[bytes, str]]:
    """The page: a few small files, read once."""
    folder = resources.files("sottovoce.app.web") / "static"
    if not folder.is_dir():
        return {}
    found = ((file.name, "." + file.name.rpartition(".")[2]) for file in folder.iterdir() if file.is_file())
    return {name: ((folder / name).read_bytes(), _TYPES[suffix]) for name, suffix in found if suffix in _TYPES}


def _file(name: str) -> Response:
    found = _static_files().get(name)
    if found is None:
        raise Problem(404, "there is no such file")
    content, kind = found
    return Response(content, headers={"content-type": kind, "content-security-policy": PAGE_POLICY})


def _number(request: Request) -> int:
    number: int = request.path_params["number"]
    if number > MOST_NUMBER:
        raise Problem(404, "there is no such session")
    return number


def _whole(text: str | None, name: str, default: int | None, least: int, most: int) -> int | None:
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 17 and least <= int(text) <= most):
        raise Problem(400, f"{name} is {text[:20]!r}; allowed: {least} to {most}")
    return int(text)


async def _json(request: Request) -> dict[str, Any]:
    """The body, an object; at most :data:`MOST_BODY` bytes that come within :data:`BODY_S`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "the body is not application/json")
    if not request.headers.get("content-length", "").isdigit():
        raise Problem(411, "the request does not say how long its body is")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BODY:
                    raise Problem(413, f"the body is too large; allowed: {MOST_BODY} bytes")
        value = json.loads(body.decode("utf-8"))
    except TimeoutError:
        raise Problem(408, f"the body did not come within {BODY_S:g} s") from None
    except (ValueError, RecursionError):
        raise Problem(400, "the body is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Problem(400, "the body is JSON, but no object")
    return value


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    headers = {"retry-after": "5"} if error.status == 503 else {}
    return Response(error.body, error.status, headers, "application/json")


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SottovoceError)
    return await _answer_problem(request, Problem.of(error))


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _answer_problem(request, Problem(error.status_code, str(error.detail).lower()))


async def _answer_nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # whoever asked has gone


async def _answer_crash(request: Request, error: Exception) -> Response:
    _LOG.error("unexpected %s for %s", type(error).__name__, request.url.path, extra={"file_only": False})
    return await _answer_problem(request, Problem(500, f"internal error: {type(error).__name__}"))
