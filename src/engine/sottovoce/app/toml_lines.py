"""On which line of a TOML file a key stands.

:mod:`tomllib` reads values but forgets where they were, and an error that names the line saves a search. The parser of
a file that tomllib has accepted may be small: headers and keys are recognised here, but their spelling (bare, quoted,
dotted) and the end of a value over several lines are left to tomllib itself.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

Path = tuple[str, ...]

_HEADER = re.compile(r"\s*\[\[?(?P<key>[^\[\]]+)\]\]?\s*(#.*)?$")
_ERROR_PLACE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def key_lines(text: str) -> dict[Path, int]:
    """Line (from 1) of every table header and key of ``text``, which must be valid TOML; the first one counts.

    Keys within an inline table are not told apart: they stand on the line of the table's own key.
    """
    lines = text.splitlines()
    found: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(lines):
        used = 1
        header = _HEADER.match(lines[at])
        if header is not None:
            table = _spelled(header["key"]) or ()
            found.setdefault(table, at + 1)
        elif (split := _key_and_value(lines[at])) is not None:
            key, value = split
            found.setdefault((*table, *key), at + 1)
            used = value_lines([value, *lines[at + 1 :]])
        at += used
    return found


def line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """The line of a key: its own, or that of the first key below it, or of the innermost table around it."""
    for end in range(len(path), 0, -1):
        below = [line for key, line in lines.items() if key[:end] == path[:end]]
        if below:
            return min(below)
    return None


def syntax_error_place(error: tomllib.TOMLDecodeError, text: str) -> tuple[str, int]:
    """What is wrong with a file that is not TOML, and on which line."""
    message = str(error)
    place = _ERROR_PLACE.search(message)
    if place is None:
        return message, 1
    what = message[: place.start()]
    return what, int(place["line"]) if place["line"] else max(1, len(text.splitlines()))


def _spelled(key: str) -> Path | None:
    """The parts of a key as it is written, or None if this is no key."""
    try:
        table: dict[str, Any] = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return None
    parts: list[str] = []
    node: Any = table
    while isinstance(node, dict):
        if len(node) != 1:
            return None
        part, node = next(iter(node.items()))
        parts.append(part)
    return tuple(parts)


def _key_and_value(line: str) -> tuple[Path, str] | None:
    # A quoted key may hold "=" itself, so the first split whose left side is a key is taken.
    if line.lstrip().startswith("#"):
        return None
    for match in re.finditer("=", line):
        key = _spelled(line[: match.start()])
        if key is not None:
            return key, line[match.end() :]
    return None


def value_lines(lines: list[str]) -> int:
    """How many lines a value takes that begins with the first of these."""
    for count in range(1, len(lines) + 1):
        try:
            tomllib.loads("value = " + "\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        return count
    return 1
