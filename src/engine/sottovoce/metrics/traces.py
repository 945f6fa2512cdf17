"""A trace of every turn, by the API of OpenTelemetry; needs the extra ``otel``.

The turn is the root span, its stages are the children: what shows traces shows the waterfall. Where they go is for
whoever has set OpenTelemetry up; unless somebody has, nowhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry.trace import (
    ProxyTracerProvider,
    Status,
    StatusCode,
    Tracer,
    get_tracer_provider,
    set_span_in_context,
)

from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.queues import BoundedQueue
from sottovoce.metrics.stages import Span, Stage, TurnTimes

Attributes: TypeAlias = Mapping[str, str | bool | int | float]

#: Turns that may wait to be handed over; the oldest is dropped for one more.
_CAPACITY = 64

#: How long (s) the end of a session waits for the last of them.
_PATIENCE_S = 1.0

#: Moments that are no end of a stage, told as events of the turn.
_EVENTS = (Stage.SPEECH_END, Stage.PAUSE_NOTICED, Stage.QUESTION_ACCEPTED, Stage.FIRST_SAMPLE)


@dataclass(frozen=True, slots=True)
class _Turn:
    times: TurnTimes
    attributes: Attributes
    failed: bool
    #: What the wall clock is ahead of the session's by, as the turn ended: a clock that was set meanwhile moves the
    #: trace, and never changes how long anything took.
    ahead_ns: int


class TurnTraces:
    """Hands turns over, in a thread of its own: what exports them may take its time.

    Parameters
    ----------
    tracer : Tracer, optional
        Makes the spans; that of the process unless given.
    clock : Clock, optional
        That of the session.
    wall_ns : callable, optional
        The time of day in nanoseconds since 1970.
    """

    def __init__(
        self, tracer: Tracer | None = None, clock: Clock | None = None, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._tracer = tracer or get_tracer_provider().get_tracer("sottovoce")
        self._clock = clock or MonotonicClock()
        self._wall_ns = wall_ns
        self._turns: BoundedQueue[_Turn] = BoundedQueue(_CAPACITY)
        self._thread = threading.Thread(target=self._work, name="sottovoce-traces", daemon=True)
        self._thread.start()

    @staticmethod
    def lead_somewhere() -> bool:
        """Whether anybody has set OpenTelemetry up."""
        return not isinstance(get_tracer_provider(), ProxyTracerProvider)

    @property
    def dropped(self) -> int:
        """Turns that were dropped, as whatever exports them was too slow."""
        return self._turns.dropped

    def add(self, times: TurnTimes, attributes: Attributes, *, failed: bool = False) -> None:
        """A turn has ended. Never waits; what reached no stage leaves no trace."""
        if times.marks_ns:
            self._turns.put(_Turn(times, attributes, failed, self._wall_ns() - self._clock.now_ns()))

    def close(self) -> None:
        """Hand over what there is, for a second at most."""
        self._turns.close()
        self._thread.join(_PATIENCE_S)

    def _work(self) -> None:
        while (turn := self._turns.get()) is not None:
            self._emit(turn)

    def _emit(self, turn: _Turn) -> None:
        times, ahead_ns = turn.times, turn.ahead_ns
        spans = [(span, times.interval_ns(span)) for span in Span if span is not Span.TOTAL]
        stages = [(span, interval) for span, interval in spans if interval is not None]
        moments = [*times.marks_ns.values(), *(start_ns for _, (start_ns, _) in stages)]
        attributes = {"sottovoce.turn.number": times.turn, **turn.attributes}
        if times.total_ms is not None:
            attributes["sottovoce.turn.response_ms"] = times.total_ms
        root = self._tracer.start_span("turn", attributes=attributes, start_time=min(moments) + ahead_ns)
        if turn.failed:
            root.set_status(Status(StatusCode.ERROR))
        for stage in _EVENTS:
            if stage in times.marks_ns:
                root.add_event(stage.value, timestamp=times.marks_ns[stage] + ahead_ns)
        within = set_span_in_context(root)
        for span, (start_ns, end_ns) in stages:
            child = self._tracer.start_span(span.value, within, start_time=start_ns + ahead_ns)
            child.end(max(start_ns, end_ns) + ahead_ns)
        root.end(max(moments) + ahead_ns)
