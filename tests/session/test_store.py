"""What is appended comes back, in good times and in bad."""

from __future__ import annotations

import itertools
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.core.errors import StoreError
from sottovoce.session import database
from sottovoce.session.records import (
    BackendFailed,
    EventRecord,
    QuestionAccepted,
    SpeakerKind,
    StageTime,
    ThesisStatus,
    TranscriptPolicy,
    UtteranceHeard,
    Words,
)
from sottovoce.session.store import QUEUE_CAPACITY, SessionStore
from tests.session.samples import ORIGIN_NS, QUESTION, SECRET, HeldClock, S, conversation, heard
from tests.support.shared import ROOT

posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes and signals are POSIX's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "sessions.db"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    with SessionStore(path, clock=HeldClock()) as opened:
        yield opened


def record_conversation(store: SessionStore) -> int:
    session_id = store.start_session("demo", "notes/", {"tts": {"speed": 1.35}, "path": Path("x")})
    for at_s, event in conversation():
        store.append(session_id, event, ORIGIN_NS + at_s * S)
    store.end_session(session_id, "finished")
    assert store.flush()
    return session_id


def test_session_comes_back_whole(store: SessionStore) -> None:
    record = store.session(record_conversation(store))
    assert record.settings == {"tts": {"speed": 1.35}, "path": "x"}
    question, remark = record.utterances
    assert (question.words.text, question.start_s, question.end_s) == (QUESTION, 10.0, 12.5)
    assert (question.speaker, question.confidence, question.backend) == (SpeakerKind.OTHER, 0.75, "pocketsphinx")
    assert (question.ignored, remark.ignored, remark.speaker) == ("", "own voice", SpeakerKind.OWN)
    (turn,) = record.turns
    assert (turn.number, turn.utterance, turn.question.text, turn.at_s) == (1, 1, QUESTION, 13.0)
    assert turn.outcome == "spoken"
    assert turn.stages == (StageTime("asr", 13 * S, 13 * S + S // 4),)
    first, second = turn.theses
    assert (first.words.text, first.status, first.start_s, first.heard_s) == (
        "On the third of June",
        ThesisStatus.HEARD,
        14.5,
        2.0,
    )
    assert (second.source.text, second.status, second.start_s) == ("Law (law.md)", ThesisStatus.MADE, None)
    assert record.events == (EventRecord(15.0, "device", {"device": "headset", "message": "gone"}),)


def test_aside_of_the_wearer_does_not_take_the_place_of_the_question(store: SessionStore) -> None:
    session_id = store.start_session("live", "", {})
    store.append(session_id, heard(1, QUESTION))
    store.append(session_id, QuestionAccepted(1, 1))
    store.append(
        session_id, UtteranceHeard(1, 13.0, 14.0, SpeakerKind.OWN, "Let me see", 0.5, "en", "words", aside=True)
    )
    store.end_session(session_id, "finished")
    assert store.flush()
    record = store.session(session_id)
    assert [(said.words.text, said.aside) for said in record.utterances] == [(QUESTION, False), ("Let me see", True)]
    assert record.turns[0].question.text == QUESTION


def test_sessions_are_listed_newest_first_with_their_counts(store: SessionStore) -> None:
    first = record_conversation(store)
    second = store.start_session("live")
    summaries = store.sessions()
    assert [summary.id for summary in summaries] == [second, first]
    newest, oldest = summaries
    assert (oldest.utterances, oldest.turns, oldest.theses, oldest.outcome) == (2, 1, 2, "finished")
    assert oldest.length_s is not None
    assert oldest.length_s >= 0.0
    assert (newest.kind, newest.ended, newest.outcome, newest.length_s) == ("live", None, None, None)
    assert store.sessions(limit=1) == (newest,)


def test_moment_of_an_event_is_that_of_the_clock_unless_given(path: Path) -> None:
    clock = HeldClock()
    with SessionStore(path, clock=clock) as store:
        session_id = store.start_session("live")
        clock.ns += 3 * S
        store.append(session_id, BackendFailed("whisper", "no model"))
        store.flush()
        assert store.session(session_id).events[0].at_s == 3.0


def test_sessions_stay_after_closing_and_opening_again(path: Path) -> None:
    with SessionStore(path) as store:
        session_id = record_conversation(store)
    with SessionStore(path) as store:
        assert store.session(session_id).turns[0].question.text == QUESTION
        assert store.start_session("live") == session_id + 1


def test_closing_writes_what_is_queued_and_may_be_repeated(path: Path) -> None:
    store = SessionStore(path)
    session_id = store.start_session("live")
    for number in range(1000):
        store.append(session_id, heard(number, "word"))
    store.close()
    store.close()
    assert store.lost == 0
    assert len(store.session(session_id).utterances) == 1000
    assert "sottovoce-store" not in {thread.name for thread in threading.enumerate()}


def test_what_is_appended_after_closing_is_counted_as_lost(path: Path) -> None:
    store = SessionStore(path)
    session_id = store.start_session("live")
    store.close()
    store.append(session_id, heard(1, "late"))
    assert store.lost == 1
    assert store.flush(0.0)


def test_several_threads_append_and_nothing_is_lost(store: SessionStore) -> None:
    session_id = store.start_session("live")
    numbers = itertools.count()

    def talk() -> None:
        for _ in range(200):
            store.append(session_id, heard(next(numbers), "word"))

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.flush()
    assert [said.number for said in store.session(session_id).utterances] == list(range(800))


def test_two_stores_share_a_file(path: Path) -> None:
    with SessionStore(path) as one, SessionStore(path) as other:
        ids = [one.start_session("live"), other.start_session("answer")]
        for store, session_id in zip((one, other), ids, strict=True):
            for number in range(100):
                store.append(session_id, heard(number, "word"))
        assert one.flush()
        assert other.flush()
        assert [summary.utterances for summary in one.sessions()] == [100, 100]


@pytest.mark.parametrize(
    ("policy", "words"),
    [("keep", Words(QUESTION, 18)), ("redact", Words(None, 18)), ("off", Words(None, None))],
)
def test_transcripts_are_kept_as_the_policy_says(path: Path, policy: str, words: Words) -> None:
    with SessionStore(path, transcripts=policy, clock=HeldClock()) as store:
        record = store.session(record_conversation(store))
    assert record.transcripts is TranscriptPolicy(policy)
    assert record.utterances[0].words == words
    assert record.turns[0].question == words
    assert (record.turns[0].theses[0].source.text is not None) == (policy == "keep")
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for text in (QUESTION, SECRET, "Launch (launch.md)"):
        assert (text.encode() in stored) == (policy == "keep")


def test_policy_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="'some' is not a valid TranscriptPolicy"):
        SessionStore(path, transcripts="some")


def test_deleted_session_leaves_no_trace_in_the_files(store: SessionStore, path: Path) -> None:
    kept = store.start_session("live")
    store.append(kept, heard(1, "this one stays"))
    session_id = record_conversation(store)
    for number in range(3, 200):
        store.append(session_id, heard(number, f"{SECRET} {number}" * 40))
    store.flush()

    def stored() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert SECRET.encode() in stored()
    size = path.stat().st_size
    store.delete(session_id)
    assert SECRET.encode() not in stored()
    assert QUESTION.encode() not in stored()
    assert path.stat().st_size <= max(size, 8 * 4096)
    assert store.session(kept).utterances[0].words.text == "this one stays"
    with pytest.raises(StoreError, match=f"no session {session_id} "):
        store.session(session_id)


def test_id_of_a_deleted_session_is_not_used_again(store: SessionStore) -> None:
    session_id = store.start_session("live")
    store.delete(session_id)
    assert store.start_session("live") > session_id


def test_events_of_a_deleted_session_are_not_stored_and_do_no_harm(store: SessionStore) -> None:
    gone, here = store.start_session("live"), store.start_session("live")
    store.delete(gone)
    store.append(gone, heard(1, "late"))
    store.append(here, heard(1, "in time"))
    assert store.flush()
    assert store.failure is None
    assert [summary.utterances for summary in store.sessions()] == [1]


def test_deleting_what_is_read_elsewhere_says_that_traces_stay(store: SessionStore, path: Path) -> None:
    session_id = record_conversation(store)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    with pytest.raises(StoreError, match="traces") as raised:
        store.delete(session_id)
    assert "close the other program" in raised.value.hint
    reader.close()


@pytest.mark.parametrize("call", [SessionStore.session, SessionStore.summary, SessionStore.delete])
def test_unknown_session_is_an_error_with_a_hint(
    store: SessionStore, call: Callable[[SessionStore, int], object]
) -> None:
    with pytest.raises(StoreError, match="no session 77") as raised:
        call(store, 77)
    assert "sessions list" in raised.value.hint


@posix_only
def test_file_and_folder_are_for_their_owner_alone(store: SessionStore, path: Path) -> None:
    record_conversation(store)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert len(files) == 3, "database, log and index of the log"
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@posix_only
def test_file_that_others_can_read_is_closed_to_them(path: Path) -> None:
    SessionStore(path).close()
    path.chmod(0o644)
    SessionStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Opening what cannot be opened


def test_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open the session store") as raised:
        SessionStore(tmp_path)
    assert "session.path" in raised.value.hint
    assert raised.value.path == tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="/proc, where nobody can write, is Linux's")
