"""The turn state machine: B12 of the specification, case by case, and then in any order."""

from __future__ import annotations

import json
from dataclasses import replace as changed

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sottovoce.assistant.context import DialogueContext
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
    Hasten,
    Heard,
    Ignore,
    InputEnded,
    NarrationEnded,
    Prepare,
    SegmentSettled,
    Speak,
    SpeechWentOn,
    Take,
    TakeNext,
    Thesis,
    ThesisMade,
    TurnCommand,
    TurnEvent,
    Utterance,
    VoidSegment,
)
from sottovoce.assistant.trace import Made, Step, replay, step
from sottovoce.assistant.turn import MAX_THINKING, Speculate, TurnMachine
from sottovoce.metrics.stages import Stage


def utterance(number: int, text: str = "what is the plan", speaker: str = "other", error: str = "") -> Utterance:
    return Utterance(number, speaker, text, "en", 0.9, number * 5.0, number * 5.0 + 2.0, (), "test", error)  # type: ignore[arg-type]


def machine(max_theses: int = 4, speculate: Speculate = "answer") -> TurnMachine:
    return TurnMachine(max_theses, DialogueContext(), speculate, lambda text, language: text.endswith("plan"))


def settled(number: int, text: str = "what is the plan") -> Utterance:
    return changed(utterance(number, text), marks=((Stage.SEGMENT_READY, 7),))


def test_question_that_is_over_takes_what_was_made_at_its_pause() -> None:
    turns = machine()
    first, second = Thesis(1, 1, "ship in June"), Thesis(1, 2, "budget is agreed")
    paused = Heard(utterance(1), revision=1, settled=False)
    assert turns.handle(paused) == [Hasten(1, 1), Answer(1, utterance(1), (), speculative=True)]
    assert turns.handle(ThesisMade(first)) == [Prepare(first)]
    assert turns.audible_generation is None
    commands = turns.handle(SegmentSettled(1, 1, 7))
    assert commands == [Take(1, settled(1)), DropOlderSegments(1), Speak(first)]
    assert turns.audible_generation == 1
    assert turns.handle(ThesisMade(second)) == [Speak(second)]


def test_answer_that_was_complete_at_the_pause_is_spoken_to_its_end() -> None:
    turns = machine()
    thesis = Thesis(1, 1, "ship in June")
    turns.handle(Heard(utterance(1), 1, settled=False))
    turns.handle(ThesisMade(thesis))
    assert turns.handle(AnswerEnded(1)) == []
    commands = turns.handle(SegmentSettled(1, 1, 7))
    assert commands == [Take(1, settled(1)), DropOlderSegments(1), Speak(thesis), FinishSpeaking(1)]


def test_empty_answer_at_the_pause_ends_the_turn_once_the_question_is_over() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1), 1, settled=False))
    assert turns.handle(AnswerEnded(1)) == []
    assert turns.handle(SegmentSettled(1, 1, 7)) == [Take(1, settled(1)), EndTurn(1, "no answer"), TakeNext(1)]


def test_speech_that_goes_on_leaves_no_trace_of_the_speculation() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1), 1, settled=False))
    turns.handle(ThesisMade(Thesis(1, 1, "too early")))
    assert turns.handle(SpeechWentOn(1, 1)) == [VoidSegment(1, 1), Abandon(1, audible=False), Discard(1)]
    assert turns.open_generations == ()
    longer = "what is the plan for May"
    assert turns.handle(Heard(utterance(1, longer), 2, settled=False)) == [
        Answer(2, utterance(1, longer), (), speculative=True)
    ]
    assert turns.handle(SegmentSettled(1, 2, 7)) == [Take(2, settled(1, longer))]
    assert turns.handle(ThesisMade(Thesis(1, 2, "late"))) == []
    assert turns.handle(ThesisMade(Thesis(2, 1, "in May")))[-1] == Speak(Thesis(2, 1, "in May"))


