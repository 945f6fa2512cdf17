"""Earlier sessions, for the page."""

from __future__ import annotations

import threading
from pathlib import Path

from sottovoce.app.money import NANO
from sottovoce.app.report.page import report_html
from sottovoce.app.timeline import svg, waterfall
from sottovoce.app.web.answers import Problem
from sottovoce.session.export import FORMATS
from sottovoce.session.records import FoundSession, SearchHit, SessionRecord, SessionSummary
from sottovoce.session.spending import Cost
from sottovoce.session.store import SessionStore

_FORMATS = {"md": "markdown", "json": "json", "srt": "srt"}


class Archive:
    """What is kept of earlier sessions. For threads that may wait; opened with the first request.

    Parameters
    ----------
    path : Path
        The database; one that is not there is not made.
    running : int, optional
        The session that runs, which cannot be deleted.
    """

    def __init__(self, path: Path, running: int | None = None) -> None:
        self._path, self._running = path, running
        self._lock = threading.Lock()
        self._store: SessionStore | None = None

    def listing(self, query: str, limit: int, before: int | None) -> dict[str, object]:
        """Sessions, the newest first: all, or those in which ``query`` is found."""
        if not self._path.exists():
            return {"sessions": []}
        store = self._opened()
        if query.strip():
            found = store.search(query, limit, before=before)
            return {"sessions": [self._found(each) for each in found]}
        return {"sessions": [self._shown(each, []) for each in store.sessions(limit, before=before)]}

    def export(self, number: int, kind: str) -> str:
        """A session as Markdown, JSON or subtitles."""
        text = FORMATS[_FORMATS[kind]](self._record(number))
        if not text:
            raise Problem(404, f"nothing to write as {kind} is kept of session {number}")
        return text

    def waterfall(self, number: int, turn: int) -> str:
        """The stages of a turn as a drawing."""
        for known in self._record(number).turns:
            picture = waterfall(known) if known.number == turn else None
            if picture is not None:
                return svg([picture], f"session {number}, turn {turn}")
        raise Problem(404, f"of turn {turn} of session {number} no times are known")

    def report(self, number: int, *, redact: bool) -> str:
        """A session as a page to be given away."""
        return report_html(self._record(number), redact=redact)

    def delete(self, number: int) -> None:
        """Delete a session for good."""
        if number == self._running:
            raise Problem(409, f"session {number} is the one that runs", "end it first")
        self._record(number)
        self._opened().delete(number)

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()

    def _opened(self) -> SessionStore:
        with self._lock:
            if self._store is None:
                self._store = SessionStore(self._path)
            return self._store

    def _record(self, number: int) -> SessionRecord:
        if not self._path.exists() or not self._known(number):
            raise Problem(404, f"there is no session {number}", "it may have been deleted")
        return self._opened().session(number)

    def _known(self, number: int) -> bool:
        newest = self._opened().sessions(1, before=number + 1)
        return bool(newest) and newest[0].id == number

    def _found(self, found: FoundSession) -> dict[str, object]:
        return self._shown(found.summary, [_snippet(hit) for hit in found.hits])

    def _shown(self, summary: SessionSummary, snippets: list[object]) -> dict[str, object]:
        return {
            "id": summary.id,
            "kind": summary.kind,
            "started": summary.started.isoformat(timespec="seconds"),
            "duration_s": summary.length_s,
            "title": summary.title,
            "turns": summary.turns,
            "cost": _usd(summary.cost),
            "snippets": snippets,
            "running": summary.id == self._running,
        }


def _snippet(hit: SearchHit) -> object:
    return [{"text": text, "hit": found} for text, found in hit.parts]


def _usd(cost: Cost) -> float | None:
    return None if cost.calls and cost.unpriced == cost.calls else cost.nano_usd / NANO
