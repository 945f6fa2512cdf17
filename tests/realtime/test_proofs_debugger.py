"""A debugger stands at the doors of Python while a live stream plays, and counts who comes in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.realtime.proofs.building import HERE
from tests.support.soundcard import SoundCard

pytestmark = pytest.mark.device


@dataclass(frozen=True, slots=True)
class Watched:
    """How often each door was used, by threads that Python has not started, and by its own."""

    blocks: int
    by_foreign: dict[str, int]
    by_python: dict[str, int]


def watch(folder: Path, which: str) -> Watched:
    """Play under gdb."""
    if shutil.which("gdb") is None:
        pytest.skip("no debugger: apt-get install gdb")
    hits_file, said_file = folder / "hits.json", folder / "said.json"
    program: list[str | Path] = [sys.executable, HERE / "streaming.py", which, said_file]
    done = subprocess.run(
        ["gdb", "-batch", "-nx", "-x", HERE / "gil_watch.py", "--args", *program],
        env={**os.environ, "GIL_WATCH": str(hits_file)}, capture_output=True, text=True, check=False, timeout=100.0,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip(f"the debugger may not watch here: {done.stderr.strip().splitlines()[-1]}")
    assert hits_file.exists(), done.stderr
    assert said_file.exists(), done.stdout + done.stderr
    said = json.loads(said_file.read_text(encoding="utf-8"))
    own = {str(thread) for thread in said["python_threads"]}
    hits: dict[str, dict[str, int]] = json.loads(hits_file.read_text(encoding="utf-8"))
    return Watched(
        blocks=said["blocks"],
        by_foreign={name: sum(n for thread, n in by.items() if thread not in own) for name, by in hits.items()},
        by_python={name: sum(n for thread, n in by.items() if thread in own) for name, by in hits.items()},
    )


def test_audio_thread_never_comes_to_python(sound_card: SoundCard, tmp_path: Path) -> None:
    watched = watch(tmp_path, "native")
    assert watched.blocks >= 200
    assert watched.by_python["PyEval_RestoreThread"] > 0, "the debugger sees who comes in"
    assert watched.by_foreign == {"PyGILState_Ensure": 0, "PyEval_RestoreThread": 0}


def test_numpy_callback_comes_to_python_for_every_block(sound_card: SoundCard, tmp_path: Path) -> None:
    watched = watch(tmp_path, "numpy")
    assert watched.blocks >= 200
    assert watched.by_foreign["PyGILState_Ensure"] >= watched.blocks
