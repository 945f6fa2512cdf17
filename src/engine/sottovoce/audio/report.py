"""Pictures of a stream, taken while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sottovoce.audio.lifecycle import StreamState
from sottovoce.native.telemetry import Histogram


@dataclass(frozen=True, slots=True)
class DurationStats:
    """Percentiles of a duration, in ns; 0 while there are none."""

    count: int = 0
    p50_ns: int = 0
    p95_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0

    @classmethod
    def of(cls, histogram: Histogram) -> DurationStats:
        return cls(
            histogram.count,
            histogram.percentile_ns(50.0),
            histogram.percentile_ns(95.0),
            histogram.percentile_ns(99.0),
            histogram.max_ns,
        )


@dataclass(frozen=True, slots=True)
class StreamReport:
    """A picture of a stream. Counters go on over recreates; durations and intervals are those of the current stream."""

    state: StreamState
    generation: int
    device: str
    device_id: int | None
    samplerate: int
    channels: int
    blocksize: int
    latency_s: float
    recreating: bool = False
    recreates: int = 0
    recreate_durations_ns: tuple[int, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    callback: DurationStats = field(default_factory=DurationStats)
    interval: DurationStats = field(default_factory=DurationStats)
    resampling: DurationStats = field(default_factory=DurationStats)
