"""Looks at an engine that no test has to open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from sottovoce.app.monitor.look import Look
from sottovoce.audio.lifecycle import StreamState
from sottovoce.audio.player import PlayerSnapshot
from sottovoce.audio.priority import ThreadPriority
from sottovoce.audio.recorder import RecorderSnapshot
from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.source import SourceSnapshot

NS = 1_000_000_000

_SHARED = (
    "frames", "generation_mismatches", "shape_mismatches", "errors", "resample_errors", "scrubbed_samples",
    "pa_input_underflows", "pa_input_overflows", "pa_output_underflows", "pa_output_overflows", "pa_priming_blocks",
    "late_blocks",
)  # fmt: skip
_OUTPUT = ("underruns", "starvations", "idle_blocks", "held_blocks", "overlaps")
_INPUT = ("overruns", "overrun_frames")

#: A tenth of a percent of a block of 256 frames at 48 kHz, and two outliers.
CALLBACK = DurationStats(1003, 1023, 5119, 8191, 40_000, ((511, 200), (1023, 600), (5119, 200), (40_959, 3)))
INTERVAL = DurationStats(1002, 5_300_000, 5_400_000, 6_000_000, 12_000_000, ((5_300_000, 1002),))


def report(kind: str, counters: Mapping[str, int] | None = None, **changes: object) -> StreamReport:
    """A stream that runs well."""
    names = (*_SHARED, *(_OUTPUT if kind == "output" else _INPUT))
    healthy = StreamReport(
        state=StreamState.RUNNING,
        generation=1,
        device="USB headset",
        device_id=3,
        samplerate=48000,
        channels=2 if kind == "output" else 1,
        blocksize=256,
        latency_s=0.032,
        counters={"blocks": 1003, **dict.fromkeys(names, 0), **(counters or {})},
        callback=CALLBACK,
        interval=INTERVAL,
        priority=ThreadPriority("realtime 20"),
        way="sounddevice",
        peak_dbfs=-20.0,
        rms_dbfs=-32.0,
    )
    return dataclasses.replace(healthy, **changes)  # type: ignore[arg-type]


def player(stream: StreamReport | None = None, *sources: SourceSnapshot) -> PlayerSnapshot:
    counters = {"yields": 0, "yielded_blocks": 0}
    return PlayerSnapshot(48000, 2, 5.0, counters, DurationStats(), stream or report("output"), sources)


def source(queued_s: float = 0.5, **counters: int) -> SourceSnapshot:
    return SourceSnapshot(48000, 1, 3, queued_s, 2.0, False, 1.0, 2.0, counters)


def recorder(stream: StreamReport | None = None, backlog_s: float = 0.02, spoken: int = 0) -> RecorderSnapshot:
    activity = {"activations": spoken, "active_blocks": 40 * spoken}
    return RecorderSnapshot(16000, 1, 5.0, backlog_s, 0, 10.0, stream or report("input"), activity)


def look(at_s: float, output: PlayerSnapshot | None = None, input: RecorderSnapshot | None = None) -> Look:
    reports = {"output": output, "input": input}
    highest = {kind: side.stream.peak_dbfs for kind, side in reports.items() if side is not None}
    return Look(round(at_s * NS), output, input, highest)
