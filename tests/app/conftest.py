"""A command line that leaves the machine's own settings, and the test run's logging, alone."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sottovoce.app.cli import run
from sottovoce.app.reference import ENV_ALIASES, ENV_PREFIX

SPEAK = """
import sys
import numpy as np, soundfile
from sottovoce.app.demo import speak_question
from sottovoce.app.wiring import EAR_SAMPLERATE as samplerate
words, file = sys.argv[1:]
soundfile.write(file, np.pad(speak_question(words), (samplerate // 2, samplerate)), samplerate)
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and neither settings nor the size of a terminal in the environment."""
    for name in [*os.environ]:
        if name.startswith(ENV_PREFIX) or name in ENV_ALIASES or name in ("COLUMNS", "LINES"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder / name.split("_")[1].lower()))
    return folder


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Result]]:
    """Runs the command line in this process and returns its code and output."""
    logger = logging.getLogger("sottovoce")
    before = (threading.excepthook, logger.handlers[:], logger.level, logger.propagate)

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    yield call
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    threading.excepthook, logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording in which somebody asks when we launch.

    Spoken in a process of its own: how espeak-ng sounds depends on all that it has said before, and this has to be
    understood every time.
    """
    file = tmp_path_factory.mktemp("recordings") / "meeting.wav"
    command = [sys.executable, "-c", SPEAK, "When do we launch?", file]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    return file
