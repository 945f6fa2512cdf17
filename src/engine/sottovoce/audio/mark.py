"""Places in what a source plays, and when they were reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from sottovoce.native.mixer import Mixer

MarkOutcome: TypeAlias = Literal["waiting", "played", "flushed", "refused"]


class Marked(Protocol):
    """The source of a mark, as the mark sees it."""

    @property
    def mixer(self) -> Mixer: ...
    @property
    def output_latency_s(self) -> float: ...
    def wait_while(self, busy: Callable[[], bool], estimate_s: Callable[[], float], deadline_s: float | None) -> bool:
        """Wait while ``busy``; False if it still is, at the deadline or as the source was closed."""
        ...


class Mark:
    """A place in what a source plays; made by :meth:`PlayerSource.mark` and :meth:`PlayerSource.fence`.

    The callback says when it came by. Look at a mark, or wait for it, as long as its player is open.
    """

    def __init__(self, source: Marked, number: int) -> None:
        self._source = source
        self._number = number
        self._outcome: MarkOutcome = "waiting"
        self._played_at_ns: int | None = None

    @property
    def outcome(self) -> MarkOutcome:
        """What became of it: "played" once what comes before it has left the mixer, "flushed" if that never will,
        "refused" if more marks were waiting than a source keeps (16).
        """
        if self._outcome == "waiting" and (result := self._source.mixer.take_result(self._number)):
            kind, ns, delay_ns = result
            if kind == "passed":
                self._played_at_ns = ns + (delay_ns or round(self._source.output_latency_s * 1e9))
                self._outcome = "played"
            else:
                self._outcome = "flushed" if kind == "flushed" else "refused"
        return self._outcome

    @property
    def played_at_ns(self) -> int | None:
        """When what comes before it was heard to its end, on the clock of ``time.monotonic_ns``; it may be yet to come.
        None while that is not known, and for ever if it was flushed.
        """
        return self._played_at_ns if self.outcome == "played" else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until what comes before it was heard; False after ``timeout_s`` seconds, a flush or a close."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        wait_while = self._source.wait_while
        if not wait_while(lambda: self.outcome == "waiting", lambda: 0.005, deadline_s):
            return False
        at_ns = self.played_at_ns
        if at_ns is None:
            return False
        return wait_while(lambda: time.monotonic_ns() < at_ns, lambda: (at_ns - time.monotonic_ns()) / 1e9, deadline_s)
