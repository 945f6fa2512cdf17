"""The pipeline's threads with scripted parts: order, interruption, failure, overload, close."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from sottovoce.assistant import notices
from sottovoce.assistant.controls import MOST_GAIN_DB, Advance, Control
from sottovoce.assistant.messages import SpeakerKind
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.core.types import Mono
from sottovoce.metrics.stages import Stage
from sottovoce.speech.speaker import NotEnrolled, SpeakerPart, SpeakerVerdict
from tests.support.fakes import (
    SAMPLERATE,
    BlockSegmenter,
    ListGenerator,
    Notebook,
    PausingSegmenter,
    ScriptedInput,
    SteppedOutput,
    ToneSynthesizer,
    WordRecognizer,
)

WORDS = {1: "first", 2: "second", 3: "third", 4: "", 5: "fail", 6: "unknown", 7: "broken", 8: "silent"}
ANSWERS = {
    "first": ["aaaa", "bbbb", "cccc"],
    "second": ["dd", "ee"],
    "third": ["ff"],
    "broken": ["gg", "fail"],
    "silent": ["mute", "fail"],
}


class Session:
    """A pipeline of scripted parts."""

    def __init__(
        self,
        lossless: bool = False,
        output: SteppedOutput | None = None,
        gates: dict[int, threading.Event] | None = None,
        answer_gates: dict[str, threading.Event] | None = None,
        recognizers: int = 2,
        own: tuple[int, ...] = (),
        both: tuple[int, ...] = (),
        queue: int = 8,
        pausing: bool = False,
        advance: Advance = "auto",
    ) -> None:
        self.input = ScriptedInput(realtime=not lossless)
        self.output = output or SteppedOutput()
        self.recognizer = WordRecognizer(WORDS, gates)
        self.generator = ListGenerator(ANSWERS, answer_gates)
        self.synthesizer = ToneSynthesizer()
        self.seen = Notebook()

        class Verifier:
            def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
                kind: SpeakerKind = "own" if round(float(audio[0])) in own else "other"
                middle = len(audio) // 2  # where one who asks ends, and the wearer begins
                parts = (SpeakerPart(0, middle, "other", 0.0), SpeakerPart(middle, len(audio), "own", 1.0))
                return SpeakerVerdict(kind, 1.0, parts if round(float(audio[0])) in both else ())

        self.segmenter = PausingSegmenter() if pausing else BlockSegmenter()
        parts = Parts(
            self.input,
            self.segmenter,
            Verifier() if own or both else NotEnrolled(),
            [self.recognizer] * recognizers,
            self.generator,
            self.synthesizer,
            self.output,
        )
        settings = PipelineSettings(lossless=lossless, pause_s=0.1, segment_queue=queue, advance=advance)
        self.pipeline = Pipeline(parts, settings, self.seen)

    def outcomes(self) -> list[tuple[int, str]]:
        return [(ended.generation, ended.outcome) for ended in self.seen.of(notices.TurnEnded)]  # type: ignore[union-attr]

    def spoken(self) -> list[str]:
        return [notice.thesis.text for notice in self.seen.of(notices.ThesisSpoken)]  # type: ignore[union-attr]


@contextmanager
def running(session: Session) -> Iterator[Session]:
    before = set(threading.enumerate())
    session.pipeline.start()
    try:
        yield session
    finally:
        assert session.pipeline.close(5.0) == ()
        assert set(threading.enumerate()) <= before


def test_recording_is_answered_question_by_question_in_order() -> None:
    with running(Session(lossless=True)) as session:
        for word in (1, 2, 3):
            session.input.say(word)
        session.input.end()
        assert session.pipeline.wait(10.0)
        assert session.spoken() == ["aaaa", "bbbb", "cccc", "dd", "ee", "ff"]
        assert session.outcomes() == [(1, "spoken"), (2, "spoken"), (3, "spoken")]


def test_recording_waits_for_a_slow_recogniser_and_keeps_the_order() -> None:
    gate = threading.Event()
    with running(Session(lossless=True, gates={1: gate}, queue=1)) as session:
        for word in (1, 2, 3, 2, 3, 2, 3):
            session.input.say(word)
        session.input.end()
        assert session.outcomes() == []
        gate.set()
        assert session.pipeline.wait(10.0)
        assert [generation for generation, _ in session.outcomes()] == [1, 2, 3, 4, 5, 6, 7]
        assert not session.seen.of(notices.SegmentDropped)


def test_theses_lie_in_the_output_with_the_pause_between_and_no_other_gap() -> None:
    with running(Session(lossless=True)) as session:
        session.input.say(1)
        session.input.end()
        assert session.pipeline.wait(10.0)
        spans = [(n.start_s, n.end_s) for n in session.seen.of(notices.ThesisSpoken)]  # type: ignore[union-attr]
        assert spans == [
            (pytest.approx(0.0), pytest.approx(0.4)),
            (pytest.approx(0.5), pytest.approx(0.9)),
            (pytest.approx(1.0), pytest.approx(1.4)),
        ]


def test_first_thesis_sounds_while_the_others_are_not_written_yet() -> None:
    output = SteppedOutput(instant=False, room_s=0.2)
    with running(Session(output=output)) as session:
        session.input.say(1)
        assert output.wait_written(0.2)
        output.play(0.1)
        session.seen.wait_for(notices.ThesisStarted)
        assert session.spoken() == []


def test_new_question_with_an_answer_interrupts_and_says_what_was_heard() -> None:
    output = SteppedOutput(instant=False)
    with running(Session(output=output)) as session:
        session.input.say(1)
        assert output.wait_written(1.4)
        output.play(0.65)
        session.seen.wait_for(notices.ThesisStarted, 2)
        session.input.say(3)
        session.seen.wait_for(notices.TurnEnded)
        cut = session.seen.wait_for(notices.ThesisCut)[0]
        assert cut.thesis.text == "bbbb"  # type: ignore[union-attr]
        assert cut.heard_s == pytest.approx(0.15)  # type: ignore[union-attr]
        assert output.wait_written(0.2)
        output.play(1.0)
        session.seen.wait_for(notices.TurnEnded, 2)
        assert session.outcomes() == [(1, "interrupted"), (2, "spoken")]
        assert session.spoken() == ["aaaa", "ff"]


@pytest.mark.parametrize("word", [4, 5, 6])
def test_utterance_without_an_answer_interrupts_nothing(word: int) -> None:
    output = SteppedOutput(instant=False)
    with running(Session(output=output)) as session:
        session.input.say(1)
        assert output.wait_written(1.4)
        session.input.say(word)
        session.seen.wait_for(notices.UtteranceHeard, 2)
        if word == 6:
            session.seen.wait_for(notices.TurnEnded)
        assert output.written_s == pytest.approx(1.4)
        output.play(2.0)
        session.seen.wait_for(notices.ThesisSpoken, 3)


def test_own_voice_is_heard_but_never_answered() -> None:
    with running(Session(own=(1,))) as session:
        session.input.say(1)
        session.input.say(3)
        session.input.end()
        assert session.pipeline.wait(10.0)
        assert session.spoken() == ["ff"]
        assert session.generator.asked[0].context in ((), ("Wearer: first",))


@pytest.mark.parametrize("pausing", [False, True], ids=["at its end", "at a pause"])
def test_segment_of_both_is_the_question_of_one_and_context_of_the_other(pausing: bool) -> None:
    with running(Session(both=(1,), pausing=pausing, recognizers=1)) as session:
        block = np.zeros(2 * SAMPLERATE, np.float32)
        block[0], block[SAMPLERATE] = 1, 2
        session.input.hear_whole(block)
        if pausing:
            session.seen.wait_for(notices.Speculated)
            session.input.say(PausingSegmenter.OVER)
        heard = session.seen.wait_for(notices.UtteranceHeard, 2)
        session.seen.wait_for(notices.ThesisStarted)
        session.input.say(3)
        if pausing:
            session.seen.wait_for(notices.Speculated, 2)
            session.input.say(PausingSegmenter.OVER)
        session.seen.wait_for(notices.TurnEnded, 2)
    question, own = (each.utterance for each in heard)  # type: ignore[union-attr]
    assert (question.text, question.speaker, question.start_s, question.end_s) == ("first", "other", 0.0, 1.0)
    assert (own.text, own.speaker, own.start_s, own.end_s, own.aside) == ("second", "own", 1.0, 2.0, True)
    assert [asked.text for asked in session.generator.asked] == ["first", "third"]
    told = [line for line in session.generator.asked[1].context if not line.startswith("Prompted")]
    assert told == ["Other: first", "Wearer: second"]


def test_aside_that_cannot_be_transcribed_costs_its_question_nothing() -> None:
    with running(Session(both=(1,), recognizers=1)) as session:
        block = np.zeros(2 * SAMPLERATE, np.float32)
        block[0], block[SAMPLERATE] = 1, 5
        session.input.hear_whole(block)
        session.seen.wait_for(notices.BackendFailed)
        session.seen.wait_for(notices.ThesisStarted)
    assert len(session.seen.of(notices.UtteranceHeard)) == 1


def test_failing_generator_leaves_what_it_made_and_failing_speech_is_skipped() -> None:
    with running(Session(lossless=True)) as session:
        session.input.say(7)
        session.input.say(8)
        session.input.say(3)
        session.input.end()
        assert session.pipeline.wait(10.0)
        assert session.outcomes() == [(1, "spoken"), (2, "failed"), (3, "spoken")]
        assert session.spoken() == ["gg", "ff"]
        failed = [n.reason for n in session.seen.of(notices.ThesisFailed)]  # type: ignore[union-attr]
        assert failed == ["the synthesiser gave no sound"]
        assert {n.backend for n in session.seen.of(notices.BackendFailed)} == {"list"}  # type: ignore[union-attr]


def test_overload_drops_the_oldest_and_says_so() -> None:
    gate = threading.Event()
    with running(Session(gates={1: gate}, recognizers=1, queue=2)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.SpeechBegan)
        for word in (2, 2, 2, 3):
            session.input.say(word)
        dropped = session.seen.wait_for(notices.SegmentDropped)
        assert dropped[0].reason == "the recognisers are too slow"  # type: ignore[union-attr]
        gate.set()
        session.input.end()
        assert session.pipeline.wait(10.0)
        assert session.spoken()[-1] == "ff"


def test_older_segments_are_given_up_once_a_later_question_has_its_answer() -> None:
    gate = threading.Event()
    with running(Session(gates={1: gate})) as session:
        session.input.say(1)
        session.input.say(3)
        dropped = session.seen.wait_for(notices.SegmentDropped)
        assert dropped[0].number == 1  # type: ignore[union-attr]
        session.input.end()
        assert session.pipeline.wait(10.0)
        assert session.spoken() == ["ff"]


def test_generator_that_hangs_on_one_question_does_not_hold_up_the_next() -> None:
    with running(Session(answer_gates={"first": threading.Event()})) as session:
        session.input.say(1)
        session.seen.wait_for(notices.UtteranceHeard)
        session.input.say(3)
        session.seen.wait_for(notices.ThesisSpoken)
        assert session.outcomes()[0] == (1, "superseded")


def test_stages_of_a_turn_are_marked_in_order() -> None:
    with running(Session()) as session:
        session.input.say(3)
        ended = session.seen.wait_for(notices.TurnEnded)[0]
        marks = ended.times.marks_ns  # type: ignore[union-attr]
        wanted = [
            Stage.SPEECH_END,
            Stage.SEGMENT_READY,
            Stage.ASR_START,
            Stage.ASR_DONE,
            Stage.QUESTION_ACCEPTED,
            Stage.LLM_START,
            Stage.LLM_FIRST_TOKEN,
            Stage.FIRST_THESIS,
            Stage.TTS_START,
            Stage.TTS_FIRST_CHUNK,
        ]
        moments = [marks[stage] for stage in wanted]
        assert moments == sorted(moments)
        assert Stage.FIRST_SAMPLE in marks
        assert marks[Stage.SEGMENT_READY] - marks[Stage.SPEECH_END] == pytest.approx(0.5e9, rel=0.1)


@pytest.mark.parametrize("stage", ["recogniser", "generator", "voice"])
def test_close_ends_whatever_is_in_flight(stage: str) -> None:
    session = Session(
        output=SteppedOutput(instant=False, room_s=0.2),
        gates={1: threading.Event()} if stage == "recogniser" else None,
        answer_gates={"first": threading.Event()} if stage == "generator" else None,
    )
    with running(session):
        session.input.say(1)
        session.seen.wait_for(
            {"recogniser": notices.SpeechBegan, "voice": notices.ThesisAdded}.get(stage, notices.UtteranceHeard)
        )
    if stage != "recogniser":
        assert session.outcomes() == [(1, "closed")]


def test_what_is_heard_at_the_end_is_not_called_an_overload() -> None:
    gate = threading.Event()
    session = Session(gates={1: gate}, recognizers=1)
    with running(session):
        session.input.say(1)
        session.seen.wait_for(notices.SpeechBegan)
        session.input.say(2)
    assert session.seen.of(notices.SegmentDropped) == []


def test_crash_of_a_thread_reaches_whoever_waits() -> None:
    session = Session()
    session.recognizer.words = {}
    with running(session):
        session.input.say(1)
        with pytest.raises(KeyError):
            session.pipeline.wait(10.0)


def test_what_was_made_at_the_pause_is_heard_once_the_question_is_over() -> None:
    with running(Session(pausing=True)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.ThesisForeseen, 3)
        assert session.output.written_s == 0.0
        assert not session.seen.of(notices.UtteranceHeard)
        session.input.say(PausingSegmenter.OVER)
        session.seen.wait_for(notices.TurnEnded)
        assert session.spoken() == ["aaaa", "bbbb", "cccc"]
        assert [question.text for question in session.generator.asked] == ["first"]
        (ended,) = session.seen.of(notices.TurnEnded)
        marks = ended.times.marks_ns  # type: ignore[union-attr]
        assert marks[Stage.PAUSE_NOTICED] < marks[Stage.ASR_DONE] < marks[Stage.SEGMENT_READY]


def test_what_was_made_at_a_pause_is_thrown_away_if_speech_goes_on() -> None:
    with running(Session(pausing=True)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.ThesisForeseen, 3)
        session.input.say(PausingSegmenter.WENT_ON)
        session.input.say(2)
        session.seen.wait_for(notices.ThesisForeseen, 5)
        session.input.say(PausingSegmenter.OVER)
        session.seen.wait_for(notices.TurnEnded)
        assert session.spoken() == ["dd", "ee"]
        ends = [(notice.generation, notice.taken) for notice in session.seen.of(notices.SpeculationEnded)]  # type: ignore[union-attr]
        assert ends == [(1, False), (2, True)]


def test_transcription_of_a_pause_is_given_up_if_speech_goes_on() -> None:
    gate = threading.Event()
    with running(Session(pausing=True, gates={1: gate}, recognizers=1)) as session:
        session.input.say(1)
        assert session.recognizer.busy.wait(10.0)
        session.input.say(PausingSegmenter.WENT_ON)
        session.input.say(2)
        session.seen.wait_for(notices.ThesisForeseen, 2)
        assert gate.is_set()  # by its cancellation: the only recogniser was free for the second
        assert not session.seen.of(notices.SegmentDropped)


def test_question_that_ends_before_its_transcript_is_answered_as_ever() -> None:
    gate = threading.Event()
    with running(Session(pausing=True, gates={1: gate})) as session:
        session.input.say(1)
        session.input.say(PausingSegmenter.OVER)
        gate.set()
        session.seen.wait_for(notices.TurnEnded)
        assert session.outcomes() == [(1, "spoken")]
        assert not session.seen.of(notices.ThesisForeseen) or session.seen.of(notices.SpeculationEnded)


def test_close_in_the_middle_of_a_speculation_leaves_nothing() -> None:
    with running(Session(pausing=True)) as session:
        session.input.say(1)
        session.seen.wait_for(notices.ThesisForeseen, 3)
    assert [notice.taken for notice in session.seen.of(notices.SpeculationEnded)] == [False]  # type: ignore[union-attr]
    assert not session.seen.of(notices.TurnEnded)


def hear(session: Session, output: SteppedOutput, frames_s: float, written_s: float) -> None:
    assert output.wait_written(written_s)
    output.play(frames_s)


def test_next_leaves_the_thesis_that_sounds_and_previous_and_repeat_go_back() -> None:
    output = SteppedOutput(instant=False)
    with running(Session(output=output)) as session:
        session.input.say(1)
        hear(session, output, 0.2, 1.4)
        session.seen.wait_for(notices.ThesisStarted)
        session.pipeline.control(Control.NEXT)
        cut = session.seen.wait_for(notices.ThesisCut)[0]
        assert (cut.thesis.text, cut.heard_s) == ("aaaa", pytest.approx(0.2))  # type: ignore[union-attr]
        hear(session, output, 0.4, 0.9)
        session.seen.wait_for(notices.ThesisSpoken)
        assert session.spoken() == ["bbbb"]
        output.play(0.3)
        session.seen.wait_for(notices.ThesisStarted, 3)
        session.pipeline.control(Control.PREVIOUS)
        session.seen.wait_for(notices.ThesisCut, 2)
        hear(session, output, 2.0, 0.9)
        session.seen.wait_for(notices.TurnEnded)
        assert session.spoken() == ["bbbb", "bbbb", "cccc"]
        flushes = output.generation
        session.pipeline.control(Control.REPEAT)
        assert output.wait_generation(flushes + 1)
        assert output.wait_written(0.4)
        output.play(1.0)
        assert output.written_s == pytest.approx(0.4)
    assert session.outcomes() == [(1, "spoken")]
    assert session.spoken() == ["bbbb", "bbbb", "cccc"]


def test_next_beyond_the_last_thesis_ends_the_turn() -> None:
    output = SteppedOutput(instant=False)
    with running(Session(output=output)) as session:
        session.input.say(3)
        hear(session, output, 0.1, 0.2)
        session.seen.wait_for(notices.ThesisStarted)
        session.pipeline.control(Control.NEXT)
        session.seen.wait_for(notices.TurnEnded)
        assert session.outcomes() == [(1, "spoken")]


def test_wearer_moves_on_where_nothing_else_does() -> None:
    with running(Session(advance="manual")) as session:
        session.input.say(1)
        for count, text in enumerate(["aaaa", "bbbb", "cccc"], 1):
            session.seen.wait_for(notices.ThesisSpoken, count)
            assert session.spoken()[-1] == text
            assert not session.seen.of(notices.TurnEnded) or count == 3
            session.pipeline.control(Control.NEXT)
        session.seen.wait_for(notices.TurnEnded)
        assert session.outcomes() == [(1, "spoken")]


def test_stop_silences_what_is_in_flight() -> None:
    output = SteppedOutput(instant=False)
    with running(Session(output=output)) as session:
        session.input.say(1)
        hear(session, output, 0.2, 1.4)
        session.seen.wait_for(notices.ThesisStarted)
        flushes = output.generation
        session.pipeline.control(Control.STOP)
        session.seen.wait_for(notices.TurnEnded)
        assert session.outcomes() == [(1, "stopped")]
        assert output.generation > flushes


def test_voice_is_paused_made_louder_and_goes_on_with_a_new_answer() -> None:
    output = SteppedOutput(instant=False)
    with running(Session(output=output)) as session:
        session.input.say(1)
        hear(session, output, 0.2, 1.4)
        session.pipeline.control(Control.PAUSE)
        assert output.paused
        for _ in range(9):
            session.pipeline.control(Control.LOUDER)
        assert output.gain == pytest.approx(10 ** (MOST_GAIN_DB / 20))
        session.input.say(3)
        session.seen.wait_for(notices.TurnEnded)
        changes = session.seen.of(notices.VoiceChanged)
        assert [change.paused for change in changes] == [True] * 10 + [False]  # type: ignore[union-attr]
        assert not output.paused


def test_voice_is_paused_and_resumed_by_name() -> None:
    with running(Session()) as session:
        for on in (True, True, False):
            session.pipeline.control(Control.PAUSE, on)
        session.seen.wait_for(notices.VoiceChanged, 3)
        changes = session.seen.of(notices.VoiceChanged)
        assert [change.paused for change in changes] == [True, True, False]  # type: ignore[union-attr]


def test_microphone_is_muted_and_listens_again() -> None:
    with running(Session()) as session:
        session.pipeline.control(Control.MUTE)
        session.pipeline.control(Control.MUTE)
        session.pipeline.control(Control.MUTE, True)
        session.pipeline.control(Control.MUTE, True)
        session.seen.wait_for(notices.EarMuted, 4)
        changes = session.seen.of(notices.EarMuted)
        assert [change.muted for change in changes] == [True, False, True, True]  # type: ignore[union-attr]
