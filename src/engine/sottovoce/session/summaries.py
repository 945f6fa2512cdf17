"""Sessions as they stand in a list: counted and named by the database, never read whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from sottovoce.session import spending
from sottovoce.session.records import SessionSummary
from sottovoce.session.search import MOST_ID
from sottovoce.session.spending import Cost

# A row that says what it cannot say must not take the list of all sessions away: json_valid().
_SELECT = """
SELECT id, kind, started, ended, outcome, notes,
       (SELECT count(*) FROM events WHERE session_id = sessions.id AND kind = 'utterance'),
       (SELECT count(DISTINCT json_extract(body, '$.turn')) FROM events
         WHERE session_id = sessions.id AND kind IN ('question', 'thesis', 'turn-ended') AND json_valid(body)),
       (SELECT count(DISTINCT json_extract(body, '$.turn') || '/' || json_extract(body, '$.number')) FROM events
         WHERE session_id = sessions.id AND kind = 'thesis' AND json_valid(body)),
       coalesce(
         (SELECT text FROM texts WHERE session_id = sessions.id AND kind = 'utterance' AND turn = 0 AND number =
           (SELECT json_extract(body, '$.utterance') FROM events
             WHERE session_id = sessions.id AND kind = 'question' AND json_valid(body) ORDER BY id LIMIT 1)),
         (SELECT text FROM texts WHERE session_id = sessions.id AND kind = 'utterance' AND turn = 0
           ORDER BY number LIMIT 1),
         '')
  FROM sessions
"""

_Row = tuple[int, str, str, str | None, str | None, str, int, int, int, str]


def newest(
    connection: sqlite3.Connection, condition: str, values: Sequence[object], limit: int
) -> tuple[SessionSummary, ...]:
    """The last ``limit`` sessions for which a condition holds, newest first."""
    chosen = f"{_SELECT} WHERE {condition} ORDER BY id DESC LIMIT ?"
    return tuple(_summary(connection, row) for row in connection.execute(chosen, (*values, limit)).fetchall())


def one(connection: sqlite3.Connection, session_id: int) -> SessionSummary | None:
    """The session of that id; None if there is none."""
    if session_id > MOST_ID:
        return None
    row = connection.execute(f"{_SELECT} WHERE id = ?", (session_id,)).fetchone()
    return None if row is None else _summary(connection, row)


def _summary(connection: sqlite3.Connection, row: _Row) -> SessionSummary:
    session_id, kind, started, ended, outcome, notes, utterances, turns, theses, title = row
    return SessionSummary(
        id=session_id,
        kind=kind,
        started=datetime.fromisoformat(started),
        ended=None if ended is None else datetime.fromisoformat(ended),
        outcome=outcome,
        notes=notes,
        utterances=utterances,
        turns=turns,
        theses=theses,
        cost=Cost(*connection.execute(spending.SUM_OF_SESSION, (session_id,)).fetchone()),
        title=title,
    )
