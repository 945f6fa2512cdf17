"""`sottovoce monitor` as a user runs it, on a sound card in software: in a pipe, on a terminal, without a device."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.soundcard import SoundCard

pytestmark = [pytest.mark.device, pytest.mark.timeout(120)]

MONITOR = [sys.executable, "-m", "sottovoce", "monitor"]


@contextlib.contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The process, its stdout a pipe."""
    process = subprocess.Popen(
        [*MONITOR, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def read_until(process: subprocess.Popen[str], wanted: Any, most: int = 40) -> list[dict[str, Any]]:
    """Objects until one of them is wanted."""
    assert process.stdout is not None
    told: list[dict[str, Any]] = []
    for _ in range(most):
        line = process.stdout.readline()
        assert line, f"it has ended: {process.poll()}; {told[-1:]}"
        told.append(json.loads(line))
        if wanted(told[-1]):
            return told
    raise AssertionError(f"not within {most} lines; the last: {told[-1]}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_json_tells_of_the_tone_and_ends_when_asked(sound_card: SoundCard, number: int) -> None:
    with watching("--json", "--tone", "440", "--output", "vs48", "--for", "100") as process:
        told = read_until(process, lambda now: now["elapsed_s"] > 2 and now["input"]["stream"]["rms_dbfs"] > -40)
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert [json.loads(line)["playing"] for line in out.splitlines()] == ["a tone of 440 Hz"] * len(out.splitlines())
    last = told[-1]
    stream = last["output"]["stream"]
    assert (stream["state"], stream["device"], stream["generation"]) == ("running", "vs48", 1)
    assert stream["rms_dbfs"] == pytest.approx(-33.0, abs=0.3)
    assert stream["callback"]["count"] == stream["counters"]["blocks"] > 100
    assert last["input"]["captured_s"] > 1
    assert sound_card.sink_inputs() == 0


def test_it_ends_by_itself_after_its_time(sound_card: SoundCard) -> None:
    done = subprocess.run(
        [*MONITOR, "--json", "--no-input", "--for", "1.5"], capture_output=True, text=True, timeout=60
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == (9 if any(now["health"] == "bad" for now in told) else 0)
    assert len(told) == 2
    assert told[-1]["output"]["stream"]["counters"]["idle_blocks"] > 50


def test_lost_device_is_shown_and_it_goes_on(sound_card: SoundCard) -> None:
    with watching("--json", "--no-input", "--tone", "440", "--output", "vs48") as process:
        read_until(process, lambda now: now["health"] == "good")
        sound_card.stall("vs48", True)
        told = read_until(process, lambda now: now["output"]["stream"]["recreate_reason"])
        assert any(problem["name"].startswith("output-") for problem in told[-1]["problems"])
        sound_card.stall("vs48", False)
        read_until(process, lambda now: now["output"]["stream"]["state"] == "running" and now["health"] != "bad")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_device_that_is_not_there_is_named(sound_card: SoundCard) -> None:
    done = subprocess.run([*MONITOR, "--output", "nowhere"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (6, "")
    assert "'nowhere'" in done.stderr
    assert "vs48" in done.stderr


def take_terminal() -> None:
    """Lead a session whose terminal is stdin."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A terminal of 80 columns and 40 rows with the monitor on it."""

    def __init__(self, *arguments: str) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [*MONITOR, *arguments],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            preexec_fn=take_terminal,  # so that Ctrl-C is a signal
            env=environ | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
        )
        self.seen = ""

    def wait_for(self, part: str, timeout_s: float = 30.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while part not in self.seen:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"{part!r} was not shown, but {self.seen[-2000:]!r}; {self.process.poll()}"
            if select.select([self.ours], [], [], left_s)[0]:
                self.seen += os.read(self.ours, 65536).decode(errors="replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.mark.parametrize("how", ["q", "ctrl-c", "terminate"])
def test_terminal_is_drawn_on_and_left_as_it_was(sound_card: SoundCard, how: str) -> None:
    terminal = Terminal("--tone", "440", "--output", "vs48")
    try:
        terminal.wait_for("playing a tone of 440 Hz")
        terminal.wait_for("\x1b[?1049h")  # a screen of its own
        assert termios.tcgetattr(terminal.theirs)[3] != terminal.before[3]
        if how == "terminate":
            terminal.process.terminate()
        else:
            os.write(terminal.ours, b"q" if how == "q" else b"\x03")
        terminal.wait_for("\x1b[?1049l")
        terminal.wait_for("output vs48 running")
        assert terminal.process.wait(20) == 0
        assert termios.tcgetattr(terminal.theirs) == terminal.before
        assert "\x1b[?25h" in terminal.seen.rpartition("\x1b[?25l")[2], "the cursor is shown again"
    finally:
        terminal.close()
