"""`sottovoce live` as a user runs it, on a sound card in software: asked, answered in the ear, ended by Ctrl-C."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sottovoce.app.demo import SAMPLE_NOTES, speak_question
from tests.support.soundcard import SoundCard

pytestmark = [pytest.mark.device, pytest.mark.timeout(120)]

#: Ctrl-C has to end a session within 1 s; a shared machine may take longer to start what ends it.
END_LIMIT_S = 3.0


class LiveSession:
    """The process, and the lines that it has printed."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "sottovoce", "live", "--notes", str(SAMPLE_NOTES), *arguments]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="live-reader")
        self._reader.start()

    def wait_for(self, part: str, timeout_s: float = 30.0) -> str:
        deadline_s = time.monotonic() + timeout_s
        seen = []
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                seen.append(self._lines.get(timeout=left_s))
            except queue.Empty:
                break
            if part in seen[-1]:
                return seen[-1]
        raise AssertionError(f"{part!r} was not printed, but {seen}; {self.process.poll()}")

    def interrupt(self, number: int = signal.SIGINT) -> tuple[int, float, str]:
        start_s = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(20.0)
        seconds = time.monotonic() - start_s
        assert self.process.stderr is not None
        # The card in software starves where both cores are taken, and then the engine says so
        complaints = [line for line in self.process.stderr if not line.startswith("warning: audio:")]
        return code, seconds, "".join(complaints)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)


@contextmanager
def live(*arguments: str) -> Iterator[LiveSession]:
    session = LiveSession(*arguments)
    try:
        yield session
    finally:
        session.close()


def test_question_at_the_microphone_is_answered_in_the_ear(sound_card: SoundCard, tmp_path: Path) -> None:
    sound_card.listen_to("vs44")
    asked = speak_question("How much does it cost?")
    store = tmp_path / "sessions.db"
    with live("--output", "vs48", "--set", f"session.path={store}", "--set", "session.store_audio=true") as session:
        session.wait_for("Ready.")
        recording = sound_card.record("vs48")
        with sound_card.playing(np.concatenate([asked, np.zeros(16_000, np.float32)]), 16_000, "vs44"):
            session.wait_for("How much does it cost?")
        session.wait_for("to the first sound")
        heard = recording.stop()[:, 0]
        code, seconds, errors = session.interrupt()
    assert (code, errors) == (0, "")
    assert seconds < END_LIMIT_S
    assert np.abs(heard).max() > 0.1
    show = [sys.executable, "-m", "sottovoce", "sessions", "export", "1", "--format", "json"]
    done = subprocess.run([*show, "--set", f"session.path={store}"], capture_output=True, text=True, check=True)
    kept = json.loads(done.stdout)
    assert "Eighty nine euros" in json.dumps(kept)
    assert {stream["direction"] for stream in kept["engine"]} == {"output", "input"}
    assert all(stream["callback"]["count"] > 0 for stream in kept["engine"])
    sound = tmp_path / "sessions-audio" / "1.wav"
    assert sound.stat().st_size > 2 * 16_000
    assert sound.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_live_ends_at_once_and_leaves_nothing_behind(sound_card: SoundCard, number: int) -> None:
    sound_card.listen_to("vs44")
    with live("--output", "vs48", "--set", "session.store=false") as session:
        session.wait_for("Ready.")
        code, seconds, errors = session.interrupt(number)
    assert (code, errors) == (0, "")
    assert seconds < END_LIMIT_S
    assert sound_card.sink_inputs() == 0


def test_device_that_is_not_there_is_named_with_those_that_are(sound_card: SoundCard) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sottovoce", "live", "--notes", str(SAMPLE_NOTES), "--input", "nowhere"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 6
    assert "'nowhere'" in done.stderr
    assert "vs48" in done.stderr
    assert "hint:" in done.stderr
