"""Marks of a turn and what is read from them."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from sottovoce.metrics.stages import Span, Stage, TurnRecorder, TurnTimes

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


def hit(**changed: float) -> TurnTimes:
    """A question that was transcribed and answered in its last pause."""
    marks = {
        "speech_end": 0, "pause_noticed": 160, "asr_start": 161, "asr_done": 240, "llm_start": 241, "first_thesis": 250,
        "tts_start": 251, "tts_first_chunk": 260, "segment_ready": 350, "question_accepted": 351, "first_sample": 358,
    }  # fmt: skip
    return times(**{**marks, **changed})


def test_spans_of_a_question_worked_on_before_its_end_are_never_negative() -> None:
    spans = hit().spans_ms()
    assert all(length >= 0.0 for length in spans.values())
    assert spans[Span.ASR_WAIT] == 1.0
    assert spans[Span.FIRST_SAMPLE] == 7.0


def test_what_runs_beside_the_wait_for_the_end_delays_nothing() -> None:
    delays = hit().critical_path_ms()
    assert delays[Span.VAD_END] == 350.0
    assert delays[Span.ASR] == delays[Span.FIRST_THESIS] == 0.0
    assert hit(asr_done=400, tts_first_chunk=380).critical_path_ms()[Span.ASR] == 50.0


@given(st.lists(st.integers(0, 1000), min_size=len(Stage), max_size=len(Stage)))
def test_delays_add_up_to_the_total(moments: list[int]) -> None:
    marks = dict(zip(Stage, moments, strict=True))
    marks[Stage.SPEECH_END], marks[Stage.FIRST_SAMPLE] = 0, 1000
    turn = TurnTimes(1, {stage: ms * MS for stage, ms in marks.items()})
    assert sum(turn.critical_path_ms().values()) == turn.total_ms
