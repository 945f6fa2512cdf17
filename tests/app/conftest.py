"""A command line that leaves the machine's own settings, and the test run's logging, alone."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sottovoce.app.cli import run
from sottovoce.app.demo import speak_question
from sottovoce.app.reference import ENV_ALIASES, ENV_PREFIX
from sottovoce.app.wiring import EAR_SAMPLERATE


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
    """A recording in which somebody asks when we launch."""
    speech = speak_question("When do we launch?")
    file = tmp_path_factory.mktemp("recordings") / "meeting.wav"
    silence = np.zeros(EAR_SAMPLERATE, np.float32)
    soundfile.write(file, np.concatenate([silence[: EAR_SAMPLERATE // 2], speech, silence]), EAR_SAMPLERATE)
    return file
