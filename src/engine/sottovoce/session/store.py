"""Sessions in SQLite: appended without waiting, durable within a second, deleted for good.

One file, in WAL mode, readable by its owner alone. A thread of the store's own writes; whoever appends only puts a
row into a bounded queue. A process killed at any moment loses what is still in that queue, milliseconds' worth, and
never the database. (A power cut may lose a few seconds more: commits wait for the disk only at checkpoints.)
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.errors import StoreError
from sottovoce.core.log import RateLimiter, get_logger, log_event
from sottovoce.core.queues import BoundedQueue
from sottovoce.core.threads import ThreadGroup
from sottovoce.session import database, search, spending, summaries
from sottovoce.session.codec import Row, assemble, encode
from sottovoce.session.records import Event, FoundSession, SessionRecord, SessionSummary, TranscriptPolicy
from sottovoce.session.spending import DaysCost, Spending

_log = get_logger("session")

#: Events that may wait to be written; some minutes of a lively conversation.
QUEUE_CAPACITY = 4096
#: Events written in one transaction.
BATCH = 256
#: How long a write waits for another program's lock before it counts as failed, in seconds; kept short because
#: closing may have to wait for it.
WRITE_PATIENCE_S = 0.3
#: Pause before a failed write is tried again, in seconds.
RETRY_S = 0.5
#: How long :meth:`SessionStore.close` waits for the writer, in seconds.
CLOSE_S = 2.0

_START = (
    "INSERT INTO sessions (kind, notes, settings, transcripts, started, origin_ns, versions) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_APPEND = (
    "INSERT INTO events (session_id, at_ns, kind, body) SELECT ?, ?, ?, ? "
    "WHERE EXISTS (SELECT 1 FROM sessions WHERE id = ?)"
)
_END = "UPDATE sessions SET ended = ?, outcome = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class _Write:
    """One statement on its way to the writer."""

    sql: str
    values: tuple[object, ...]


class SessionStore:
    """Keeps what happens in sessions. Safe to use from several threads; several processes may share a file.

    Opening it may raise StoreError. Once it is open, :meth:`append` and :meth:`end_session` never raise and never
    wait: a write that fails (disk full, locked) is tried again every half second while newer events queue up, and
    :attr:`failure` and :attr:`lost` say so.

    Parameters
    ----------
    path : Path
        The database; made if it is not there, with its folder, both for their owner alone (0600, 0700).
    transcripts : TranscriptPolicy or str
        What is stored of the words said and answered: ``keep``, ``redact`` (lengths only) or ``off``.
    clock : Clock
        The clock whose moments events carry.
    on_failure : callable
        Called in the writer's thread when writing begins to fail; must not raise.

    Raises
    ------
    StoreError
        The file cannot be opened, is no database, belongs to another program or to a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        transcripts: TranscriptPolicy | str = TranscriptPolicy.KEEP,
        clock: Clock | None = None,
        on_failure: Callable[[StoreError], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self.transcripts = TranscriptPolicy(transcripts)
        self._clock: Clock = clock or MonotonicClock()
        self._on_failure = on_failure
        self._queue: BoundedQueue[_Write] = BoundedQueue(QUEUE_CAPACITY)
        self._state = threading.Condition()
        self._accepted = 0
        self._settled = 0
        self._lost = 0
        self._failure: StoreError | None = None
        self._closing = threading.Event()
        self._index_made = False
        self._log_limit = RateLimiter(5.0)
        database.create(self.path)
        connection = self._connect(WRITE_PATIENCE_S)
        self._threads = ThreadGroup(self._crashed)
        self._threads.start("store", lambda: self._run(connection))

    def start_session(
        self,
        kind: str,
        notes: str = "",
        settings: Mapping[str, object] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> int:
        """Begin a session and return its id.

        Parameters
        ----------
        kind : str
            ``live``, ``answer`` or ``demo``.
        notes : str
            The notes it answers from.
        settings : mapping
            Settings worth remembering, as JSON can hold them; no keys or other secrets.
        versions : mapping
            Versions of what runs it, by name.

        Raises
        ------
        StoreError
            It cannot be written now.
        """
        kept = json.dumps(settings or {}, ensure_ascii=False, default=str)
        values = (kind, notes, kept, self.transcripts.value, _now(), self._clock.now_ns(), json.dumps(versions or {}))
        with self._using() as connection:
            return int(connection.execute(_START, values).lastrowid or 0)

    def append(self, session_id: int, event: Event, at_ns: int | None = None) -> None:
        """Append ``event``, which happened at ``at_ns`` (nanoseconds on the store's clock) or now; never waits."""
        row = encode(event, self._clock.now_ns() if at_ns is None else at_ns, self.transcripts)
        self._put(_Write(_APPEND, (session_id, row.at_ns, row.kind, row.body, session_id)))

    def spend(self, session_id: int | None, call: Spending) -> None:
        """Note what a call of a service has cost, in a session or outside of any; never waits."""
        self._put(_Write(spending.INSERT, (session_id, *spending.values_of(call))))

    def accept_turn(self, session_id: int, turn: int, generation: int, segment: int) -> None:
        """What was spent for this generation, and on recognising this segment, was spent for this turn."""
        self._put(_Write(spending.TURN_ACCEPTED, (turn, session_id, generation, segment)))

    def waste_turn(self, session_id: int, generation: int) -> None:
        """What was spent for this generation was spent in vain."""
        self._put(_Write(spending.TURN_DISCARDED, (session_id, generation)))

    def waste_revisions(self, session_id: int, segment: int, before: int) -> None:
        """What was spent on recognising earlier revisions of this segment was spent in vain."""
        self._put(_Write(spending.SEGMENT_WENT_ON, (session_id, segment, before)))

    def end_session(self, session_id: int, outcome: str) -> None:
        """Note how and when the session ended; never waits."""
        self._put(_Write(_END, (_now(), outcome, session_id)))

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until everything appended before is stored or lost; False after ``timeout_s`` seconds."""
        with self._state:
            wanted = self._accepted
            return self._state.wait_for(lambda: self._settled >= wanted, timeout_s)

    def sessions(
        self,
        limit: int = 50,
        *,
        before: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[SessionSummary, ...]:
        """The last ``limit`` sessions, newest first.

        Parameters
        ----------
        limit : int
            Most sessions given.
        before : int, optional
            Only those with a smaller id: the last one of a page gives the next page.
        since, until : datetime, optional
            Only those that began at ``since`` or later, and before ``until``.
        """
        condition, values = search.condition_of(before, since, until)
        with self._using() as connection:
            return summaries.newest(connection, condition, values, limit)

    def search(
        self,
        query: str,
        limit: int = 20,
        *,
        before: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        best_first: bool = False,
        most_hits: int = 3,
    ) -> tuple[FoundSession, ...]:
        """Sessions in which every word of ``query`` occurs in one text, said or answered; newest first.

        Parameters
        ----------
        query : str
            Any text: see :func:`sottovoce.session.search.expression`. One without words finds nothing.
        limit, before, since, until
            As of :meth:`sessions`.
        best_first : bool
            Those first that fit best (BM25).
        most_hits : int
            Most passages given of a session.
        """
        wanted = search.expression(query)
        if not wanted:
            return ()
        condition, values = search.condition_of(before, since, until)
        with self._using() as connection:
            connection.execute("BEGIN")  # one snapshot: between two reads, a session may be deleted
            fitting = search.fitting(connection, wanted, condition, values)
            order = sorted(fitting, key=lambda each: (fitting[each][0][0] if best_first else 0.0, -each))
            found = []
            for session_id in order[:limit]:
                hits = (search.hit(connection, wanted, text) for _, text in fitting[session_id][:most_hits])
                summary = self._summary_of(connection, session_id)
                found.append(FoundSession(summary, tuple(hits), len(fitting[session_id])))
            connection.execute("COMMIT")
        return tuple(found)

    def summary(self, session_id: int) -> SessionSummary:
        """One session as it stands in a list.

        Raises
        ------
        StoreError
            There is none of that id.
        """
        with self._using() as connection:
            return self._summary_of(connection, session_id)

    def session(self, session_id: int) -> SessionRecord:
        """One whole session as it is stored by now.

        Raises
        ------
        StoreError
            There is none of that id.
        """
        with self._using() as connection:
            connection.execute("BEGIN")  # one snapshot for the three reads
            summary = self._summary_of(connection, session_id)
            settings, transcripts, origin_ns, versions = connection.execute(
                "SELECT settings, transcripts, origin_ns, versions FROM sessions WHERE id = ?", (session_id,)
            ).fetchone()
            events = connection.execute(
                "SELECT at_ns, kind, body FROM events WHERE session_id = ? ORDER BY id", (session_id,)
            )
            rows = [Row(*event) for event in events]
            calls = tuple(spending.from_row(call) for call in connection.execute(spending.OF_SESSION, (session_id,)))
            connection.execute("COMMIT")
        kept = TranscriptPolicy(transcripts)
        try:
            return assemble(summary, json.loads(settings), kept, origin_ns, rows, calls, json.loads(versions))
        except (ValueError, LookupError, TypeError) as error:  # an event that says what it cannot say
            raise database.damaged(self.path) from error

    def spent_besides(self, day: str, session_id: int | None) -> int:
        """What was spent on a day in other sessions than this one, in billionths of a US dollar."""
        with self._using() as connection:
            return int(connection.execute(spending.SPENT_BESIDES, (day, session_id)).fetchone()[0])

    def costs(self, since: str = "") -> tuple[DaysCost, ...]:
        """What was spent on each day from ``since`` (as "2026-11-21") on, by model; the last day first."""
        with self._using() as connection:
            return tuple(spending.from_sums(row) for row in connection.execute(spending.BY_DAY, (since,)))

    def audio_file(self, session_id: int) -> Path:
        """Where the sound of a session is kept, if it is kept: in a folder beside the database."""
        return self.path.with_name(f"{self.path.stem}-audio") / f"{session_id}.wav"

    def delete(self, session_id: int) -> None:
        """Delete a session so that nothing of it is left in the files: rows are overwritten, the log is emptied.

        Its sound goes with it, and so do copies of the database that were made before its schema was changed: they hold
        it, too. Whether the disk keeps traces of a deleted file is the disk's affair. What it cost stays in the sums of
        its day, with nothing that tells of the session.

        Raises
        ------
        StoreError
            There is none of that id, or another program keeps the files from being cleaned.
        """
        if session_id > search.MOST_ID:
            raise self._unknown(session_id)
        self.flush()
        audio = self.audio_file(session_id)
        files = (audio, audio.with_name(audio.name + ".part"), *database.backups(self.path))
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(spending.FORGET, (session_id,))
            if connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount == 0:
                raise self._unknown(session_id)
            connection.execute(search.FORGET)
            for file in files:  # before it is settled: who cannot delete all of it has deleted nothing
                try:
                    file.unlink(missing_ok=True)
                except OSError as error:
                    raise StoreError(f"{file} cannot be deleted: {error.strerror}", path=file) from error
            connection.execute("COMMIT")
            connection.executescript("PRAGMA incremental_vacuum")  # execute() would free one page of them
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError(
                f"session {session_id} is deleted, but traces of it stay in {self.path}-wal, in use by another program",
                path=self.path,
                hint="close the other program, or run the deletion of any session again once it has ended",
            )

    @property
    def failure(self) -> StoreError | None:
        """Why nothing can be written just now; None while all is well."""
        with self._state:
            return self._failure

    @property
    def lost(self) -> int:
        """Events that could not be stored, since the start."""
        with self._state:
            return self._lost

    def close(self) -> None:
        """Write what is queued, end the writer, close the file; idempotent, takes at most about two seconds."""
        self._queue.close()
        self._closing.set()
        self._threads.join(CLOSE_S)

    def __enter__(self) -> SessionStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self, patience_s: float) -> sqlite3.Connection:
        return database.connect(self.path, patience_s)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for one call: the writer's is never shared."""
        connection = self._connect(database.PATIENCE_S)
        try:
            with database.translating(self.path):
                yield connection
        finally:
            connection.close()

    def _summary_of(self, connection: sqlite3.Connection, session_id: int) -> SessionSummary:
        summary = summaries.one(connection, session_id)
        if summary is None:
            raise self._unknown(session_id)
        return summary

    def _unknown(self, session_id: int) -> StoreError:
        return StoreError(
            f"no session {session_id} in {self.path}",
            path=self.path,
            hint="`sottovoce sessions list` shows those that are there",
        )

    def _put(self, write: _Write) -> None:
        with self._state:
            self._accepted += 1
        dropped = self._queue.put(write)
        if dropped is not None:
            self._settle(1, lost=1)

    def _settle(self, count: int, *, lost: int = 0) -> None:
        with self._state:
            self._settled += count
            self._lost += lost
            self._state.notify_all()

    def _run(self, connection: sqlite3.Connection) -> None:
        """The writer: takes what is queued, writes it in one transaction, again and again."""
        try:
            batch: list[_Write] = []
            while self._fill(batch):
                if self._write(connection, batch):
                    batch.clear()
                elif self._closing.is_set():
                    break
                else:
                    self._closing.wait(RETRY_S)
            left = len(batch) + len(self._queue)
            if left:
                self._settle(left, lost=left)
        finally:
            connection.close()

    def _fill(self, batch: list[_Write]) -> bool:
        """Wait for something to write unless there is some, add what else is there; False when all is done."""
        if not batch:
            first = self._queue.get()
            if first is None:
                return False
            batch.append(first)
        while len(batch) < BATCH and (write := self._queue.get(timeout_s=0.0)) is not None:
            batch.append(write)
        return True

    def _write(self, connection: sqlite3.Connection, batch: list[_Write]) -> bool:
        """Write ``batch``; True if it is settled, False if it is worth another try."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in batch:
                connection.execute(write.sql, write.values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._fail(database.translated(error, self.path))
            if isinstance(error, sqlite3.OperationalError) or self._mended(connection, error):
                return False
            self._settle(len(batch), lost=len(batch))
            return True
        with self._state:
            self._failure = None
        self._settle(len(batch))
        return True

    def _mended(self, connection: sqlite3.Connection, error: sqlite3.Error) -> bool:
        """Make the index of words anew if it is that which is damaged; once, for it may be the disk that is."""
        if self._index_made or getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_CORRUPT_VTAB:
            return False
        self._index_made = True
        with suppress(sqlite3.Error):
            connection.execute(search.REBUILD)
        return True

    def _crashed(self, error: BaseException) -> None:
        self._queue.close()  # what comes now is counted as lost
        self._fail(StoreError(f"the writer of {self.path} has crashed: {error!r}", path=self.path))

    def _fail(self, error: StoreError) -> None:
        with self._state:
            first = self._failure is None
            self._failure = error
        if self._log_limit.ready():
            log_event(_log, logging.WARNING, "the session store cannot write", reason=error.message, lost=self.lost)
        if first and self._on_failure is not None:
            self._on_failure(error)


def _now() -> str:
    return search.moment(datetime.now(UTC))
