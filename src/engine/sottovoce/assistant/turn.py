"""When to answer, when to interrupt, when to let the old theses go on: pure decisions, no threads, no clock.

Each accepted utterance starts a *turn* with a generation of its own. A turn is *thinking* until it has its first thesis
and *speaking* from then on. A new question interrupts what is in flight only once it has a non-empty answer: until then
the turn before it goes on, and if the answer stays empty, it is as if nothing had been asked.

A question that may not be over yet, because its speaker has only paused, may start a *speculative* turn: its theses
are made and synthesised, but nothing of it is heard and nothing gives way to it. If speech goes on, it is discarded
without a trace; if the pause proves to be the end, it is taken, and is from then on what it would have been without
speculation, only further on. What was transcribed at the pause is all that was said, so there is nothing to compare.

It may also be started while the question is still being asked, on what a recogniser makes of it so far, if that reads
like a whole question. Such a turn outlasts pauses, and is taken only if the final transcript asks the same (see
`sameness`); whatever says otherwise, discards it.

Who pauses too long is cut short. What follows soon, and is no whole question of its own, goes on with the question
before: both are asked together, in the place of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, TypeVar, assert_never

from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.messages import (
    Abandon,
    Answer,
    AnswerEnded,
    AsideHeard,
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
    Outcome,
    PartialHeard,
    Prepare,
    SegmentSettled,
    Speak,
    SpeechLost,
    SpeechWentOn,
    StopAsked,
    Take,
    TakeNext,
    Thesis,
    ThesisMade,
    TurnCommand,
    TurnEvent,
    Typed,
    Utterance,
    VoidSegment,
)
from sottovoce.assistant.sameness import asks_the_same
from sottovoce.metrics.stages import Stage

#: Questions that may be waiting for their answers at once; one more gives up the oldest.
MAX_THINKING = 2

#: Answers to one question that may be begun while it is still being asked: who wavers is not to be paid for.
MAX_EARLY = 3

#: How far a question that is not over yet is worked on: not at all, to its transcript, to its answer.
Speculate: TypeAlias = Literal["off", "transcript", "answer"]

#: Why an utterance is ignored of which nothing is left without what the loudspeaker said.
ECHO = "an echo of the loudspeaker"

#: Segments about which is remembered that they are settled, or void, until their transcript comes.
_REMEMBERED = 32

_OWN_VOICE = "the wearer's own voice"

#: What a recogniser writes at the end of what it takes for whole.
_ENDS = " .?!…"

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Turn:
    utterance: Utterance
    place: tuple[int, int]  # the segment, and how many questions were typed since it was over
    theses: list[Thesis] = field(default_factory=list)
    speaking: bool = False
    held: bool = False  # speculative: nothing of it may be heard
    early: bool = False  # begun while its question was being asked
    ended: str | None = None  # held, and the answer is complete: its error, or empty


@dataclass(frozen=True, slots=True)
class _Pause:
    """What was transcribed at a pause that still lasts; ``generation`` is 0 if no turn speculates on it."""

    utterance: Utterance
    revision: int
    generation: int


class TurnMachine:
    """Decides; :meth:`handle` takes an event and returns what is to be done, in order.

    Parameters
    ----------
    max_theses : int
        Theses beyond so many are left out.
    context : DialogueContext
        What has been said, given to the generator with each question.
    speculate : {"answer", "transcript"}
        How far to go with a question that is not over yet. Whether there are such at all is the segmenter's choice.
    reads_finished : callable, optional
        Whether a text in a language (ISO 639-1) reads like a whole question.
    answer_unsure : bool
        Whether a question is answered that may have been the wearer's own.
    rejoin_s : float or None
        Longest time from the end of a segment to the beginning of one that goes on with it; below 0, if they overlap.
        None for never.

    Attributes
    ----------
    stale : int
        Events that came for a generation no longer wanted, and were dropped.
    """

    def __init__(
        self,
        max_theses: int,
        context: DialogueContext,
        speculate: Speculate = "answer",
        reads_finished: Callable[[str, str], bool] = lambda text, language: False,
        answer_unsure: bool = True,
        rejoin_s: float | None = None,
    ) -> None:
        self._max_theses = max_theses
        self._context = context
        self._speculate = speculate
        self._reads_finished = reads_finished
        self._answer_unsure = answer_unsure
        self._rejoin_s = rejoin_s
        self._last: Utterance | None = None  # that was asked
        self._turns: dict[int, _Turn] = {}
        self._generation = 0
        self._newest_answered = 0
        self._pauses: dict[int, _Pause] = {}  # by segment; each ear may have one
        self._early = (0, 0)  # a question, and how many answers to it were begun before it was over
        self._over: dict[int, int] = {}  # segments that are known to be over
        self._settled_ns: dict[tuple[int, int], int] = {}
        self._void: dict[int, int] = {}  # revision up to which a segment is void
        self._asides: dict[tuple[int, int], Utterance] = {}  # of segments that may not be over
        self._input_ended = False
        self._closed = False
        self.stale = 0

    @property
    def audible_generation(self) -> int | None:
        """The generation whose theses are being spoken, if any; there is never more than one."""
        return next((generation for generation, turn in self._turns.items() if turn.speaking), None)

    @property
    def open_generations(self) -> tuple[int, ...]:
        """Generations in flight, oldest first."""
        return tuple(self._turns)

    @property
    def speculative_generation(self) -> int | None:
        """The generation that waits for its question to end, if any; there is never more than one."""
        return next((generation for generation, turn in self._turns.items() if turn.held), None)

    def handle(self, event: TurnEvent) -> list[TurnCommand]:
        """Take one event, return the commands that follow from it."""
        if self._closed:
            self.stale += 1
            return []
        match event:
            case Heard():
                commands = self._heard(event)
            case AsideHeard():
                commands = self._heard_aside(event)
            case PartialHeard(utterance):
                commands = self._heard_in_part(utterance)
            case SpeechLost(number):
                commands = self._lost(number)
            case SegmentSettled():
                commands = self._settled(event)
            case SpeechWentOn():
                commands = self._went_on(event)
            case ThesisMade(thesis):
                commands = self._thesis_made(thesis)
            case AnswerEnded(generation, error):
                commands = self._answer_ended(generation, error)
            case NarrationEnded(generation, heard):
                commands = self._narration_ended(generation, heard)
            case Typed(utterance):
                commands = self._typed(utterance)
            case StopAsked():
                commands = self._give_up(tuple(g for g, turn in self._turns.items() if not turn.held), "stopped")
            case InputEnded():
                self._input_ended = True
                commands = self._drop_held()  # nobody will say any more whether that question was over
            case Closing():
                self._closed = True
                return self._give_up(tuple(self._turns), "closed")
            case _:
                assert_never(event)
        if self._input_ended and not self._turns:
            self._closed = True
            commands.append(Finish())
        return commands

    def _heard(self, event: Heard) -> list[TurnCommand]:
        utterance, revision = self._rejoined(event.utterance), event.revision
        if event.settled:
            return self._asked(utterance)
        if self._void.get(utterance.number, 0) >= revision:
            self.stale += 1
            return []
        ready_ns = self._settled_ns.pop((utterance.number, revision), None)
        if ready_ns is not None:
            return self._asked(_settled_at(utterance, ready_ns))
        return self._paused(utterance, revision)

    def _heard_aside(self, event: AsideHeard) -> list[TurnCommand]:
        """Context, never a question; and no more than that, whatever becomes of the question beside it."""
        utterance, revision = event.utterance, event.revision
        if not event.settled:
            if self._void.get(utterance.number, 0) >= revision:
                self.stale += 1
                return []
            if utterance.number not in self._over:
                _remember(self._asides, (utterance.number, revision), utterance)
                return []
        return self._noted(utterance)

    def _noted(self, aside: Utterance) -> list[TurnCommand]:
        self._context.add_utterance(aside)
        return [Ignore(aside, _OWN_VOICE)]

    def _heard_in_part(self, utterance: Utterance) -> list[TurnCommand]:
        number = utterance.number
        if self._input_ended or number in self._over:
            self.stale += 1
            return []
        utterance = self._rejoined(utterance)
        if self._speculate != "answer" or number in self._pauses or self._reason_to_ignore(utterance):
            return []
        held = self.speculative_generation
        if held is not None:
            foreseen = self._turns[held].utterance
            if foreseen.number != number or asks_the_same(foreseen.text, utterance.text):
                return []
        commands = self._drop_held(number)
        begun = self._early[1] if self._early[0] == number else 0
        if begun < MAX_EARLY and self._reads_whole(utterance):
            self._early = (number, begun + 1)
            commands.append(self._answer(self._next_generation(_Turn(utterance, (number, 0), held=True, early=True))))
        return commands

    def _paused(self, utterance: Utterance, revision: int) -> list[TurnCommand]:
        commands: list[TurnCommand] = []
        generation, ignored = self._foreseen(utterance), self._reason_to_ignore(utterance)
        if not generation:  # what is not answered anyhow leaves alone what is made of another ear's question
            commands += self._drop_held(utterance.number if ignored else None)
        if not ignored:
            if self._reads_whole(utterance):
                commands.append(Hasten(utterance.number, revision))
            if self._speculate == "answer" and not generation:
                generation = self._next_generation(_Turn(utterance, (utterance.number, 0), held=True))
                commands.append(self._answer(generation))
        _remember(self._pauses, utterance.number, _Pause(utterance, revision, generation))
        return commands

    def _rejoined(self, utterance: Utterance) -> Utterance:
        """It and the question that it goes on with, or only itself."""
        last = self._last
        if self._rejoin_s is None or last is None or self._reason_to_ignore(utterance):
            return utterance
        other = utterance.number != last.number + 1 or utterance.ear != last.ear
        late = utterance.start_s - last.end_s > self._rejoin_s
        if other or late or self._reads_finished(utterance.text, utterance.language):
            return utterance
        return replace(utterance, text=f"{last.text.rstrip(_ENDS)} {utterance.text}", start_s=last.start_s)

    def _goes_on(self, utterance: Utterance) -> bool:
        """Whether the question before is part of it."""
        return self._rejoin_s is not None and self._last is not None and self._last.start_s == utterance.start_s

    def _reads_whole(self, utterance: Utterance) -> bool:
        # whoever has paused in the middle is not to be cut short again
        return not self._goes_on(utterance) and self._reads_finished(utterance.text, utterance.language)

    def _note(self, utterance: Utterance) -> list[TurnCommand]:
        """A question is asked; one that it goes on with is void, unless its answer is heard already."""
        commands: list[TurnCommand] = []
        last, goes_on = self._last, self._goes_on(utterance)
        self._last = utterance
        if last is not None and goes_on:
            self._context.forget(last.number)
            turns = self._turns.items()
            before = [g for g, turn in turns if turn.utterance.number == last.number and not turn.speaking]
            commands = self._give_up(tuple(before), "superseded")
        self._context.add_utterance(utterance)
        return commands

    def _foreseen(self, utterance: Utterance) -> int:
        """The generation that answers this already, begun before it was over; 0 if there is none."""
        held = self.speculative_generation
        if held is None or self._reason_to_ignore(utterance):
            return 0
        foreseen = self._turns[held].utterance
        same = foreseen.number == utterance.number and asks_the_same(foreseen.text, utterance.text)
        return held if same else 0

    def _drop_held(self, number: int | None = None) -> list[TurnCommand]:
        """Discard what is made of a question that is not over: of this segment, or of whichever."""
        held = self.speculative_generation
        if held is None or number not in (None, self._turns[held].utterance.number):
            return []
        return self._give_up((held,), "superseded")

    def _settled(self, event: SegmentSettled) -> list[TurnCommand]:
        _remember(self._over, event.number, event.revision)
        aside = self._asides.pop((event.number, event.revision), None)
        commands = self._settled_question(event)
        return commands if aside is None else [*commands, *self._noted(aside)]

    def _settled_question(self, event: SegmentSettled) -> list[TurnCommand]:
        pause = self._pauses.get(event.number)
        if pause is None or pause.revision != event.revision:
            _remember(self._settled_ns, (event.number, event.revision), event.ready_ns)
            return []
        del self._pauses[event.number]
        utterance = _settled_at(pause.utterance, event.ready_ns)
        return self._taken(pause.generation, utterance) if pause.generation in self._turns else self._asked(utterance)

    def _went_on(self, event: SpeechWentOn) -> list[TurnCommand]:
        _remember(self._void, event.number, event.revision)
        self._asides.pop((event.number, event.revision), None)
        commands: list[TurnCommand] = [VoidSegment(event.number, event.revision)]
        pause = self._pauses.pop(event.number, None)
        turn = self._turns.get(pause.generation) if pause is not None else None
        if turn is not None and not turn.early:
            commands += self._drop_held()
        return commands

    def _lost(self, number: int) -> list[TurnCommand]:
        self._pauses.pop(number, None)
        return self._drop_held(number)

    def _asked(self, utterance: Utterance) -> list[TurnCommand]:
        _remember(self._over, utterance.number, 0)
        foreseen = self._foreseen(utterance)
        if foreseen:
            return self._taken(foreseen, utterance)
        commands = self._drop_held(utterance.number)
        reason = self._reason_to_ignore(utterance)
        if reason:
            if utterance.text:
                self._context.add_utterance(utterance)
            return [*commands, Ignore(utterance, reason), TakeNext(utterance.number)]
        commands += self._note(utterance)
        commands += self._make_room()
        commands.append(self._answer(self._next_generation(_Turn(utterance, (utterance.number, 0)))))
        return commands

    def _typed(self, utterance: Utterance) -> list[TurnCommand]:
        self._context.add_utterance(utterance)
        turn = _Turn(utterance, (max([self._newest_answered, *self._over]), -utterance.number))
        commands = self._make_room()
        commands.append(self._answer(self._next_generation(turn)))
        return commands

    def _taken(self, generation: int, utterance: Utterance) -> list[TurnCommand]:
        turn = self._turns[generation]
        turn.utterance = utterance
        commands = self._note(utterance)
        if not turn.theses:
            commands += self._make_room()
        turn.held = False
        commands.append(Take(generation, utterance))
        if turn.theses:
            commands += self._begin_to_speak(turn)
            commands += [Speak(thesis) for thesis in turn.theses]
        if turn.ended is not None:
            commands += self._answer_ended(generation, turn.ended)
        return commands

    def _next_generation(self, turn: _Turn) -> int:
        self._generation += 1
        self._turns[self._generation] = turn
        return self._generation

    def _answer(self, generation: int) -> Answer:
        turn = self._turns[generation]
        return Answer(generation, turn.utterance, self._context.lines_before(turn.utterance), turn.held, turn.early)

    def _make_room(self) -> list[TurnCommand]:
        """Give up the oldest question that waits for its answer, if one more would be too many."""
        thinking = [generation for generation, turn in self._turns.items() if not turn.speaking and not turn.held]
        return self._give_up((thinking[0],), "superseded") if len(thinking) >= MAX_THINKING else []

    def _reason_to_ignore(self, utterance: Utterance) -> str:
        if utterance.error:
            return f"not transcribed: {utterance.error}"
        if not utterance.text:
            return ECHO if utterance.echoed_words else "nothing understood"
        if utterance.speaker == "own":
            return _OWN_VOICE
        if utterance.speaker == "unsure" and not self._answer_unsure:
            return "perhaps the wearer's own voice"
        if utterance.number < self._newest_answered:
            return "older than the question being answered"
        return ""

    def _thesis_made(self, thesis: Thesis) -> list[TurnCommand]:
        turn = self._turns.get(thesis.generation)
        if turn is None:
            self.stale += 1
            return []
        if len(turn.theses) >= self._max_theses:
            return []
        turn.theses.append(thesis)
        if turn.held:
            return [Prepare(thesis)]
        commands = [] if turn.speaking else self._begin_to_speak(turn)
        commands.append(Speak(thesis))
        return commands

    def _begin_to_speak(self, turn: _Turn) -> list[TurnCommand]:
        """Interrupt the questions before this one."""
        commands: list[TurnCommand] = []
        number = turn.place[0]
        others = ((generation, other) for generation, other in self._turns.items() if other is not turn)
        for older in [generation for generation, other in others if other.place <= turn.place]:
            outcome: Outcome = "interrupted" if self._turns[older].speaking else "superseded"
            commands += self._give_up((older,), outcome)
        turn.speaking = True
        self._newest_answered = max(self._newest_answered, number)
        commands.append(DropOlderSegments(number))
        return commands

    def _answer_ended(self, generation: int, error: str) -> list[TurnCommand]:
        turn = self._turns.get(generation)
        if turn is None:
            self.stale += 1
            return []
        if turn.held:
            turn.ended = error
            return []
        if turn.speaking:
            return [FinishSpeaking(generation)]
        del self._turns[generation]
        outcome: Outcome = "failed" if error else "no answer"
        return [EndTurn(generation, outcome, error), TakeNext(turn.utterance.number)]

    def _narration_ended(self, generation: int, heard: int) -> list[TurnCommand]:
        turn = self._turns.pop(generation, None)
        if turn is None:
            self.stale += 1
            return []
        if not heard:
            return [EndTurn(generation, "failed", "no thesis could be spoken"), TakeNext(turn.utterance.number)]
        self._context.add_theses(tuple(thesis.text for thesis in turn.theses))
        return [EndTurn(generation, "spoken"), TakeNext(turn.utterance.number)]

    def _give_up(self, generations: tuple[int, ...], outcome: Outcome) -> list[TurnCommand]:
        commands: list[TurnCommand] = []
        for generation in generations:
            turn = self._turns.pop(generation)
            commands.append(Abandon(generation, audible=turn.speaking))
            if turn.held:
                commands.append(Discard(generation))
            else:
                commands.append(EndTurn(generation, outcome))
                commands.append(TakeNext(turn.utterance.number))
        return commands


def _settled_at(utterance: Utterance, ready_ns: int) -> Utterance:
    return replace(utterance, marks=(*utterance.marks, (Stage.SEGMENT_READY, ready_ns)))


def _remember(known: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """A recogniser that never answers must not make this grow."""
    known[key] = value
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
