"""The engine as the page shows it; pure."""

from __future__ import annotations

from sottovoce.app.monitor.look import Look
from sottovoce.audio.player import PlayerSnapshot
from sottovoce.audio.recorder import RecorderSnapshot
from sottovoce.audio.report import StreamReport
from sottovoce.core.units import FLOOR_DB


def engine(look: Look) -> dict[str, object]:
    """The section ``engine``."""
    streams = []
    if look.output is not None:
        streams.append(_stream("output", look.output.stream, _filled(look.output)))
    if look.input is not None:
        streams.append(_stream("input", look.input.stream, _unread(look.input)))
    return {"streams": streams}


def levels(look: Look, speaking: bool) -> dict[str, object]:
    """The section ``levels``, in whole dB: finer steps are no news."""
    return {
        "input_dbfs": round(look.input.stream.rms_dbfs if look.input is not None else FLOOR_DB),
        "output_dbfs": round(look.output.stream.rms_dbfs if look.output is not None else FLOOR_DB),
        "speaking": speaking,
    }


def _stream(direction: str, report: StreamReport, ring_fill_pct: float) -> dict[str, object]:
    priority = report.priority.text
    return {
        "direction": direction,
        "device": report.device,
        "state": report.state.value,
        "samplerate": report.samplerate,
        "latency_ms": round(1e3 * report.latency_s, 1),
        "callback_p50_us": report.callback.p50_ns / 1e3,
        "callback_p99_us": report.callback.p99_ns / 1e3,
        "underruns": report.counters.get("underruns", 0),
        "overruns": report.counters.get("overruns", 0),
        "recreates": report.recreates,
        "generation": report.generation,
        "ring_fill_pct": round(ring_fill_pct, 1),
        "realtime_priority": None if priority == "unknown" else priority.startswith("realtime"),
    }


def _filled(output: PlayerSnapshot) -> float:
    """Of the fullest source."""
    return max((100 * source.queued_s / source.capacity_s for source in output.sources if source.capacity_s), default=0)


def _unread(input_: RecorderSnapshot) -> float:
    return 100 * input_.backlog_s / input_.buffer_s
