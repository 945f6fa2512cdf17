"""Marks of a turn and what is read from them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.metrics.stages import Span, Stage, TurnRecorder, TurnTimes, percentile, summarize

MS = 1_000_000


class HeldClock:
    """A clock that stands where the test puts it."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns


def times(turn: int = 1, **marks_ms: float) -> TurnTimes:
    return TurnTimes(turn, {Stage(name): int(value * MS) for name, value in marks_ms.items()})


def test_recorder_takes_given_moments_and_those_of_its_clock() -> None:
    clock = HeldClock()
    recorder = TurnRecorder(3, clock)
    recorder.mark(Stage.SPEECH_END, 10 * MS)
    clock.ns = 25 * MS
    recorder.mark(Stage.SEGMENT_READY)
    frozen = recorder.freeze()
    assert frozen.turn == 3
    assert frozen.ms(Stage.SPEECH_END, Stage.SEGMENT_READY) == 15.0
    assert frozen.span_ms(Span.VAD_END) == 15.0


def test_recorder_keeps_the_first_mark_of_a_stage_but_the_last_of_last_sample() -> None:
    recorder = TurnRecorder(1, HeldClock())
    assert recorder.mark(Stage.TTS_START, 5) == 5
    assert recorder.mark(Stage.TTS_START, 9) == 5
    recorder.mark(Stage.LAST_SAMPLE, 7)
    recorder.mark(Stage.LAST_SAMPLE, 11)
    assert recorder.mark(Stage.LAST_SAMPLE, 8) == 11
    assert dict(recorder.freeze().marks_ns) == {Stage.TTS_START: 5, Stage.LAST_SAMPLE: 11}


def test_frozen_times_do_not_follow_later_marks() -> None:
    recorder = TurnRecorder(1, HeldClock())
    recorder.mark(Stage.ASR_START, 1)
    frozen = recorder.freeze()
    recorder.mark(Stage.ASR_DONE, 2)
    assert Stage.ASR_DONE not in frozen.marks_ns


def test_recorder_takes_marks_from_several_threads() -> None:
    recorder = TurnRecorder(1)
    start = threading.Barrier(len(Stage))

    def reach(stage: Stage) -> None:
        start.wait()
        recorder.mark(stage)

    threads = [threading.Thread(target=reach, args=(stage,)) for stage in Stage]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(recorder.freeze().marks_ns) == set(Stage)


def test_spans_are_absent_where_a_stage_was_not_reached() -> None:
    turn = times(speech_end=0, segment_ready=300, asr_start=301)
    assert turn.spans_ms() == {Span.VAD_END: 300.0, Span.ASR_WAIT: 1.0}
    assert turn.total_ms is None


def test_total_runs_from_the_true_end_of_the_question_to_the_first_sample() -> None:
    assert times(speech_end=100, segment_ready=400, first_sample=850).total_ms == 750.0


def test_every_span_ends_later_than_it_starts_in_the_usual_order() -> None:
    order = list(Stage)
    assert all(order.index(span.start) < order.index(span.end) for span in Span)


def test_summary_has_median_p95_and_maximum_of_the_turns_that_have_the_span() -> None:
    turns = [times(n, speech_end=0, first_sample=float(n)) for n in range(1, 101)]
    summary = summarize([*turns, times(101, speech_end=0)])
    assert summary.turns == 101
    total = summary.spans[Span.TOTAL]
    assert (total.count, total.median_ms, total.p95_ms, total.max_ms) == (100, 50.5, 95.0, 100.0)
    assert Span.ASR not in summary.spans


def test_summary_of_nothing_is_empty() -> None:
    summary = summarize([])
    assert summary.turns == 0
    assert not summary.spans


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_percentile_is_a_value_that_enough_values_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100.0 - 1e-9 * len(values)


@pytest.mark.parametrize("percent", [-0.1, 100.1])
def test_percentile_refuses_what_is_no_percentage(percent: float) -> None:
    with pytest.raises(ValueError, match="within 0 and 100"):
        percentile([1.0], percent)
