"""Single keys from a terminal, and the wait between two pictures."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from typing import Any, Self

if sys.platform != "win32":  # there, Ctrl-C alone ends it
    import termios
    import tty

#: What is said of them.
HELP = "q quits, c clears peaks"


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
        self.available = wanted and sys.platform != "win32" and _is_terminal()

    def __enter__(self) -> Self:
        if sys.platform != "win32" and self.available:
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32" and self._before is not None:
            with contextlib.suppress(termios.error):  # the terminal has gone
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def wait(self, timeout_s: float) -> str:
        """The keys pressed, after at most ``timeout_s`` seconds; "q" where the terminal has gone."""
        if not self.available:
            self._never.wait(timeout_s)
            return ""
        if not select.select([sys.stdin], [], [], timeout_s)[0]:
            return ""
        try:
            return os.read(sys.stdin.fileno(), 64).decode(errors="replace") or "q"
        except OSError:
            return "q"


def _is_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is no stdin, or it is closed
        return False
