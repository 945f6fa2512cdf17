"""Markdown, or text without markup, cut into notes: every heading starts one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap

from sottovoce.speech.notes.note import Note, NotesWarning
from sottovoce.speech.notes.text import is_question, sentences, strip_markup

#: A longer section that is no question's answer goes on as another note of the same title, so that a search leads to
#: the part that matters.
MAX_POINTS = 24
#: Longer lines are cut: nobody writes them by hand.
MAX_LINE_CHARS = 10_000
#: Longer points are cut in several: minutes of speech without a full stop.
MAX_POINT_CHARS = 1_000
#: A line shorter than this before one that begins with a capital is a line of its own, not a wrapped one.
WRAPPED_CHARS = 60

#: Level of what is a heading only by being a question on a line of its own: below all real ones.
_QUESTION_LEVEL = 7
_FRONT_MATTER_LINES = 200

_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*))?$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*$")
_RULE = re.compile(r" {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_BULLET = re.compile(r"\s*(?:[-*+•‣◦–—]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(.*)$")
_LINK_TARGET = re.compile(r" {0,3}\[[^\[\]]+\]:\s+\S+")
_QUESTION = re.compile(r"(?:q|question|в|вопрос)\s*\d*\s*:\s+(.+)$", re.IGNORECASE)
_ANSWER = re.compile(r"(?:a|answer|о|ответ)\s*\d*\s*:\s+(.+)$", re.IGNORECASE)
_TITLE = re.compile(r"title\s*:\s*(.+)$", re.IGNORECASE)


def parse(text: str, path: Path) -> tuple[list[Note], list[NotesWarning]]:
    """Cut the text of the file ``path`` into notes.

    Headings are ``#`` lines, underlined lines, ``Q:`` lines, and questions on a line of their own. Points are
    bullets, rows of tables, and the sentences of paragraphs. Front matter, code and comments are passed over.
    """
    parser = _Parser(path)
    parser.read(text)
    return parser.notes, parser.warnings


@dataclass(slots=True)
class _Section:
    title: str
    level: int
    line: int
    trail: tuple[str, ...] = ()
    questions: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)


class _Parser:
    """Reads line by line; holds the block that is being read and the section that it belongs to."""

    def __init__(self, path: Path) -> None:
        self.notes: list[Note] = []
        self.warnings: list[NotesWarning] = []
        self._path = path
        self._section = _Section(_title_of(path), 0, 1)
        self._above: list[tuple[int, str]] = []
        self._paragraph: list[str] = []
        self._paragraph_line = 0
        self._bullet: list[str] | None = None
        self._table: list[tuple[str, ...]] = []
        self._header: tuple[str, ...] = ()

    def read(self, text: str) -> None:
        lines = text.splitlines()
        skip = self._front_matter(lines)
        opened: tuple[str, int] | None = None  # what ends the block that is passed over, and where it began
        for number, whole in enumerate(lines[skip:], start=skip + 1):
            line = self._cut(whole, number)
            if opened is not None:
                opened = None if _ends(line, opened[0]) else opened
            elif fence := _FENCE.match(line):
                self._end_block()
                opened = (fence[1], number)
            elif line.lstrip().startswith("<!--") and "-->" not in line:
                self._end_block()
                opened = ("-->", number)
            else:
                self._read_line(line, number)
        self._end_block()
        if opened is not None:
            what, mend = ("comment", "-->") if opened[0] == "-->" else ("code block", opened[0])
            self._warn(opened[1], f"the {what} that begins here never ends; the rest is not read", f"end it by {mend}")
        self._end_section(next_level=0)

    def _front_matter(self, lines: list[str]) -> int:
        """How many lines of front matter there are; its title becomes that of the file."""
        if not lines or lines[0].rstrip() != "---":
            return 0
        for index, line in enumerate(lines[1:_FRONT_MATTER_LINES], start=1):
            if line.rstrip() in ("---", "..."):
                return index + 1
            if title := _TITLE.match(line):
                self._section.title = strip_markup(title[1].strip("\"' ")) or self._section.title
        self._section.title = _title_of(self._path)
        return 0

    def _cut(self, line: str, number: int) -> str:
        if len(line) <= MAX_LINE_CHARS:
            return line
        self._warn(
            number,
            f"a line of {len(line)} characters; only the first {MAX_LINE_CHARS} are read",
            "break it into lines, or leave the file out of the notes",
        )
        return line[:MAX_LINE_CHARS]

    def _read_line(self, line: str, number: int) -> None:
        while line.lstrip().startswith(">"):  # quoted text counts like any other
            line = line.lstrip()[1:].removeprefix(" ")
        if not line.strip():
            self._end_block()
        elif heading := _HEADING.match(line):
            self._end_block()
            self._heading(strip_markup((heading[2] or "").rstrip().rstrip("#")), len(heading[1]), number)
        elif len(self._paragraph) == 1 and (underline := _UNDERLINE.match(line)):
            title = strip_markup(self._paragraph.pop())
            self._heading(title, 1 if underline[1][0] == "=" else 2, self._paragraph_line)
        elif _RULE.match(line):
            self._end_block()
        elif line.lstrip().startswith("|") or (self._table and _rules_table(line)):
            self._table_row(line)
        elif bullet := _BULLET.match(line):
            self._end_block()
            if not self._asks(bullet[1], number):
                self._bullet = [bullet[1]]
        elif not _LINK_TARGET.match(line):
            self._text_line(line, number)

    def _text_line(self, line: str, number: int) -> None:
        """A line of a bullet that goes on, or of a paragraph."""
        if ":" in line and self._asks(line, number):
            return
        if self._bullet is not None:
            self._bullet.append(line.strip())
            return
        if self._table:
            self._end_block()
        if not self._paragraph:
            self._paragraph_line = number
        self._paragraph.append(line)

    def _table_row(self, line: str) -> None:
        if not self._table:
            self._end_block()
        if _rules_table(line):
            self._header = self._table[-1] if self._table else ()
            self._table = [()]
            return
        self._table.append(tuple(strip_markup(cell) for cell in line.strip().strip("|").split("|")))

    def _end_block(self) -> None:
        """The paragraph, bullet or table that was being read is complete."""
        if self._bullet is not None:
            self._add([_without_answer_letter(strip_markup(" ".join(self._bullet)))])
        elif self._table:
            self._add(_row(self._header, cells) for cells in self._table)
        elif self._paragraph:
            only = strip_markup(self._paragraph[0]) if len(self._paragraph) == 1 else ""
            if only and is_question(only) and len(sentences(only)) == 1:
                self._heading(only, _QUESTION_LEVEL, self._paragraph_line)
            else:
                self._add(point for text in _unwrapped(self._paragraph) for point in sentences(text))
        self._bullet = None
        self._table, self._header = [], ()
        self._paragraph = []

    def _asks(self, text: str, number: int) -> bool:
        """Take a ``Q:`` line as a heading; False if it is none."""
        asked = _QUESTION.match(strip_markup(text))
        if not asked:
            return False
        self._end_block()
        self._heading(asked[1], _QUESTION_LEVEL, number, question=True)
        return True

    def _heading(self, title: str, level: int, number: int, *, question: bool = False) -> None:
        if not title:
            return
        question = question or is_question(title)
        section = self._section
        if question and section.questions and not section.points and level in (section.level, _QUESTION_LEVEL):
            section.questions.append(title)  # another wording of the question above
            return
        self._end_section(next_level=level)
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        trail = tuple(above for _, above in self._above)
        self._above.append((level, title))
        self._section = _Section(title, level, number, trail, [title] if question else [])

    def _end_section(self, next_level: int) -> None:
        section = self._section
        if section.points:
            step = len(section.points) if section.questions else MAX_POINTS
            for start in range(0, len(section.points), step):
                self.notes.append(
                    Note(
                        section.title,
                        tuple(section.questions),
                        tuple(section.points[start : start + step]),
                        self._path,
                        section.line,
                        section.trail,
                    )
                )
        elif section.questions and next_level <= section.level:
            self._warn(section.line, f"no points under {section.title!r}", "write what to say under it, a line a point")

    def _add(self, points: Iterable[str]) -> None:
        for point in points:
            if any(char.isalnum() for char in point):
                self._section.points += [point] if len(point) <= MAX_POINT_CHARS else wrap(point, MAX_POINT_CHARS)

    def _warn(self, line: int, message: str, hint: str) -> None:
        self.warnings.append(NotesWarning(self._path, line, message, hint))


def _title_of(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ").strip() or path.name


def _ends(line: str, opened: str) -> bool:
    if opened == "-->":
        return "-->" in line
    closing = line.strip()
    return len(closing) >= len(opened) and not closing.strip(opened[0])


def _rules_table(line: str) -> bool:
    """True of the line between the header of a table and its body."""
    return "-" in line and not line.strip(" \t|:-")


def _row(header: tuple[str, ...], cells: tuple[str, ...]) -> str:
    """A row of a table as a point: "Tea: Price 3, Stock 20"; without a header its cells alone."""
    first, *others = cells or ("",)
    named = [f"{name} {cell}".strip() for name, cell in zip_longest(header[1:], others, fillvalue="") if cell]
    return (": " if header else ", ").join(part for part in (first, ", ".join(named)) if part)


def _without_answer_letter(text: str) -> str:
    answer = _ANSWER.match(text)
    return answer[1] if answer else text


def _unwrapped(lines: list[str]) -> list[str]:
    """The texts of a paragraph: wrapped lines joined, lines that stand for themselves kept apart."""
    groups: list[list[str]] = []
    apart = True
    for index, line in enumerate(lines):
        text = _without_answer_letter(strip_markup(line))
        if apart:
            groups.append([text])
        else:
            groups[-1].append(text)
        following = lines[index + 1].lstrip() if index + 1 < len(lines) else ""
        apart = line.endswith(("  ", "\\")) or (len(line) < WRAPPED_CHARS and following[:1].isupper())
    return [" ".join(group) for group in groups]
