"""Builds what the proofs run: C from this folder, and Pythons that embed a sanitizer. Skips where a tool is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCENARIO = HERE / "scenario.py"

#: Newest first; the first that knows RealtimeSanitizer is 20, and Debian 12 brings 22.
_CLANGS = ("clang-22", "clang-21", "clang-20", "clang")


def require_linux() -> None:
    """Skips where the proofs' tools cannot be: they stand between a program and the C library of GNU/Linux."""
    if sys.platform != "linux":
        pytest.skip("needs Linux: LD_PRELOAD and the sanitizers stand between a program and its C library")


def compiler() -> str:
    """A C compiler."""
    require_linux()
    found = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if found is None:
        pytest.skip("no C compiler: apt-get install gcc")
    return found


def build(command: list[str], what: str) -> None:
    """Run a compiler; what it says is shown if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{what} does not build: {done.stderr}"


def build_trap(folder: Path) -> Path:
    """The library that counts what an armed thread asks of the C library."""
    library = folder / "trap.so"
    flags = ["-shared", "-fPIC", "-O1", "-o", str(library)]
    build([compiler(), *flags, str(HERE / "trap.c"), "-ldl", "-lpthread"], "the trap")
    return library


def clang_with_realtime_sanitizer(folder: Path) -> str:
    """A clang that can link RealtimeSanitizer's runtime."""
    require_linux()
    source = folder / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    for name in _CLANGS:
        if found := shutil.which(name):
            command = [found, "-fsanitize=realtime", str(source), "-o", str(folder / "empty")]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return found
    pytest.skip("no RealtimeSanitizer: apt-get install clang-22 libclang-rt-22-dev")


def build_embedding_python(folder: Path, clang: str) -> Path:
    """A Python with RealtimeSanitizer that sees the modules of this one."""
    include, library_folder = sysconfig.get_path("include"), sysconfig.get_config_var("LIBDIR")
    version = sysconfig.get_config_var("LDVERSION")
    if not (Path(include) / "Python.h").is_file() or not [*Path(library_folder).glob(f"libpython{version}.*")]:
        pytest.skip(f"no libpython{version} to embed: apt-get install libpython{version}-dev, or --enable-shared")
    program = folder / "bin" / "python"
    program.parent.mkdir()
    build(
        [clang, "-fsanitize=realtime", "-g", f"-I{include}", str(HERE / "embedding.c"), "-o", str(program), "-rdynamic",
         f"-L{library_folder}", f"-Wl,-rpath,{library_folder}", f"-lpython{version}", "-ldl", "-lm", "-lutil"],
        "the embedding Python",
    )  # fmt: skip
    _dress_as_venv(folder)
    return program


def _dress_as_venv(folder: Path) -> None:
    """Give a Python in ``folder/bin`` the modules of this one: that is where it looks for them."""
    home = Path(sys.base_prefix) / "bin"
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    (folder / "lib").symlink_to(Path(sys.prefix) / "lib", target_is_directory=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the scenario has printed, and what the tools said."""

    watched: list[str]
    trapped: dict[str, int]
    went: dict[str, dict[str, int]]
    said: str
    returncode: int


def run_scenario(python: Path | str, which: str, environ: dict[str, str]) -> Outcome:
    """Put one side's callbacks through the scenario in a Python of its own."""
    done = subprocess.run(
        [str(python), str(SCENARIO), which], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert done.stdout, f"the scenario did not run: {done.stderr}"
    printed = json.loads(done.stdout)
    return Outcome(printed["watched"], printed["trapped"], printed["went"], done.stderr, done.returncode)


def check_nothing_was_left_out(outcome: Outcome) -> None:
    """The callbacks went through everything that they do."""
    assert set(outcome.went) == {"playback 48000 2", "playback 44100 1", "capture 48000", "capture 16000"}
    for name, counted in outcome.went.items():
        refused = {"generation_mismatches", "shape_mismatches", "errors", "scrubbed_samples", "blocks", "peak"}
        played = {"flushes", "starvations", "underruns", "idle_blocks", "held_blocks", "yields", "yielded_blocks"} | {
            "ended", "moved", "resampled_blocks", "marks_passed", "marks_flushed", "marks_refused", "heard_s",
        }  # fmt: skip
        happens = played if "playback" in name else {"overruns", "activations", "active_blocks"}
        assert {event for event in refused | happens if not counted[event]} == set(), name
