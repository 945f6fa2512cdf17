"""When to answer, when to interrupt, when to let the old theses go on: pure decisions, no threads, no clock.

Each accepted utterance starts a *turn* with a generation of its own. A turn is *thinking* until it has its first thesis
and *speaking* from then on. A new question interrupts what is in flight only once it has a non-empty answer: until then
the turn before it goes on, and if the answer stays empty, it is as if nothing had been asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

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
    Outcome,
    Speak,
    TakeNext,
    Thesis,
    ThesisMade,
    TurnCommand,
    TurnEvent,
    Utterance,
)

#: Questions that may be waiting for their answers at once; one more gives up the oldest.
MAX_THINKING = 2


@dataclass(slots=True)
class _Turn:
    utterance: Utterance
    theses: list[Thesis]
    speaking: bool = False


class TurnMachine:
    """Decides; :meth:`handle` takes an event and returns what is to be done, in order.

    Parameters
    ----------
    max_theses : int
        Theses beyond so many are left out.
    context : DialogueContext
        What has been said, given to the generator with each question.

    Attributes
    ----------
    stale : int
        Events that came for a generation no longer wanted, and were dropped.
    """

    def __init__(self, max_theses: int, context: DialogueContext) -> None:
        self._max_theses = max_theses
        self._context = context
        self._turns: dict[int, _Turn] = {}
        self._generation = 0
        self._newest_answered = 0
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

    def handle(self, event: TurnEvent) -> list[TurnCommand]:
        """Take one event, return the commands that follow from it."""
        if self._closed:
            self.stale += 1
            return []
        match event:
            case Heard(utterance):
                commands = self._heard(utterance)
            case ThesisMade(thesis):
                commands = self._thesis_made(thesis)
            case AnswerEnded(generation, error):
                commands = self._answer_ended(generation, error)
            case NarrationEnded(generation, heard):
                commands = self._narration_ended(generation, heard)
            case InputEnded():
                self._input_ended = True
                commands = []
            case Closing():
                self._closed = True
                return self._give_up(tuple(self._turns), "closed")
            case _:
                assert_never(event)
        if self._input_ended and not self._turns:
            self._closed = True
            commands.append(Finish())
        return commands

    def _heard(self, utterance: Utterance) -> list[TurnCommand]:
        reason = self._reason_to_ignore(utterance)
        if utterance.text:
            self._context.add_utterance(utterance)
        if reason:
            return [Ignore(utterance, reason), TakeNext(utterance.number)]
        self._generation += 1
        commands: list[TurnCommand] = []
        thinking = [generation for generation, turn in self._turns.items() if not turn.speaking]
        if len(thinking) >= MAX_THINKING:
            commands += self._give_up((thinking[0],), "superseded")
        self._turns[self._generation] = _Turn(utterance, [])
        commands.append(Answer(self._generation, utterance, self._context.lines_before(utterance)))
        return commands

    def _reason_to_ignore(self, utterance: Utterance) -> str:
        if utterance.error:
            return f"not transcribed: {utterance.error}"
        if not utterance.text:
            return "nothing understood"
        if utterance.speaker == "own":
            return "the wearer's own voice"
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
        commands: list[TurnCommand] = []
        if not turn.speaking:
            commands += self._interrupt_before(thesis.generation)
            turn.speaking = True
            self._newest_answered = max(self._newest_answered, turn.utterance.number)
            commands.append(DropOlderSegments(turn.utterance.number))
        turn.theses.append(thesis)
        commands.append(Speak(thesis))
        return commands

    def _interrupt_before(self, generation: int) -> list[TurnCommand]:
        commands: list[TurnCommand] = []
        for older in [g for g in self._turns if g < generation]:
            outcome: Outcome = "interrupted" if self._turns[older].speaking else "superseded"
            commands += self._give_up((older,), outcome)
        return commands

    def _answer_ended(self, generation: int, error: str) -> list[TurnCommand]:
        turn = self._turns.get(generation)
        if turn is None:
            self.stale += 1
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
            commands.append(EndTurn(generation, outcome))
            commands.append(TakeNext(turn.utterance.number))
        return commands
