"""From a stream of text to theses: one a line, and the line break itself ends it, so that nothing waits for more."""

from __future__ import annotations

import re

from sottovoce.core.text import without_controls

#: A line longer than this (characters) is cut at a word: nobody can listen to more while talking.
MAX_THESIS_CHARS = 240

_BULLET = re.compile(r"^\s*(?:[-*+•–—]|\(?\d{1,2}[.)])\s+")
_HEADING = re.compile(r"^\s*#{1,6}\s+")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|<[^<>]{1,80}>")
_SPACES = re.compile(r"\s+")


def clean_thesis(line: str) -> str:
    """A line as it can be spoken: no bullet, markup or control characters; empty if nothing is left to say."""
    line = _BULLET.sub("", _HEADING.sub("", without_controls(line)))
    line = _LINK.sub(r"\1", line)
    line = _SPACES.sub(" ", _MARKUP.sub("", line)).strip()
    if not any(char.isalnum() for char in line):
        return ""
    if len(line) > MAX_THESIS_CHARS:
        line = line[:MAX_THESIS_CHARS].rsplit(" ", 1)[0].rstrip(",;:") + "…"
    return line


class ThesisLines:
    """Splits a streamed answer into theses.

    Parameters
    ----------
    question : str
        A line that only repeats the question is left out.

    Notes
    -----
    Repeats of an earlier thesis are left out. A line that never ends is cut at :data:`MAX_THESIS_CHARS`; the rest of it
    is dropped, so memory stays bounded.
    """

    def __init__(self, question: str = "") -> None:
        self._buffer = ""
        self._skip_to_break = False
        self._seen = {_key(question)} if question else set[str]()

    def feed(self, text: str) -> list[str]:
        """Take the next characters; returns the theses they complete."""
        theses: list[str] = []
        for piece in text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True):
            ended = piece.endswith("\n")
            if not self._skip_to_break:
                self._buffer += piece
                if ended or len(self._buffer) > 2 * MAX_THESIS_CHARS:
                    theses += self._take()
                    self._skip_to_break = not ended
            elif ended:
                self._skip_to_break = False
        return theses

    def finish(self) -> list[str]:
        """The answer has ended: the last line, if it was not ended by a break."""
        return [] if self._skip_to_break else self._take()

    def _take(self) -> list[str]:
        line, self._buffer = clean_thesis(self._buffer), ""
        key = _key(line)
        if not key or key in self._seen:
            return []
        self._seen.add(key)
        return [line]


def _key(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
