"""What has happened so far in a session, as a person or a JSON file would tell it: notices in, a picture out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sottovoce.assistant import notices
from sottovoce.assistant.messages import EarKind, Thesis, Utterance
from sottovoce.assistant.notices import Notice
from sottovoce.metrics.stages import TurnTimes
from sottovoce.session.spending import Cost

ThesisState: TypeAlias = Literal["waiting", "speaking", "spoken", "cut", "failed", "dropped"]


@dataclass(slots=True)
class ThesisView:
    """A thesis; ``start_s`` and ``end_s`` are seconds of speech in its turn, known once it has been spoken."""

    thesis: Thesis
    state: ThesisState = "waiting"
    start_s: float | None = None
    end_s: float | None = None
    note: str = ""


@dataclass(slots=True)
class TurnView:
    """A question and what became of it.

    While it lasts ``outcome`` is empty; ``generator`` is who answered at its end.
    """

    generation: int
    question: Utterance
    theses: list[ThesisView] = field(default_factory=list)
    outcome: str = ""
    detail: str = ""
    times: TurnTimes | None = None
    generator: str = ""


@dataclass(frozen=True, slots=True)
class IgnoredUtterance:
    """An utterance that raised no turn, and why."""

    utterance: Utterance
    reason: str


@dataclass(slots=True)
class Provisional:
    """What is being made of a question that may not be over yet."""

    generation: int
    question: Utterance
    theses: list[Thesis] = field(default_factory=list)


@dataclass(slots=True)
class SessionView:
    """The picture; :meth:`apply` takes the notices in their order.

    Attributes
    ----------
    keep : bool
        Keep every utterance and turn. A live session that lasts for hours keeps only what is open.
    heard_s : float
        Seconds of input heard.
    so_far : str
        What is being said, as far as it has been recognised; since second ``so_far_at_s``.
    provisional : Provisional or None
        A question that may not be over yet, and the theses that it would have.
    paused, gain_db : bool, float
        What the wearer has done to the voice: held it, made it louder or quieter than it was set.
    muted : bool
        Whether the wearer has muted the microphone.
    echoed_words : int
        Words of the microphone that were dropped, since the loudspeaker had said them.
    hits, misses : int
        How often such theses were taken, and how often thrown away: calls in vain.
    cost : Cost
        What calls of services have cost so far.
    generator : str
        The generator that answers.
    """

    keep: bool = True
    heard_s: float = 0.0
    so_far: str = ""
    so_far_at_s: float = 0.0
    provisional: Provisional | None = None
    paused: bool = False
    gain_db: float = 0.0
    muted: bool = False
    hits: int = 0
    misses: int = 0
    cost: Cost = field(default_factory=Cost)
    generator: str = ""
    dropped: int = 0
    echoed_words: int = 0
    ignored: list[IgnoredUtterance] = field(default_factory=list)
    utterances: list[Utterance] = field(default_factory=list)
    turns: list[TurnView] = field(default_factory=list)
    failures: list[notices.BackendFailed] = field(default_factory=list)
    _open: dict[int, TurnView] = field(default_factory=dict)
    _speaking: set[EarKind] = field(default_factory=set)

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks now."""
        return bool(self._speaking)

    @property
    def open_turns(self) -> tuple[TurnView, ...]:
        return tuple(self._open.values())

    def apply(self, notice: Notice) -> TurnView | IgnoredUtterance | None:
        """Take one notice; returns the turn or the utterance that is settled by it."""
        match notice:
            case notices.VoiceChanged(paused, gain_db):
                self.paused, self.gain_db = paused, gain_db
            case notices.EarMuted(muted):
                self.muted = muted
            case notices.SpeechBegan(_, ear):
                self._speaking.add(ear)
                self.so_far = ""
            case notices.SpeechEnded(_, ear):
                self._speaking.discard(ear)
            case notices.InputProgress(heard_s):
                self.heard_s = heard_s
            case notices.SegmentDropped():
                self.dropped += 1
            case notices.HeardSoFar(at_s, text):
                self.so_far_at_s, self.so_far = at_s, text
            case notices.UtteranceHeard(utterance, generation, ignored):
                return self._heard(utterance, generation, ignored)
            case notices.Speculated(utterance, generation):
                self.provisional = Provisional(generation, utterance)
                self.so_far_at_s, self.so_far = utterance.start_s, utterance.text
            case notices.ThesisForeseen(thesis):
                if self.provisional is not None and self.provisional.generation == thesis.generation:
                    self.provisional.theses.append(thesis)
            case notices.SpeculationEnded(_, taken):
                self.provisional = None
                self.hits += taken
                self.misses += not taken
            case notices.ThesisAdded(thesis):
                if thesis.generation in self._open:
                    self._open[thesis.generation].theses.append(ThesisView(thesis))
            case notices.ThesisStarted(thesis):
                self._set(thesis, "speaking")
            case notices.ThesisSpoken(thesis, start_s, end_s):
                self._set(thesis, "spoken", start_s, end_s)
            case notices.ThesisCut(thesis):
                self._set(thesis, "cut")
            case notices.ThesisFailed(thesis, reason):
                self._set(thesis, "failed", note=reason)
            case notices.TurnEnded():
                return self._ended(notice)
            case notices.BackendChanged("llm", backend):
                self.generator = backend
            case notices.Spent(_, nano_usd, estimated):
                self.cost += Cost.of_call(nano_usd, estimated=estimated)
            case notices.BackendFailed():
                if self.keep:
                    self.failures.append(notice)
            case _:
                pass
        return None

    def _heard(self, utterance: Utterance, generation: int, ignored: str) -> IgnoredUtterance | None:
        self.echoed_words += utterance.echoed_words
        if not utterance.typed:
            self._speaking.discard(utterance.ear)
            if utterance.end_s > self.so_far_at_s:  # else it is the next one that has begun already
                self.so_far = ""
        if self.keep:
            self.utterances.append(utterance)
        if ignored:
            settled = IgnoredUtterance(utterance, ignored)
            if self.keep:
                self.ignored.append(settled)
            return settled
        turn = self._open[generation] = TurnView(generation, utterance)
        if self.keep:
            self.turns.append(turn)
        return None

    def _ended(self, notice: notices.TurnEnded) -> TurnView | None:
        turn = self._open.pop(notice.generation, None)
        if turn is not None:
            turn.outcome, turn.detail, turn.times = notice.outcome, notice.detail, notice.times
            turn.generator = self.generator
            for view in turn.theses:
                if view.state == "speaking":
                    view.state = "cut"
                elif view.state == "waiting":
                    view.state = "dropped"
        return turn

    def _set(
        self,
        thesis: Thesis,
        state: ThesisState,
        start_s: float | None = None,
        end_s: float | None = None,
        note: str = "",
    ) -> None:
        turn = self._open.get(thesis.generation)
        for view in turn.theses if turn else ():
            if view.thesis.number == thesis.number:
                view.state, view.start_s, view.end_s, view.note = state, start_s, end_s, note
