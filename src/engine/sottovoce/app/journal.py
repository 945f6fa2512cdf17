"""From what happens in a session to what the store keeps of it."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field, replace

from sottovoce.app.ledger import Ledger
from sottovoce.assistant import notices
from sottovoce.assistant.messages import Thesis, Utterance
from sottovoce.assistant.notices import Notice
from sottovoce.metrics.stages import Span, Stage
from sottovoce.session import records
from sottovoce.session.records import SpeakerKind, StageTime, ThesisChanged, ThesisStatus
from sottovoce.session.store import SessionStore

#: Turns that have ended of which is remembered what the narrator may still have to say something about.
_REMEMBERED = 4


@dataclass(slots=True)
class Journal:
    """An observer that writes a session to the store, which queues and never blocks.

    Parameters
    ----------
    store : SessionStore
        Where to.
    session_id : int
        Of a session that has been started there.
    started_ns : int
        When it was started, on the session's clock.
    ledger : Ledger or None
        Told which of what was spent was spent for which turn, or in vain.
    generator : str
        Who answers at first.
    """

    store: SessionStore
    session_id: int
    started_ns: int
    ledger: Ledger | None = None
    generator: str = ""
    _theses: dict[tuple[int, int], ThesisChanged] = field(default_factory=dict)
    _turns: dict[int, int] = field(default_factory=dict)  # by generation; speculation leaves gaps in those
    _ended_last: deque[int] = field(default_factory=deque)
    _accepted: int = 0
    _speculated: dict[int, notices.Speculated] = field(default_factory=dict)

    def __call__(self, notice: Notice) -> None:
        match notice:
            case notices.UtteranceHeard(utterance, generation, ignored):
                self._heard(utterance, generation, ignored)
            case notices.ThesisAdded(thesis):
                turn = self._turns[thesis.generation]
                self._put(ThesisChanged(turn, thesis.number, thesis.text, thesis.source, ThesisStatus.MADE))
            case notices.ThesisStarted(thesis, at_ns):
                self._change(thesis, ThesisStatus.PLAYING, start_s=(at_ns - self.started_ns) / 1e9)
            case notices.ThesisSpoken(thesis, start_s, end_s):
                spoken_s = end_s - start_s
                self._change(thesis, ThesisStatus.HEARD, spoken_s=spoken_s, heard_s=spoken_s)
            case notices.ThesisCut(thesis, heard_s):
                self._change(thesis, ThesisStatus.INTERRUPTED, heard_s=heard_s)
            case notices.ThesisFailed(thesis):
                self._change(thesis, ThesisStatus.FAILED)
            case notices.Speculated(_, generation):
                self._speculated[generation] = notice
            case notices.SpeculationEnded(generation, taken):
                begun = self._speculated.pop(generation)
                self._append(records.Speculated(begun.utterance.number, begun.early, taken))
                if self.ledger is not None and not taken:
                    self.ledger.discarded(generation)
            case notices.TurnEnded():
                self._ended(notice)
            case notices.Began(made):
                self._append(records.MachineMade(asdict(made)))
            case notices.Decided(step):
                self._append(records.MachineStep(step.event, step.decided))
            case notices.BackendFailed(backend, message, _, retryable):
                self._append(records.BackendFailed(backend, message, retryable))
            case notices.BackendChanged(part, backend):
                if part == "llm":
                    self.generator = backend
                self._append(records.BackendChanged(part, backend))
            case notices.BudgetReached(scope, limit, stops):
                self._append(records.BudgetReached(scope, limit, stops))
            case _:
                pass

    def _heard(self, utterance: Utterance, generation: int, ignored: str) -> None:
        self._append(
            records.UtteranceHeard(
                utterance.number,
                utterance.start_s,
                utterance.end_s,
                SpeakerKind(utterance.speaker),
                utterance.text,
                utterance.confidence,
                utterance.language,
                utterance.backend,
                utterance.aside,
                utterance.ear,
            )
        )
        if utterance.aside:  # its number is that of the question beside it
            return
        if ignored:
            self._append(records.QuestionIgnored(utterance.number, ignored))
        else:
            self._accepted += 1
            self._turns[generation] = self._accepted
            self._append(records.QuestionAccepted(self._accepted, utterance.number))
            if self.ledger is not None:
                self.ledger.accepted(generation, self._accepted, utterance.number)

    def _ended(self, notice: notices.TurnEnded) -> None:
        marks = dict(notice.times.marks_ns)
        intervals = ((span, notice.times.interval_ns(span)) for span in Span)
        stages = tuple(StageTime(str(span), *interval_ns) for span, interval_ns in intervals if interval_ns)
        if Stage.FIRST_SAMPLE in marks and Stage.LAST_SAMPLE in marks:
            stages += (StageTime("speaking", marks[Stage.FIRST_SAMPLE], marks[Stage.LAST_SAMPLE]),)
        ended = self._turns[notice.generation]
        self._append(records.TurnEnded(ended, notice.outcome, stages, self.generator))
        for key, thesis in list(self._theses.items()):
            # a thesis that sounds is settled by the narrator's own word, which comes after the end of a cut turn
            if key[0] == ended and thesis.status is ThesisStatus.MADE:
                self._put(replace(thesis, status=ThesisStatus.DROPPED))
        self._ended_last.append(notice.generation)
        if len(self._ended_last) > _REMEMBERED:  # a turn may outlast later ones that found no answer
            self._forget(self._ended_last.popleft())

    def _forget(self, generation: int) -> None:
        turn = self._turns.pop(generation)
        for key in [key for key in self._theses if key[0] == turn]:
            del self._theses[key]

    def _change(self, thesis: Thesis, status: ThesisStatus, **changed: float) -> None:
        known = self._theses.get((self._turns.get(thesis.generation, 0), thesis.number))
        if known is not None:
            self._put(replace(known, status=status, **changed))  # type: ignore[arg-type]

    def _put(self, thesis: ThesisChanged) -> None:
        self._theses[thesis.turn, thesis.number] = thesis
        self._append(thesis)

    def _append(self, event: records.Event) -> None:
        self.store.append(self.session_id, event)
