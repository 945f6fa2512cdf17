"""What the turn state machine was told and what it decided, without a word of what was said: to be replayed exactly.

A trace is a list of steps. The first holds what the machine was made with; every other an event, as facts, and the
commands that followed, in short. Texts are left out; what the decisions depended on (whether there were any words, and
whether they read like a whole question) is kept, so a trace may be given away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from sottovoce.assistant import messages
from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.messages import TurnCommand, TurnEvent, Utterance
from sottovoce.assistant.turn import Speculate, TurnMachine

#: An event as JSON: its name and its facts.
Facts: TypeAlias = Mapping[str, Any]

#: Names of events in a trace; they never change.
_NAMES: dict[type[Any], str] = {
    messages.Heard: "heard",
    messages.SegmentSettled: "settled",
    messages.SpeechWentOn: "went on",
    messages.ThesisMade: "thesis made",
    messages.AnswerEnded: "answer ended",
    messages.NarrationEnded: "narration ended",
    messages.StopAsked: "stop asked",
    messages.InputEnded: "input ended",
    messages.Closing: "closing",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}

_WORDS, _WHOLE_QUESTION = "words", "words?"


@dataclass(frozen=True, slots=True)
class Made:
    """What the state machine was made with."""

    max_theses: int
    speculate: Speculate


@dataclass(frozen=True, slots=True)
class Step:
    """An event and what was decided."""

    event: Facts
    decided: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A step, and what is decided now."""

    step: Step
    now: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.step.decided == self.now


def step(event: TurnEvent, commands: Iterable[TurnCommand], *, reads_finished: bool = False) -> Step:
    """An event and its commands without their words; ``reads_finished`` is what was thought of the text of a Heard."""
    facts: dict[str, Any] = {"event": _NAMES[type(event)]}
    match event:
        case messages.Heard(utterance, revision, settled):
            facts |= {"number": utterance.number, "revision": revision, "settled": settled}
            facts |= {"speaker": utterance.speaker, "words": bool(utterance.text), "failed": bool(utterance.error)}
            facts["reads_finished"] = reads_finished
        case messages.ThesisMade(thesis):
            facts |= {"generation": thesis.generation, "number": thesis.number}
        case messages.AnswerEnded(generation, error):
            facts |= {"generation": generation, "failed": bool(error)}
        case _:
            facts |= {item.name: getattr(event, item.name) for item in fields(event) if item.name != "ready_ns"}
    return Step(facts, tuple(in_short(command) for command in commands))


def in_short(command: TurnCommand) -> str:
    """A command in a few words, none of which was spoken."""
    match command:
        case messages.Answer(generation, utterance, _, speculative):
            return f"answer {generation} to {utterance.number}" + (" on speculation" if speculative else "")
        case messages.Speak(thesis) | messages.Prepare(thesis):
            return f"{_name(command)} {thesis.generation}.{thesis.number}"
        case messages.Take(generation, utterance):
            return f"take {generation} for {utterance.number}"
        case messages.Ignore(utterance, reason):
            return f"ignore {utterance.number}: {reason.split(':')[0]}"
        case messages.EndTurn(generation, outcome):
            return f"end turn {generation}: {outcome}"
        case _:
            values = [str(getattr(command, item.name)).lower() for item in fields(command)]
            return " ".join([_name(command), *values])


def replay(made: Made, steps: Sequence[Step]) -> list[Replayed]:
    """Let a new state machine decide on the same events.

    Raises
    ------
    ValueError
        If a step names an event that there is not, or lacks a fact.
    """
    machine = TurnMachine(
        made.max_theses, DialogueContext(), made.speculate, lambda text, language: text == _WHOLE_QUESTION
    )
    replayed = []
    for number, known in enumerate(steps, 1):
        try:
            event = _event(known.event)
        except (KeyError, TypeError) as error:
            raise ValueError(f"step {number} is no event of a trace: {error}") from error
        replayed.append(Replayed(known, tuple(in_short(command) for command in machine.handle(event))))
    return replayed


def _name(command: TurnCommand) -> str:
    return "".join(f" {char.lower()}" if char.isupper() else char for char in type(command).__name__).strip()


def _event(facts: Facts) -> TurnEvent:
    kind = _TYPES[facts["event"]]
    if kind is messages.Heard:
        return messages.Heard(_utterance(facts), facts["revision"], facts["settled"])
    if kind is messages.ThesisMade:
        return messages.ThesisMade(messages.Thesis(facts["generation"], facts["number"], _WORDS))
    if kind is messages.AnswerEnded:
        return messages.AnswerEnded(facts["generation"], "failed" if facts["failed"] else "")
    if kind is messages.SegmentSettled:
        return messages.SegmentSettled(facts["number"], facts["revision"], 0)
    event: TurnEvent = kind(**{name: value for name, value in facts.items() if name != "event"})
    return event


def _utterance(facts: Facts) -> Utterance:
    text = (_WHOLE_QUESTION if facts["reads_finished"] else _WORDS) if facts["words"] else ""
    error = "failed" if facts["failed"] else ""
    return Utterance(facts["number"], facts["speaker"], text, "en", None, 0.0, 0.0, (), "", error)
