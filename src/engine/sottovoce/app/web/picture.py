"""What the page shows, as far as it comes from what a session tells: notices in, sections out; pure, time is given."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sottovoce.app.money import NANO
from sottovoce.app.timeline import NAMES
from sottovoce.app.view import SessionView, ThesisState, TurnView
from sottovoce.assistant import notices
from sottovoce.assistant.messages import SpeakerKind
from sottovoce.assistant.notices import Notice
from sottovoce.metrics.stages import Stage, TurnTimes
from sottovoce.session.spending import Cost

#: Turns and messages that are shown.
MOST_TURNS, MOST_NOTICES = 20, 20

#: Generations of which is remembered what they went through, and cost; speculation has some that never become turns.
_REMEMBERED = 40

#: Sections that follow from notices.
SECTIONS = ("session", "heard", "turns", "cost", "notices")

_THESIS_STATES: Mapping[ThesisState, str] = {
    "waiting": "waiting",
    "speaking": "speaking",
    "spoken": "heard",
    "cut": "partly",
    "failed": "skipped",
    "dropped": "skipped",
}
_OUTCOMES = {
    "spoken": ("done", ""),
    "interrupted": ("interrupted", "interrupted by the next question"),
    "superseded": ("interrupted", "superseded by the next question"),
    "stopped": ("interrupted", "stopped"),
    "closed": ("interrupted", "the session ended"),
    "no answer": ("nothing", ""),
}
_PARTS = {"asr": "recogniser", "llm": "generator", "tts": "voice"}
_T = TypeVar("_T")
_NOTE = re.compile(r"(?P<title>.+) \((?P<where>[^()]+)\)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a session when it begins; fields as in docs/web.md."""

    started: datetime
    session_id: int | None = None
    language: str = "en"
    advance: str = "auto"
    recogniser: str = ""
    generator: str = ""
    voice: str = ""
    leaves_machine: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    limit: str = ""


@dataclass(slots=True)
class _Shown:
    """A turn, and when it was asked."""

    turn: TurnView
    said_at: datetime
    times: TurnTimes | None = None


