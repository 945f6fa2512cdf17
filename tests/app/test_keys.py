"""Keys of a session, and what they ask for."""

from __future__ import annotations

import os
import pty
import signal
import sys

import pytest

from sottovoce.app.keys import Keys, controls_of
from sottovoce.assistant.controls import Control


@pytest.mark.parametrize(
    ("keys", "controls"),
    [
        ("n", [Control.NEXT]),
        ("\x1b[C", [Control.NEXT]),
        ("\x1b[D\x1b[A", [Control.PREVIOUS, Control.LOUDER]),
        (" r+", [Control.PAUSE, Control.REPEAT, Control.LOUDER]),
        ("xyz\x1b", []),
        ("ёs", [Control.STOP]),
        ("m", [Control.MUTE]),
        ("", []),
    ],
)
def test_keys_become_controls(keys: str, controls: list[Control]) -> None:
    assert controls_of(keys) == controls


def test_every_control_has_a_key() -> None:
    assert set(controls_of("nprs +-m")) == set(Control)


def test_keys_are_read_one_by_one_and_the_terminal_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    import termios

    controller, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(stdin)
        with Keys() as keys:
            assert keys.available
            os.write(controller, b"n")
            assert keys.wait(10.0) == "n"
            assert termios.tcgetattr(stdin) != before
        assert termios.tcgetattr(stdin) == before
    os.close(controller)


def test_keys_are_read_again_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    import termios

    controller, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(stdin)
        handler = signal.getsignal(signal.SIGCONT)
        with Keys() as keys:
            termios.tcsetattr(stdin, termios.TCSANOW, before)  # as a shell does when it goes on itself
            signal.raise_signal(signal.SIGCONT)
            os.write(controller, b"q")
            assert keys.wait(10.0) == "q"
        assert termios.tcgetattr(stdin) == before
        assert signal.getsignal(signal.SIGCONT) == handler
    os.close(controller)


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with Keys() as keys:
            assert not keys.available
            assert keys.wait(0.0) == ""
