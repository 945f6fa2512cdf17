"""Answers begun while their question is asked, case by case, and then everything in any order."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sottovoce.assistant.messages import (
    Abandon,
    Answer,
    AnswerEnded,
    Closing,
    Discard,
    DropOlderSegments,
    EndTurn,
    Finish,
    FinishSpeaking,
    Heard,
    Ignore,
    InputEnded,
    NarrationEnded,
    PartialHeard,
    Prepare,
    SegmentSettled,
    Speak,
    SpeechLost,
    SpeechWentOn,
    Take,
    Thesis,
    ThesisMade,
    TurnCommand,
    TurnEvent,
    VoidSegment,
)
from sottovoce.assistant.trace import Made, Step, Tracer, replay
from sottovoce.assistant.turn import MAX_EARLY, MAX_THINKING
from tests.assistant.test_turn import machine, reads_whole, settled, utterance


def partial(number: int, text: str = "what is the plan", speaker: str = "other") -> PartialHeard:
    return PartialHeard(utterance(number, text, speaker))


def test_question_that_reads_whole_is_answered_while_it_is_asked_and_taken_if_the_final_asks_the_same() -> None:
    turns = machine()
    thesis = Thesis(1, 1, "ship in June")
    assert turns.handle(partial(1)) == [Answer(1, utterance(1), (), speculative=True, early=True)]
    assert turns.handle(ThesisMade(thesis)) == [Prepare(thesis)]
    assert turns.audible_generation is None
    final = "What is the plan, please?"
    assert turns.handle(Heard(utterance(1, final), 1, settled=False)) == []
    assert turns.handle(SegmentSettled(1, 1, 7)) == [Take(1, settled(1, final)), DropOlderSegments(1), Speak(thesis)]


def test_question_that_is_over_before_its_transcript_takes_what_was_begun_while_it_was_asked() -> None:
    for told in (
        [SegmentSettled(1, 1, 7), Heard(utterance(1), 1, settled=False)],
        [Heard(settled(1))],
    ):
        turns = machine()
        turns.handle(partial(1))
        commands = [command for event in told for command in turns.handle(event)]
        assert commands == [Take(1, settled(1))]


def test_what_was_begun_while_it_was_asked_outlasts_pauses() -> None:
    turns = machine()
    turns.handle(partial(1))
    turns.handle(Heard(utterance(1), 1, settled=False))
    assert turns.handle(SpeechWentOn(1, 1)) == [VoidSegment(1, 1)]
    assert turns.speculative_generation == 1
    assert turns.handle(partial(1, "what is the plan then")) == []
    assert turns.handle(Heard(utterance(1, "what is the plan then"), 2, settled=False)) == []
    assert turns.handle(SegmentSettled(1, 2, 7))[0] == Take(1, settled(1, "what is the plan then"))


def test_final_transcript_that_asks_something_else_discards_it() -> None:
    longer = "what is the plan for May"
    for told in ([Heard(utterance(1, longer), 1, settled=False)], [Heard(utterance(1, longer))]):
        turns = machine()
        turns.handle(partial(1))
        (commands,) = [turns.handle(event) for event in told]
        assert commands[:2] == [Abandon(1, audible=False), Discard(1)]
        assert isinstance(commands[-1], Answer)
        assert commands[-1].utterance.text == longer
        assert not commands[-1].early


def test_more_words_discard_it_at_once_and_the_next_whole_question_is_answered() -> None:
    turns = machine()
    turns.handle(partial(1))
    assert turns.handle(partial(1, "what is the plan for")) == [Abandon(1, audible=False), Discard(1)]
    assert turns.handle(partial(1, "what is the plan for the other plan"))[0] == Answer(
        2, utterance(1, "what is the plan for the other plan"), (), speculative=True, early=True
    )


def test_recogniser_that_wavers_is_paid_for_no_more_than_three_times_a_question() -> None:
    turns = machine()
    begun = [command for n in range(20) for command in turns.handle(partial(1, f"is {n} the plan"))]
    assert sum(isinstance(command, Answer) for command in begun) == MAX_EARLY
    turns.handle(Heard(utterance(1, "is 20 the plan")))
    assert any(isinstance(command, Answer) for command in turns.handle(partial(2)))


def test_speech_that_came_to_nothing_leaves_no_trace() -> None:
    turns = machine()
    turns.handle(partial(1))
    assert turns.handle(SpeechLost(1)) == [Abandon(1, audible=False), Discard(1)]
    assert turns.handle(SpeechLost(1)) == []
    assert turns.handle(partial(1))[0] == Answer(2, utterance(1), (), speculative=True, early=True)


def test_own_voice_and_unfinished_words_begin_nothing_early() -> None:
    for told in (partial(1, speaker="own"), partial(1, "what is"), partial(1, "")):
        assert machine().handle(told) == []
    assert machine(speculate="transcript").handle(partial(1)) == []


def test_partial_of_a_question_that_is_over_is_dropped() -> None:
    turns = machine()
    turns.handle(SegmentSettled(1, 1, 7))
    assert turns.handle(partial(1)) == []
    turns.handle(InputEnded())
    assert turns.handle(partial(2)) == []
    assert turns.stale == 2


def test_failed_transcript_discards_what_was_begun_and_is_not_answered() -> None:
    turns = machine()
    turns.handle(partial(1))
    commands = turns.handle(Heard(utterance(1, "", error="503")))
    assert commands[:2] == [Abandon(1, audible=False), Discard(1)]
    assert isinstance(commands[2], Ignore)
    assert turns.open_generations == ()


TEXTS = ["what is the plan", "the other plan", "the other plan please", "what is the", ""]


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: one generation audible, and everything started ends once."""

    rejoin_s: float | None = None

    def __init__(self) -> None:
        super().__init__()
        self.turns = machine(3, rejoin_s=self.rejoin_s)
        self.number = 0
        self.theses: dict[int, int] = {}
        self.started: set[int] = set()
        self.ended: dict[int, str] = {}
        self.abandoned: set[int] = set()
        self.finishing: set[int] = set()
        self.answer_ended: set[int] = set()
        self.held: set[int] = set()
        self.steps: list[Step] = []
        self.tracer = Tracer(reads_whole)
        self.being_said = 0
        self.pause: tuple[int, int] | None = None
        self.unheard: list[tuple[int, int]] = []
        self.revision = 0
        self.input_ended = False
        self.closed = False
        self.finished = False

    def tell(self, event: TurnEvent) -> None:
        commands = self.turns.handle(event)
        self.steps.append(self.tracer.step(event, commands))
        self.apply(commands)

    def teardown(self) -> None:
        """Whatever has happened, it is decided the same from what a trace keeps of it."""
        kept = [Step(json.loads(json.dumps(told.event)), told.decided) for told in self.steps]
        assert [one for one in replay(Made(3, "answer", rejoin_s=self.rejoin_s), kept) if not one.same] == []

    def apply(self, commands: list[TurnCommand]) -> None:
        for command in commands:
            assert not self.finished
            match command:
                case Answer(generation):
                    assert generation not in self.started
                    self.started.add(generation)
                    if command.speculative:
                        assert not self.held
                        self.held.add(generation)
                case Take(generation):
                    self.held.remove(generation)
                case Discard(generation):
                    self.held.remove(generation)
                    assert generation not in self.ended
                    self.ended[generation] = "discarded"
                case Prepare(thesis):
                    assert thesis.generation in self.held
                case Speak(thesis):
                    assert thesis.generation not in self.held
                    assert thesis.generation not in self.abandoned
                    assert thesis.generation not in self.ended
                    assert thesis.generation == self.turns.audible_generation
                case FinishSpeaking(generation):
                    assert generation not in self.ended
                    self.finishing.add(generation)
                case Abandon(generation):
                    assert generation not in self.ended
                    self.abandoned.add(generation)
                case EndTurn(generation, outcome):
                    assert generation not in self.ended
                    assert generation not in self.held
                    self.ended[generation] = outcome
                case Finish():
                    assert self.input_ended
                    self.finished = True
                case _:
                    pass

    @precondition(lambda self: not self.input_ended and self.pause is None)
    @rule(heard=st.booleans(), again=st.booleans())
    def pauses(self, heard: bool, again: bool) -> None:
        if not (again and self.revision):
            self.begin(self.number + 1)
        self.revision += 1
        self.pause = (self.number, self.revision)
        self.unheard.append(self.pause)
        if heard:
            self.transcribe("what is the plan")

    def begin(self, number: int) -> None:
        if self.being_said not in (0, number):
            self.tell(SpeechLost(self.being_said))
            self.being_said = 0
        self.number, self.revision = number, 0

    @property
    def open_number(self) -> int:
        return self.number if self.revision else self.number + 1

    @precondition(lambda self: not self.input_ended and self.pause is None)
    @rule(text=st.sampled_from(TEXTS), own=st.booleans())
    def heard_in_part(self, text: str, own: bool) -> None:
        self.being_said = self.open_number
        self.tell(partial(self.open_number, text, "own" if own else "other"))

    @precondition(lambda self: self.being_said and self.pause is None)
    @rule()
    def lost(self) -> None:
        self.tell(SpeechLost(self.being_said))
        self.being_said = 0

    @precondition(lambda self: self.unheard)
    @rule(text=st.sampled_from(TEXTS))
    def transcribed(self, text: str) -> None:
        self.transcribe(text)

    def transcribe(self, text: str) -> None:
        number, revision = self.unheard.pop(0)
        self.tell(Heard(utterance(number, text), revision, settled=False))

    @precondition(lambda self: self.pause)
    @rule(over=st.booleans())
    def pause_ends(self, over: bool) -> None:
        assert self.pause is not None
        (number, revision), self.pause = self.pause, None
        if over:
            self.revision = self.being_said = 0
        event = SegmentSettled(number, revision, 7) if over else SpeechWentOn(number, revision)
        self.tell(event)

    @precondition(lambda self: not self.input_ended and self.pause is None)
    @rule(own=st.booleans(), text=st.sampled_from(["", "a question", "the other plan"]), late=st.booleans())
    def heard(self, own: bool, text: str, late: bool) -> None:
        self.begin(self.number + 1)
        self.being_said = 0 if not late else self.being_said
        number = max(1, self.number - 2) if late else self.number
        self.tell(Heard(utterance(number, text, "own" if own else "other")))

    @precondition(lambda self: self.started - self.answer_ended)
    @rule(data=st.data())
    def thesis(self, data: st.DataObject) -> None:
        generation = data.draw(st.sampled_from(sorted(self.started - self.answer_ended)))
        self.theses[generation] = self.theses.get(generation, 0) + 1
        self.tell(ThesisMade(Thesis(generation, self.theses[generation], "point")))

    @precondition(lambda self: self.started - self.answer_ended)
    @rule(data=st.data(), error=st.sampled_from(["", "503"]))
    def answer_ends(self, data: st.DataObject, error: str) -> None:
        generation = data.draw(st.sampled_from(sorted(self.started - self.answer_ended)))
        self.answer_ended.add(generation)
        self.tell(AnswerEnded(generation, error))

    @precondition(lambda self: self.finishing)
    @rule(data=st.data(), heard=st.integers(0, 3))
    def narration_ends(self, data: st.DataObject, heard: int) -> None:
        generation = data.draw(st.sampled_from(sorted(self.finishing)))
        self.finishing.discard(generation)
        self.tell(NarrationEnded(generation, heard))

    @precondition(lambda self: self.number > 3 and self.pause is None and not self.unheard)
    @rule()
    def input_ends(self) -> None:
        if self.being_said:
            self.tell(SpeechLost(self.being_said))
            self.being_said = 0
        self.input_ended = True
        self.tell(InputEnded())
        assert self.turns.speculative_generation is None

    @precondition(lambda self: self.number > 5)
    @rule()
    def close(self) -> None:
        self.tell(Closing())
        self.closed = True

    @invariant()
    def open_turns_are_bounded(self) -> None:
        assert len(self.turns.open_generations) <= MAX_THINKING + 2
        if not self.closed:
            assert self.held == {g for g in [self.turns.speculative_generation] if g is not None}

    @invariant()
    def abandoned_turns_have_ended(self) -> None:
        assert self.abandoned <= set(self.ended)

    @invariant()
    def nothing_is_stuck(self) -> None:
        assert self.started - set(self.ended) == set(self.turns.open_generations)
        if self.closed:
            assert self.started == set(self.ended)
        if self.input_ended and not self.turns.open_generations:
            assert self.finished or self.closed


class AnyOrderRejoined(AnyOrder):
    """The same, where whatever can goes on with the question before."""

    rejoin_s = 10.0


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyOrderRejoined = AnyOrderRejoined.TestCase
TestAnyOrderRejoined.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
