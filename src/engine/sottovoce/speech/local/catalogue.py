"""Every model that can lie on this machine, and which of them a backend needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from sottovoce.core.errors import BackendError, ConfigError
from sottovoce.speech.local.model import LocalModel, Progress, State, backend_of, command_for
from sottovoce.speech.registry import Kind, backend_module, backend_names

#: Modules beside the backends that have models of their own; each has ``catalogue``, as a backend may.
OTHERS: tuple[str, ...] = ()

_KINDS: tuple[Kind, ...] = ("asr", "llm", "tts", "embedding")


def catalogue(folder: Path) -> tuple[LocalModel, ...]:
    """Every model that some part of sottovoce can use, installed or not.

    Parameters
    ----------
    folder : Path
        Where those lie that no hub keeps.
    """
    return tuple(model for module in _modules() if hasattr(module, "catalogue") for model in module.catalogue(folder))


def needed(kind: Kind, name: str, **settings: object) -> Sequence[LocalModel]:
    """The models that a backend loads with these settings; none for most.

    Raises
    ------
    ConfigError
        The settings name a model that there cannot be.
    """
    module = backend_module(kind, name)
    if not hasattr(module, "needs"):
        return ()
    return cast("Callable[..., Sequence[LocalModel]]", module.needs)(**settings)


def find(name: str, models: Sequence[LocalModel]) -> LocalModel:
    """The model of that name.

    Raises
    ------
    ConfigError
        There is none.
    """
    for model in models:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in models)
    raise ConfigError(f"there is no model {name!r}; there are: {names}", key="NAME", hint="sottovoce models list")


def fetch(model: LocalModel, progress: Progress, *, offline: bool) -> Path:
    """Bring a model here, unless it is, or nothing may be fetched.

    Raises
    ------
    BackendError
        It cannot be had, or offline mode is on.
    """
    if not offline:
        return model.fetch(progress)
    if model.held.state is State.WHOLE:
        return model.held.path
    raise BackendError(
        f"the model {model.name} is not on this machine, and offline mode is on: nothing is fetched",
        backend=backend_of(model),
        hint=f"{command_for(model)} --set models.offline=false, where there is a network",
    )


def _modules() -> Iterator[Any]:
    for kind in _KINDS:
        for name in backend_names(kind):
            yield backend_module(kind, name)
    for other in OTHERS:
        yield importlib.import_module(other)
