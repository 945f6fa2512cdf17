"""Read the settings: defaults, file, environment, command line, each stronger than the one before.

Everything that is wrong is told at once, each with the place it came from.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import ValidationError

from sottovoce.app.reference import ENV_ALIASES, ENV_PREFIX, Setting, settings
from sottovoce.app.settings import APP_NAME, SECTIONS, Config, backend_list
from sottovoce.app.toml_lines import key_lines, line_of, syntax_error_place
from sottovoce.app.toml_text import toml_value
from sottovoce.core.errors import ConfigError
from sottovoce.core.secrets import redacted

CONFIG_ENV = f"{ENV_PREFIX}CONFIG"

#: A file of settings larger than this (bytes) is something else.
MAX_FILE_BYTES = 1 << 20

_LIST_HINT = "`sottovoce config show --explain` lists every setting"


@dataclass(frozen=True, slots=True)
class Override:
    """A setting given on the command line.

    Attributes
    ----------
    key : str
        The dotted key.
    value : object
        Text, or a value of the right type.
    option : str
        The option it was given with, as it is named in errors.
    """

    key: str
    value: object
    option: str = "--set"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    Attributes
    ----------
    layer : str
        "default", "file", "environment" or "option".
    name : str
        The file, the variable or the option; empty for a default.
    line : int or None
        Line in the file.
    """

    layer: str
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.layer == "file" and self.line is not None:
            return f"{self.name}:{self.line}"
        return self.name or self.layer


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: which key, where, and what."""

    key: str
    origin: Origin
    message: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"


class ConfigProblems(ConfigError):
    """Everything that is wrong with the settings; ``key`` is the first one's."""

    def __init__(self, problems: Iterable[Problem], *, hint: str = _LIST_HINT) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems]
        message = lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} settings are wrong:", *lines])
        super().__init__(message, key=self.problems[0].key, hint=hint)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in effect.

    Attributes
    ----------
    config : Config
        The settings.
    provenance : mapping of str to Origin
        Where the value of each dotted key came from.
    path : Path
        The file of settings, whether it exists or not.
    """

    config: Config
    provenance: Mapping[str, Origin]
    path: Path


@dataclass(frozen=True, slots=True)
class _Given:
    key: str
    value: object
    origin: Origin
    strict: bool = False
    folder: Path = Path()


def default_config_path() -> Path:
    """Where the file of settings is looked for."""
    return platformdirs.user_config_path(APP_NAME, appauthor=False) / "config.toml"


def config_path(path: Path | None, env: Mapping[str, str]) -> Path:
    """The file of settings in effect: ``path``, or SOTTOVOCE_CONFIG, or the default."""
    if path is not None:
        return path
    given = env.get(CONFIG_ENV)
    return Path(os.path.expanduser(given)) if given else default_config_path()


def load(path: Path | None = None, env: Mapping[str, str] | None = None, overrides: Iterable[Override] = ()) -> Loaded:
    """Read the settings.

    Parameters
    ----------
    path : Path or None
        File of settings, which must exist; None takes SOTTOVOCE_CONFIG, or the default file if there is one.
    env : mapping of str to str or None
        The environment; None takes that of the process.
    overrides : iterable of Override
        What the command line says; of two with the same key the last one counts.

    Returns
    -------
    Loaded

    Raises
    ------
    ConfigProblems
        Unknown keys, values that are not allowed, a file that cannot be read: all of them together.
    """
    env = os.environ if env is None else env
    file = config_path(path, env)
    problems: list[Problem] = []
    given = [
        *_from_file(file, problems, must_exist=path is not None or bool(env.get(CONFIG_ENV))),
        *_from_env(env, problems),
        *_from_options(overrides, problems),
    ]
    values: dict[str, dict[str, object]] = {}
    provenance = dict.fromkeys(settings(), Origin("default"))
    for item in given:
        setting = settings()[item.key]
        try:
            value = _checked(setting, item)
        except ValueError:  # pydantic's ValidationError is one
            problems.append(_not_allowed(setting, item))
            continue
        values.setdefault(setting.section, {})[setting.name] = value
        provenance[item.key] = item.origin
    config = _build(values, provenance, problems)
    if config is None:
        raise ConfigProblems(problems)
    return Loaded(config, provenance, file)


def _checked(setting: Setting, item: _Given) -> object:
    value = setting.check(item.value, strict=item.strict, folder=item.folder)
    if setting.backend_kind is not None:
        names = backend_list(str(value))
        if len(set(names)) < len(names) or not set(names) <= set(setting.backends):
            raise ValueError(value)
    return value


def _build(
    values: Mapping[str, Mapping[str, object]], provenance: Mapping[str, Origin], problems: list[Problem]
) -> Config | None:
    # A section with a wrong value is not looked at as a whole: it could only repeat what is known.
    wrong = {problem.key.partition(".")[0] for problem in problems}
    built: dict[str, Any] = {}
    for section, model in SECTIONS.items():
        if section in wrong:
            continue
        try:
            built[section] = model.model_validate(values.get(section, {}))
        except ValidationError as error:
            origins = [f"{section}.{name}" for name in values[section]]
            for detail in error.errors():
                message = detail["msg"].removeprefix("Value error, ")
                problems.append(Problem(section, provenance[origins[-1]], message))
    return None if problems else Config.model_validate(built)


def _from_file(file: Path, problems: list[Problem], *, must_exist: bool) -> list[_Given]:
    shown = shown_path(file)
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ConfigProblems([Problem("", Origin("file", shown), "larger than 1 MiB: this is no file of settings")])
        text = file.read_text(encoding="utf-8-sig")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        if must_exist:
            problem = Problem("", Origin("file", shown), "there is no such file")
            raise ConfigProblems([problem], hint="`sottovoce config init` writes one") from None
        return []
    except OSError as error:
        raise ConfigProblems([Problem("", Origin("file", shown), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigProblems([Problem("", Origin("file", shown), "is not UTF-8 text")]) from error
    except tomllib.TOMLDecodeError as error:
        what, line = syntax_error_place(error, text)
        raise ConfigProblems([Problem("", Origin("file", shown, line), f"is not TOML: {what}")]) from error
    lines = key_lines(text)
    given: list[_Given] = []
    for section, table in tables.items():
        origin = Origin("file", shown, line_of((section,), lines))
        if section not in SECTIONS:
            problems.append(_unknown_section(section, table, origin))
        elif not isinstance(table, dict):
            problems.append(Problem(section, origin, f"{section} is a section; write [{section}] and its keys below"))
        else:
            for name, value in table.items():
                at = Origin("file", shown, line_of((section, name), lines))
                given.append(_Given(f"{section}.{name}", value, at, strict=True, folder=file.parent))
    return _known(given, problems)


def _from_env(env: Mapping[str, str], problems: list[Problem]) -> list[_Given]:
    # An empty variable counts as not set, as in most programs. Aliases come first, so that the long name wins.
    long_names = {setting.env_names[0]: key for key, setting in settings().items()}
    given = [
        _Given(key, env[name], Origin("environment", name))
        for name, key in (*ENV_ALIASES.items(), *long_names.items())
        if env.get(name)
    ]
    for name in env:
        if name.startswith(ENV_PREFIX) and name not in long_names and name != CONFIG_ENV:
            problems.extend(_unknown_variable(name, [*long_names, CONFIG_ENV]))
    return given


def _from_options(overrides: Iterable[Override], problems: list[Problem]) -> list[_Given]:
    return _known([_Given(item.key, item.value, Origin("option", item.option)) for item in overrides], problems)


def _known(given: list[_Given], problems: list[Problem]) -> list[_Given]:
    known: list[_Given] = []
    for item in given:
        if item.key in settings():
            known.append(item)
        else:
            # The value is not shown: whatever stands under a name we do not know may be a secret.
            message = f"there is no setting {item.key}{_nearest(item.key, settings())}"
            problems.append(Problem(item.key, item.origin, message))
    return known


def _unknown_section(section: str, table: object, origin: Origin) -> Problem:
    if isinstance(table, dict):
        return Problem(section, origin, f"there is no section [{section}]{_nearest(section, SECTIONS, '[{}]')}")
    owners = [key for key in settings() if key.endswith(f".{section}")]
    where = f"; {' or '.join(owners)} belongs in its section" if owners else _nearest(section, settings())
    return Problem(section, origin, f"there is no setting {section} outside a section{where}")


def _unknown_variable(name: str, known: list[str]) -> list[Problem]:
    """A variable of our prefix is wrong if it names a section or nearly a setting; others may belong to anybody."""
    section = name.removeprefix(ENV_PREFIX).partition("_")[0].lower()
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    if section not in SECTIONS and not near:
        return []
    message = f"there is no such variable{_nearest(name, known)}"
    return [Problem(name, Origin("environment", name), message)]


def _not_allowed(setting: Setting, item: _Given) -> Problem:
    message = f"{setting.key} = {redacted(toml_value(item.value))} is not allowed; allowed: {setting.allowed}"
    return Problem(setting.key, item.origin, message)


def _nearest(name: str, known: Iterable[str], shape: str = "{}") -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {shape.format(near[0])}?" if near else ""


def shown_path(file: Path) -> str:
    """The path as a person writes it."""
    try:
        return f"~{os.sep}{file.relative_to(Path.home())}" if file.is_absolute() else str(file)
    except (ValueError, RuntimeError):  # not below the home folder, or there is none
        return str(file)
