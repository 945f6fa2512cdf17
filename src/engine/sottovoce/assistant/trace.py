"""What the turn state machine was told and what it decided, without a word of what was said: to be replayed exactly.

A trace is a list of steps. The first holds what the machine was made with; every other an event, as facts, and the
commands that followed, in short. Texts are left out; what the decisions depended on (whether there were any words,
whether they read like a whole question, and which of them ask the same) is kept, so a trace may be given away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from sottovoce.assistant import messages
from sottovoce.assistant.context import DialogueContext
from sottovoce.assistant.messages import TurnCommand, TurnEvent, Utterance
from sottovoce.assistant.sameness import asked_words
from sottovoce.assistant.turn import Speculate, TurnMachine

#: An event as JSON: its name and its facts.
Facts: TypeAlias = Mapping[str, Any]

#: Names of events in a trace; they never change.
_NAMES: dict[type[Any], str] = {
    messages.Heard: "heard",
    messages.AsideHeard: "aside heard",
    messages.SegmentSettled: "settled",
    messages.SpeechWentOn: "went on",
    messages.PartialHeard: "heard in part",
    messages.SpeechLost: "lost",
    messages.ThesisMade: "thesis made",
    messages.AnswerEnded: "answer ended",
    messages.NarrationEnded: "narration ended",
    messages.Typed: "typed",
    messages.StopAsked: "stop asked",
    messages.InputEnded: "input ended",
    messages.Closing: "closing",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}

#: Questions of which is remembered which of them ask the same.
_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Made:
    """What the state machine was made with."""

    max_theses: int
    speculate: Speculate
    answer_unsure: bool = True
    rejoin_s: float | None = None


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


class Tracer:
    """Writes down what is told and decided, without its words.

    Parameters
    ----------
    reads_finished : callable
        Whether a text in a language reads like a whole question, as the machine is told.
    """

    def __init__(self, reads_finished: Callable[[str, str], bool]) -> None:
        self._reads_finished = reads_finished
        self._said: dict[tuple[str, ...], int] = {}
        self._last = 0

    def step(self, event: TurnEvent, commands: Iterable[TurnCommand]) -> Step:
        """The step that was made of ``event``."""
        facts: dict[str, Any] = {"event": _NAMES[type(event)]}
        match event:
            case messages.Heard(utterance, revision, settled) | messages.AsideHeard(utterance, revision, settled):
                facts |= {"number": utterance.number, "revision": revision, "settled": settled}
                facts |= self._facts_of(utterance)
            case messages.PartialHeard(utterance) | messages.Typed(utterance):
                facts |= {"number": utterance.number, **self._facts_of(utterance)}
            case messages.ThesisMade(thesis):
                facts |= {"generation": thesis.generation, "number": thesis.number}
            case messages.AnswerEnded(generation, error):
                facts |= {"generation": generation, "failed": bool(error)}
            case _:
                facts |= {item.name: getattr(event, item.name) for item in fields(event) if item.name != "ready_ns"}
        return Step(facts, tuple(in_short(command) for command in commands))

    def _facts_of(self, utterance: Utterance) -> dict[str, Any]:
        text = utterance.text
        return {
            "speaker": utterance.speaker,
            "words": bool(text),
            "failed": bool(utterance.error),
            **({"echo": True} if utterance.echoed_words else {}),
            "reads_finished": self._reads_finished(text, utterance.language),
            "said": self._number_of(text) if text else 0,
            "start_s": round(utterance.start_s, 3),
            "end_s": round(utterance.end_s, 3),
        }

    def _number_of(self, text: str) -> int:
        """The same number for texts that ask the same."""
        words = asked_words(text)
        number = self._said.pop(words, 0)
        if not number:
            number = self._last = self._last + 1
        self._said[words] = number
        if len(self._said) > _REMEMBERED:
            del self._said[next(iter(self._said))]
        return number


def in_short(command: TurnCommand) -> str:
    """A command in a few words, none of which was spoken."""
    match command:
        case messages.Answer(generation, utterance, _, speculative, early):
            way = " while it is asked" if early else " on speculation" if speculative else ""
            return f"answer {generation} to {utterance.number}{way}"
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
        made.max_theses,
        DialogueContext(),
        made.speculate,
        lambda text, language: text.endswith("?"),
        made.answer_unsure,
        made.rejoin_s,
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
    if kind in (messages.Heard, messages.AsideHeard):
        heard: TurnEvent = kind(_utterance(facts), facts["revision"], facts["settled"])
        return heard
    if kind is messages.PartialHeard:
        return messages.PartialHeard(_utterance(facts))
    if kind is messages.Typed:
        return messages.Typed(_utterance(facts))
    if kind is messages.ThesisMade:
        return messages.ThesisMade(messages.Thesis(facts["generation"], facts["number"], "words"))
    if kind is messages.AnswerEnded:
        return messages.AnswerEnded(facts["generation"], "failed" if facts["failed"] else "")
    if kind is messages.SegmentSettled:
        return messages.SegmentSettled(facts["number"], facts["revision"], 0)
    event: TurnEvent = kind(**{name: value for name, value in facts.items() if name != "event"})
    return event


def _utterance(facts: Facts) -> Utterance:
    said = facts.get("said", 0)  # earlier versions did not keep it
    text = f"question {said}" + ("?" if facts["reads_finished"] else "") if facts["words"] else ""
    error = "failed" if facts["failed"] else ""
    start_s, end_s = facts.get("start_s", 0.0), facts.get("end_s", 0.0)
    echoed = int(facts.get("echo", False))
    return Utterance(
        facts["number"], facts["speaker"], text, "en", None, start_s, end_s, (), "", error, echoed_words=echoed
    )
