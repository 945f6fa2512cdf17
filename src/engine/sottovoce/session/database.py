"""The file of the store: made safely, opened the same way every time, its errors in words that help."""

from __future__ import annotations

import glob
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sottovoce.core.errors import StoreError
from sottovoce.session import search, spending

#: How long a reader or a deletion waits for another program's lock, in seconds.
PATIENCE_S = 2.0

#: How long it is waited for another program that brings the schema up to date, in seconds.
MIGRATION_PATIENCE_S = 30.0

#: ``PRAGMA application_id``: tells our files from other programs' SQLite databases ("sotv").
APPLICATION_ID = 0x736F7476

#: The module of SQLite that searches.
_SEARCH = "fts5"

#: One script a schema version, oldest first; ``PRAGMA user_version`` counts those that a file has had.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        notes TEXT NOT NULL,
        settings TEXT NOT NULL,
        transcripts TEXT NOT NULL,
        started TEXT NOT NULL,
        origin_ns INTEGER NOT NULL,
        ended TEXT,
        outcome TEXT
    );
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        at_ns INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX events_of_session ON events (session_id, id);
    """,
    spending.TABLE,
    f"""
    ALTER TABLE sessions ADD COLUMN versions TEXT NOT NULL DEFAULT '{{}}';
    CREATE INDEX events_of_kind ON events (session_id, kind);
    {search.SCHEMA}
    """,
)


def create(path: Path) -> None:
    """Make the database at ``path`` if it is not there and bring its schema up to date.

    Raises
    ------
    StoreError
        It cannot be made or opened, or is not ours to write.
    """
    _make_private_file(path)
    with translating(path):
        connection = _open(path, PATIENCE_S)
        try:
            _set_up(connection, path)
        finally:
            connection.close()


def connect(path: Path, patience_s: float) -> sqlite3.Connection:
    """A connection to a database that :func:`create` has made, in autocommit mode, usable from any one thread."""
    with translating(path):
        return _open(path, patience_s)


def _open(path: Path, patience_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")  # nothing of a session in other files
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _make_private_file(path: Path) -> None:
    """Create the file before SQLite does, so that there is no moment at which others can read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"cannot open the session store {path}: {error.strerror or error}",
            path=path,
            hint="name another file by the setting session.path, or set session.store = false to keep no sessions",
        ) from error


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    if application_id != APPLICATION_ID and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(
            f"{path} is a database of another program", path=path, hint="name another file for the session store"
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} has schema version {version}; this sottovoce knows versions up to {len(MIGRATIONS)}",
            path=path,
            hint="a newer sottovoce has written it: update this one, or name another file",
        )
    if not connection.execute("SELECT count(*) FROM pragma_module_list WHERE name = ?", (_SEARCH,)).fetchone()[0]:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version}, which this Python uses, has no full-text search ({_SEARCH})",
            path=path,
            hint="use a Python whose SQLite has it, as nearly all have, or set session.store = false",
        )
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect only before the first table
    connection.execute("PRAGMA journal_mode = WAL")
    if version < len(MIGRATIONS):
        _migrate(connection, path)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date in one transaction; what was there before is kept in a copy beside it."""
    connection.execute(f"PRAGMA busy_timeout = {round(1e3 * MIGRATION_PATIENCE_S)}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # read again: another process may have been faster
        if 0 < version < len(MIGRATIONS):
            _check(connection, path)
            _copy(path, backup_file(path, version))
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except (sqlite3.Error, StoreError):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; a trigger is one, with the semicolons in it."""
    statement = ""
    for piece in script.split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """A damaged file is left as it is: changing it would make it worse."""
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise damaged(path)


def backup_file(path: Path, version: int) -> Path:
    """Where the database is kept as it was before its schema was brought up from ``version``."""
    return path.with_name(f"{path.name}.schema-{version}")


def backups(path: Path) -> list[Path]:
    """Copies that were made of the database, whole or not, for the versions of sottovoce that wrote them."""
    return sorted(path.parent.glob(f"{glob.escape(path.name)}.schema-*"))


def _copy(path: Path, target: Path) -> None:
    """Copy the database; ``target`` is there whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        _make_private_file(part)
        try:
            with closing(_open(path, PATIENCE_S)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} has an older schema, and cannot be copied before that is changed: {error.strerror or error}",
            path=path,
            hint=_OTHER_FILE,
        ) from error


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


_OTHER_FILE = "mend the permissions of the file and its folder, or name another file by the setting session.path"
_LOCKED = ("it is locked by another program", "close the program that holds it open")
_REASONS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space; a running session writes on as soon as there is some"),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: ("it may not be written", _OTHER_FILE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _OTHER_FILE),
    sqlite3.SQLITE_NOTADB: ("it is not a database", "name another file, or move this one away and a new one is made"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "move it away and a new one is made; `sqlite3 FILE .recover` may help"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "check the disk and its free space, or name another file"),
    sqlite3.SQLITE_CORRUPT_VTAB: (
        "its index of words is damaged",
        "it is made anew when a session is stored the next time",
    ),
}


def damaged(path: Path) -> StoreError:
    """The StoreError of a file that holds what nobody has written."""
    reason, hint = _REASONS[sqlite3.SQLITE_CORRUPT]
    return StoreError(f"session store {path}: {reason}", path=path, hint=hint)


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """The StoreError that says what ``error`` means for the user."""
    code = getattr(error, "sqlite_errorcode", -1)
    # The low byte of an extended code is the plain one.
    plain = _REASONS.get(code & 0xFF if code >= 0 else code, (str(error), "name another file for the store"))
    reason, hint = _REASONS.get(code, plain)
    return StoreError(f"session store {path}: {reason}", path=path, hint=hint)


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
