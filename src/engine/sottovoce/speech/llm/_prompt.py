"""What a language model is asked, and how its lines are read: theses, each with the note it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sottovoce.speech.llm.base import Delta, Question
from sottovoce.speech.notes.index import Hit, NotesIndex
from sottovoce.speech.notes.words import content_words, stem
from sottovoce.speech.usage import tokens_of

#: How a model answers: in key points, or in connected sentences, one a line.
Form: TypeAlias = Literal["theses", "answer"]

#: What is sent at most: characters of the question and of a line of the dialogue before, lines of it, notes, and
#: tokens of all notes together, of which the first may take what those behind it leave.
MAX_QUESTION_CHARS = 2000
MAX_CONTEXT_CHARS = 400
MAX_CONTEXT_LINES = 8
MAX_NOTES = 3
MAX_NOTES_TOKENS = 1200

#: Lines of an answer that are read at most, even where all of it is wanted.
MOST_LINES = 100

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

_FORMS: dict[Form, str] = {
    "theses": """\
Write at most {count} key points for their answer, in {language}, the most important first.
One point a line, at most 12 words, plain text. No numbering, bullets, markup, greeting, introduction or repetition of \
the question.""",
    "answer": """\
Write the answer that they can give, in {language}, in the first person, in at most {count} short sentences, each \
following from the one before, what matters most first.
One sentence a line, at most 20 words, plain text. No numbering, bullets, markup, greeting, introduction or repetition \
of the question.""",
}

_RULES = """\
You help somebody who is talking with other people and has just been asked a question. What you write is read into \
their ear while they talk, so it has to be short.
{form}
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


def make_prompt(question: Question, index: NotesIndex | None, form: Form = "theses") -> Prompt:
    """Put the best passages of the notes and the dialogue before the question."""
    hits = index.related(question.text[:MAX_QUESTION_CHARS], limit=MAX_NOTES) if index is not None else ()
    language = LANGUAGES.get(question.language, f"the language with the ISO 639-1 code {question.language}")
    system = _RULES.format(form=_FORMS[form].format(count=question.max_theses, language=language))
    notes = passages(hits)
    parts = [f"Note [{number}]: {hit.note.title}\n{text}" for number, (hit, text) in enumerate(notes, 1)]
    if question.context:
        lines = [line[:MAX_CONTEXT_CHARS] for line in question.context[-MAX_CONTEXT_LINES:]]
        parts.append("\n".join(["Said before:", *lines]))
    if question.said:
        parts.append("\n".join(["Points that were made already, not to be repeated:", *question.said]))
    parts.append(f"Question: {asked(question)}")
    sources = tuple(hit.note.source for hit, _ in notes)
    return Prompt(system + (_NOTES_RULES if notes else ""), "\n\n".join(parts), sources)


def passages(hits: Sequence[Hit]) -> list[tuple[Hit, str]]:
    """Of each note the points around those that the question is about, :data:`MAX_NOTES_TOKENS` in all.

    Each note has its share, and what an earlier one leaves of it.
    """
    found: list[tuple[Hit, str]] = []
    left = MAX_NOTES_TOKENS
    for number, hit in enumerate(hits):
        text = _passage(hit, left // (len(hits) - number))
        if text:
            found.append((hit, text))
            left -= tokens_of(text)
    return found


def _passage(hit: Hit, most_tokens: int) -> str:
    """The run of points that says most about the question within a number of tokens; a long point alone is cut."""
    lines = [f"- {point}" for point in hit.note.points]
    sizes = [tokens_of(f"{line}\n") for line in lines]
    if sum(sizes) <= most_tokens:
        return "\n".join(lines)
    wanted = {stem(word) for word in hit.matched}
    worth = [len(wanted.intersection(stem(word) for word in content_words(line))) for line in lines]
    best, best_worth = (0, 0), -1
    end = 0
    for start in range(len(lines)):
        end = max(end, start)
        while end < len(lines) and sum(sizes[start : end + 1]) <= most_tokens:
            end += 1
        if sum(worth[start:end]) > best_worth:
            best, best_worth = (start, end), sum(worth[start:end])
    start, end = best
    return "\n".join(lines[start:end]) or lines[start].encode()[: 3 * most_tokens].decode(errors="ignore")


# A mark as models write it, "[1]", "[1, 2]", "[Note 1]", and whatever may still become one.
_MARK = r"\[(?:note\s?|заметка\s?|№\s?)?(\d{1,2})(?:[\s,;]{1,2}\d{1,2}){0,3}\]"
_FIRST = re.compile(rf"\s*(?:[-*•]\s*)?{_MARK}[:.]?\s*", re.IGNORECASE)
_FIRST_BEGUN = re.compile(r"\s*(?:[-*•]\s*)?(?:\[[^\[\]\n]{0,24}\]?)?")
_WITHIN = re.compile(rf"\s*(?<!\w){_MARK}", re.IGNORECASE)
_WITHIN_BEGUN = re.compile(r"\s*(?<!\w)\[[^\[\]\n]{0,24}$|\s+$")

#: Characters of a line that are remembered, so that it does not matter in which pieces a mark comes.
_CONTEXT_CHARS = 32


class SourcedLines:
    """Reads a streamed answer: takes the marks off its lines and says where each comes from.

    A mark belongs at the beginning of a line; one that stands further on is taken off, too, and counts if there was
    none at the beginning. The number of a note that was never sent stands for no note. A thesis is complete when its
    line is, so the source of its last delta is that of the line.

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
        self._begin_line()

    def _begin_line(self) -> None:
        self._held = ""  # characters that may belong to a mark
        self._context = ""  # the last ones before them
        self._begun = False  # whether the mark at the beginning has come, or there is none
        self._number: int | None = None
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
            words = self._settle(words, ended=line_break)
            if words or line_break:
                yield from self._give(words, line_break)

    def finish(self) -> Iterator[Delta]:
        """The answer has ended: end its last line, so that nobody waits for more of it."""
        if self._held or self._worded:
            yield from self._give(self._settle("", ended=True), line_break=True)

    def _settle(self, words: str, *, ended: bool) -> str:
        """What of the line can be given, without its marks."""
        text, self._held = self._held + words, ""
        start = 0
        if not self._begun:
            mark = _FIRST.match(text)
            unsure = mark.end() == len(text) if mark is not None else _FIRST_BEGUN.fullmatch(text)
            if unsure and not ended:
                self._held = text
                return ""
            self._begun = True
            if mark is not None:
                self._note(mark)
                start = mark.end()
        line = self._context + text
        start += len(self._context)
        begun = None if ended else _WITHIN_BEGUN.search(line, start)
        end = len(line) if begun is None else begun.start()
        given = []
        for mark in _WITHIN.finditer(line, start, end):
            self._note(mark)
            given.append(line[start : mark.start()])
            start = mark.end()
        given.append(line[start:end])
        self._held, self._context = line[end:], line[:end][-_CONTEXT_CHARS:]
        return "".join(given)

    def _note(self, mark: re.Match[str]) -> None:
        if self._number is None:
            self._number = int(mark[1])

    def _source(self) -> str:
        number = self._number or 0
        return self._sources[number - 1] if 0 < number <= len(self._sources) else self._otherwise

    def _give(self, words: str, line_break: bool) -> Iterator[Delta]:
        words = words.lstrip() if self._empty else words
        self._empty = self._empty and not words
        self._worded = self._worded or any(char.isalnum() for char in words)
        if words or (line_break and self._worded):
            yield Delta(words + "\n" * line_break, self._source())
        if line_break:
            self._left -= self._worded
            self._begin_line()
