"""Pictures of a stream, taken while it runs."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.priority import ThreadPriority
from sottovoce.audio.tuning import LatencyReport
from sottovoce.core.units import FLOOR_DB
from sottovoce.native.telemetry import Histogram


@dataclass(frozen=True, slots=True)
class DurationStats:
    """Percentiles of a duration, in ns; 0 while there are none. All are of the same moment.

    ``buckets`` are those of the histogram that are not empty: the largest value (ns) that falls into each, at most 1/16
    above the smallest, and how many did; ``sum_ns`` is of all durations, and may be one behind.
    """

    count: int = 0
    p50_ns: int = 0
    p95_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0
    buckets: tuple[tuple[int, int], ...] = ()
    sum_ns: int = 0

    @classmethod
    def of(cls, histogram: Histogram) -> DurationStats:
        return cls._of_buckets(histogram.buckets(), histogram.max_ns, histogram.sum_ns)

    def since(self, earlier: DurationStats) -> DurationStats:
        """What was added after ``earlier``; all of it, if that was another stream's."""
        before = dict(earlier.buckets)
        added = [(limit_ns, count - before.pop(limit_ns, 0)) for limit_ns, count in self.buckets]
        if before or any(count < 0 for _, count in added):
            return self
        return self._of_buckets(
            [(limit_ns, count) for limit_ns, count in added if count], self.max_ns, self.sum_ns - earlier.sum_ns
        )

    @classmethod
    def _of_buckets(cls, buckets: Sequence[tuple[int, int]], max_ns: int, sum_ns: int) -> DurationStats:
        limits = [limit_ns for limit_ns, _ in buckets]
        seen = list(itertools.accumulate(count for _, count in buckets))
        if not seen:
            return cls()
        highest_ns = min(limits[-1], max_ns)
        p50, p95, p99 = (
            min(limits[bisect.bisect_left(seen, share * seen[-1])], highest_ns) for share in (0.5, 0.95, 0.99)
        )
        return cls(seen[-1], p50, p95, p99, highest_ns, tuple(buckets), sum_ns)


@dataclass(frozen=True, slots=True)
class StreamReport:
    """A picture of a stream.

    It is taken while the callback goes on: the figures of one duration are of the same moment, counters may be a block
    apart. Counters go on over recreates: what was lost stays lost, and a device that comes and goes must not wipe it
    away. Durations and intervals are those of the current stream alone: another device has another pace, and the gap
    between two streams is no interval of either. ``recreate_reason`` is why the stream was last opened again, or is
    lost.
    """

    state: StreamState
    generation: int
    device: str
    device_id: int | None
    samplerate: int
    channels: int
    blocksize: int
    latency_s: float
    latency: LatencyReport = field(default_factory=LatencyReport)
    recreating: bool = False
    recreates: int = 0
    recreate_durations_ns: tuple[int, ...] = ()
    recreate_reason: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)
    callback: DurationStats = field(default_factory=DurationStats)
    interval: DurationStats = field(default_factory=DurationStats)
    resampling: DurationStats = field(default_factory=DurationStats)
    #: How the thread of the callback is scheduled.
    priority: ThreadPriority = field(default_factory=ThreadPriority)
    #: How the host was entered, where there is more than one way.
    way: str = ""
    #: The largest magnitude of late: up within a block, down 20 dB in 1.7 s; 0 dBFS is full scale, silence -120.
    peak_dbfs: float = FLOOR_DB
    #: The root mean square over the last 125 ms or so; a sine of full scale has -3.01 dBFS.
    rms_dbfs: float = FLOOR_DB
