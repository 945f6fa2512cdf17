"""The engine as one line, and as one JSON object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from enum import Enum

from sottovoce.app.monitor.look import Look, period_s
from sottovoce.app.monitor.scene import Scene
from sottovoce.app.monitor.verdict import Health
from sottovoce.app.show import clock_time
from sottovoce.audio.report import StreamReport

#: Fields that are of use to a picture only.
_LEFT_OUT = {"buckets", "sum_ns", "highest_dbfs", "at_ns"}


def line(scene: Scene) -> str:
    """What matters, on one line."""
    verdict = scene.verdict
    said = verdict.problems[0].what if verdict.problems else _word(verdict.health)
    more = f" (and {len(verdict.problems) - 1} more)" if len(verdict.problems) > 1 else ""
    sides = [_side(kind, report, scene.now) for kind, report in scene.now.reports.items()]
    return " | ".join([f"{clock_time(scene.elapsed_s)} {said}{more}", *sides])


def as_json(scene: Scene) -> dict[str, object]:
    """Everything, under the names of the snapshots; see docs/monitor.md."""
    return {
        "elapsed_s": round(scene.elapsed_s, 3),
        "health": scene.verdict.health.value,
        "problems": [_plain(problem) for problem in scene.verdict.problems],
        "playing": scene.playing,
        "output": _plain(scene.now.output),
        "input": _plain(scene.now.input),
    }


def _word(health: Health) -> str:
    return "starting" if health is Health.STARTING else "healthy"


def _side(kind: str, report: StreamReport, look: Look) -> str:
    facts = [f"{kind} {report.device or 'no device'} {report.state.value}"]
    block_ns = period_s(report) * 1e9
    if report.callback.count and block_ns:
        facts.append(f"p99 {100 * report.callback.p99_ns / block_ns:.1f} % of a block")
        facts.append(f"{report.rms_dbfs:.0f} dBFS")
    lost = "underruns" if kind == "output" else "overruns"
    facts.append(f"{lost} {report.counters.get(lost, 0)}")
    if kind == "output" and look.output is not None and look.output.sources:
        facts.append(f"queued {1e3 * sum(source.queued_s for source in look.output.sources):.0f} ms")
    return ", ".join(facts)


def _plain(value: object) -> object:
    """A value as JSON has it; fields without meaning for a program are left out."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in _LEFT_OUT]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
