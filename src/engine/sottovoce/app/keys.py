"""Single keys from a terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

from sottovoce.assistant.controls import Control

if sys.platform == "win32":
    import msvcrt

    #: The console there cannot be waited for.
    _LOOK_S = 0.05

    def _pressed(timeout_s: float, never: threading.Event) -> str:
        keys = ""
        for _ in range(max(1, round(timeout_s / _LOOK_S))):
            while msvcrt.kbhit():
                keys += msvcrt.getwch()
            if keys or never.wait(_LOOK_S):
                break
        return keys

else:
    import termios
    import tty

    def _pressed(timeout_s: float, never: threading.Event) -> str:
        if not select.select([sys.stdin], [], [], timeout_s)[0]:
            return ""
        try:
            return os.read(sys.stdin.fileno(), 64).decode(errors="replace") or "q"
        except OSError:
            return "q"

    def _read_again(number: int, frame: FrameType | None) -> None:
        """After Ctrl-Z and `fg`: the shell has taken the terminal back for itself meanwhile."""
        with contextlib.suppress(termios.error):
            tty.setcbreak(sys.stdin)


#: How the keys of a session are told.
HELP = "Space pauses, n next, p previous, r repeats, s stops, + - loudness, m mutes the microphone, q ends."

#: Keys as they are read, and what they ask for; arrows send three characters, on Windows two.
_CONTROLS = {
    "\x1b[C": Control.NEXT,
    "\x1b[D": Control.PREVIOUS,
    "\x1b[A": Control.LOUDER,
    "\x1b[B": Control.QUIETER,
    "\xe0M": Control.NEXT,
    "\xe0K": Control.PREVIOUS,
    "\xe0H": Control.LOUDER,
    "\xe0P": Control.QUIETER,
    "n": Control.NEXT,
    "p": Control.PREVIOUS,
    "r": Control.REPEAT,
    " ": Control.PAUSE,
    "+": Control.LOUDER,
    "-": Control.QUIETER,
    "s": Control.STOP,
    "m": Control.MUTE,
}


class Keys:
    """Reads keys as they are pressed while it is entered, where stdin is a terminal; the terminal is then as before.

    Parameters
    ----------
    wanted : bool
        Whether keys are to be read at all.
    """

    def __init__(self, wanted: bool = True) -> None:
        self._never = threading.Event()
        self._before: Any = None
        self._on_continue: Any = None
        self.available = wanted and _is_terminal()

    def __enter__(self) -> Self:
        if sys.platform != "win32" and self.available:
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
            if threading.current_thread() is threading.main_thread():
                self._on_continue = signal.signal(signal.SIGCONT, _read_again)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32" and self._before is not None:
            if self._on_continue is not None:
                signal.signal(signal.SIGCONT, self._on_continue)
            with contextlib.suppress(termios.error):  # the terminal has gone
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def wait(self, timeout_s: float) -> str:
        """The keys pressed, after at most ``timeout_s`` seconds; "q" where the terminal has gone."""
        if not self.available:
            self._never.wait(timeout_s)
            return ""
        return _pressed(timeout_s, self._never)


def controls_of(keys: str) -> list[Control]:
    """What some keys ask for, in their order; others are passed over."""
    controls: list[Control] = []
    while keys:
        length = next((length for length in (3, 2, 1) if keys[:length] in _CONTROLS), 0)
        if length:
            controls.append(_CONTROLS[keys[:length]])
        keys = keys[max(1, length) :]
    return controls


def _is_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is no stdin, or it is closed
        return False
