"""What is known of each recording: read from a manifest, every bad row named with its column."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sottovoce.core.errors import ConfigError
from sottovoce.speech.evaluation.frames import Span

NAMES = ("manifest.jsonl", "manifest.csv")
COLUMNS = ("file", "transcript", "speech", "speaker", "enrol", "notes", "condition")

#: In ``notes``: none of the notes answers; in ``speech``: nobody speaks.
NONE = "none"

_HINT = "the format is described in docs/eval.md; `sottovoce eval DIR --example` writes an example"
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Item:
    """A recording and what is known of it.

    Attributes
    ----------
    file : Path
        Where it is.
    name : str
        As the manifest names it.
    transcript : str or None
        What is said in it, None if that is not known.
    speech : tuple of (float, float) or None
        From when to when (s) somebody speaks; empty if nobody does, None if that is not known.
    speaker : str
        Who speaks; empty if that is not known.
    enrol : bool
        Whether it is for getting to know the speaker's voice, and not for trials.
    notes : tuple of str or None
        Titles of the notes that answer; empty if none does, None if that is not known.
    condition : str
        What it stands for in the report, as "5 dB".
    """

    file: Path
    name: str
    transcript: str | None = None
    speech: tuple[Span, ...] | None = None
    speaker: str = ""
    enrol: bool = False
    notes: tuple[str, ...] | None = None
    condition: str = ""


@dataclass(slots=True)
class _Row:
    """One row while it is read; what is wrong with it is collected."""

    place: str
    values: Mapping[str, object]
    folder: Path
    problems: list[str] = field(default_factory=list)

    def text(self, column: str) -> str:
        value = self.values.get(column)
        if value is None:
            return ""
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value).strip()
        self.wrong(column, "text is wanted")
        return ""

    def wrong(self, column: str, why: str) -> None:
        self.problems.append(f"{self.place}, column {column}: {str(self.values.get(column))!r:.80} - {why}")


def read_manifest(folder: Path) -> list[Item]:
    """Read ``manifest.jsonl`` or ``manifest.csv`` in ``folder``.

    Raises
    ------
    ConfigError
        There is none, or something in it is wrong: every bad row is named, with its column.
    """
    path = _find(folder)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", key=str(path), hint="save it as UTF-8") from error
    problems: list[str] = []
    items, seen = [], set[str]()
    for row in _rows(path, text, problems):
        item = _item(row)
        if item.name in seen:
            row.wrong("file", "named twice")
        seen.add(item.name)
        problems += row.problems
        items.append(item)
    if not items and not problems:
        problems.append("it names no recording")
    if problems:
        more = f"\n  ... and {len(problems) - _MOST_SHOWN} more" if len(problems) > _MOST_SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:_MOST_SHOWN])
        raise ConfigError(f"{path} is not a manifest that can be used:{listed}{more}", key=str(path), hint=_HINT)
    return items


def _find(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", key="DIR", hint="name the folder of the manifest")
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if not found:
        raise ConfigError(f"there is neither {' nor '.join(NAMES)} in {folder}", key="DIR", hint=_HINT)
    if len(found) > 1:
        raise ConfigError(f"there are both {' and '.join(NAMES)} in {folder}", key="DIR", hint="leave one of them")
    return found[0]


def _rows(path: Path, text: str, problems: list[str]) -> Iterator[_Row]:
    if path.suffix == ".csv":
        yield from _csv_rows(path, text, problems)
    else:
        yield from _json_rows(path, text, problems)


def _csv_rows(path: Path, text: str, problems: list[str]) -> Iterator[_Row]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        header = [column or "" for column in reader.fieldnames or ()]
        if bad := _unknown(header):
            problems.append(f"row 1: {bad}")
            return
        if "file" not in header:
            problems.append("row 1: there is no column file")
            return
        for values in reader:
            row = _Row(f"row {reader.line_num}", values, path.parent)
            if None in values:
                row.problems.append(f"{row.place}: more fields than columns; quote a text with a comma in it")
            yield row
    except csv.Error as error:
        problems.append(f"row {reader.line_num}: {error}")


def _json_rows(path: Path, text: str, problems: list[str]) -> Iterator[_Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            problems.append(f"row {number}: no JSON: {error}")
            continue
        if not isinstance(values, dict):
            problems.append(f"row {number}: an object is wanted")
        elif bad := _unknown(values):
            problems.append(f"row {number}: {bad}")
        else:
            yield _Row(f"row {number}", values, path.parent)


def _unknown(columns: Mapping[str, object] | list[str]) -> str:
    unknown = [column for column in columns if column not in COLUMNS]
    return f"unknown column {unknown[0]!r}; there are: {', '.join(COLUMNS)}" if unknown else ""


def _item(row: _Row) -> Item:
    name = row.text("file")
    file = row.folder / name
    if not name:
        row.wrong("file", "a recording is wanted")
    elif not file.is_file():
        row.wrong("file", "there is no such file beside the manifest")
    return Item(
        file,
        name,
        row.text("transcript") or None,
        _speech(row),
        row.text("speaker"),
        _enrol(row),
        _notes(row),
        row.text("condition"),
    )


def _enrol(row: _Row) -> bool:
    given = row.values.get("enrol")
    if isinstance(given, bool):
        return given
    value = row.text("enrol").lower()
    if value not in ("", "yes", "no"):
        row.wrong("enrol", "yes or no")
    if value == "yes" and not row.text("speaker"):
        row.wrong("enrol", "it needs a speaker")
    return value == "yes"


def _notes(row: _Row) -> tuple[str, ...] | None:
    given = row.values.get("notes")
    if isinstance(given, list) and all(isinstance(title, str) for title in given):
        return tuple(given)
    text = row.text("notes")
    if not text:
        return None
    return () if text == NONE else tuple(title.strip() for title in text.split("|"))


def _speech(row: _Row) -> tuple[Span, ...] | None:
    given = row.values.get("speech")
    if isinstance(given, list):
        pairs = given
    else:
        text = row.text("speech")
        if not text:
            return None
        if text == NONE:
            return ()
        if text.endswith(".rttm"):
            return _rttm(row, row.folder / text)
        pairs = [part.split("-", 1) for part in text.split()]
    spans = []
    for pair in pairs:
        span = _span(pair)
        if span is None:
            row.wrong("speech", 'seconds from and to, as "0.4-2.1 3.0-4.25", none, or an .rttm file')
            return None
        spans.append(span)
    return tuple(spans)


def _span(pair: object) -> Span | None:
    try:
        start_s, end_s = (float(value) for value in pair)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    return (start_s, end_s) if 0.0 <= start_s < end_s < float("inf") else None


def _rttm(row: _Row, path: Path) -> tuple[Span, ...] | None:
    """The turns of all speakers: NIST's rich transcription time marks."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        turns = [(float(line[3]), float(line[4])) for line in lines if line and line[0] == "SPEAKER"]
    except OSError as error:
        row.wrong("speech", f"it cannot be read: {error.strerror}")
        return None
    except (ValueError, IndexError):
        row.wrong("speech", "it is no file of rich transcription time marks")
        return None
    return tuple((start_s, start_s + length_s) for start_s, length_s in turns)
