"""What is read out of the wearer's notes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Note:
    """A heading and what stands under it.

    Attributes
    ----------
    title : str
        The heading, or the name of the file for text that stands before any.
    questions : tuple of str
        The questions it answers: the heading if it ends in a question mark, and ``Q:`` lines.
    points : tuple of str
        What there is to say, in order, without markup; at least one.
    path : Path
        The file.
    line : int
        Line of the heading, counted from 1.
    trail : tuple of str
        The headings above it, outermost first.
    """

    title: str
    questions: tuple[str, ...]
    points: tuple[str, ...]
    path: Path
    line: int
    trail: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where it comes from, as the wearer knows it: ``title (file)``."""
        return f"{self.title} ({self.path.name})"


@dataclass(frozen=True, slots=True)
class NotesWarning:
    """Something in the notes that was passed over or read otherwise than its writer may have meant.

    Attributes
    ----------
    path : Path
        The file or folder.
    line : int
        Counted from 1; 0 if it concerns the whole.
    message, hint : str
        What is wrong, and what to do about it.
    """

    path: Path
    line: int
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Notes:
    """All notes that were found, in the order of their files, and what was wrong with some."""

    notes: tuple[Note, ...]
    warnings: tuple[NotesWarning, ...] = ()
