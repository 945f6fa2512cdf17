"""Keeping connections warm: a service that nobody asks for a minute hangs up, and the next call would wait."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from sottovoce.core.clock import Clock
from sottovoce.core.errors import BackendError
from sottovoce.core.queues import BoundedQueue

#: Warmth lasts so long (s): servers close idle connections after a minute or more, as a rule.
LASTS_S = 30.0


class Warm(Protocol):
    """What can be warmed, at no cost if it is warm already."""

    def warm(self) -> None: ...


class Warmer:
    """Warms every backend while somebody has just begun to speak; :meth:`work` is the body of the thread.

    So what a first call would wait for (a name looked up, a connection, a handshake) happens while the question is
    being asked.

    Parameters
    ----------
    backends : sequence of Warm
        In the order in which a question needs them; all of them have been warmed when the session began.
    """

    def __init__(self, backends: Sequence[Warm], clock: Clock) -> None:
        self._backends = tuple(dict.fromkeys(backends))
        self._clock = clock
        self._warmed_ns = clock.now_ns()
        self._wishes: BoundedQueue[int] = BoundedQueue(1)

    def wish(self) -> None:
        """They will be needed soon; from any thread, never waits."""
        self._wishes.put(self._clock.now_ns())

    def close(self) -> None:
        self._wishes.close()

    def work(self) -> None:
        while self.serve():
            pass

    def serve(self, timeout_s: float | None = None) -> bool:
        """Fulfil the next wish; False if there was none in time, or will never be."""
        now_ns = self._wishes.get(timeout_s)
        if now_ns is None:
            return False
        if now_ns - self._warmed_ns >= LASTS_S * 1e9:
            for backend in self._backends:
                with suppress(BackendError):  # the call that needs it will say so, or do without
                    backend.warm()
            self._warmed_ns = self._clock.now_ns()
        return True