def test_folder_where_nobody_can_write_is_an_error() -> None:
    with pytest.raises(StoreError, match="cannot open the session store"):
        SessionStore(Path("/proc/sottovoce/sessions.db"))


def test_file_that_is_no_database_is_an_error_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Not a database\n" * 100, encoding="utf-8")
    with pytest.raises(StoreError, match="not a database") as raised:
        SessionStore(path)
    assert raised.value.hint
    assert path.read_text(encoding="utf-8").startswith("# Not a database")


def test_database_of_another_program_is_an_error_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        SessionStore(path)
    assert path.read_bytes() == before


def test_schema_of_a_newer_version_is_an_error(path: Path) -> None:
    SessionStore(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="schema version 99") as raised:
        SessionStore(path)
    assert "newer sottovoce" in raised.value.hint


def test_schema_of_an_older_version_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SessionStore(path) as store:
        session_id = record_conversation(store)
    monkeypatch.setattr(
        database, "MIGRATIONS", (*database.MIGRATIONS, "ALTER TABLE sessions ADD COLUMN place TEXT; SELECT 1")
    )
    with SessionStore(path) as store:
        assert store.session(session_id).utterances
        assert store.start_session("live")
    with sqlite3.connect(path) as migrated:
        assert migrated.execute("PRAGMA user_version").fetchone() == (len(database.MIGRATIONS),)
        assert migrated.execute("SELECT place FROM sessions").fetchall() == [(None,), (None,)]
    migrated.close()