@dataclass(slots=True)
class Picture:
    """The picture of one session; :meth:`take` takes the notices in their order."""

    facts: Facts
    ended: bool = False
    day_nano: int | None = None
    _view: SessionView = field(default_factory=lambda: SessionView(keep=False))
    _parts: dict[str, str] = field(default_factory=dict)
    _speaker: SpeakerKind | None = None
    _turns: deque[_Shown] = field(default_factory=lambda: deque(maxlen=MOST_TURNS))
    _notices: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=MOST_NOTICES))
    _marks: dict[int, dict[Stage, int]] = field(default_factory=dict)
    _costs: dict[int, Cost] = field(default_factory=dict)
    _budget: str = "ok"

    def __post_init__(self) -> None:
        facts = self.facts
        self._view.generator = facts.generator
        self._parts = {"recogniser": facts.recogniser, "generator": facts.generator, "voice": facts.voice}

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks."""
        return self._view.speaking

    def take(self, notice: Notice, at_ns: int, now: datetime) -> frozenset[str]:
        """Take one notice that came at ``at_ns`` (monotonic), ``now`` by the clock; returns the sections it changes."""
        changed = self._changed(notice, at_ns)
        settled = self._view.apply(notice)
        if isinstance(notice, notices.UtteranceHeard) and not notice.ignored:
            asked = next(turn for turn in self._view.open_turns if turn.generation == notice.generation)
            self._turns.append(_Shown(asked, now))
            self._mark(notice.generation, {**dict(notice.utterance.marks), Stage.QUESTION_ACCEPTED: at_ns})
        elif isinstance(settled, TurnView):
            for shown in self._turns:
                if shown.turn is settled:
                    shown.times = settled.times
        return changed

    def _changed(self, notice: Notice, at_ns: int) -> frozenset[str]:
        """Note what the view does not, and say which sections change."""
        match notice:
            case notices.VoiceChanged() | notices.EarMuted():
                return frozenset(("session",))
            case notices.HeardSoFar() | notices.ThesisForeseen() | notices.SpeculationEnded() | notices.SpeechBegan():
                return frozenset(("heard",))
            case notices.Speculated(utterance):
                self._speaker = utterance.speaker
                return frozenset(("heard",))
            case notices.UtteranceHeard(utterance, _, ignored):
                self._speaker = utterance.speaker
                if ignored:
                    said = f"{utterance.text} ({ignored})" if utterance.text else ignored
                    self._tell(at_ns, "info", f"not answered: {said}")
                return frozenset(("heard", "notices" if ignored else "turns"))
            case notices.StageReached(generation, stage, reached_ns):
                self._mark(generation, {stage: reached_ns})
                return frozenset()
            case notices.ThesisStarted(thesis, started_ns):
                self._first_sound(thesis.generation, started_ns)
                return frozenset(("turns",))
            case (
                notices.ThesisAdded()
                | notices.ThesisSpoken()
                | notices.ThesisCut()
                | notices.ThesisFailed()
                | notices.TurnEnded()
            ):
                return frozenset(("turns",))
            case notices.Spent(_, nano_usd, estimated, generation):
                if generation is not None:
                    known = self._costs.get(generation, Cost())
                    _remember(self._costs, generation, known + Cost.of_call(nano_usd, estimated=estimated))
                return frozenset(("cost",))
            case notices.BackendChanged(part, backend):
                self._parts[_PARTS.get(part, part)] = backend
                self._tell(at_ns, "warning", f"{backend} answers from now on")
                return frozenset(("session", "notices"))
            case _:
                return self._news(notice, at_ns)

    def _news(self, notice: Notice, at_ns: int) -> frozenset[str]:
        match notice:
            case notices.BackendFailed(backend, message, hint):
                self._tell(at_ns, "error", f"{backend}: {message}" + (f" ({hint})" if hint else ""))
            case notices.SegmentDropped(_, reason):
                self._tell(at_ns, "warning", f"something that was said was not transcribed: {reason}")
            case notices.PriceUnknown(provider, model):
                said = f"the price of {model} ({provider}) is unknown: the budget does not count it"
                self._tell(at_ns, "warning", said)
            case notices.BudgetReached(scope, limit, stops):
                self._budget = "stopped" if stops or self._budget == "stopped" else "warned"
                spent = f"the budget of this {scope}, {limit}, is spent: no service is called any more"
                warned = f"this {scope} has cost {limit}, of which you wanted to be told"
                self._tell(at_ns, "error" if stops else "warning", spent if stops else warned)
                return frozenset(("cost", "notices"))
            case _:
                return frozenset()
        return frozenset(("notices",))

    def section(self, name: str) -> dict[str, object]:
        """One of :data:`SECTIONS` as docs/web.md describes it, without ``at_ms``."""
        match name:
            case "session":
                return self._session()
            case "heard":
                return self._heard()
            case "turns":
                return {"turns": [self._turn(shown) for shown in self._turns]}
            case "cost":
                return self._cost()
            case _:
                return {"notices": list(self._notices)}

    def _session(self) -> dict[str, object]:
        facts, view = self.facts, self._view
        return {
            "id": facts.session_id,
            "started": facts.started.isoformat(timespec="seconds"),
            "listening": not (view.muted or self.ended),
            "muted": view.muted,
            "paused": view.paused,
            "ended": self.ended,
            "gain_db": view.gain_db,
            "language": facts.language,
            "advance": facts.advance,
            **self._parts,
            "leaves_machine": list(facts.leaves_machine),
            "controls": list(facts.controls),
        }

    def _heard(self) -> dict[str, object]:
        view = self._view
        foreseen = view.provisional.theses if view.provisional is not None and view.so_far else []
        sources = dict.fromkeys(thesis.source for thesis in foreseen if thesis.source)
        return {
            "partial": view.so_far,
            "speaker": self._speaker if view.so_far and self._speaker else "",
            "provisional": [thesis.text for thesis in foreseen],
            "notes": [_note(source) for source in sources],
        }

    def _turn(self, shown: _Shown) -> dict[str, object]:
        turn = shown.turn
        if turn.outcome:
            state, message = _OUTCOMES.get(turn.outcome, ("failed", turn.detail or turn.outcome))
        else:
            sounding = any(view.state in ("speaking", "spoken", "cut") for view in turn.theses)
            state, message = "speaking" if sounding else "thinking", ""
        times = shown.times
        return {
            "generation": turn.generation,
            "speaker": turn.question.speaker,
            "typed": turn.question.typed,
            "question": turn.question.text,
            "said_at": shown.said_at.isoformat(timespec="seconds"),
            "state": state,
            "message": message,
            "answered_by": turn.generator or self._view.generator,
            "theses": [
                {
                    "index": view.thesis.number,
                    "text": view.thesis.text,
                    "source": view.thesis.source,
                    "state": _THESIS_STATES[view.state],
                }
                for view in turn.theses
            ],
            "stages": _stages(times) if times is not None else [],
            "total_ms": None if times is None or times.total_ms is None else round(times.total_ms, 1),
        }

    def _cost(self) -> dict[str, object]:
        newest = self._turns[-1].turn.generation if self._turns else 0
        return {
            "turn": _usd(self._costs.get(newest, Cost())),
            "session": _usd(self._view.cost),
            "day": None if self.day_nano is None else self.day_nano / NANO,
            "currency": "USD",
            "limit": self.facts.limit,
            "state": self._budget,
        }

    def _tell(self, at_ns: int, level: str, text: str) -> None:
        self._notices.append({"at_ms": at_ms(at_ns), "level": level, "text": text})

    def _mark(self, generation: int, marks: Mapping[Stage, int]) -> None:
        _remember(self._marks, generation, {**marks, **self._marks.get(generation, {})})

    def _first_sound(self, generation: int, at_ns: int) -> None:
        """The times of a turn are known, as far as they matter, with its first sample."""
        self._mark(generation, {Stage.FIRST_SAMPLE: at_ns})
        for shown in self._turns:
            if shown.turn.generation == generation and shown.times is None:
                shown.times = TurnTimes(generation, self._marks[generation])


def at_ms(at_ns: int) -> float:
    """A moment on the monotonic clock as the page gets it."""
    return round(at_ns / 1e6, 1)


def _stages(times: TurnTimes) -> list[dict[str, object]]:
    """The stages as they are drawn, in ms from the true end of the question."""
    known = [(name, interval) for span, name in NAMES.items() if (interval := times.interval_ns(span)) is not None]
    zero_ns = times.marks_ns.get(Stage.SPEECH_END, min((interval[0] for _, interval in known), default=0))
    return [
        {"name": name, "start_ms": at_ms(start_ns - zero_ns), "end_ms": at_ms(end_ns - zero_ns)}
        for name, (start_ns, end_ns) in known
    ]


def _note(source: str) -> dict[str, str]:
    found = _NOTE.fullmatch(source)
    return {"title": found["title"], "where": found["where"]} if found else {"title": source, "where": ""}


def _usd(cost: Cost) -> float | None:
    return None if cost.calls and cost.unpriced == cost.calls else cost.nano_usd / NANO


def _remember(known: dict[int, _T], key: int, value: _T) -> None:
    known.pop(key, None)
    known[key] = value
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
