"""What a session does, as its metrics and its traces tell it."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, closing

import numpy as np
import pytest

from sottovoce.app.budget import Limits
from sottovoce.app.metering.engine import of_recorder
from sottovoce.app.metering.session import SessionMeter
from sottovoce.app.money import nano_usd
from sottovoce.assistant import notices
from sottovoce.core.errors import (
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    BudgetSpentError,
)
from sottovoce.metrics.catalogue import CATALOGUE
from sottovoce.metrics.registry import Distribution, Registry
from sottovoce.metrics.stages import Span
from tests.support.fakes import PausingSegmenter
from tests.support.soundcard import wait_until
from tests.support.watched import WORDS, WatchedSession

pytest.importorskip("prometheus_client", reason="needs the extra `metrics`")

WENT_ON = PausingSegmenter.WENT_ON


def count(session: WatchedSession, name: str, *labels: str) -> int:
    """How many values a histogram holds."""
    held = session.read(name, *labels).value
    assert isinstance(held, Distribution)
    return sum(held.counts)


def ask(session: WatchedSession, word: int, turns: int = 1) -> None:
    session.ask(word)
    session.seen.wait_for(notices.TurnEnded, turns)


def test_turn_is_counted_with_every_stage_that_it_reached() -> None:
    with WatchedSession() as session:
        ask(session, 1)
        assert session.value("sottovoce_turns_total", "spoken") == 1.0
        assert session.value("sottovoce_turns_total", "failed") == 0.0
        assert session.value("sottovoce_utterances_total", "other") == 1.0
        assert session.value("sottovoce_utterances_ignored_total") == 0.0
        assert session.value("sottovoce_theses_total", "heard") == 2.0
        assert count(session, "sottovoce_turn_response_seconds") == 1
        for span in set(Span) - {Span.TOTAL}:
            assert count(session, "sottovoce_turn_stage_seconds", span) == 1, span
        assert session.value("sottovoce_backend_calls_total", "asr", "words") == 1.0
        assert session.value("sottovoce_backend_calls_total", "llm", "list") == 1.0
        assert session.value("sottovoce_backend_calls_total", "tts", "tone") == 2.0
        assert session.value("sottovoce_heard_seconds_total") > 0.0
        assert session.value("sottovoce_turn_waiting_seconds") == 0.0


def test_answer_taken_is_a_hit_and_one_in_vain_a_miss_with_what_it_wasted() -> None:
    with WatchedSession() as session:
        session.input.say(2)
        session.seen.wait_for(notices.ThesisForeseen)
        session.input.say(WENT_ON)
        session.seen.wait_for(notices.SpeculationEnded)
        wasted = {part: session.value("sottovoce_wasted_calls_total", part) for part in ("asr", "llm", "tts")}
        assert wasted == {"asr": 1.0, "llm": 1.0, "tts": 1.0}
        ask(session, 1)
        assert session.value("sottovoce_speculations_total", "miss") == 1.0
        assert session.value("sottovoce_speculations_total", "hit") == 1.0
        assert session.value("sottovoce_wasted_calls_total", "llm") == 1.0


def test_question_that_nobody_answers_is_seen_to_wait() -> None:
    with WatchedSession() as session:
        session.gates[WORDS[1]] = threading.Event()
        session.ask(1)
        session.seen.wait_for(notices.UtteranceHeard)
        session.clock.leap(7.0)
        assert session.value("sottovoce_turn_waiting_seconds") > 7.0
        session.gates[WORDS[1]].set()
        session.seen.wait_for(notices.ThesisStarted)
        assert session.value("sottovoce_turn_waiting_seconds") == 0.0
        session.seen.wait_for(notices.TurnEnded)
        slow = session.read("sottovoce_turn_response_seconds").value
        assert isinstance(slow, Distribution)
        assert slow.total > 7.0


def test_failure_is_counted_by_part_backend_and_kind() -> None:
    with WatchedSession() as session:
        ask(session, 3)
        assert session.value("sottovoce_backend_errors_total", "llm", "list", "failed") >= 1.0
        assert session.value("sottovoce_turns_total", "failed") == 1.0
        assert session.value("sottovoce_turn_waiting_seconds") == 0.0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BackendError("503", backend="b", retryable=True), "failed"),
        (BackendError("401", backend="b"), "refused"),
        (BackendTimeoutError("late", backend="b"), "timeout"),
        (BackendUnavailableError("no package", backend="b", install_hint="pip"), "unavailable"),
        (BudgetSpentError("spent", backend="b"), "budget"),
    ],
)
def test_kind_of_an_error_is_a_word(error: BackendError, kind: str) -> None:
    told = notices.BackendFailed.of(error, "tts")
    assert (told.part, told.kind) == ("tts", kind)


def test_backend_that_takes_over_is_the_one_that_answers() -> None:
    with WatchedSession() as session:
        session.pipeline.tell(notices.BackendChanged("llm", "notes"))
        session.seen.wait_for(notices.BackendChanged)
        ask(session, 1)
        assert session.value("sottovoce_backend_changes_total", "llm") == 1.0
        assert session.value("sottovoce_backend_state", "llm", "list") == 0.0
        assert session.value("sottovoce_backend_state", "llm", "notes") == 1.0
        assert session.value("sottovoce_backend_calls_total", "llm", "notes") == 1.0


def test_money_is_told_with_the_budget_that_it_counts_against() -> None:
    with WatchedSession(Limits(session_warn=nano_usd(0.5), day_stop=nano_usd(2.0))) as session:
        session.spend(tokens=1_000_000)
        session.seen.wait_for(notices.Spent)
        model = ("llm", "openai", "gpt-4o-mini")
        cost = session.value("sottovoce_service_cost_usd_total", *model)
        assert cost == pytest.approx(0.75)  # 0.15 for a million tokens sent, 0.60 for a million received
        assert session.value("sottovoce_budget_spent_usd", "session") == pytest.approx(cost)
        assert session.value("sottovoce_budget_spent_usd", "day") == pytest.approx(cost)
        assert session.value("sottovoce_budget_limit_usd", "session", "warn") == 0.5
        assert session.value("sottovoce_budget_limit_usd", "day", "stop") == 2.0
        limits = [one.labels for one in session.registry.readings() if one.metric.name == "sottovoce_budget_limit_usd"]
        assert sorted(limits) == [("day", "stop"), ("session", "warn")]
        assert session.value("sottovoce_service_tokens_total", *model, "sent") == 1_000_000.0


def test_engine_is_told_as_it_counts() -> None:
    with WatchedSession() as session:
        session.move(5)
        state = session.player.snapshot_state()
        assert session.value("sottovoce_stream_blocks_total", "output") == 5.0
        assert session.value("sottovoce_stream_blocks_total", "input") == 5.0
        held = session.read("sottovoce_stream_callback_seconds", "output").value
        assert isinstance(held, Distribution)
        assert sum(held.counts) == state.stream.callback.count == 5
        assert held.total == pytest.approx(state.stream.callback.sum_ns / 1e9)
        assert 0.0 < held.total < 1.0
        assert session.value("sottovoce_stream_samplerate_hertz", "output") == 48000.0
        assert session.value("sottovoce_stream_info", "output", "first") == 1.0
        assert 0.0 < session.value("sottovoce_stream_ring_fill_ratio", "input") < 1.0


def test_source_that_runs_dry_is_an_underrun() -> None:
    with WatchedSession() as session:
        session.voice.write(np.full((300, 1), 0.1, np.float32))
        session.move(3)
        assert session.value("sottovoce_stream_underruns_total", "output") >= 1.0
        assert session.value("sottovoce_stream_starvations_total", "output") == 1.0


def test_stream_that_is_lost_is_in_one_state_and_counts_its_recreates() -> None:
    with WatchedSession() as session:
        session.move()
        session.hosts[0].streams[-1].finish()
        wait_until(lambda: session.value("sottovoce_stream_recreates_total", "output") >= 1.0, 10.0, "a new stream")
        names = [one for one in session.registry.readings() if one.metric.name == "sottovoce_stream_state"]
        assert sum(float(one.value) for one in names if one.labels[0] == "output") == 1.0  # type: ignore[arg-type]
        assert session.value("sottovoce_stream_recreate_worst_seconds", "output") > 0.0


def test_queues_and_drops_are_told() -> None:
    with WatchedSession() as session:
        session.pipeline.tell(notices.SegmentDropped(1, "the recognisers are too slow"))
        session.seen.wait_for(notices.SegmentDropped)
        assert session.value("sottovoce_segments_dropped_total", "the recognisers are too slow") == 1.0
        assert session.value("sottovoce_queue_capacity_items", "segments") == 8.0
        for queue in ("events", "segments", "questions", "theses", "narration"):
            assert session.value("sottovoce_queue_dropped_total", queue) == 0.0


def test_every_metric_of_the_catalogue_is_given() -> None:
    with WatchedSession(Limits(session_warn=1)) as session:
        session.move()
        ask(session, 1)
        ask(session, 3, turns=2)
        session.spend()
        session.pipeline.tell(notices.SegmentDropped(1, "late"))
        session.seen.wait_for(notices.SegmentDropped)
        given = {one.metric.name for one in session.registry.readings()}
        wanted = {metric.name for metrics in CATALOGUE.values() for metric in metrics}
        assert wanted - given == {"sottovoce_service_unpriced_calls_total"}  # every price was known


def test_page_holds_no_word_of_what_was_said() -> None:
    with WatchedSession() as session:
        ask(session, 1)
        page = session.page()
        assert "sottovoce_turns_total" in page
        assert not [word for word in ("plan", "aaaa", "test notes") if word in page]


def test_scrapers_that_never_read_do_not_delay_a_turn() -> None:
    with WatchedSession() as session, ExitStack() as stack:
        for _ in range(20):
            idle = stack.enter_context(socket.create_connection((session.server.address, session.server.port)))
            idle.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        ask(session, 1)
        assert session.value("sottovoce_turns_total", "spoken") == 1.0


def test_meter_does_not_wait_for_whoever_reads() -> None:
    """A scraper that hangs in the middle of a reading holds no lock that the session needs."""
    registry = Registry()
    meter = SessionMeter(registry, {"llm": "list"})
    reading, gate = threading.Event(), threading.Event()

    def slow() -> list[object]:
        reading.set()
        gate.wait(10.0)
        return []

    with registry.asking(slow):  # type: ignore[arg-type]
        scraper = threading.Thread(target=registry.readings)
        scraper.start()
        assert reading.wait(10.0)
        for _ in range(100):
            meter(notices.BackendChanged("llm", "notes"))
        assert scraper.is_alive()
        gate.set()
        scraper.join()


def test_turn_becomes_a_trace_without_its_words() -> None:
    pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from sottovoce.app.metering.traces import TurnWatch
    from sottovoce.metrics.traces import TurnTraces

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with WatchedSession() as session, closing(TurnTraces(provider.get_tracer("test"), session.clock)) as traces:
        watch = TurnWatch(traces)
        ask(session, 1)
        for notice in session.seen.notices:
            watch(notice)
        traces.close()
    spans = exporter.get_finished_spans()
    (root,) = [span for span in spans if span.parent is None]
    assert {span.name for span in spans} == {"turn", *set(Span) - {Span.TOTAL}}
    assert root.attributes is not None
    assert root.attributes["sottovoce.turn.outcome"] == "spoken"
    assert root.attributes["sottovoce.turn.theses"] == 2
    assert root.attributes["sottovoce.turn.speculated"] is True
    told = " ".join(span.to_json() for span in spans)
    assert not [word for word in ("plan", "aaaa", "test notes") if word in told]


def test_second_ear_is_a_direction_of_its_own() -> None:
    with (
        WatchedSession() as session,
        session.registry.asking(lambda: of_recorder(session.recorder.snapshot_state(), "loopback")),
    ):
        session.move(2)
        assert session.value("sottovoce_stream_blocks_total", "loopback") == 2.0
        assert session.value("sottovoce_stream_blocks_total", "input") == 2.0
