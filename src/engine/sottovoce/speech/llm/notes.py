"""Theses out of the wearer's own notes: nothing leaves the machine, and nothing is made up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from sottovoce.core.cancel import CancelToken
from sottovoce.core.errors import BackendError, ConfigError, NotesError
from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.notes.index import Hit, NotesIndex
from sottovoce.speech.notes.note import NotesWarning
from sottovoce.speech.notes.reader import read_notes
from sottovoce.speech.notes.text import MAX_S, SPEED, theses
from sottovoce.speech.notes.words import content_words, stem

EXTRA = ""
SENDS = ""
NAME = "notes"


class NotesGenerator:
    """Answers with the points of the note that fits the question best.

    The language of the theses is that of the notes, and each question stands for itself: the dialogue before it is
    not used.

    Parameters
    ----------
    notes : NotesIndex, path, or sequence of paths
        An index, or the files and folders to make one of when :meth:`warm` is called.
    max_thesis_s : float
        Points that take longer to speak are cut, see
        :func:`sottovoce.speech.notes.text.theses`.
    """

    def __init__(
        self,
        notes: NotesIndex | Path | str | Sequence[Path | str],
        *,
        max_thesis_s: float = MAX_S,
        speed: float = SPEED,
    ) -> None:
        if not (max_thesis_s > 0 and speed > 0):
            raise ValueError(f"max_thesis_s is {max_thesis_s} and speed {speed}; both must be above 0")
        self._given = notes
        self._made: NotesIndex | None = None
        self._max_s, self._speed = max_thesis_s, speed
        self._lock = threading.Lock()
        self._warnings: tuple[NotesWarning, ...] = ()

    @property
    def name(self) -> str:
        return NAME

    @property
    def index(self) -> NotesIndex:
        """The index; made now if it was not yet. Raises NotesError if there are no notes."""
        if isinstance(self._given, NotesIndex):
            return self._given
        with self._lock:
            if self._made is None:
                found = read_notes(self._given)
                self._warnings = found.warnings
                self._made = NotesIndex(found)
            return self._made

    @property
    def warnings(self) -> tuple[NotesWarning, ...]:
        """What was passed over when the notes were read; empty before :meth:`warm`."""
        with self._lock:
            return self._warnings

    def warm(self) -> None:
        """Read the notes and build the index; idempotent.

        Raises
        ------
        NotesError
            There are none, or they cannot be read.
        BackendUnavailableError
            Python's SQLite cannot search texts.
        """
        _ = self.index

    def generate(self, question: Question, cancel: CancelToken) -> Iterator[Delta]:
        """The points of the best note, a thesis a line; nothing if no note is about the question.

        Raises
        ------
        BackendError
            The notes could not be read; only if :meth:`warm` was not called before.
        """
        try:
            index = self.index
        except NotesError as error:
            raise BackendError(error.message, backend=NAME, hint=error.hint) from error
        for hit in index.search(question.text, limit=1):
            source = hit.note.source
            for thesis in self._theses(hit, question.max_theses):
                if cancel.cancelled:
                    return
                yield Delta(f"{thesis}\n", source)

    def close(self) -> None:
        """Release everything; idempotent. An index that was given stays open: it is its owner's."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    def _theses(self, hit: Hit, count: int) -> Iterator[str]:
        """At most ``count``; a point that has no room as a whole is left out, unless it is the first: half of what was
        meant may say something else."""
        left = count
        for point in hit.note.points[_first_point(hit, count) :]:
            pieces = list(theses(point, self._max_s, self._speed))
            if len(pieces) <= left or left == count:
                yield from pieces[:left]
                left = max(0, left - len(pieces))
            if not left:
                return


def open(
    index: NotesIndex | None = None,
    paths: Path | str | Sequence[Path | str] | None = None,
    max_thesis_s: float = MAX_S,
    speed: float = SPEED,
) -> NotesGenerator:
    """The generator over an index that is there, or over one to be made of the notes at ``paths``.

    Raises
    ------
    ConfigError
        Neither is given.
    """
    notes = paths if index is None else index
    if notes is None:
        raise ConfigError("there are no notes to answer from", key="notes.path", hint="name a folder of Markdown files")
    return NotesGenerator(notes, max_thesis_s=max_thesis_s, speed=speed)


def _first_point(hit: Hit, count: int) -> int:
    """Where to begin in a note that has more points than are wanted.

    The answer to a question begins with its first point. Under any other heading the wearer may have written pages:
    there it begins where the words of the question are closest together.
    """
    note = hit.note
    if note.questions or len(note.points) <= count:
        return 0
    wanted = {stem(word) for word in hit.matched}
    worth = [len(wanted.intersection(stem(word) for word in content_words(point))) for point in note.points]
    starts = range(len(note.points) - count + 1)
    # Of equally good runs the one whose own first point says most, then the earliest.
    return max(starts, key=lambda start: (sum(worth[start : start + count]), worth[start], -start))
