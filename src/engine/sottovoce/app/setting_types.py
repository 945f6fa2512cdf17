"""The types of settings: how what stands in a file or in the environment becomes a value, and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from sottovoce.core.secrets import redacted

T = TypeVar("T")


def _device(value: object) -> object:
    """A number written as text, as it comes from the environment, is a device id; "" is the default device."""
    if value == "":
        return None
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _loopback(value: object) -> object:
    """A number written as text is a device id; nothing is no loopback."""
    return "off" if value == "" else _whole(value)


def _latency(value: object) -> object:
    """A number written as text is seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _whole(value: object) -> object:
    """A number written as text is a number."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _amount(value: object) -> object:
    """Nothing is no limit, and a number written as text is a number."""
    try:
        return None if value == "" else float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _whole_or_none(value: object) -> object:
    """Nothing is none, and a number written as text is a number."""
    return None if value == "" else _whole(value)


def _path(value: object, info: ValidationInfo) -> object:
    """Text is a path, none if empty; a relative one in a file counts from the folder of that file."""
    if value == "":
        return None
    if not isinstance(value, str | Path):
        return value
    try:
        return Path((info.context or {}).get("folder", ""), Path(value).expanduser())
    except RuntimeError as error:  # "~somebody", and there is no such person
        raise ValueError(str(error)) from error


def _no_key(value: T) -> T:
    """What looks like a key has been pasted into the wrong place, from where it would be shown."""
    if value is not None and redacted(str(value)) != str(value):
        raise ValueError("this looks like a key")
    return value


def allowed(text: str) -> Any:
    """Says in words what is allowed, where type and limits do not tell."""
    return Field(json_schema_extra={"allowed": text})


def backend(kind: str, default: str, description: str) -> Any:
    """A name of a backend; which there are is found out when it matters."""
    return Field(default, description=description, json_schema_extra={"backends": kind})


Device: TypeAlias = Annotated[
    int | str | None, BeforeValidator(_device), allowed('a device id, a name or a part of it, or "" for the default')
]
Loopback: TypeAlias = Annotated[
    int | str, BeforeValidator(_loopback), allowed('"off", "auto", a device id, a name or a part of it')
]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=2)]
Latency: TypeAlias = Annotated[
    Literal["auto", "low", "high"] | Seconds,
    BeforeValidator(_latency),
    allowed('"auto", "low", "high", or seconds up to 2'),
]
Blocksize: TypeAlias = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=16384)],
    BeforeValidator(_whole),
    allowed('"auto", or frames from 1 to 16384'),
]
LeadIn: TypeAlias = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=0, le=5000)],
    BeforeValidator(_whole),
    allowed('"auto", or milliseconds from 0 to 5000'),
]
Usd: TypeAlias = Annotated[
    Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None,
    BeforeValidator(_amount),
    allowed('US dollars, as 0.5, or "" for no limit'),
]
PortOrNone: TypeAlias = Annotated[
    Annotated[int, Field(ge=0, le=65535)] | None,
    BeforeValidator(_whole_or_none),
    allowed('a port from 0 to 65535, or "" for none'),
]
NotesPath: TypeAlias = Annotated[Path | None, BeforeValidator(_path), allowed('a folder or a file, or "" for none')]
KeyFile: TypeAlias = Annotated[
    Path | None, BeforeValidator(_path), AfterValidator(_no_key), allowed('a file that holds the key, or "" for none')
]
Url: TypeAlias = Annotated[
    str,
    Field(pattern=r"^(https?://[^\s/?#@]+([/?#]\S*)?)?$"),
    AfterValidator(_no_key),
    allowed('an address with http or https and its path, no key and no password in it, or ""'),
]
ModelName: TypeAlias = Annotated[
    str, Field(pattern=r"^\S+$", max_length=200), AfterValidator(_no_key), allowed("the name of a model")
]
ModelOrNone: TypeAlias = Annotated[str, Field(pattern=r"^\S*$", max_length=200), allowed('the name of a model, or ""')]
NameOrPath: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096), allowed("the name of a model, or a path")]
FilePath: TypeAlias = Annotated[Path | None, BeforeValidator(_path), allowed('a file, or "" for none')]
FolderPath: TypeAlias = Annotated[Path, BeforeValidator(_path), allowed("a folder")]
StorePath: TypeAlias = Annotated[Path, BeforeValidator(_path), allowed("a file")]
Language: TypeAlias = Annotated[str, Field(pattern="^[a-z]{2}$"), allowed('two letters (ISO 639-1), as "en"')]
LanguageOrAuto: TypeAlias = Annotated[
    str, Field(pattern="^(auto|[a-z]{2})$"), allowed('"auto", or two letters (ISO 639-1), as "en"')
]


class Section(BaseModel):
    """A section of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")
