"""Consoles that behave: no colours and no cut lines in a pipe, no crash on one that knows only ASCII; SIGTERM."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

#: Columns where nobody looks: wide enough that a table in a pipe is not cut.
PIPE_COLUMNS = 200

_ASCII = {
    "…": "...",
    "—": "-",
    "–": "-",
    "→": "->",
    "·": ".",
    "•": "*",
    "✓": "+",
    "✗": "x",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "»": ">>",
    "«": "<<",
    "×": "x",
    "µ": "u",
    "≥": ">=",
    "≤": "<=",
}


def is_utf8(stream: TextIO) -> bool:
    """Whether the stream can show every character."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def prepare_streams() -> None:
    """Let stdout and stderr replace what their encoding lacks instead of failing."""
    codecs.register_error("sottovoce", _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not is_utf8(stream):
            stream.reconfigure(errors="sottovoce")


def silence_stdout() -> None:
    """Send what is still unwritten to nowhere: whoever read stdout has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def make_console(*, stderr: bool = False, no_color: bool = False) -> Console:
    """A console on stdout or stderr; it leaves numbers uncoloured and raises BrokenPipeError like any other file."""
    from rich.console import Console

    class PlainConsole(Console):
        def on_broken_pipe(self) -> None:  # rich would exit here, with a code of its own
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return PlainConsole(stderr=stderr, no_color=no_color or None, highlight=False, width=wide)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """While it is entered, what C libraries write to stderr goes nowhere, if that is a terminal and not a file."""
    if not sys.stderr.isatty():
        yield
        return
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def end_on_terminate() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_ASCII.get(char, "?") for char in missing), error.end
