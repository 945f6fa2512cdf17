"""pipecat in a virtual environment of its own, made once and kept in the user's cache; absent where it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, Self

import platformdirs

VERSION = "1.14.0"

_ROOT = Path(__file__).resolve().parents[2]
_INSTALL_S = 300.0


class Unavailable(RuntimeError):
    """pipecat cannot be had here; the message says why."""


def environment() -> Path:
    """The Python of the environment that holds pipecat, which is made if it is not there.

    Raises
    ------
    Unavailable
        It cannot be installed, or not in time.
    """
    folder = platformdirs.user_cache_path("sottovoce") / "bench" / f"pipecat-{VERSION}-{sys.implementation.cache_tag}"
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists():
        return python
    print(f"installing pipecat {VERSION} into {folder}", file=sys.stderr, flush=True)
    try:
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-q", f"pipecat-ai=={VERSION}"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"not installed within {_INSTALL_S:.0f} s") from error
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Unavailable(said[-1] if said else "pip failed") from error
    done.touch()
    return python


class Peer:
    """A session of pipecat that waits to be asked; a context manager. Its recogniser may be a streaming one."""

    def __init__(self, *, streaming: bool = False) -> None:
        self._arguments = ["--streaming"] if streaming else []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(environment()), "-m", "bench.peers.pipecat_session", *self._arguments],
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, asr_s: float, phase_s: float) -> float:
        """Milliseconds from the true end of the script's question to the first sample of its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{asr_s} {phase_s}\n")
        self._process.stdin.flush()
        return float(self._answer()["first_ms"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            said = self._process.stderr.read().strip().splitlines()
            raise Unavailable(f"its session has ended: {said[-1] if said else 'without a word'}")
        answer: dict[str, Any] = json.loads(line)
        return answer
