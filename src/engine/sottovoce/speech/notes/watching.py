"""Notices that notes have changed on disk, and reads them again."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from sottovoce.core.errors import BackendError, NotesError
from sottovoce.core.log import get_logger, log_event
from sottovoce.speech.notes.note import Notes
from sottovoce.speech.notes.reader import SUFFIXES, read_notes

#: How often (s) the files are looked at, if that is quick.
EVERY_S = 2.0
#: Looking takes at most this part of the time of one core: large folders are looked at less often.
MOST_WORK = 0.005

_LOG = get_logger("notes")

Signature: TypeAlias = tuple[tuple[str, int, int], ...]
Changed: TypeAlias = Callable[[Notes], None]


class NotesWatch:
    """Looks at a folder of notes on a thread of its own, and tells of changes.

    A change is told once the files have stayed the same from one look to the next, so that a file which is being
    written is not read half. Notes that cannot be read, or are gone, leave those in use that were read before.

    Parameters
    ----------
    path : Path
        The folder, or a single file.
    every_s : float
        How often to look.
    """

    def __init__(self, path: Path, every_s: float = EVERY_S) -> None:
        self._path = path
        self._every_s = every_s
        self._stop = threading.Event()
        self._known = signature(path)
        self._seen = self._known
        self._look_s = 0.0
        self._thread: threading.Thread | None = None

    def start(self, changed: Changed) -> None:
        """Look from now on, and tell ``changed`` the new notes on the thread of the watch.

        What changed since the watch was made counts.
        """
        self._thread = threading.Thread(target=self._run, args=(changed,), name="sottovoce-notes", daemon=True)
        self._thread.start()

    def look(self, changed: Changed) -> bool:
        """Look once; True if there were changes and they have been told. For the thread, and for tests."""
        before = time.thread_time()
        now = signature(self._path)
        self._look_s = time.thread_time() - before
        settled, self._seen = now == self._seen, now
        if now == self._known or not settled:
            return False
        self._known = now
        try:
            notes = read_notes(self._path)
            changed(notes)
        except (NotesError, BackendError) as error:
            log_event(_LOG, logging.WARNING, "changed notes are not used", error=type(error).__name__)
            return False
        log_event(_LOG, logging.INFO, "notes read again", notes=len(notes.notes), warnings=len(notes.warnings))
        return True

    def close(self) -> None:
        """Look no more; idempotent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, changed: Changed) -> None:
        wait_s = self._every_s
        while not self._stop.wait(wait_s):
            self.look(changed)
            wait_s = max(self._every_s, self._look_s / MOST_WORK)


def signature(path: Path) -> Signature:
    """Name, size and time of the last change of each file of notes under ``path``, as far as they can be seen."""
    return tuple(sorted(_states(path)))


def _states(path: Path) -> Iterator[tuple[str, int, int]]:
    if not path.is_dir():
        yield from _state(path)
        return
    for folder, inner, files in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield from _state(Path(folder, name))


def _state(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        status = path.stat()
    except OSError:  # gone between the two looks, or a link to nowhere
        return
    yield str(path), status.st_size, status.st_mtime_ns
