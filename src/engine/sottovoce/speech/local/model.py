"""What can be said of a model that lies, or may lie, on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeAlias

from sottovoce.core.errors import BackendError, BackendUnavailableError

#: Told how many bytes are there, and how many are wanted, or None where nobody knows yet.
Progress: TypeAlias = Callable[[int, int | None], None]

_HASHED_AT_ONCE = 1 << 20


class State(Enum):
    """How much of a model lies here."""

    WHOLE = "whole"
    PARTIAL = "partial"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Held:
    """What of a model lies on this machine.

    Attributes
    ----------
    state : State
        Only what is WHOLE is ever loaded.
    path : Path
        Where it lies, or would: a file or a folder.
    size_bytes : int
        How much lies there.
    """

    state: State
    path: Path
    size_bytes: int


class LocalModel(Protocol):
    """A model that is loaded from the disk, and that one command brings there."""

    @property
    def name(self) -> str:
        """Its name in `sottovoce models`, as ``whisper/small``: the backend, and the model's own name."""
        ...

    @property
    def what(self) -> str:
        """What it is for, in a few words."""
        ...

    @property
    def licence(self) -> str:
        """Under which terms it comes; empty where only its owner can say."""
        ...

    @property
    def about_bytes(self) -> int | None:
        """About how much is to be fetched."""
        ...

    @property
    def held(self) -> Held:
        """What of it lies here; calls nobody and loads nothing."""
        ...

    def fetch(self, progress: Progress) -> Path:
        """Bring it here, going on from what there is, and check it; returns where it lies.

        Raises
        ------
        BackendError
            It cannot be had; nothing that is not whole is ever taken for whole.
        """
        ...

    def remove(self) -> int:
        """Delete what lies here; returns how many bytes that was."""
        ...


def backend_of(model: LocalModel) -> str:
    """The backend that a model is for."""
    return model.name.partition("/")[0]


def command_for(model: LocalModel) -> str:
    """The command that fetches a model."""
    return f"sottovoce models get {model.name}"


def located(model: LocalModel) -> Path:
    """Where a model lies, to load it from there.

    Raises
    ------
    BackendError
        It is not here, or not whole; the hint is the command that fetches it.
    """
    held = model.held
    if held.state is State.WHOLE:
        return held.path
    lacks = "is not on this machine" if held.state is State.ABSENT else f"is here only in part ({held.path})"
    raise BackendError(f"the model {model.name} {lacks}", backend=backend_of(model), hint=command_for(model))


def damaged(model: LocalModel, why: str) -> BackendError:
    """The error of a model that is here and cannot be used."""
    name = model.name
    return BackendError(
        f"the model {name} in {model.held.path} is damaged: {why}",
        backend=backend_of(model),
        hint=f"sottovoce models remove {name}, then {command_for(model)}",
    )


def needs_package(model: LocalModel, package: str) -> BackendUnavailableError:
    """The error of a model that cannot be fetched for want of a package."""
    backend = backend_of(model)
    return BackendUnavailableError(
        f"fetching the model {model.name} needs {package}, not installed here",
        backend=backend,
        install_hint=f'pip install "sottovoce[{backend}]"',
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_HASHED_AT_ONCE):
            digest.update(piece)
    return digest.hexdigest()


def megabytes(size_bytes: int) -> str:
    """A size for people, as "484 MB"."""
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
