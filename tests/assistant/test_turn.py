"""The turn state machine: B12 of the specification, case by case, and then in any order."""

from __future__ import annotations

from dataclasses import replace as changed

from sottovoce.assistant.context import DialogueContext, tokens_of
from sottovoce.assistant.messages import (
    Abandon,
    Answer,
    AnswerEnded,
    AsideHeard,
    Discard,
    DropOlderSegments,
    EndTurn,
    FinishSpeaking,
    Hasten,
    Heard,
    Ignore,
    NarrationEnded,
    Prepare,
    SegmentSettled,
    Speak,
    SpeechWentOn,
    Take,
    TakeNext,
    Thesis,
    ThesisMade,
    Utterance,
    VoidSegment,
)
from sottovoce.assistant.turn import Speculate, TurnMachine
from sottovoce.metrics.stages import Stage


def utterance(number: int, text: str = "what is the plan", speaker: str = "other", error: str = "") -> Utterance:
    return Utterance(number, speaker, text, "en", 0.9, number * 5.0, number * 5.0 + 2.0, (), "test", error)  # type: ignore[arg-type]


def reads_whole(text: str, language: str) -> bool:
    return text.endswith("plan")


def machine(max_theses: int = 4, speculate: Speculate = "answer", rejoin_s: float | None = None) -> TurnMachine:
    return TurnMachine(max_theses, DialogueContext(), speculate, reads_whole, rejoin_s=rejoin_s)


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


def aside(number: int, text: str = "let me see") -> Utterance:
    return changed(utterance(number, text, speaker="own"), aside=True)


def test_aside_is_context_of_what_follows_and_never_a_question() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1)))
    noted = turns.handle(AsideHeard(aside(1)))
    assert noted == [Ignore(aside(1), "the wearer's own voice")]
    assert turns.open_generations == (1,)
    answer = turns.handle(Heard(utterance(2)))[0]
    assert isinstance(answer, Answer)
    assert answer.context == ("Other: what is the plan", "Wearer: let me see")


def test_aside_of_a_pause_counts_once_the_speech_is_over_and_not_if_it_goes_on() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1), 1, settled=False))
    assert turns.handle(AsideHeard(aside(1), 1, settled=False)) == []
    turns.handle(SpeechWentOn(1, 1))
    assert turns.handle(AsideHeard(aside(1), 1, settled=False)) == []
    turns.handle(Heard(utterance(1), 2, settled=False))
    assert turns.handle(AsideHeard(aside(1, "let me see now"), 2, settled=False)) == []
    commands = turns.handle(SegmentSettled(1, 2, 7))
    ignored = [command.utterance.text for command in commands if isinstance(command, Ignore)]
    assert ignored == ["let me see now"]


def test_aside_that_comes_after_the_end_of_its_segment_counts_too() -> None:
    turns = machine()
    turns.handle(Heard(utterance(1), 1, settled=False))
    turns.handle(SegmentSettled(1, 1, 7))
    assert turns.handle(AsideHeard(aside(1), 1, settled=False)) == [Ignore(aside(1), "the wearer's own voice")]


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


def test_context_is_bounded_in_tokens_and_forgets_the_oldest() -> None:
    for word in ("word ", "слово "):
        context = DialogueContext(max_tokens=50)
        for number in range(1, 20):
            context.add_utterance(utterance(number, word * (number % 7)))
        context.add_theses(("the last thesis",))
        lines = context.lines_before(utterance(99))
        assert 1 < sum(map(tokens_of, lines)) <= 50
        assert lines[-1] == "Prompted: the last thesis"
    context.add_utterance(utterance(20, "слово " * 1000))
    (line,) = context.lines_before(utterance(99))
    assert tokens_of(line) == 50
    assert line.startswith("Other: слово")


def test_context_of_no_tokens_keeps_nothing() -> None:
    context = DialogueContext(max_tokens=0)
    context.add_utterance(utterance(1))
    assert context.lines_before(utterance(2)) == ()


def after(number: int, gap_s: float, text: str, speaker: str = "other") -> Utterance:
    """What begins so long after the utterance before it."""
    end_s = utterance(number - 1).end_s
    return changed(utterance(number, text, speaker), start_s=end_s + gap_s, end_s=end_s + gap_s + 2.0)


def test_what_follows_soon_and_is_no_question_of_its_own_is_asked_together_with_the_one_before() -> None:
    turns = machine(rejoin_s=0.2)
    turns.handle(Heard(utterance(1, "what is the plan?")))
    commands = turns.handle(Heard(after(2, -0.1, "for next year")))
    both = changed(after(2, -0.1, "what is the plan for next year"), start_s=utterance(1).start_s)
    superseded = [Abandon(1, audible=False), EndTurn(1, "superseded"), TakeNext(1)]
    assert commands == [*superseded, Answer(2, both, ())]
    third = changed(utterance(3, "in Europe"), start_s=both.end_s, end_s=both.end_s + 1.0)
    assert turns.handle(Heard(third))[-1].utterance.text == f"{both.text} in Europe"  # type: ignore[union-attr]


def test_answer_that_sounds_goes_on_until_there_is_one_to_both() -> None:
    turns = machine(rejoin_s=0.2)
    turns.handle(Heard(utterance(1)))
    turns.handle(ThesisMade(Thesis(1, 1, "ship in June")))
    (paused,) = turns.handle(Heard(after(2, 0.1, "for next year"), 1, settled=False))
    assert isinstance(paused, Answer)
    assert paused.utterance.text == "what is the plan for next year"
    assert turns.audible_generation == 1
    turns.handle(ThesisMade(Thesis(2, 1, "sell in May")))
    commands = turns.handle(SegmentSettled(2, 1, 7))
    assert Abandon(1, audible=True) in commands
    assert turns.audible_generation == 2


def test_what_follows_late_or_reads_whole_or_is_the_wearers_stands_alone() -> None:
    for follows in (
        after(2, 0.3, "for next year"),
        after(2, 0.0, "who made the plan"),
        after(2, 0.0, "for next year", "own"),
        after(3, -5.0, "for next year"),
    ):
        turns = machine(rejoin_s=0.2)
        turns.handle(Heard(utterance(1)))
        heard = [command.utterance for command in turns.handle(Heard(follows)) if isinstance(command, Answer | Ignore)]
        assert heard == [follows]


def test_question_that_went_on_is_in_the_context_once() -> None:
    turns = machine(rejoin_s=0.2)
    turns.handle(Heard(utterance(1)))
    turns.handle(Heard(after(2, 0.0, "for next year")))
    (answer,) = turns.handle(Heard(utterance(4, "who made the plan")))
    assert isinstance(answer, Answer)
    assert answer.context == ("Other: what is the plan for next year",)
