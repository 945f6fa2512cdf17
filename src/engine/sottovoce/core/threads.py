"""Named threads that are joined, and whose crash is somebody's business."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sottovoce.core.log import get_logger, log_event

_LOG = get_logger("threads")


class ThreadGroup:
    """The threads of one owner.

    Parameters
    ----------
    on_crash : callable
        Called in the thread, once for each, with an exception that its target let through.
    """

    def __init__(self, on_crash: Callable[[BaseException], None]) -> None:
        self._on_crash = on_crash
        self._threads: list[threading.Thread] = []

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Start a daemon thread named ``sottovoce-<name>``."""

        def run() -> None:
            try:
                target()
            except Exception as error:  # noqa: BLE001 - the owner must know: a dead thread looks like a hang
                log_event(_LOG, logging.ERROR, "thread crashed", thread=name, error=type(error).__name__)
                self._on_crash(error)

        thread = threading.Thread(target=run, name=f"sottovoce-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float) -> tuple[str, ...]:
        """Wait at most ``timeout_s`` for all; returns the names of those that still run."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        alive = tuple(thread.name for thread in self._threads if thread.is_alive())
        if alive:
            log_event(_LOG, logging.WARNING, "threads still run after close", threads=",".join(alive))
        return alive
