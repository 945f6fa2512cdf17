"""Traces of turns: a root, a child for each stage, no words; whatever exports them cannot hold a turn up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from sottovoce.metrics.stages import Stage, TurnTimes

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from sottovoce.metrics.traces import TurnTraces

MS = 1_000_000
WALL_NS = 1_800_000_000_000_000_000

#: A turn that was answered 800 ms after its question.
TURN = TurnTimes(
    3,
    {
        stage: at_ms * MS
        for stage, at_ms in {
            Stage.SPEECH_END: 1000,
            Stage.SEGMENT_READY: 1300,
            Stage.SPEAKER_START: 1300,
            Stage.SPEAKER_DONE: 1310,
            Stage.ASR_START: 1310,
            Stage.ASR_DONE: 1400,
            Stage.QUESTION_ACCEPTED: 1401,
            Stage.LLM_START: 1401,
            Stage.LLM_FIRST_TOKEN: 1500,
            Stage.FIRST_THESIS: 1600,
            Stage.TTS_START: 1601,
            Stage.TTS_FIRST_CHUNK: 1700,
            Stage.FIRST_SAMPLE: 1800,
            Stage.LAST_SAMPLE: 5000,
        }.items()
    },
)


class Clock:
    """Stands still."""

    def now_ns(self) -> int:
        return 6000 * MS


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Iterator[TurnTraces]:
    with closing(made(exporter)) as traces:
        yield traces


def made(exporter: SpanExporter, wall_ns: int = WALL_NS) -> TurnTraces:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return TurnTraces(provider.get_tracer("test"), Clock(), lambda: wall_ns)


def spans(traces: TurnTraces, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    traces.close()
    return {span.name: span for span in exporter.get_finished_spans()}


def at_ms(span: ReadableSpan) -> tuple[float, float]:
    """When it began and ended, on the clock of the turn."""
    assert span.start_time is not None
    assert span.end_time is not None
    offset_ns = WALL_NS - Clock().now_ns()
    return (span.start_time - offset_ns) / MS, (span.end_time - offset_ns) / MS


def test_turn_is_a_root_and_its_stages_are_the_waterfall(traces: TurnTraces, exporter: InMemorySpanExporter) -> None:
    traces.add(TURN, {"sottovoce.turn.outcome": "spoken"})
    found = spans(traces, exporter)
    root = found.pop("turn")
    assert root.parent is None
    assert at_ms(root) == (1000, 5000)
    assert dict(root.attributes or {}) == {
        "sottovoce.turn.number": 3,
        "sottovoce.turn.outcome": "spoken",
        "sottovoce.turn.response_ms": 800.0,
    }
    assert root.status.status_code is StatusCode.UNSET
    assert {name: at_ms(span) for name, span in found.items()} == {
        "vad_end": (1000, 1300),
        "embedding": (1300, 1310),
        "asr_wait": (1300, 1310),
        "asr": (1310, 1400),
        "llm_first_token": (1401, 1500),
        "first_thesis": (1401, 1600),
        "tts_first_audio": (1601, 1700),
        "first_sample": (1700, 1800),
    }
    for span in found.values():
        assert span.parent is not None
        assert span.parent.span_id == root.context.span_id
        assert span.context.trace_id == root.context.trace_id
    assert [event.name for event in root.events] == ["speech_end", "question_accepted", "first_sample"]


def test_turn_that_failed_is_an_error_and_has_the_stages_that_it_reached(
    traces: TurnTraces, exporter: InMemorySpanExporter
) -> None:
    reached = {stage: at for stage, at in TURN.marks_ns.items() if at <= 1401 * MS}
    traces.add(TurnTimes(4, reached), {}, failed=True)
    found = spans(traces, exporter)
    assert found["turn"].status.status_code is StatusCode.ERROR
    assert set(found) == {"turn", "vad_end", "embedding", "asr_wait", "asr"}


def test_clock_that_is_set_moves_a_trace_and_changes_no_length() -> None:
    lengths = []
    for wall_ns in (WALL_NS, WALL_NS - 3600 * 1000 * MS):
        exporter = InMemorySpanExporter()
        traces = made(exporter, wall_ns)
        traces.add(TURN, {})
        found = spans(traces, exporter)
        lengths.append({name: span.end_time - span.start_time for name, span in found.items()})  # type: ignore[operator]
        assert found["turn"].start_time == wall_ns - 5000 * MS
    assert lengths[0] == lengths[1]


def test_stages_that_came_reversed_have_no_negative_length(traces: TurnTraces, exporter: InMemorySpanExporter) -> None:
    traces.add(TurnTimes(1, {Stage.SPEECH_END: 20 * MS, Stage.SEGMENT_READY: 10 * MS}), {})
    for span in spans(traces, exporter).values():
        begin_ms, end_ms = at_ms(span)
        assert begin_ms <= end_ms


def test_turn_that_reached_nothing_leaves_no_trace(traces: TurnTraces, exporter: InMemorySpanExporter) -> None:
    traces.add(TurnTimes(1, {}), {})
    assert spans(traces, exporter) == {}


def test_exporter_that_hangs_holds_nobody_up_and_what_does_not_fit_is_dropped() -> None:
    gate = threading.Event()

    class Hanging(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            gate.wait(10.0)
            return SpanExportResult.SUCCESS

    traces = made(Hanging())
    for _ in range(200):
        traces.add(TURN, {})
    assert traces.dropped >= 200 - 64 - 2
    gate.set()
    traces.close()


def test_without_a_set_up_nothing_is_exported_anywhere() -> None:
    assert not TurnTraces.lead_somewhere()
    with closing(TurnTraces()) as traces:
        traces.add(TURN, {})
