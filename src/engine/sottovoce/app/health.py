"""What is kept with a session of how the audio engine has done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sottovoce.assistant.notices import Notice, TurnEnded
from sottovoce.audio.bluetooth import looks_bluetooth
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.session.records import Durations, EngineMeasured, StreamHealth


def stream_health(direction: str, report: StreamReport) -> StreamHealth:
    """What is kept of a picture of a stream."""
    longest_ns = max(report.recreate_durations_ns, default=0)
    return StreamHealth(
        direction=direction,
        device=report.device,
        state=report.state.value,
        bluetooth=looks_bluetooth(report.device),
        way=report.way,
        priority=report.priority.text,
        samplerate=report.samplerate,
        channels=report.channels,
        blocksize=report.blocksize,
        latency_ms=round(1e3 * report.latency_s, 3),
        asked_latency_ms=round(1e3 * report.latency.asked_s, 3),
        latency_grown=report.latency.grown,
        recreates=report.recreates,
        longest_recreate_ms=round(longest_ns / 1e6, 3),
        recreate_reason=report.recreate_reason,
        counters=dict(report.counters),
        callback=_durations(report.callback),
        interval=_durations(report.interval),
        resampling=_durations(report.resampling),
    )


def _durations(stats: DurationStats) -> Durations:
    values_us = (value_ns / 1e3 for value_ns in (stats.p50_ns, stats.p95_ns, stats.p99_ns, stats.max_ns))
    return Durations(stats.count, *(round(us, 3) for us in values_us))


class EngineHealth:
    """Notes how the streams do: an observer that writes it at the end of each turn, and when the session closes.

    A stream that rests, or is lost, has no callbacks just then: what is known of it from before stays.

    Parameters
    ----------
    streams : mapping of str to callable
        By its direction ("output", "input", or what else tells it from the others), what gives a picture of a stream.
    write : callable
        Takes the event; must not wait.
    """

    def __init__(
        self, streams: Mapping[str, Callable[[], StreamReport]], write: Callable[[EngineMeasured], None]
    ) -> None:
        self._streams = streams
        self._write = write
        self._known: dict[str, StreamHealth] = {}

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, TurnEnded):
            self.note()

    def note(self) -> None:
        """Write how the streams have done until now."""
        for direction, look in self._streams.items():
            now, known = stream_health(direction, look()), self._known.get(direction)
            if known is not None and not now.callback.count:
                now = replace(
                    known,
                    state=now.state,
                    recreates=now.recreates,
                    longest_recreate_ms=now.longest_recreate_ms,
                    recreate_reason=now.recreate_reason,
                    counters=now.counters,
                )
            self._known[direction] = now
        self._write(EngineMeasured(tuple(self._known.values())))
