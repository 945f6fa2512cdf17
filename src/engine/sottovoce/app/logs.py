"""Where log messages go; only the command line says so."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from pathlib import Path
from typing import Self, TextIO

from sottovoce.core.errors import ConfigError
from sottovoce.core.log import get_logger
from sottovoce.core.secrets import redacted

_HANDLER_NAME = "sottovoce command line"


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment, since a live display replaces it for a while."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        raise AttributeError("always stderr")


class _ShortFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        part = record.name.removeprefix("sottovoce.")
        return redacted(f"{record.levelname.lower()}: {part}: {record.getMessage()}")


class _FileFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(threadName)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        frames: str = getattr(record, "frames", "")
        return redacted(super().format(record) + (f"\n{frames}" if frames else ""))


def configure(level: str, file: Path | None) -> None:
    """Show messages of the package from ``level`` on, and write those from info on to ``file``; replaces what was set.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    logger = logging.getLogger("sottovoce")
    for handler in [handler for handler in logger.handlers if handler.get_name() == _HANDLER_NAME]:
        logger.removeHandler(handler)
        handler.close()
    shown = logging.getLevelNamesMapping()[level.upper()]
    screen = _StderrHandler()
    screen.setFormatter(_ShortFormatter())
    screen.setLevel(shown)
    screen.addFilter(lambda record: not getattr(record, "file_only", False))
    handlers: list[logging.Handler] = [screen]
    if file is not None:
        handlers.append(_file_handler(file, min(shown, logging.INFO)))
    for handler in handlers:
        handler.set_name(_HANDLER_NAME)
        logger.addHandler(handler)
    logger.setLevel(min(handler.level for handler in handlers))
    logger.propagate = False


class LastMessages(logging.Handler):
    """Keeps the last messages of the package and shows none on the screen while it is entered: a picture is there.

    Parameters
    ----------
    most : int
        How many it keeps.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=most)
        self._screens: list[logging.Handler] = []
        self.setFormatter(_ShortFormatter())

    @property
    def lines(self) -> tuple[str, ...]:
        """The messages, the oldest first."""
        return tuple(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        self._lines.append(f"{at} {self.format(record)}")

    def __enter__(self) -> Self:
        logger = logging.getLogger("sottovoce")
        self._screens = [handler for handler in logger.handlers if isinstance(handler, _StderrHandler)]
        self.setLevel(min((handler.level for handler in self._screens), default=logging.WARNING))
        for handler in self._screens:
            logger.removeHandler(handler)
        logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("sottovoce")
        logger.removeHandler(self)
        for handler in self._screens:
            logger.addHandler(handler)


def log_crash(error: BaseException, thread: str, *, file_only: bool) -> None:
    """Log where an unexpected error came from, without its message: that may hold what was said.

    The frames go to the log file, never to the screen; ``file_only`` keeps the whole message from it.
    """
    extra: dict[str, object] = {"frames": frames_only(error), "file_only": file_only}
    get_logger("app").error("unexpected %s in the thread %s", type(error).__name__, thread, extra=extra)


def frames_only(error: BaseException) -> str:
    """The traceback of an error and its causes, with the kinds of the errors but not their messages."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{type(current).__module__}.{type(current).__qualname__}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\n\ncaused by\n\n".join(parts)


def install_thread_hook() -> None:
    """Let a thread that dies of an error say so in the log, not with a traceback on the screen."""

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
            name = arguments.thread.name if arguments.thread is not None else "unknown"
            log_crash(arguments.exc_value, name, file_only=False)

    threading.excepthook = hook


def _file_handler(file: Path, level: int) -> logging.Handler:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.close(descriptor)
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the log file {file} cannot be written: {error.strerror}",
            key="--log-file",
            hint="give a file in a folder that you may write to",
        ) from error
    handler.setLevel(level)
    handler.setFormatter(_FileFormatter())
    return handler