def test_transcript_that_comes_after_its_pause_is_judged_by_what_became_of_it() -> None:
    turns = machine()
    turns.handle(SpeechWentOn(1, 1))
    assert turns.handle(Heard(utterance(1), 1, settled=False)) == []
    assert turns.stale == 1
    turns.handle(SegmentSettled(1, 2, 7))
    assert turns.handle(Heard(utterance(1), 2, settled=False)) == [Answer(1, settled(1), ())]


def test_speculation_interrupts_nothing_and_gives_nothing_up() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "old")))
    turns.handle(Heard(utterance(2)))
    turns.handle(Heard(utterance(3)))
    turns.handle(Heard(utterance(4), 1, settled=False))
    turns.handle(ThesisMade(Thesis(4, 1, "new")))
    assert turns.audible_generation == 1
    assert turns.open_generations == (1, 2, 3, 4)
    commands = turns.handle(SegmentSettled(4, 1, 7))
    assert [command.generation for command in commands if isinstance(command, Abandon)] == [1, 2, 3]
    assert turns.audible_generation == 4


def test_own_voice_and_empty_text_are_not_speculated_on() -> None:
    for ignored in (utterance(1, speaker="own"), utterance(1, "")):
        turns = machine()
        assert turns.handle(Heard(ignored, 1, settled=False)) == []
        assert isinstance(turns.handle(SegmentSettled(1, 1, 7))[0], Ignore)


def test_transcript_alone_is_made_early_where_answers_are_not() -> None:
    turns = machine(speculate="transcript")
    assert turns.handle(Heard(utterance(1), 1, settled=False)) == [Hasten(1, 1)]
    assert turns.handle(SegmentSettled(1, 1, 7)) == [Answer(1, settled(1), ())]


def test_question_is_answered_spoken_and_ended() -> None:
    turns = machine()
    asked = utterance(1)
    thesis = Thesis(1, 1, "ship in June")
    assert turns.handle(Heard(asked)) == [Answer(1, asked, ())]
    assert turns.handle(ThesisMade(thesis)) == [DropOlderSegments(1), Speak(thesis)]
    assert turns.audible_generation == 1
    assert turns.handle(AnswerEnded(1)) == [FinishSpeaking(1)]
    assert turns.handle(NarrationEnded(1, 1)) == [EndTurn(1, "spoken"), TakeNext(1)]
    assert turns.audible_generation is None


def test_new_question_interrupts_only_once_it_has_an_answer() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "old")))
    assert turns.handle(Heard(utterance(2)))[0] == Answer(2, utterance(2), ("Other: what is the plan",))
    assert turns.audible_generation == 1
    commands = turns.handle(ThesisMade(Thesis(2, 1, "new")))
    assert commands == [
        Abandon(1, audible=True),
        EndTurn(1, "interrupted"),
        TakeNext(1),
        DropOlderSegments(2),
        Speak(Thesis(2, 1, "new")),
    ]
    assert turns.audible_generation == 2


def test_empty_or_failed_answer_interrupts_nothing() -> None:
    for error, outcome in (("", "no answer"), ("503", "failed")):
        turns = machine()
        turns.handle(Heard(utterance(1)))
        turns.handle(ThesisMade(Thesis(1, 1, "old")))
        turns.handle(Heard(utterance(2)))
        assert turns.handle(AnswerEnded(2, error)) == [EndTurn(2, outcome, error), TakeNext(2)]
        assert turns.audible_generation == 1


def test_what_raises_no_turn_says_why() -> None:
    turns = machine()
    for heard, reason in (
        (utterance(1, speaker="own"), "the wearer's own voice"),
        (utterance(2, text=""), "nothing understood"),
        (utterance(3, text="", error="timeout"), "not transcribed: timeout"),
    ):
        assert turns.handle(Heard(heard)) == [Ignore(heard, reason), TakeNext(heard.number)]


def test_utterance_that_comes_late_is_ignored_once_a_later_one_is_answered() -> None:
    turns = machine()
    turns.handle(Heard(utterance(5)))
    turns.handle(ThesisMade(Thesis(1, 1, "new")))
    commands = turns.handle(Heard(utterance(4)))
    assert isinstance(commands[0], Ignore)
    assert commands[0].reason == "older than the question being answered"


