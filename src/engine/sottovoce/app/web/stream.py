"""Server-sent events: each client gets the newest version of what has changed, whenever it has taken the last."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sottovoce.app.web.answers import Problem
from sottovoce.app.web.board import Board

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

#: Clients that may watch at once.
MOST_CLIENTS = 64

#: How often a silent stream says that it is alive, and how long a client may take to read what it was sent (s).
ALIVE_EVERY_S, STALLED_S = 5.0, 30.0

#: When a client that lost its connection tries again (ms).
_RETRY_MS = 1000

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


class Events:
    """The ASGI application behind ``/api/events``."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        news = asyncio.Event()
        client = self._board.hub.join(news.set, MOST_CLIENTS)
        if client is None:
            raise Problem(503, f"{MOST_CLIENTS} pages watch already, or the session has ended", "close some of them")
        gone = asyncio.create_task(_until_gone(receive, news))
        try:
            self._board.somebody_watches()
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _body(send, f"retry: {_RETRY_MS}\n\n".encode())
            while not gone.done():
                news.clear()  # first, so that what comes meanwhile is not missed
                closed = self._board.hub.closed
                versions = client.take()
                if versions:
                    await _body(send, b"".join(_event(each.section, each.payload) for each in versions))
                elif closed:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    break
                else:
                    await _wait(news, send)
        except TimeoutError:
            scope["state"]["hang_up"]()
        finally:
            self._board.hub.leave(client)
            gone.cancel()


def _event(section: str, payload: bytes) -> bytes:
    return b"event: " + section.encode() + b"\ndata: " + payload + b"\n\n"


async def _body(send: Send, body: bytes) -> None:
    async with asyncio.timeout(STALLED_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait(news: asyncio.Event, send: Send) -> None:
    try:
        async with asyncio.timeout(ALIVE_EVERY_S):
            await news.wait()
    except TimeoutError:
        await _body(send, b": alive\n\n")


async def _until_gone(receive: Receive, news: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    news.set()
