"""Where the clients of network services run: an event loop in a thread, whose every wait can be cut short.

A thread that waits for a socket cannot be woken from outside, a task can: cancelling it closes its connection, and its
deadline counts to the next *item* of an answer, so that keep-alive comments do not put it off.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_futures
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.threads import ThreadGroup

_LOG = get_logger("network")

T = TypeVar("T")

#: Items of one answer that may lie ready; a service that is further ahead is read no further.
ITEMS_AHEAD = 256

#: How long (s) closing waits for connections to be closed.
_CLOSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long an answer may keep its listener waiting.

    Attributes
    ----------
    first_s : float
        Until its first item, from the moment of the call, in seconds.
    next_s : float
        Between two items.
    """

    first_s: float
    next_s: float


class NetworkThread:
    """An event loop in a thread of its own; the thread starts with the first call.

    Parameters
    ----------
    backend : str
        Whose it is, for errors and for the name of the thread.
    translate : callable
        Makes a BackendError of whatever a client raises.
    """

    def __init__(self, backend: str, translate: Callable[[Exception], BackendError]) -> None:
        self._backend = backend
        self._translate = translate
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = ThreadGroup(lambda error: None)  # logged by the group
        self._closed = False

    def stream(
        self,
        make: Callable[[], AsyncGenerator[T, None]],
        deadlines: Deadlines,
        cancel: CancelToken,
        *,
        linger_s: float = 0.0,
    ) -> Iterator[T]:
        """Run an asynchronous generator in the loop and give its items here.

        Cancelled, it ends at once, and the task with its connection is given up. Closed by its reader, the task may
        run on for ``linger_s`` seconds, so that an answer read nearly to its end leaves its connection to the next.

        Raises
        ------
        BackendTimeoutError
            An item did not come in time.
        BackendError
            What the client raised, translated; or the thread was closed meanwhile.
        """

        def wanted() -> bool:
            return not cancel.cancelled

        if not wanted():
            return
        loop = self._running_loop()
        pipe: _Pipe[T] = _Pipe(loop)
        future = asyncio.run_coroutine_threadsafe(self._pump(make(), pipe, deadlines), loop)
        future.add_done_callback(lambda _: pipe.end())
        forget = cancel.on_cancel(partial(_give_up, future))
        try:
            while wanted() and (item := pipe.take()) is not None:
                if wanted():
                    yield item[0]
            if wanted():
                self._raise_failure(future)
        finally:
            forget()
            if not (wanted() and linger_s):
                future.cancel()
            elif not future.done():
                pipe.discard()
                with suppress(RuntimeError):  # closed meanwhile, and the task with it
                    loop.call_soon_threadsafe(loop.call_later, linger_s, future.cancel)

    def call(self, make: Callable[[], Awaitable[T]], timeout_s: float, cancel: CancelToken) -> T | None:
        """Run one coroutine in the loop; None if it was cancelled. Errors as for :meth:`stream`."""

        async def single() -> AsyncGenerator[T, None]:
            yield await make()

        return next(self.stream(single, Deadlines(timeout_s, timeout_s), cancel), None)

    def start(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Running[T]:
        """Run a coroutine in the loop, and go on here; it keeps its deadlines itself."""
        loop = self._running_loop()
        return Running(loop, asyncio.run_coroutine_threadsafe(make(), loop), self._raise_failure)

    def close(self, release: Callable[[], Awaitable[None]] | None = None) -> None:
        """Give up every task, run ``release``, and join the thread; idempotent."""
        with self._lock:
            loop, self._loop = self._loop, None
            self._closed = True
        if loop is None:
            return

        async def end() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            if release is not None:
                await release()

        ended = asyncio.run_coroutine_threadsafe(end(), loop)
        wait_for_futures([ended], _CLOSE_S)
        loop.call_soon_threadsafe(loop.stop)
        self._threads.join(_CLOSE_S)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise self._closed_error()
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                loop.set_exception_handler(_log_kind_only)
                self._threads.start(f"{self._backend}-network", partial(_run, loop))
            return self._loop

    async def _pump(self, items: AsyncGenerator[T, None], pipe: _Pipe[T], deadlines: Deadlines) -> None:
        limit_s, given = deadlines.first_s, 0
        try:
            while True:
                async with asyncio.timeout(limit_s) as limit:
                    item = await anext(items)
                await pipe.put(item)
                limit_s, given = deadlines.next_s, given + 1
        except StopAsyncIteration:
            return
        except TimeoutError:
            if not limit.expired():
                raise
            what = "stopped in the middle of an answer and was silent" if given else "gave no answer"
            raise BackendTimeoutError(f"{self._backend} {what} for {limit_s:g} s", backend=self._backend) from None
        finally:
            await items.aclose()

    def _raise_failure(self, future: Future[Any]) -> None:
        if future.cancelled():
            raise self._closed_error()
        failure = future.exception()
        if isinstance(failure, BackendError):
            raise failure
        if isinstance(failure, Exception):
            # the client's own error may quote what was sent
            raise self._translate(failure) from None

    def _closed_error(self) -> BackendError:
        return BackendError(f"{self._backend} has been closed", backend=self._backend, hint="open it again")


class Running(Generic[T]):
    """A coroutine under way in the loop of a :class:`NetworkThread`. Safe to use from several threads."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, future: Future[T], raise_failure: Callable[[Future[T]], None]
    ) -> None:
        self._loop = loop
        self._future = future
        self._raise_failure = raise_failure

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._future.done()

    def tell(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call something in the loop, in the order of the tellings; nothing happens if the thread has been closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    def result(self, cancel: CancelToken) -> T | None:
        """Wait for what it returns; None, and it is given up, if cancelled. Errors as for
        :meth:`NetworkThread.stream`.
        """
        forget = cancel.on_cancel(self.give_up)
        try:
            with suppress(CancelledError):
                self._future.exception()
        finally:
            forget()
        if cancel.cancelled:
            return None
        self._raise_failure(self._future)
        return self._future.result()

    def give_up(self) -> None:
        """End it, and whatever it holds open."""
        self._future.cancel()


class _Pipe(Generic[T]):
    """Carries items from a task to a thread; full, it makes the task wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._ended = False
        self._discarding = False
        self._room = asyncio.Event()

    async def put(self, item: T) -> None:
        while True:
            with self._condition:
                if self._discarding:
                    return
                if len(self._items) < ITEMS_AHEAD:
                    self._items.append(item)
                    self._condition.notify()
                    return
                self._room.clear()
            await self._room.wait()

    def take(self) -> tuple[T] | None:
        """The next item, in a tuple; None at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._ended)
            if not self._items:
                return None
            was_full = len(self._items) == ITEMS_AHEAD
            item = self._items.popleft()
        if was_full:
            self._make_room()
        return (item,)

    def discard(self) -> None:
        """Nobody reads any more."""
        with self._condition:
            self._discarding = True
            self._items.clear()
        self._make_room()

    def end(self) -> None:
        with self._condition:
            self._ended = True
            self._condition.notify()

    def _make_room(self) -> None:
        with suppress(RuntimeError):  # the loop has been closed, and nobody waits for room
            self._loop.call_soon_threadsafe(self._room.set)


def _give_up(future: Future[None]) -> None:
    future.cancel()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    # Names are looked up in threads of the executor, the only ones that cannot be cut short.
    lookups = ThreadPoolExecutor(2, thread_name_prefix="sottovoce-names")
    loop.set_default_executor(lookups)
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        lookups.shutdown(cancel_futures=True)
        loop.close()


def _log_kind_only(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what kind of error a task died of; its words may hold what was sent."""
    kind = type(context.get("exception")).__name__
    log_event(_LOG, logging.DEBUG, "a network task failed", error=kind)
