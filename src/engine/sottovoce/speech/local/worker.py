"""A thread for work that cannot be cut short, so that whoever waits for it can."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeAlias, TypeVar

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, BackendTimeoutError
from sottovoce.core.queues import BoundedQueue, WhenFull
from sottovoce.core.threads import ThreadGroup

T = TypeVar("T")

#: Asked between the steps of a piece of work: whether anybody still waits for it.
Wanted: TypeAlias = Callable[[], bool]

#: Pieces of work that may wait; one more waits outside.
_MOST_WAITING = 64

#: How long (s) closing waits for the step that is being done.
_CLOSE_S = 5.0


class Worker(Generic[T]):
    """Does one piece of work after another; each gives items until it is done or nobody wants them any more.

    Inference in native code can neither be interrupted nor given a deadline. Here it runs in a thread of its own:
    its caller leaves as soon as the work is cancelled or late, and the thread stops at the next step.

    Parameters
    ----------
    backend : str
        Whose it is, for errors and for the name of the thread, which starts with the first piece of work.
    """

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._tasks: BoundedQueue[_Task[T]] = BoundedQueue(_MOST_WAITING, WhenFull.BLOCK)
        self._threads = ThreadGroup(lambda error: None)  # logged by the group
        self._started = False
        self._current: _Task[T] | None = None

    def stream(self, work: Callable[[Wanted], Iterator[T]], cancel: CancelToken, deadline_s: float) -> Iterator[T]:
        """Run ``work`` in the thread, and give its items here.

        Cancelled, it ends at once.

        Parameters
        ----------
        deadline_s : float
            How long an item may take, in seconds; the first from now, waiting for earlier work included.

        Raises
        ------
        BackendTimeoutError
            An item did not come in time.
        BackendError
            What the work raised, or it has been closed.
        """
        if cancel.cancelled:
            return
        task = _Task(work)
        forget = cancel.on_cancel(task.give_up)
        try:
            self._submit(task)
            while (item := task.take(deadline_s, self._backend)) is not None:
                yield item[0]
        finally:  # also when its reader goes away
            forget()
            task.give_up()
        if not cancel.cancelled:
            if task.error is not None:
                raise task.error
            if task.closed:
                raise self._closed_error()

    def close(self) -> None:
        """Give up all work and join the thread; idempotent."""
        self._tasks.close()
        while (task := self._tasks.get()) is not None:
            task.close()
        with self._lock:
            if self._current is not None:
                self._current.close()
        self._threads.join(_CLOSE_S)

    def _submit(self, task: _Task[T]) -> None:
        with self._lock:
            if not self._started:
                self._started = True
                self._threads.start(self._backend, self._run)
        if self._tasks.put(task) is task:
            raise self._closed_error()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            with self._lock:
                self._current = task
                if self._tasks.closed:
                    task.close()
            task.run()
            with self._lock:
                self._current = None

    def _closed_error(self) -> BackendError:
        return BackendError(f"{self._backend} has been closed", backend=self._backend, hint="open it again")


class _Task(Generic[T]):
    def __init__(self, work: Callable[[Wanted], Iterator[T]]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._ended = False
        self._wanted = True
        self.closed = False
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            if self._is_wanted():
                for item in self._work(self._is_wanted):
                    with self._changed:
                        if not self._wanted:
                            break
                        self._items.append(item)
                        self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits, and the thread must live on
            self.error = error
        finally:
            self._end()

    def take(self, deadline_s: float, backend: str) -> tuple[T] | None:
        """The next item, in a tuple; None at the end, or once it is not wanted any more."""
        until = time.monotonic() + deadline_s
        with self._changed:
            while not (self._items or self._ended or not self._wanted):
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise BackendTimeoutError(
                        f"{backend} gave nothing for {deadline_s:g} s",
                        backend=backend,
                        hint=f"choose a smaller model, or raise {backend}.deadline_s",
                    )
                self._changed.wait(left_s)
            return (self._items.popleft(),) if self._items and self._wanted else None

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        with self._changed:
            self._wanted = False
            self._changed.notify_all()

    def close(self) -> None:
        self.closed = True
        self.give_up()

    def _is_wanted(self) -> bool:
        return self._wanted

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
