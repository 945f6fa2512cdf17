"""Settings written as TOML."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

from sottovoce.app.reference import Setting, settings
from sottovoce.app.settings import SECTIONS, Config

_COLUMNS = 100


def toml_value(value: object) -> str:
    """``value`` as it is written in a TOML file; None, which TOML has not, is an empty string as in our settings."""
    match value:
        case None:
            return '""'
        case bool():
            return str(value).lower()
        case str() | Path():
            # Basic strings are escaped as in JSON, but for DEL.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(key)} = {toml_value(item)}' for key, item in value.items())}}}"
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def config_file(config: Config) -> str:
    """A file that sets every setting to what it is in ``config``."""
    blocks = [
        "\n".join(
            [f"[{section}]", *(f"{item.name} = {toml_value(config.get(item.key))}" for item in _settings_of(section))]
        )
        for section in SECTIONS
    ]
    return "\n\n".join(blocks) + "\n"


def commented_file() -> str:
    """A file that explains every setting and sets none: its default stands behind a ``#``."""
    head = [
        "# Settings of sottovoce. Take the # away in front of a setting to change it.",
        "# The environment and the command line are stronger: `sottovoce config show` tells what counts.",
    ]
    for section, model in SECTIONS.items():
        head += ["", "", *_comment(model.__doc__ or "", mark="##"), f"[{section}]"]
        for setting in _settings_of(section):
            head += ["", *_comment(setting.description), *_comment(f"Allowed: {setting.allowed}.")]
            head.append(f"#{setting.name} = {toml_value(setting.default)}")
    return "\n".join(head) + "\n"


def _settings_of(section: str) -> Iterator[Setting]:
    return (setting for setting in settings().values() if setting.section == section)


def _comment(text: str, mark: str = "#") -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent=f"{mark} ", subsequent_indent=f"{mark} ")
