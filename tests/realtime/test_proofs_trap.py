"""Preloaded between the process and the C library, a trap counts what the thread in a callback asks for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.realtime.proofs.building import Outcome, build_trap, check_nothing_was_left_out, run_scenario

#: What the trap must know to be one; the rest is more of the same.
ESSENTIAL = {
    "malloc", "calloc", "realloc", "free", "pthread_mutex_lock", "pthread_mutex_trylock", "pthread_cond_wait",
    "pthread_cond_timedwait", "pthread_cond_signal", "sem_wait", "sem_timedwait", "sem_post", "read", "write",
    "nanosleep",
}  # fmt: skip


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_trap(tmp_path_factory.mktemp("trap"))


def run(trap: Path, which: str) -> Outcome:
    outcome = run_scenario(sys.executable, which, {"LD_PRELOAD": str(trap)})
    assert outcome.returncode == 0, outcome.said
    return outcome


def test_callbacks_ask_nothing_of_the_system(trap: Path) -> None:
    outcome = run(trap, "native")
    check_nothing_was_left_out(outcome)
    assert set(outcome.watched) >= ESSENTIAL
    assert outcome.trapped == {}


def test_numpy_callback_asks_hundreds_of_times(trap: Path) -> None:
    outcome = run(trap, "numpy")
    assert outcome.went["playback"]["blocks"] == 100
    assert sum(outcome.trapped.values()) >= 300
    assert outcome.trapped["pthread_mutex_lock"] >= 100, "taking the GIL"
