"""Loggers named ``sottovoce.<part>``: a static message plus fields, never a transcript, a prompt or a key."""

from __future__ import annotations

import logging

from sottovoce.core.clock import Clock, MonotonicClock


def get_logger(part: str) -> logging.Logger:
    """The logger of a part; only the command line installs handlers."""
    return logging.getLogger(f"sottovoce.{part}")


def log_event(logger: logging.Logger, level: int, message: str, **fields: object) -> None:
    """Log a static message with fields; a handler may show the fields as it likes (``record.fields``)."""
    if logger.isEnabledFor(level):
        shown = " ".join(f"{key}={value}" for key, value in fields.items())
        logger.log(level, "%s %s" if shown else "%s%s", message, shown, extra={"fields": fields}, stacklevel=2)


class RateLimiter:
    """Lets one event of a kind pass in an interval, and counts what it held back.

    Parameters
    ----------
    interval_s : float
        Least time between two that pass, in seconds.
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, interval_s: float, clock: Clock | None = None) -> None:
        self._interval_ns = int(interval_s * 1e9)
        self._clock: Clock = clock or MonotonicClock()
        self._last_ns: int | None = None
        self.held_back = 0

    def ready(self) -> bool:
        """True if the event may pass now."""
        now_ns = self._clock.now_ns()
        if self._last_ns is not None and now_ns - self._last_ns < self._interval_ns:
            self.held_back += 1
            return False
        self._last_ns = now_ns
        return True
