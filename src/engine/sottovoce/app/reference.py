"""What can be said of a setting: its key, names in the environment, default, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from sottovoce.app.settings import SECTIONS

ENV_PREFIX = "SOTTOVOCE_"

#: Shorter names that are understood too; the long name wins where both are set.
ENV_ALIASES = {
    "ASR_WORKERS": "asr.workers",
    "HF_HUB_OFFLINE": "models.offline",
    "MIN_SEGMENT_MS": "vad.min_segment_ms",
    "OPENAI_BASE_URL": "openai.base_url",
    "TTS_SPEED": "tts.speed",
    "USE_TTS_ENGINE": "tts.backend",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes
    ----------
    section, name : str
        Where it is in the file: ``[section]``, ``name = ...``.
    field : FieldInfo
        Its declaration.
    """

    section: str
    name: str
    field: FieldInfo

    @property
    def key(self) -> str:
        """The dotted key, as ``tts.speed``."""
        return f"{self.section}.{self.name}"

    @property
    def env_names(self) -> tuple[str, ...]:
        """Environment variables that set it, the strongest first."""
        aliases = (alias for alias, key in ENV_ALIASES.items() if key == self.key)
        return (f"{ENV_PREFIX}{self.section}_{self.name}".upper(), *aliases)

    @property
    def default(self) -> object:
        return self.field.get_default(call_default_factory=True, validated_data={})

    @property
    def description(self) -> str:
        return self.field.description or ""

    @property
    def backend_kind(self) -> str | None:
        """If it names a backend: "asr", "llm" or "tts"."""
        return _extra(self.field).get("backends")

    @property
    def backends(self) -> tuple[str, ...]:
        """Names of backends that it may have; empty if it names none."""
        return backend_names(self.backend_kind) if self.backend_kind is not None else ()

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        if self.backend_kind is not None:
            return f"{one_of(self.backends)}, or several with commas between them"
        return _extra(self.field).get("allowed") or _allowed_by_type(self.field)

    def check(self, value: object, *, strict: bool, folder: Path) -> object:
        """The value as the setting wants it; pydantic's ValidationError if it is not allowed.

        Parameters
        ----------
        value : object
            What was given.
        strict : bool
            Whether the type must fit, as in a file; text from elsewhere is converted.
        folder : Path
            What a relative path counts from.
        """
        constraints = tuple(self.field.metadata)
        wanted: Any = self.field.annotation
        if constraints:
            wanted = Annotated[(wanted, *constraints)]
        return TypeAdapter(wanted).validate_python(value, strict=strict, context={"folder": folder})


@cache
def settings() -> dict[str, Setting]:
    """Every setting by its dotted key, in the order of the documentation."""
    found = (
        Setting(section, name, field)
        for section, model in SECTIONS.items()
        for name, field in model.model_fields.items()
    )
    return {setting.key: setting for setting in found}


@cache
def backend_names(kind: str) -> tuple[str, ...]:
    """Names of the backends of a kind, installed or not."""
    from sottovoce.speech import registry  # brings numpy: only where a name is checked or explained

    return registry.backend_names(kind)  # type: ignore[arg-type]


def one_of(names: Iterable[str]) -> str:
    """The names in quotes, as in ``"a", "b" or "c"``."""
    quoted = [f'"{name}"' for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _allowed_by_type(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return one_of(get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    words = "a whole number" if field.annotation is int else "a number"
    for limit in field.metadata:
        match limit:
            case annotated_types.Ge(ge):
                words += f" from {ge}"
            case annotated_types.Gt(gt):
                words += f" above {gt}"
            case annotated_types.Le(le):
                words += f" to {le}"
            case annotated_types.Lt(lt):
                words += f" and below {lt}"
    return words
