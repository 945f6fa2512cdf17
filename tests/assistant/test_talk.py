"""What is said is recognised while it is being said: answered early, followed, or cut; through a real segmenter."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.assistant import notices
from sottovoce.assistant.controls import Advance, Control
from sottovoce.assistant.pipeline import Parts, Pipeline, PipelineSettings
from sottovoce.assistant.turn import Speculate
from sottovoce.core.types import Mono
from sottovoce.speech.segmenter import Segmenter, SegmenterSettings
from sottovoce.speech.speaker import SpeakerVerdict
from tests.assistant.test_pipeline import ANSWERS, Session, running
from tests.support.fakes import (
    SAMPLERATE,
    LevelDetector,
    ListGenerator,
    ScriptedInput,
    SteppedOutput,
    WordStreams,
    said,
)

SAID = {1: "what", 2: "is", 3: "the", 4: "plan", 5: "please", 6: "for", 7: "may", 8: "second"}
PLANS = {"what is the plan": ["aaaa", "bbbb"], "what is the plan for may": ["cc"]}


class Talk(Session):
    """A pipeline that hears speech word by word, through a real segmenter."""

    def __init__(
        self,
        own: bool = False,
        speculate: Speculate = "answer",
        partials: bool = True,
        advance: Advance = "auto",
        lossless: bool = False,
        words: dict[int, str] = SAID,
        segmenter: SegmenterSettings | None = None,
    ) -> None:
        super().__init__()
        self.output = SteppedOutput()
        self.input = ScriptedInput(realtime=not lossless)
        self.words = WordStreams(words)
        self.generator = ListGenerator({**PLANS, **ANSWERS, "when do we launch": ["Launch moved to October", "two"]})
        self.own = own
        pausing = segmenter or SegmenterSettings(pause_ms=0 if lossless else 160)
        parts = Parts(
            self.input,
            Segmenter(LevelDetector(), pausing),
            self,
            [self.words],
            self.generator,
            self.synthesizer,
            self.output,
        )
        settings = PipelineSettings(
            lossless=lossless, pause_s=0.1, advance=advance, speculate=speculate, partials=partials
        )
        self.pipeline = Pipeline(parts, settings, self.seen)

    def verify(self, audio: Mono, samplerate: int) -> SpeakerVerdict:
        return SpeakerVerdict("own" if self.own else "other", 1.0)

    def speculated(self) -> list[tuple[str, bool]]:
        return [(notice.utterance.text, notice.early) for notice in self.seen.of(notices.Speculated)]  # type: ignore[union-attr]

    def taken(self) -> list[bool]:
        return [notice.taken for notice in self.seen.of(notices.SpeculationEnded)]  # type: ignore[union-attr]


def silence(seconds: float) -> Mono:
    return np.zeros(round(seconds * SAMPLERATE), np.float32)


def say(session: Talk, *words: int, then_s: float = 0.0, until: type | None = None, count: int = 1) -> None:
    """Speech, then silence; without silence the last word is drawn out until something has happened."""
    session.input.hear(np.concatenate([said(*words), silence(then_s)]))
    if until is None:
        return
    for _ in range(500):
        if then_s or session.seen.came(until, count, within_s=0.02):
            break
        session.input.hear(said(words[-1], seconds=0.1))
    session.seen.wait_for(until, count)


def test_answer_begun_while_the_question_is_asked_is_heard_when_it_is_over_and_not_before() -> None:
    with running(Talk()) as session:
        say(session, 1, 2, 3, 4, until=notices.ThesisForeseen, count=2)
        assert session.speculated() == [("what is the plan", True)]
        assert session.output.written_s == 0.0
        say(session, 5, then_s=1.0, until=notices.TurnEnded)
        assert session.spoken() == ["aaaa", "bbbb"]
        assert session.taken() == [True]
        assert [question.text for question in session.generator.asked] == ["what is the plan"]
        (heard,) = session.seen.of(notices.UtteranceHeard)
        assert heard.utterance.text == "what is the plan please"  # type: ignore[union-attr]
        shown = [notice.text for notice in session.seen.of(notices.HeardSoFar)]  # type: ignore[union-attr]
        assert shown[-2:] == ["what is the plan", "what is the plan please"]


def test_answer_begun_too_early_is_never_heard() -> None:
    with running(Talk()) as session:
        say(session, 1, 2, 3, 4, until=notices.ThesisForeseen, count=2)
        say(session, 6, until=notices.SpeculationEnded)
        say(session, 7, then_s=1.0, until=notices.TurnEnded)
        assert session.spoken() == ["cc"]
        assert session.taken()[0] is False


def test_recogniser_that_hears_something_else_in_the_end_is_believed() -> None:
    session = Talk()
    session.words.wrongly = lambda text: text.replace("second", "plan")
    with running(session):
        session.words.words = {**SAID, 8: "second"}
        session.generator.answers["what is the second"] = ["ff"]
        say(session, 1, 2, 3, 8, until=notices.ThesisForeseen, count=2)
        say(session, 0, then_s=1.0, until=notices.TurnEnded)
        assert session.spoken() == ["ff"]
        assert session.taken()[0] is False


@pytest.mark.parametrize(("speculate", "partials"), [("off", True), ("transcript", True), ("answer", False)])
def test_nothing_is_begun_early_where_a_setting_says_so(speculate: Speculate, partials: bool) -> None:
    with running(Talk(speculate=speculate, partials=partials)) as session:
        say(session, 1, 2, 3, 4, then_s=1.0, until=notices.TurnEnded)
        assert not any(early for _, early in session.speculated())
        assert bool(session.seen.of(notices.HeardSoFar)) is partials
        assert session.spoken() == ["aaaa", "bbbb"]


def test_recording_is_heard_without_partial_transcripts() -> None:
    with running(Talk(lossless=True)) as session:
        say(session, 1, 2, 3, 4, then_s=1.0)
        session.input.end()
        assert session.pipeline.wait(10.0)
        assert session.words.opened == []
        assert session.spoken() == ["aaaa", "bbbb"]


def test_stream_that_breaks_is_no_loss() -> None:
    session = Talk()
    session.words.failing = True
    with running(session):
        say(session, 1, 2, 3, 4, then_s=1.0, until=notices.TurnEnded)
        assert session.spoken() == ["aaaa", "bbbb"]
        assert session.seen.of(notices.BackendFailed)


def test_own_words_so_far_are_never_answered() -> None:
    with running(Talk(own=True)) as session:
        say(session, 1, 2, 3, 4, then_s=1.0, until=notices.UtteranceHeard)
        assert session.generator.asked == []
        assert not session.seen.of(notices.Speculated)


def test_close_while_somebody_speaks_closes_the_stream() -> None:
    with running(Talk()) as session:
        say(session, 1, 2, 3, 4, until=notices.ThesisForeseen)
    assert session.taken() == [False]
    assert all(stream.closed for stream in session.words.opened)


LAUNCH = {1: "when", 2: "do", 3: "we", 4: "launch", 5: "october", 6: "moved", 7: "well", 8: "maybe"}


def test_next_thesis_follows_what_the_wearer_has_said_in_own_words() -> None:
    with running(Talk(advance="follow", words=LAUNCH)) as session:
        say(session, 1, 2, 3, 4, then_s=1.0, until=notices.ThesisSpoken)
        session.own = True
        say(session, 7, 8, 7, then_s=1.0, until=notices.UtteranceHeard, count=2)
        assert session.spoken() == ["Launch moved to October"]
        say(session, 5, 4, 6, then_s=1.0, until=notices.ThesisSpoken, count=2)
        assert session.spoken() == ["Launch moved to October", "two"]
        session.own = False
        session.seen.wait_for(notices.TurnEnded)
        assert session.outcomes() == [(1, "spoken")]


def test_words_of_others_and_keys_move_on_as_ever_while_the_wearer_is_followed() -> None:
    with running(Talk(advance="follow", words=LAUNCH)) as session:
        say(session, 1, 2, 3, 4, then_s=1.0, until=notices.ThesisSpoken)
        say(session, 5, 4, 6, then_s=1.0, until=notices.UtteranceHeard, count=2)
        assert session.spoken() == ["Launch moved to October"]
        session.pipeline.control(Control.NEXT)
        session.seen.wait_for(notices.ThesisSpoken, 2)


def test_person_who_never_stops_is_answered_piece_by_piece() -> None:
    with running(Talk(segmenter=SegmenterSettings(pause_ms=160, max_segment_s=4.0))) as session:
        session.generator.answers = {}
        say(session, *[1, 2, 3, 8] * 10)
        session.seen.wait_for(notices.UtteranceHeard, 4)
        assert max(len(stream.audio) for stream in session.words.opened) <= 4.1 * SAMPLERATE
        assert all(stream.closed for stream in session.words.opened[:-1])
