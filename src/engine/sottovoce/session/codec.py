"""Events to rows, and rows back to a session; pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from sottovoce.session.records import (
    BackendChanged,
    BackendFailed,
    BudgetReached,
    DeviceChanged,
    Durations,
    EngineMeasured,
    Event,
    EventRecord,
    MachineMade,
    MachineStep,
    QuestionAccepted,
    QuestionIgnored,
    SessionRecord,
    SessionSummary,
    SpeakerKind,
    Speculated,
    StageTime,
    StepRecord,
    StreamHealth,
    ThesisChanged,
    ThesisRecord,
    ThesisStatus,
    TranscriptPolicy,
    TurnEnded,
    TurnRecord,
    UtteranceHeard,
    UtteranceRecord,
    Words,
)
from sottovoce.session.spending import Spending, cost_of

#: Names of the events in the database; they never change.
KINDS: Mapping[type[Any], str] = {
    UtteranceHeard: "utterance",
    QuestionAccepted: "question",
    QuestionIgnored: "ignored",
    ThesisChanged: "thesis",
    TurnEnded: "turn-ended",
    Speculated: "speculated",
    BackendFailed: "backend-failed",
    BackendChanged: "backend-changed",
    BudgetReached: "budget",
    DeviceChanged: "device",
    EngineMeasured: "engine",
    MachineMade: "machine",
    MachineStep: "decision",
}

#: Fields that hold what was said or answered, or give it away.
_WORDS = ("text", "source")


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it lies in the database."""

    at_ns: int
    kind: str
    body: str


def encode(event: Event, at_ns: int, policy: TranscriptPolicy) -> Row:
    """The row of ``event`` at ``at_ns``; what ``policy`` forbids to keep is not in it."""
    body = asdict(event)
    for name in _WORDS:
        if name in body and policy is not TranscriptPolicy.KEEP:
            text = body.pop(name)
            if policy is TranscriptPolicy.REDACT:
                body[f"{name}_length"] = len(text)
    return Row(at_ns, KINDS[type(event)], json.dumps(body, ensure_ascii=False, separators=(",", ":")))


@dataclass(slots=True)
class _Turn:
    """A turn while its events are gathered."""

    at_ns: int
    utterance: int | None = None
    theses: dict[int, ThesisRecord] = field(default_factory=dict)
    stages: tuple[StageTime, ...] = ()
    outcome: str | None = None
    backend: str = ""


def assemble(
    summary: SessionSummary,
    settings: Mapping[str, object],
    transcripts: TranscriptPolicy,
    origin_ns: int,
    rows: Iterable[Row],
    spending: tuple[Spending, ...] = (),
    versions: Mapping[str, str] | None = None,
) -> SessionRecord:
    """Fold the rows of a session, in the order in which they were appended, into its record.

    Rows may be missing (a killed process, an overloaded store): a thesis whose question is lost still has its turn.
    Kinds that this version does not know are kept as plain events.
    """
    utterances: dict[int, UtteranceRecord] = {}
    asides: dict[int, UtteranceRecord] = {}
    ignored: dict[int, str] = {}
    turns: dict[int, _Turn] = {}
    others: list[EventRecord] = []
    speculations: list[Speculated] = []
    steps: list[StepRecord] = []
    engine: tuple[StreamHealth, ...] = ()
    for row in rows:
        body: dict[str, Any] = json.loads(row.body)
        if row.kind == KINDS[UtteranceHeard]:
            (asides if body.get("aside") else utterances)[body["utterance"]] = _utterance(body)
        elif row.kind == KINDS[QuestionIgnored]:
            ignored[body["utterance"]] = body["reason"]
        elif row.kind in (KINDS[QuestionAccepted], KINDS[ThesisChanged], KINDS[TurnEnded]):
            _gather(turns.setdefault(body["turn"], _Turn(row.at_ns)), row.kind, body, origin_ns)
        elif row.kind == KINDS[Speculated]:
            speculations.append(Speculated(body["utterance"], body["early"], body["taken"]))
        elif row.kind == KINDS[MachineMade]:
            steps.append(StepRecord((row.at_ns - origin_ns) / 1e9, body["settings"]))
        elif row.kind == KINDS[MachineStep]:
            steps.append(StepRecord((row.at_ns - origin_ns) / 1e9, body["event"], tuple(body["decided"])))
        elif row.kind == KINDS[EngineMeasured]:
            engine = tuple(_stream(stream) for stream in body["streams"])
        else:
            others.append(EventRecord((row.at_ns - origin_ns) / 1e9, row.kind, body))
    found = [_with_reason(utterance, ignored) for utterance in utterances.values()]
    heard = tuple(sorted([*found, *asides.values()], key=lambda utterance: (utterance.start_s, utterance.number)))
    return SessionRecord(
        summary=summary,
        settings=settings,
        transcripts=transcripts,
        utterances=heard,
        turns=tuple(_turn(number, turn, utterances, origin_ns, spending) for number, turn in sorted(turns.items())),
        events=tuple(others),
        speculations=tuple(speculations),
        steps=tuple(steps),
        spending=spending,
        engine=engine,
        versions=versions or {},
    )