def test_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SessionStore(path).close()
    monkeypatch.setattr(
        database, "MIGRATIONS", (*database.MIGRATIONS, "ALTER TABLE sessions ADD COLUMN place TEXT; SELECT nonsense")
    )
    with pytest.raises(StoreError):
        SessionStore(path)
    monkeypatch.undo()
    with SessionStore(path) as store:
        assert store.start_session("live") == 1


def test_damaged_database_is_an_error(path: Path) -> None:
    with SessionStore(path) as store:
        session_id = record_conversation(store)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match="damaged") as raised, SessionStore(path) as store:
        store.session(session_id)
    assert "recover" in raised.value.hint


def test_row_that_says_what_it_cannot_say_is_an_error_and_can_be_deleted(store: SessionStore, path: Path) -> None:
    session_id = record_conversation(store)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE events SET body = '{\"turn\": ' WHERE kind = 'turn-ended'")
    other.close()
    assert [summary.id for summary in store.sessions()] == [session_id]
    with pytest.raises(StoreError, match="damaged"):
        store.session(session_id)
    store.delete(session_id)
    with pytest.raises(StoreError, match=f"no session {session_id} "):
        store.summary(session_id)


# Failing in mid-session


def test_lock_of_another_program_delays_events_but_loses_none(store: SessionStore, path: Path) -> None:
    session_id = store.start_session("live")
    reported = threading.Event()
    store._on_failure = lambda error: reported.set()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.append(session_id, heard(1, "while locked"))
    assert reported.wait(10.0)
    assert "locked" in str(store.failure)
    with pytest.raises(StoreError, match="locked"):
        store.start_session("live")
    store.append(session_id, heard(2, "while locked too"))
    other.execute("COMMIT")
    other.close()
    assert store.flush(10.0)
    assert store.failure is None
    assert store.lost == 0
    assert len(store.session(session_id).utterances) == 2


def test_queue_that_is_full_drops_and_counts_the_oldest(path: Path) -> None:
    store = SessionStore(path)
    session_id = store.start_session("live")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    appended = 2 * QUEUE_CAPACITY
    for number in range(appended):
        store.append(session_id, heard(number, "word"))
    assert store.lost > 0
    other.execute("COMMIT")
    other.close()
    assert store.flush(30.0)
    store.close()
    kept = [said.number for said in store.session(session_id).utterances]
    assert kept[-1] == appended - 1
    assert len(kept) + store.lost == appended


def test_closing_while_locked_ends_and_counts_what_is_lost(path: Path) -> None:
    store = SessionStore(path)
    session_id = store.start_session("live")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(10):
        store.append(session_id, heard(number, "word"))
    store.close()
    other.close()
    assert store.lost == 10
    assert "locked" in str(store.failure)
    assert "sottovoce-store" not in {thread.name for thread in threading.enumerate()}


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sottovoce.session.store import SessionStore
from tests.session.samples import heard
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SessionStore(Path(sys.argv[1]), on_failure=lambda error: print("told:", error.message, flush=True))
session_id = store.start_session("live")
store.append(session_id, heard(1, "before"))
assert store.flush()
limit = 200_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
for number in range(2, 40):
    store.append(session_id, heard(number, "x" * 10_000))
assert not store.flush(1.0)
assert store.failure is not None
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.flush(10.0)
assert store.failure is None
assert store.lost == 0
assert len(store.session(session_id).utterances) == 39
store.close()
print("recovered")
"""


@posix_only
def test_disk_that_fills_up_is_reported_and_nothing_is_lost_once_there_is_room(path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert "told: session store" in run.stdout
    assert run.stdout.endswith("recovered\n")


def test_writer_that_crashes_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> bool:
        raise MemoryError("no more")

    monkeypatch.setattr(SessionStore, "_write", crash)
    reported = threading.Event()
    store = SessionStore(path, on_failure=lambda error: reported.set())
    session_id = store.start_session("live")
    store.append(session_id, heard(1, "word"))
    assert reported.wait(10.0)
    assert "crashed" in str(store.failure)
    store.append(session_id, heard(2, "word"))
    store.close()
    assert store.lost >= 1
