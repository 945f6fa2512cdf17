"""Time, given to whoever needs it, so that tests can hold it still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary moment; never goes back."""
        ...


class MonotonicClock:
    """The clock of the machine."""

    def now_ns(self) -> int:
        return time.monotonic_ns()
