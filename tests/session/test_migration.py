"""Databases of older versions: brought up to date whole or left as they are, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from sottovoce.core.errors import StoreError
from sottovoce.session import database
from sottovoce.session.records import ThesisStatus
from sottovoce.session.spending import Cost
from sottovoce.session.store import SessionStore
from tests.support.shared import ROOT

SCHEMAS = Path(__file__).parent / "schemas"
OLDER = sorted(int(file.stem) for file in SCHEMAS.glob("*.sql"))
NOW = len(database.MIGRATIONS)

posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes and signals are POSIX's")


def make(path: Path, version: int) -> Path:
    """A database as an older version left it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SCHEMAS / f"{version}.sql").read_text(encoding="utf-8"))
    return path


@pytest.fixture(params=OLDER)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    return make(tmp_path / "sessions.db", version)


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_every_older_schema_has_a_sample() -> None:
    assert list(range(1, NOW)) == OLDER, f"write tests/session/schemas/{NOW - 1}.sql: a database as it was then"


def test_sessions_of_an_older_version_are_all_there_and_can_be_searched(path: Path, version: int) -> None:
    with SessionStore(path) as store:
        assert [summary.id for summary in store.sessions()] == [3, 1]
        record = store.session(1)
        (turn,) = record.turns
        assert turn.question.text == "Когда запуск проекта"
        assert [(thesis.words.text, thesis.status) for thesis in turn.theses] == [("Третьего июня", ThesisStatus.HEARD)]
        assert (turn.backend, record.versions, record.engine) == ("", {}, ())
        assert record.events[0].kind == "weather"
        assert record.summary.title == "Когда запуск проекта"
        assert record.summary.cost == (Cost(1, 159_000) if version >= 2 else Cost())
        (found,) = store.search("июня")
        assert (found.summary.id, found.count) == (1, 1)
        assert store.start_session("live") == 4
    assert version_of(path) == NOW


@posix_only
def test_copy_of_the_older_version_is_kept_for_its_owner_until_a_session_is_deleted(path: Path, version: int) -> None:
    before = dump(path)
    with SessionStore(path) as store:
        (copy,) = database.backups(path)
        assert copy == database.backup_file(path, version)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert dump(copy) == before
        with pytest.raises(StoreError, match="no session 77"):
            store.delete(77)
        assert copy.exists()
        store.delete(1)
    assert database.backups(path) == []
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert "июня".encode() not in left


KILLED = """
import os, signal, sys
from pathlib import Path
from sottovoce.session import database
open_, statements, left = database._open, database._statements, int(sys.argv[2])
def opening(path, patience_s):
    connection = open_(path, patience_s)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection
def dying(script):
    global left
    for statement in statements(script):
        yield statement
        left -= 1
        if left == 0:
            yield "SELECT die()"
database._open, database._statements = opening, dying
database.create(Path(sys.argv[1]))
"""


@posix_only
@pytest.mark.parametrize("after", [1, 5, 9])
def test_process_killed_while_it_migrates_leaves_the_older_version_whole(path: Path, version: int, after: int) -> None:
    before = dump(path)
    command = [sys.executable, "-c", KILLED, str(path), str(after)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert version_of(path) == version
    assert dump(path) == before
    with SessionStore(path) as store:
        assert [summary.id for summary in store.sessions()] == [3, 1]
    assert version_of(path) == NOW


def test_several_openers_migrate_once(path: Path) -> None:
    errors: list[Exception] = []

    def open_it() -> None:
        try:
            SessionStore(path).close()
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert version_of(path) == NOW


def test_damaged_file_of_an_older_version_is_left_as_it_is(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 4096)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged") as raised:
        SessionStore(path)
    assert "recover" in raised.value.hint
    assert path.read_bytes() == before
    assert database.backups(path) == []


NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from sottovoce.core.errors import StoreError
from sottovoce.session import database
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, resource.RLIM_INFINITY))  # the index of the log is half of that
try:
    database.create(Path(sys.argv[1]))
except StoreError as error:
    print(error.message, "|", error.hint)
"""


@posix_only
def test_disk_without_room_for_the_copy_is_an_error_and_changes_nothing(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO events VALUES (99, 1, 0, 'weather', ?)", (f'{{"sky":"{"blue" * 25_000}"}}',))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = dump(path)
    command = [sys.executable, "-c", NO_ROOM, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert "session store" in done.stdout
    assert "space" in done.stdout
    assert version_of(path) == version
    assert dump(path) == before
    assert database.backups(path) == []


def test_python_without_full_text_search_is_an_error_and_changes_nothing(
    path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SEARCH", "fts5000")
    with pytest.raises(StoreError, match="full-text search") as raised:
        SessionStore(path)
    assert "session.store = false" in raised.value.hint
    assert version_of(path) == version
