"""Models on this machine: which the settings want, and how one is fetched while somebody watches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sottovoce.app.settings import Config, backend_list
from sottovoce.speech.local.model import Held, LocalModel, State, megabytes

if TYPE_CHECKING:
    from pathlib import Path

    from sottovoce.app.context import AppContext
    from sottovoce.speech.local.model import Progress
    from sottovoce.speech.registry import BackendInfo, Kind

_KINDS: tuple[Kind, ...] = ("asr", "llm", "tts", "embedding")


def every(config: Config) -> tuple[LocalModel, ...]:
    """Every model that can lie here: those with a name of their own, and whatever else the settings name."""
    from sottovoce.speech.local.catalogue import catalogue

    known = catalogue(config.models.path)
    names = {model.name for model in known}
    return (*known, *(model for model in wanted(config) if model.name not in names))


def wanted(config: Config) -> tuple[LocalModel, ...]:
    """The models that a session with these settings loads.

    Raises
    ------
    ConfigError
        The settings name a model or a backend that there cannot be.
    """
    return tuple({model.name: model for _, model in _wanted(config)}.values())


def fetch_missing(app: AppContext, config: Config, kinds: Sequence[Kind] = _KINDS) -> None:
    """Fetch what a session with these settings, or some of its parts, needs and this machine lacks.

    Raises
    ------
    BackendError
        Something cannot be had, or offline mode is on.
    """
    for backend, model in _wanted(config, kinds):
        # without its packages a backend cannot be opened, which is told better then
        if not backend.missing and model.held.state is not State.WHOLE:
            fetch(app, model, offline=config.models.offline)


def fetch(app: AppContext, model: LocalModel, *, offline: bool) -> Path:
    """Fetch a model, showing how far it is; errors as for :func:`sottovoce.speech.local.catalogue.fetch`."""
    from sottovoce.speech.local import catalogue

    with _shown(app, model) as progress:
        return catalogue.fetch(model, progress, offline=offline)


def in_words(held: Held, about_bytes: int | None) -> str:
    """What of a model is here, for people."""
    match held.state:
        case State.WHOLE:
            return megabytes(held.size_bytes)
        case State.PARTIAL if about_bytes:
            return f"{megabytes(held.size_bytes)} of {megabytes(about_bytes)}"
        case State.PARTIAL:
            return f"{megabytes(held.size_bytes)}, not whole"
        case _:
            return f"not here ({megabytes(about_bytes)})" if about_bytes else "not here"


def _wanted(config: Config, kinds: Sequence[Kind] = _KINDS) -> Iterator[tuple[BackendInfo, LocalModel]]:
    from sottovoce.app.opening import settings_of, wearer_backend
    from sottovoce.speech.local.catalogue import needed
    from sottovoce.speech.registry import describe

    for kind in kinds:
        if kind != "embedding":
            backends = backend_list(str(config.get(f"{kind}.backend")))
        else:  # of several, one is used
            backends = (wearer_backend(config),) if config.speaker.verify else ()
        for backend in backends:
            for model in needed(kind, backend, **settings_of(config, kind, backend)):
                yield describe(kind, backend), model


@contextmanager
def _shown(app: AppContext, model: LocalModel) -> Iterator[Progress]:
    """A bar on a terminal, where there is anything to fetch; nothing anywhere else."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=app.err, transient=True, disable=not app.err.is_terminal
    ) as bar:
        task = bar.add_task(model.name, total=model.about_bytes)

        def tell(here: int, total: int | None) -> None:
            bar.update(task, completed=here, total=total or model.about_bytes)

        yield tell
