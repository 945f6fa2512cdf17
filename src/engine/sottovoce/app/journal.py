"""From what happens in a session to what the store keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sottovoce.assistant import notices
from sottovoce.assistant.messages import Thesis, Utterance
from sottovoce.assistant.notices import Notice
from sottovoce.metrics.stages import Span, Stage
from sottovoce.session import records
from sottovoce.session.records import SpeakerKind, StageTime, ThesisChanged, ThesisStatus
from sottovoce.session.store import SessionStore


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
    """

    store: SessionStore
    session_id: int
    started_ns: int
    _theses: dict[tuple[int, int], ThesisChanged] = field(default_factory=dict)

    def __call__(self, notice: Notice) -> None:
        match notice:
            case notices.UtteranceHeard(utterance, generation, ignored):
                self._heard(utterance, generation, ignored)
            case notices.ThesisAdded(thesis):
                made = ThesisChanged(thesis.generation, thesis.number, thesis.text, thesis.source, ThesisStatus.MADE)
                self._put(made)
            case notices.ThesisStarted(thesis, at_ns):
                self._change(thesis, ThesisStatus.PLAYING, start_s=(at_ns - self.started_ns) / 1e9)
            case notices.ThesisSpoken(thesis, start_s, end_s):
                spoken_s = end_s - start_s
                self._change(thesis, ThesisStatus.HEARD, spoken_s=spoken_s, heard_s=spoken_s)
            case notices.ThesisCut(thesis, heard_s):
                self._change(thesis, ThesisStatus.INTERRUPTED, heard_s=heard_s)
            case notices.ThesisFailed(thesis):
                self._change(thesis, ThesisStatus.FAILED)
            case notices.TurnEnded():
                self._ended(notice)
            case notices.BackendFailed(backend, message, _, retryable):
                self._append(records.BackendFailed(backend, message, retryable))
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
            )
        )
        if ignored:
            self._append(records.QuestionIgnored(utterance.number, ignored))
        else:
            self._append(records.QuestionAccepted(generation, utterance.number))

    def _ended(self, notice: notices.TurnEnded) -> None:
        marks = dict(notice.times.marks_ns)
        stages = tuple(
            StageTime(str(span), marks[span.start], marks[span.end])
            for span in Span
            if span.start in marks and span.end in marks
        )
        if Stage.FIRST_SAMPLE in marks and Stage.LAST_SAMPLE in marks:
            stages += (StageTime("speaking", marks[Stage.FIRST_SAMPLE], marks[Stage.LAST_SAMPLE]),)
        self._append(records.TurnEnded(notice.generation, notice.outcome, stages))
        for key, thesis in list(self._theses.items()):
            # a thesis that sounds is settled by the narrator's own word, which comes after the end of a cut turn
            if key[0] == notice.generation and thesis.status is ThesisStatus.MADE:
                self._put(replace(thesis, status=ThesisStatus.DROPPED))
            if key[0] < notice.generation:
                del self._theses[key]

    def _change(self, thesis: Thesis, status: ThesisStatus, **changed: float) -> None:
        known = self._theses.get((thesis.generation, thesis.number))
        if known is not None:
            self._put(replace(known, status=status, **changed))  # type: ignore[arg-type]

    def _put(self, thesis: ThesisChanged) -> None:
        self._theses[thesis.turn, thesis.number] = thesis
        self._append(thesis)

    def _append(self, event: records.Event) -> None:
        self.store.append(self.session_id, event)
