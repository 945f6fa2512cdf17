"""A process killed at any moment loses at most the last second, and never the database."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sottovoce.session.store import SessionStore
from tests.support.shared import ROOT

TALKER = """
import sys, time
from pathlib import Path
from sottovoce.session.store import SessionStore
from tests.session.samples import heard
store = SessionStore(Path(sys.argv[1]))
session_id = store.start_session("live")
number = 0
while True:
    number += 1
    store.append(session_id, heard(number, "word " * (number % 50)))
    print(number, time.monotonic(), flush=True)
    time.sleep(0.002)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
@pytest.mark.parametrize("kill_after", [1, 37, 211, 701])
def test_killed_process_loses_at_most_a_second(tmp_path: Path, kill_after: int) -> None:
    path = tmp_path / "sessions.db"
    command = [sys.executable, "-c", TALKER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as talker:
        assert talker.stdout is not None
        appended: list[tuple[int, float]] = []
        for line in talker.stdout:
            number, at_s = line.split()
            appended.append((int(number), float(at_s)))
            if len(appended) == kill_after:
                killed_at_s = time.monotonic()
                talker.send_signal(signal.SIGKILL)
                break
    assert talker.returncode == -signal.SIGKILL
    must_be_there = [number for number, at_s in appended if at_s < killed_at_s - 1.0]
    assert must_be_there or kill_after < 600, "2 ms an event: the longest run has some that are a second old"
    with SessionStore(path) as store:
        (summary,) = store.sessions()
        stored = [said.number for said in store.session(summary.id).utterances]
        assert summary.outcome is None
        assert store.start_session("live") == summary.id + 1
    assert stored == list(range(1, len(stored) + 1)), "no hole in what is there"
    assert set(must_be_there) <= set(stored)
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()
