"""The turn state machine: B12 of the specification, case by case, and then in any order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.messages import (
    Abandon,
    Answer,
    AnswerEnded,
    Closing,
    DropOlderSegments,
    EndTurn,
    Finish,
    FinishSpeaking,
    Heard,
    Ignore,
    InputEnded,
    NarrationEnded,
    Speak,
    TakeNext,
    Thesis,
    ThesisMade,
    TurnCommand,
    Utterance,
)
from sottovoce.assistant.turn import MAX_THINKING, TurnMachine


def utterance(number: int, text: str = "what is the plan", speaker: str = "other", error: str = "") -> Utterance:
    return Utterance(number, speaker, text, "en", 0.9, number * 5.0, number * 5.0 + 2.0, (), "test", error)  # type: ignore[arg-type]


def machine(max_theses: int = 4) -> TurnMachine:
    return TurnMachine(max_theses, DialogueContext())


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
        self.input_ended = False
        self.closed = False
        self.finished = False

    def apply(self, commands: list[TurnCommand]) -> None:
        for command in commands:
            assert not self.finished
            match command:
                case Answer(generation):
                    assert generation not in self.started
                    self.started.add(generation)
                case Speak(thesis):
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
                    self.ended[generation] = outcome
                case Finish():
                    assert self.input_ended
                    self.finished = True
                case _:
                    pass

    @precondition(lambda self: not self.input_ended)
    @rule(own=st.booleans(), text=st.sampled_from(["", "a question", "another"]), late=st.booleans())
    def heard(self, own: bool, text: str, late: bool) -> None:
        self.number += 1
        number = max(1, self.number - 2) if late else self.number
        self.apply(self.turns.handle(Heard(utterance(number, text, "own" if own else "other"))))

    @precondition(lambda self: self.started - self.answer_ended)
    @rule(data=st.data())
    def thesis(self, data: st.DataObject) -> None:
        generation = data.draw(st.sampled_from(sorted(self.started - self.answer_ended)))
        self.theses[generation] = self.theses.get(generation, 0) + 1
        self.apply(self.turns.handle(ThesisMade(Thesis(generation, self.theses[generation], "point"))))

    @precondition(lambda self: self.started - self.answer_ended)
    @rule(data=st.data(), error=st.sampled_from(["", "503"]))
    def answer_ends(self, data: st.DataObject, error: str) -> None:
        generation = data.draw(st.sampled_from(sorted(self.started - self.answer_ended)))
        self.answer_ended.add(generation)
        self.apply(self.turns.handle(AnswerEnded(generation, error)))

    @precondition(lambda self: self.finishing)
    @rule(data=st.data(), heard=st.integers(0, 3))
    def narration_ends(self, data: st.DataObject, heard: int) -> None:
        generation = data.draw(st.sampled_from(sorted(self.finishing)))
        self.finishing.discard(generation)
        self.apply(self.turns.handle(NarrationEnded(generation, heard)))

    @precondition(lambda self: self.number > 3)
    @rule()
    def input_ends(self) -> None:
        self.input_ended = True
        self.apply(self.turns.handle(InputEnded()))

    @precondition(lambda self: self.number > 5)
    @rule()
    def close(self) -> None:
        self.apply(self.turns.handle(Closing()))
        self.closed = True

    @invariant()
    def open_turns_are_bounded(self) -> None:
        assert len(self.turns.open_generations) <= MAX_THINKING + 1

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
