"""The settings and what they mean, for reading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sottovoce.app.reference import settings
from sottovoce.app.settings import SECTIONS
from sottovoce.core.secrets import redacted

if TYPE_CHECKING:
    from sottovoce.app.settings import Config


def explained(config: Config) -> dict[str, object]:
    """Every setting in its group. Keys are no settings; should one stand in the wrong place, it is not shown."""
    groups: dict[str, list[dict[str, object]]] = {section: [] for section in SECTIONS}
    for setting in settings().values():
        value, default = config.get(setting.key), setting.default
        groups[setting.section].append(
            {
                "name": setting.key,
                "value": _plain(value),
                "default": _plain(default),
                "explanation": setting.description,
                "changed": value != default,
            }
        )
    titles = {section: (model.__doc__ or section).split(".")[0] for section, model in SECTIONS.items()}
    return {"groups": [{"name": name, "title": titles[name], "settings": found} for name, found in groups.items()]}


def _plain(value: object) -> object:
    if isinstance(value, str | Path):
        return redacted(str(value))
    return value if isinstance(value, bool | int | float) or value is None else redacted(str(value))
