"""Changes single settings in a file of settings, and leaves the rest of it, comments too, as it was written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from sottovoce.app.toml_lines import key_lines, value_lines
from sottovoce.app.toml_text import toml_value


def with_settings(text: str, changes: Mapping[str, object]) -> str:
    """``text``, which is valid TOML, with dotted keys set to values.

    A key that is there gets its value in place, what stands behind it on its line included; others are written at the
    end of their section, or into a new one at the end.

    Raises
    ------
    ValueError
        It is written in a way that cannot be changed line by line, as in an inline table.
    """
    for key, value in changes.items():
        text = _with_setting(text, key, value)
    return text


def _with_setting(text: str, key: str, value: object) -> str:
    section, _, name = key.partition(".")
    lines = text.splitlines()
    known = key_lines(text)
    written = f"{name} = {toml_value(value)}"
    at = known.get((section, name))
    if at is not None:
        _, _, rest = lines[at - 1].partition("=")
        lines[at - 1 : at - 1 + value_lines([rest, *lines[at:]])] = [written]
    elif (section,) in known:
        last = max(line for path, line in known.items() if path[:1] == (section,))
        _, equals, rest = lines[last - 1].partition("=")
        used = value_lines([rest, *lines[last:]]) if equals and not lines[last - 1].lstrip().startswith("[") else 1
        lines.insert(last - 1 + used, written)
    else:
        lines += [*([""] if lines and lines[-1].strip() else []), f"[{section}]", written]
    changed = "\n".join(lines) + "\n"
    _check(text, changed, section, name, value)
    return changed


def _check(before: str, after: str, section: str, name: str, value: object) -> None:
    """The file must say what it said, but for this one value."""
    wanted = tomllib.loads(before)
    try:
        wanted.setdefault(section, {})[name] = value
        same = tomllib.loads(after) == wanted
    except (TypeError, tomllib.TOMLDecodeError):
        same = False
    if not same:
        raise ValueError(f"{section}.{name} is written in a way that only its writer can change")
