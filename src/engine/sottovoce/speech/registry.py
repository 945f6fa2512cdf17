"""Backends, found by name.

A backend is one module in :mod:`sottovoce.speech.asr`, ``.tts``, ``.llm``, ``.embedding`` or ``.aec``; its file name is
its name. It has

``EXTRA : str``
    The extra of this package that installs what it needs; empty where nothing is needed.
``PACKAGES : tuple of str``, optional
    The modules that this extra brings; looked for, without being imported, before the backend is opened.
``SENDS : str``
    What of the conversation leaves this machine, and where it goes; empty if nothing does. `sottovoce doctor` says it.
``def open(**settings)``
    Makes the backend. Its keyword arguments are the backend's settings, all with defaults.
``def check(**settings) -> str``, optional
    Takes the same settings, and says in a few words what it would use and where, or raises what would keep it from
    working: a missing key, as a rule. It must not call out. `sottovoce doctor` shows it.

``def catalogue(folder) -> Sequence[LocalModel]``, optional
    The models with a name of their own that it can load from the disk; `sottovoce models` fetches them.
``def needs(**settings) -> Sequence[LocalModel]``, optional
    Takes the same settings as ``open``, and says which models it would load with them.

Nothing heavy is imported before a backend is opened. Names that begin with an underscore are helpers, not backends.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, cast

from sottovoce.core.errors import BackendUnavailableError, ConfigError
from sottovoce.speech.aec.base import EchoCanceller
from sottovoce.speech.asr.base import Recognizer
from sottovoce.speech.embedding.base import Embedder
from sottovoce.speech.llm.base import Generator
from sottovoce.speech.tts.base import Synthesizer

Kind = Literal["asr", "llm", "tts", "embedding", "aec"]

_WORDS: dict[Kind, str] = {
    "asr": "recognizer",
    "llm": "generator",
    "tts": "synthesizer",
    "embedding": "embedder",
    "aec": "echo canceller",
}


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What is known of a backend without opening it.

    Attributes
    ----------
    kind : str
        "asr", "llm", "tts", "embedding" or "aec".
    name : str
        Its name in the settings.
    extra : str
        The extra that installs its packages; empty if it needs none.
    missing : tuple of str
        Modules that it needs and that are not installed; empty if it can be opened.
    sends : str
        What leaves this machine when it is used, and where it goes; empty if nothing does.
    """

    kind: Kind
    name: str
    extra: str
    missing: tuple[str, ...]
    sends: str

    @property
    def install_hint(self) -> str:
        """The command that installs what is missing."""
        return f'pip install "sottovoce[{self.extra}]"'


def backend_names(kind: Kind) -> tuple[str, ...]:
    """Names of all backends of a kind, sorted, installed or not."""
    package = importlib.import_module(f"sottovoce.speech.{kind}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if name != "base" and not name.startswith("_")))


def describe(kind: Kind, name: str) -> BackendInfo:
    """Say what a backend needs and what of it is missing; an unknown name is a ConfigError."""
    return _describe(kind, name, backend_module(kind, name))


def open_recognizer(name: str, **settings: object) -> Recognizer:
    """Open the recogniser ``name``; the settings are its own.

    Raises
    ------
    ConfigError
        No such backend, or no such setting.
    BackendUnavailableError
        Its packages are not installed; ``install_hint`` is the command.
    """
    return cast(Recognizer, _open("asr", name, settings))


def open_generator(name: str, **settings: object) -> Generator:
    """Open the generator ``name``; settings and errors as for :func:`open_recognizer`."""
    return cast(Generator, _open("llm", name, settings))


def open_synthesizer(name: str, **settings: object) -> Synthesizer:
    """Open the synthesiser ``name``; settings and errors as for :func:`open_recognizer`."""
    return cast(Synthesizer, _open("tts", name, settings))


def open_embedder(name: str, **settings: object) -> Embedder:
    """Open the embedder ``name``; settings and errors as for :func:`open_recognizer`."""
    return cast(Embedder, _open("embedding", name, settings))


def open_canceller(name: str, **settings: object) -> EchoCanceller:
    """Open the echo canceller ``name``; settings and errors as for :func:`open_recognizer`."""
    return cast(EchoCanceller, _open("aec", name, settings))


def check_backend(kind: Kind, name: str, **settings: object) -> str:
    """What a backend that calls a service would use, found out without calling it; empty for one that calls none.

    Raises
    ------
    ConfigError, BackendError
        It could not work as it is set; no key, as a rule.
    """
    module = backend_module(kind, name)
    if not hasattr(module, "check"):
        return ""
    return cast("Callable[..., str]", module.check)(**settings)


def _open(kind: Kind, name: str, settings: dict[str, object]) -> object:
    module = backend_module(kind, name)
    info = _describe(kind, name, module)
    if info.missing:
        raise BackendUnavailableError(
            f"the {_WORDS[kind]} {name!r} needs {', '.join(info.missing)}, not installed here",
            backend=name,
            install_hint=info.install_hint,
        )
    factory = cast("Callable[..., Any]", module.open)
    _check_settings(kind, name, factory, settings)
    return factory(**settings)


def backend_module(kind: Kind, name: str) -> ModuleType:
    """The module of a backend; an unknown name is a ConfigError."""
    names = backend_names(kind)
    if name not in names:
        raise ConfigError(
            f"{name!r} is not a {_WORDS[kind]}; there are: {', '.join(names)}", key=kind, hint=f"choose {names[0]!r}"
        )
    return importlib.import_module(f"sottovoce.speech.{kind}.{name}")


def _describe(kind: Kind, name: str, module: ModuleType) -> BackendInfo:
    packages: tuple[str, ...] = getattr(module, "PACKAGES", ())
    missing = tuple(package for package in packages if not _installed(package))
    return BackendInfo(kind, name, module.EXTRA, missing, module.SENDS)


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent of a dotted name is missing
        return False


def _check_settings(kind: Kind, name: str, factory: Callable[..., Any], settings: dict[str, object]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for key in settings:
        if key not in parameters:
            raise ConfigError(
                f"the {_WORDS[kind]} {name!r} has no setting {key!r}; it has: {', '.join(parameters) or 'none'}",
                key=f"{kind}.{name}.{key}",
                hint="correct the name or remove the line",
            )