def test_own_words_and_theses_become_context() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1, "tell me the date")))
    turns.handle(ThesisMade(Thesis(1, 1, "June first")))
    turns.handle(AnswerEnded(1))
    turns.handle(NarrationEnded(1, 1))
    turns.handle(Heard(utterance(2, "it is in June", speaker="own")))
    commands = turns.handle(Heard(utterance(3, "and the price")))
    assert commands[0] == Answer(
        2,
        utterance(3, "and the price"),
        ("Other: tell me the date", "Prompted: June first", "Wearer: it is in June"),
    )


def test_late_thesis_of_an_interrupted_turn_is_counted_and_dropped() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "old")))
    turns.handle(Heard(utterance(2)))
    turns.handle(ThesisMade(Thesis(2, 1, "new")))
    assert turns.handle(ThesisMade(Thesis(1, 2, "late"))) == []
    assert turns.handle(NarrationEnded(1, 1)) == []
    assert turns.stale == 2


def test_theses_beyond_the_limit_are_left_out() -> None:
    turns = machine(max_theses=2)
    turns.handle(Heard(utterance(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "a")))
    turns.handle(ThesisMade(Thesis(1, 2, "b")))
    assert turns.handle(ThesisMade(Thesis(1, 3, "c"))) == []


def test_context_is_bounded_in_lines_and_characters() -> None:
    context = DialogueContext(max_lines=3, max_chars=50)
    for number in range(1, 20):
        context.add_utterance(utterance(number, "word " * number))
    lines = context.lines_before(utterance(99))
    assert len(lines) <= 3
    assert sum(map(len, lines)) <= 50
    assert lines


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: one generation audible, and everything started ends once."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = machine(3)
        self.number = 0
        self.theses: dict[int, int] = {}
        self.started: set[int] = set()
        self.ended: dict[int, str] = {}
        self.abandoned: set[int] = set()
        self.finishing: set[int] = set()
        self.answer_ended: set[int] = set()
        self.held: set[int] = set()
        self.steps: list[Step] = []
        self.pause: tuple[int, int] | None = None
        self.unheard: list[tuple[int, int]] = []
        self.revision = 0
        self.input_ended = False
        self.closed = False
        self.finished = False

    def tell(self, event: TurnEvent) -> None:
        commands = self.turns.handle(event)
        whole = isinstance(event, Heard) and event.utterance.text.endswith("plan")
        self.steps.append(step(event, commands, reads_finished=whole))
        self.apply(commands)

    def teardown(self) -> None:
        """Whatever has happened, it is decided the same from what a trace keeps of it."""
        kept = [Step(json.loads(json.dumps(told.event)), told.decided) for told in self.steps]
        assert [one for one in replay(Made(3, "answer"), kept) if not one.same] == []

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
            self.number, self.revision = self.number + 1, 0
        self.revision += 1
        self.pause = (self.number, self.revision)
        self.unheard.append(self.pause)
        if heard:
            self.transcribe()

    @precondition(lambda self: self.unheard)
    @rule()
    def transcribed(self) -> None:
        self.transcribe()

    def transcribe(self) -> None:
        number, revision = self.unheard.pop(0)
        self.tell(Heard(utterance(number), revision, settled=False))

    @precondition(lambda self: self.pause)
    @rule(over=st.booleans())
    def pause_ends(self, over: bool) -> None:
        assert self.pause is not None
        (number, revision), self.pause = self.pause, None
        if over:
            self.revision = 0
        event = SegmentSettled(number, revision, 7) if over else SpeechWentOn(number, revision)
        self.tell(event)

    @precondition(lambda self: not self.input_ended and self.pause is None)
    @rule(own=st.booleans(), text=st.sampled_from(["", "a question", "another"]), late=st.booleans())
    def heard(self, own: bool, text: str, late: bool) -> None:
        self.number, self.revision = self.number + 1, 0
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
        self.input_ended = True
        self.tell(InputEnded())

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


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
