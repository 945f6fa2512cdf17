"""Cancellation: an outcome, not an error."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CancelToken:
    """Says, from any thread and once for all, that a piece of work is no longer wanted.

    Work looks at :attr:`cancelled` between its steps and returns early; whoever waits for the network registers
    with :meth:`on_cancel` what cuts the wait short. Nothing is raised.
    """

    __slots__ = ("_callbacks", "_event", "_lock")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the work is no longer wanted."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancel; the callbacks run in the calling thread, each once."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` at cancellation, or now if that has been; returns what takes it back."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return lambda: self._remove(callback)
        callback()
        return lambda: None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until cancelled; False if ``timeout_s`` has passed before."""
        return self._event.wait(timeout_s)

    def _remove(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
