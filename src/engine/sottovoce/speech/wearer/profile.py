"""Voice profiles: what is kept of an enrolled voice, and the folder in which it is."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from sottovoce.core.errors import ProfileError
from sottovoce.speech.embedding.base import Vectors, unit

FORMAT = "sottovoce voice profile"
VERSION = 1
SUFFIX = ".voice"

#: A name is the name of a file, too.
_NAME = re.compile(r"[\w-]{1,60}")
#: Nothing that this program writes is nearly as large.
_MOST_BYTES = 4_000_000
#: More vectors of one voice say nothing new; the newest are kept.
MOST_VECTORS = 48
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """An enrolled voice: directions in the spaces of the models that heard it, and no sound.

    Attributes
    ----------
    name : str
        Letters, digits, ``_`` and ``-``.
    created, updated : datetime
        When it was enrolled, first and last; with time zone.
    speech_s : float
        Seconds of speech that it was made of.
    voices : mapping of str to Vectors
        For each model, a vector of each clip, and of each as it would be elsewhere.
    """

    name: str
    created: datetime
    updated: datetime
    speech_s: float
    voices: Mapping[str, Vectors]

    def merged(self, newer: VoiceProfile) -> VoiceProfile:
        """This voice as it was heard before and as it was heard now: another microphone, another day."""
        voices = dict(self.voices)
        for model, vectors in newer.voices.items():
            before = voices.get(model)
            voices[model] = vectors if before is None else np.concatenate([before, vectors])[-MOST_VECTORS:]
        return replace(self, updated=newer.updated, speech_s=self.speech_s + newer.speech_s, voices=voices)


def check_name(name: str) -> str:
    """``name``, if a profile may be called so; else ProfileError."""
    if not _NAME.fullmatch(name):
        raise ProfileError(
            f"{name!r} is no name for a voice profile; allowed: letters, digits, _ and -, at most 60",
            path=Path(name),
            hint="choose a name like default or headset-2",
        )
    return name


class ProfileStore:
    """A folder of profiles that its owner alone can reach; made when the first is written.

    Parameters
    ----------
    folder : Path
        Where; every profile is one file in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, name: str) -> Path:
        """The file of a profile."""
        return self.folder / (check_name(name) + SUFFIX)

    def names(self) -> tuple[str, ...]:
        """Names of all profiles, damaged ones too, sorted."""
        try:
            found = [path.stem for path in self.folder.iterdir() if path.suffix == SUFFIX]
        except OSError:
            return ()
        return tuple(sorted(name for name in found if _NAME.fullmatch(name)))

    def __contains__(self, name: str) -> bool:
        return self.path_of(name).exists()

    def load(self, name: str) -> VoiceProfile:
        """Read a profile.

        Raises
        ------
        ProfileError
            There is none, or it is damaged, or of another version; ``hint`` says what to do.
        """
        path = self.path_of(name)
        try:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except FileNotFoundError as error:
            there = ", ".join(self.names())
            raise ProfileError(
                f"there is no voice profile {name!r}; there {'are: ' + there if there else 'is none yet'}",
                path=path,
                hint=f"sottovoce enroll --name {name}",
            ) from error
        except OSError as error:
            raise ProfileError(
                f"the voice profile {name!r} cannot be read: {error.strerror}", path=path, hint=f"look at {path}"
            ) from error
        return _decode(data, name, path)

    def save(self, profile: VoiceProfile) -> Path:
        """Write a profile in the place of any that has its name; whole or not at all."""
        path = self.path_of(profile.name)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            with suppress(FileNotFoundError):
                part.unlink()
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(_encode(profile))
            os.replace(part, path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise ProfileError(
                f"the voice profile {profile.name!r} cannot be written to {self.folder}: {error.strerror}",
                path=path,
                hint="set speaker.folder to a folder that is yours",
            ) from error
        return path

    def delete(self, name: str) -> None:
        """Delete a profile for good, damaged or not; ProfileError if there is none."""
        path = self.path_of(name)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise ProfileError(
                f"there is no voice profile {name!r}", path=path, hint="`sottovoce enroll list` shows which there are"
            ) from error
        except OSError as error:
            raise ProfileError(
                f"the voice profile {name!r} cannot be deleted: {error.strerror}", path=path, hint=f"look at {path}"
            ) from error


def _encode(profile: VoiceProfile) -> bytes:
    content = {
        "created": profile.created.isoformat(),
        "updated": profile.updated.isoformat(),
        "speech_s": round(profile.speech_s, 2),
        "voices": {
            model: [[round(float(value), _DIGITS) for value in row] for row in vectors]
            for model, vectors in profile.voices.items()
        },
    }
    head = {"format": FORMAT, "version": VERSION, "check": _check(content)}
    return json.dumps({**head, **content}).encode("ascii") + b"\n"


def _check(content: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode("ascii"))


def _decode(data: bytes, name: str, path: Path) -> VoiceProfile:
    def damaged(cause: Exception | None = None) -> NoReturn:
        raise ProfileError(
            f"the voice profile {name!r} is damaged ({path})",
            path=path,
            hint=f"sottovoce enroll --name {name} --replace",
        ) from cause

    try:
        content = json.loads(data)
    except ValueError as error:
        damaged(error)
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        damaged()
    version, check = content.pop("version", None), content.pop("check", None)
    if version != VERSION:
        raise ProfileError(
            f"the voice profile {name!r} is of version {version!r}; this sottovoce reads version {VERSION}",
            path=path,
            hint=f"update sottovoce, or enrol again: sottovoce enroll --name {name} --replace",
        )
    if check != _check(content):
        damaged()
    try:
        return VoiceProfile(
            name,
            datetime.fromisoformat(content["created"]).astimezone(UTC),
            datetime.fromisoformat(content["updated"]).astimezone(UTC),
            float(content["speech_s"]),
            {model: _vectors(rows) for model, rows in content["voices"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        damaged(error)


def _vectors(rows: object) -> Vectors:
    vectors = np.asarray(rows, np.float32)
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise ValueError("no vectors")
    return unit(vectors)
