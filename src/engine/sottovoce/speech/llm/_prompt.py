"""What a language model is asked, and how its lines are read: theses, each with the note it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.notes.index import NotesIndex

#: What is sent at most: characters of the question, of a line of the dialogue before, and of a note; notes, lines.
MAX_QUESTION_CHARS = 2000
MAX_CONTEXT_CHARS = 400
MAX_NOTE_CHARS = 1500
MAX_NOTES = 3
MAX_CONTEXT_LINES = 8

LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "uk": "Ukrainian",
    "zh": "Chinese",
}

_RULES = """\
You help somebody who is talking with other people and has just been asked a question. What you write is read into \
their ear while they talk, so it has to be short.
Write at most {count} key points for their answer, in {language}, the most important first.
One point a line, at most 12 words, plain text. No numbering, bullets, markup, greeting, introduction or repetition of \
the question.
If there is nothing to say, write a single "-"."""

_NOTES_RULES = """
Their own notes come first. What they say counts more than what you know: keep their names, dates and numbers. \
Begin each line with the number of the note that it comes from in square brackets, as [1], or with [0] if it comes \
from none."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent.

    Attributes
    ----------
    system : str
        The rules.
    user : str
        Notes, the dialogue before, and the question.
    sources : tuple of str
        What the numbers in the answer stand for, beginning with 1.
    """

    system: str
    user: str
    sources: tuple[str, ...]


def asked(question: Question) -> str:
    """The question as it is sent; empty if nothing was asked."""
    text = question.text.strip()[:MAX_QUESTION_CHARS]
    return text if any(char.isalnum() for char in text) else ""


def make_prompt(question: Question, index: NotesIndex | None) -> Prompt:
    """Put the best passages of the notes and the dialogue before the question."""
    hits = index.search(question.text[:MAX_QUESTION_CHARS], limit=MAX_NOTES) if index is not None else ()
    language = LANGUAGES.get(question.language, f"the language with the ISO 639-1 code {question.language}")
    system = _RULES.format(count=question.max_theses, language=language)
    parts = []
    for number, hit in enumerate(hits, 1):
        points = "\n".join(f"- {point}" for point in hit.note.points)[:MAX_NOTE_CHARS]
        parts.append(f"Note [{number}]: {hit.note.title}\n{points}")
    if question.context:
        lines = [line[:MAX_CONTEXT_CHARS] for line in question.context[-MAX_CONTEXT_LINES:]]
        parts.append("\n".join(["Said before:", *lines]))
    if question.said:
        parts.append("\n".join(["Points that were made already, not to be repeated:", *question.said]))
    parts.append(f"Question: {asked(question)}")
    return Prompt(system + (_NOTES_RULES if hits else ""), "\n\n".join(parts), tuple(hit.note.source for hit in hits))


# a mark that is whole, and what may still become one
_MARK = re.compile(r"\s*(?:[-*•]\s*)?\[(\d{1,2})(?:[\s,;]+\d{1,2})*\][:.]?\s*")
_BEGUN = re.compile(r"\s*(?:[-*•]\s*)?(?:\[[\d\s,;]{0,12}\]?)?")


class SourcedLines:
    """Reads a streamed answer: takes the marks off its lines and says where each comes from.

    Parameters
    ----------
    sources : sequence of str
        Of the notes, in the order of their numbers.
    otherwise : str
        The source of a line with no mark.
    max_lines : int
        What comes after so many lines is left out.
    """

    def __init__(self, sources: tuple[str, ...], otherwise: str, max_lines: int) -> None:
        self._sources = sources
        self._otherwise = otherwise
        self._left = max_lines
        self._head = ""
        self._source: str | None = None  # None while the mark of the line may still be coming
        self._empty = True  # nothing of the line has been given
        self._worded = False

    @property
    def full(self) -> bool:
        """Whether all lines that are wanted have been given."""
        return self._left <= 0

    def feed(self, text: str) -> Iterator[Delta]:
        """Take the next characters; no delta goes beyond its line."""
        for piece in text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True):
            if self.full:
                return
            words, line_break = piece.removesuffix("\n"), piece.endswith("\n")
            if self._source is None:
                words = self._settle(words, ended=line_break)
            if words or line_break:
                yield from self._give(words, line_break)

    def finish(self) -> Iterator[Delta]:
        """The answer has ended: end its last line, so that nobody waits for more of it."""
        if self._source is None and self._head:
            words = self._settle("", ended=True)
            yield from self._give(words, line_break=True)
        elif self._worded:
            yield from self._give("", line_break=True)

    def _settle(self, words: str, *, ended: bool) -> str:
        """Look for the mark; returns what of the line can be given."""
        head = self._head + words
        mark = _MARK.match(head)
        if mark is None and not ended and _BEGUN.fullmatch(head):
            self._head = head
            return ""
        self._head = ""
        number = int(mark[1]) if mark else 0
        self._source = self._sources[number - 1] if 0 < number <= len(self._sources) else self._otherwise
        return head[mark.end() :] if mark else head

    def _give(self, words: str, line_break: bool) -> Iterator[Delta]:
        words = words.lstrip() if self._empty else words
        self._empty = self._empty and not words
        self._worded = self._worded or any(char.isalnum() for char in words)
        source = self._source if self._source is not None else self._otherwise
        if words or (line_break and self._worded):
            yield Delta(words + "\n" * line_break, source)
        if line_break:
            self._left -= self._worded
            self._source, self._empty, self._worded = None, True, False
