"""Readings of the engine, its queues and the purse, taken when somebody looks; nothing waits on the audio path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from sottovoce.app.purse import Purse
from sottovoce.assistant.pipeline import Pipeline
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.player import PlayerSnapshot
from sottovoce.audio.recorder import RecorderSnapshot
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.metrics import catalogue as metrics
from sottovoce.metrics.catalogue import Metric
from sottovoce.metrics.registry import Distribution, Reading

Direction: TypeAlias = Literal["input", "loopback", "output"]

#: Counters of a stream, by the metric that tells of each.
_COUNTERS: Mapping[Metric, str] = {
    metrics.BLOCKS: "blocks",
    metrics.LATE_BLOCKS: "late_blocks",
    metrics.MISMATCHES: "generation_mismatches",
}
_OF_OUTPUT: Mapping[Metric, str] = {metrics.UNDERRUNS: "underruns", metrics.STARVATIONS: "starvations"}
_OF_INPUT: Mapping[Metric, str] = {metrics.OVERRUNS: "overruns"}

#: What PortAudio may flag in each direction, and what a callback catches.
_FLAGS: Mapping[Direction, tuple[str, ...]] = {
    "input": ("input_underflows", "input_overflows"),
    "loopback": ("input_underflows", "input_overflows"),
    "output": ("output_underflows", "output_overflows", "priming_blocks"),
}
_FAULTS: Mapping[Direction, tuple[str, ...]] = {
    "input": ("shape_mismatches", "errors", "resample_errors", "scrubbed_samples"),
    "loopback": ("shape_mismatches", "errors", "resample_errors", "scrubbed_samples"),
    "output": ("shape_mismatches", "errors", "resample_errors", "scrubbed_samples", "overlaps"),
}

_NANO = 1e9


def of_player(player: PlayerSnapshot) -> Iterator[Reading]:
    """What the voice output says."""
    yield from _of_stream(player.stream, "output", _OF_OUTPUT)
    fills = (source.queued_s / source.capacity_s for source in player.sources if source.capacity_s)
    yield Reading(metrics.RING_FILL, max(fills, default=0.0), ("output",))
    yield Reading(metrics.FLUSH, _durations(player.flush))
    yield Reading(metrics.YIELDS, player.counters["yields"])


def of_recorder(recorder: RecorderSnapshot, direction: Direction = "input") -> Iterator[Reading]:
    """What the microphone says; or, as "loopback", what listens to what this computer plays."""
    yield from _of_stream(recorder.stream, direction, _OF_INPUT)
    yield Reading(metrics.RING_FILL, recorder.backlog_s / recorder.buffer_s, (direction,))


def of_pipeline(pipeline: Pipeline) -> Iterator[Reading]:
    """What waits between its threads, and what came too late."""
    for name, queue in pipeline.queues.items():
        yield Reading(metrics.QUEUE, queue.length, (name,))
        yield Reading(metrics.QUEUE_CAPACITY, queue.capacity, (name,))
        yield Reading(metrics.QUEUE_DROPPED, queue.dropped, (name,))
    yield Reading(metrics.STALE, pipeline.stale_events)


def of_purse(purse: Purse) -> Iterator[Reading]:
    """What was spent, and what may be."""
    for standing in purse.standings:
        yield Reading(metrics.BUDGET_SPENT, standing.spent / _NANO, (standing.scope,))
        for level, limit in (("warn", standing.warn), ("stop", standing.stop)):
            if limit is not None:
                yield Reading(metrics.BUDGET_LIMIT, limit / _NANO, (standing.scope, level))


def _of_stream(report: StreamReport, direction: Direction, counters: Mapping[Metric, str]) -> Iterator[Reading]:
    side = (direction,)
    for metric, name in {**_COUNTERS, **counters}.items():
        yield Reading(metric, report.counters.get(name, 0), side)
    for flag in _FLAGS[direction]:
        yield Reading(metrics.HOST_FLAGS, report.counters.get(f"pa_{flag}", 0), (direction, flag))
    for fault in _FAULTS[direction]:
        yield Reading(metrics.FAULTS, report.counters.get(fault, 0), (direction, fault))
    yield Reading(metrics.CALLBACK, _durations(report.callback), side)
    yield Reading(metrics.INTERVAL, _durations(report.interval), side)
    yield Reading(metrics.RESAMPLING, _durations(report.resampling), side)
    yield Reading(metrics.RECREATES, report.recreates, side)
    recreates_s = [duration_ns / _NANO for duration_ns in report.recreate_durations_ns]
    yield Reading(metrics.RECREATE, recreates_s[-1] if recreates_s else 0.0, side)
    yield Reading(metrics.RECREATE_WORST, max(recreates_s, default=0.0), side)
    for state in StreamState:
        yield Reading(metrics.STREAM_STATE, float(report.state is state), (direction, state.value))
    yield Reading(metrics.STREAM_INFO, 1.0, (direction, report.device))
    yield Reading(metrics.SAMPLERATE, report.samplerate, side)
    yield Reading(metrics.LATENCY, report.latency_s, side)
    yield Reading(metrics.PEAK, report.peak_dbfs, side)
    yield Reading(metrics.RMS, report.rms_dbfs, side)


def _durations(stats: DurationStats) -> Distribution:
    return Distribution.of_native(stats.buckets, stats.sum_ns)