def _stream(body: Mapping[str, Any]) -> StreamHealth:
    known: dict[str, Any] = {each.name: body[each.name] for each in fields(StreamHealth) if each.name in body}
    for name in ("callback", "interval", "resampling"):
        known[name] = Durations(**known.get(name, {}))
    return StreamHealth(**known)


def _words(body: Mapping[str, Any], name: str) -> Words:
    text = body.get(name)
    return Words(text, len(text) if text is not None else body.get(f"{name}_length"))


def _utterance(body: Mapping[str, Any]) -> UtteranceRecord:
    return UtteranceRecord(
        number=body["utterance"],
        start_s=body["start_s"],
        end_s=body["end_s"],
        speaker=SpeakerKind(body["speaker"]),
        words=_words(body, "text"),
        confidence=body["confidence"],
        language=body["language"],
        backend=body["backend"],
        aside=body.get("aside", False),  # earlier versions knew none
        ear=body.get("ear", "microphone"),  # the only one that earlier versions had
    )


def _with_reason(utterance: UtteranceRecord, ignored: Mapping[int, str]) -> UtteranceRecord:
    return replace(utterance, ignored=ignored.get(utterance.number, ""))


def _gather(turn: _Turn, kind: str, body: Mapping[str, Any], origin_ns: int) -> None:
    if kind == KINDS[QuestionAccepted]:
        turn.utterance = body["utterance"]
    elif kind == KINDS[ThesisChanged]:
        turn.theses[body["number"]] = ThesisRecord(
            number=body["number"],
            words=_words(body, "text"),
            source=_words(body, "source"),
            status=ThesisStatus(body["status"]),
            start_s=body["start_s"],
            spoken_s=body["spoken_s"],
            heard_s=body["heard_s"],
        )
    else:
        turn.outcome = body["outcome"]
        turn.backend = body.get("backend", "")
        turn.stages = tuple(
            StageTime(stage["name"], stage["start_ns"] - origin_ns, stage["end_ns"] - origin_ns)
            for stage in body["stages"]
        )


def _turn(
    number: int,
    turn: _Turn,
    utterances: Mapping[int, UtteranceRecord],
    origin_ns: int,
    spending: Iterable[Spending],
) -> TurnRecord:
    asked = None if turn.utterance is None else utterances.get(turn.utterance)
    return TurnRecord(
        number=number,
        utterance=turn.utterance,
        at_s=(turn.at_ns - origin_ns) / 1e9,
        question=Words(None, None) if asked is None else asked.words,
        theses=tuple(thesis for _, thesis in sorted(turn.theses.items())),
        stages=turn.stages,
        outcome=turn.outcome,
        cost=cost_of(call for call in spending if call.turn == number),
        backend=turn.backend,
    )
