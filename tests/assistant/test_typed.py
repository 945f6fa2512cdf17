"""Questions that the wearer types: answered whatever is being said, in order with what is asked aloud."""

from __future__ import annotations

import pytest

from sottovoce.assistant import notices
from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.controls import MOST_TYPED
from sottovoce.assistant.messages import (
    Abandon,
    Answer,
    DropOlderSegments,
    EndTurn,
    Heard,
    Speak,
    TakeNext,
    Thesis,
    ThesisMade,
    Typed,
    Utterance,
)
from sottovoce.assistant.trace import Made, Tracer, replay
from sottovoce.assistant.turn import TurnMachine
from tests.assistant.test_pipeline import Session, running


def spoken(number: int, text: str = "what is the plan") -> Utterance:
    return Utterance(number, "other", text, "en", 0.9, number * 5.0, number * 5.0 + 2.0, (), "test")


def typed(count: int, text: str = "how many are we") -> Utterance:
    return Utterance(-count, "own", text, "en", None, 7.0, 7.0, (), "typed")


def machine() -> TurnMachine:
    return TurnMachine(4, DialogueContext())


def test_typed_question_is_answered_though_it_is_the_wearers_own() -> None:
    turns = machine()
    assert turns.handle(Typed(typed(1))) == [Answer(1, typed(1), ())]
    assert turns.handle(ThesisMade(Thesis(1, 1, "nine"))) == [DropOlderSegments(0), Speak(Thesis(1, 1, "nine"))]
    assert typed(1).typed
    assert not spoken(1).typed


def test_typed_question_interrupts_once_it_has_an_answer() -> None:
    turns = machine()
    turns.handle(Heard(spoken(3)))
    turns.handle(ThesisMade(Thesis(1, 1, "old")))
    turns.handle(Typed(typed(1)))
    assert turns.audible_generation == 1
    commands = turns.handle(ThesisMade(Thesis(2, 1, "nine")))
    assert commands == [
        Abandon(1, audible=True),
        EndTurn(1, "interrupted"),
        TakeNext(3),
        DropOlderSegments(3),
        Speak(Thesis(2, 1, "nine")),
    ]


def test_answer_to_an_older_question_leaves_the_typed_one_alone() -> None:
    turns = machine()
    turns.handle(Heard(spoken(3)))
    turns.handle(Typed(typed(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "old")))
    assert turns.open_generations == (1, 2)
    turns.handle(ThesisMade(Thesis(2, 1, "nine")))
    assert turns.open_generations == (2,)


def test_later_of_two_typed_questions_stays() -> None:
    turns = machine()
    turns.handle(Typed(typed(1)))
    turns.handle(Typed(typed(2)))
    turns.handle(ThesisMade(Thesis(1, 1, "first")))
    assert turns.open_generations == (1, 2)
    turns.handle(ThesisMade(Thesis(2, 1, "second")))
    assert turns.open_generations == (2,)


def test_what_is_asked_aloud_after_it_interrupts_a_typed_question() -> None:
    turns = machine()
    turns.handle(Typed(typed(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "nine")))
    turns.handle(Heard(spoken(1)))
    turns.handle(ThesisMade(Thesis(2, 1, "new")))
    assert turns.open_generations == (2,)
    assert turns.audible_generation == 2


def test_typed_question_is_part_of_the_dialogue() -> None:
    turns = machine()
    turns.handle(Typed(typed(1)))
    (answer,) = turns.handle(Heard(spoken(1)))
    assert isinstance(answer, Answer)
    assert answer.context == ("Wearer: how many are we",)


def test_typed_question_is_replayed_from_its_trace() -> None:
    turns, tracer = machine(), Tracer(lambda text, language: True)
    events = [Heard(spoken(1)), Typed(typed(1)), ThesisMade(Thesis(2, 1, "nine")), ThesisMade(Thesis(1, 1, "late"))]
    steps = [tracer.step(event, turns.handle(event)) for event in events]
    assert "how many" not in str(steps)
    assert all(one.same for one in replay(Made(4, "answer"), steps))


def test_pipeline_answers_what_is_typed() -> None:
    with running(Session()) as session:
        session.pipeline.ask("  first \n", "en")
        session.seen.wait_for(notices.TurnEnded)
        assert session.spoken() == ["aaaa", "bbbb", "cccc"]
        (heard,) = session.seen.of(notices.UtteranceHeard)
        utterance = heard.utterance  # type: ignore[union-attr]
        assert (utterance.text, utterance.speaker, utterance.number, utterance.backend) == ("first", "own", -1, "typed")
        (ended,) = session.seen.of(notices.TurnEnded)
        assert ended.times.total_ms is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MOST_TYPED + 1)])
def test_typed_question_without_words_or_with_too_many_is_refused(text: str) -> None:
    with running(Session()) as session, pytest.raises(ValueError, match="characters; allowed"):
        session.pipeline.ask(text, "en")
