"""A model that is one file on some server."""

from __future__ import annotations

import importlib.util
import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sottovoce.core.errors import BackendError
from sottovoce.speech.local.download import Wish, alone, discard_part, download, part_of
from sottovoce.speech.local.model import Held, Progress, State, damaged, located, needs_package, sha256_of


@dataclass(frozen=True, slots=True)
class FileModel:
    """A model that is one file, fetched over HTTPS into a folder of ours.

    Its checksum, where the table does not hold it, is noted at the first download and has to be the same ever after.

    Attributes
    ----------
    name, what, licence : str
        See :class:`LocalModel`.
    url : str
        Where it comes from.
    folder : Path
        Where it goes.
    size_bytes, sha256 : int or None, str or None
        Its size and checksum, where they are known.
    """

    name: str
    what: str
    licence: str
    url: str
    folder: Path
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def about_bytes(self) -> int | None:
        return self.size_bytes

    @property
    def path(self) -> Path:
        """Where it lies, or would."""
        return self.folder / self.url.rpartition("/")[2]

    @property
    def held(self) -> Held:
        for path, state in ((self.path, State.WHOLE), (part_of(self.path), State.PARTIAL)):
            with suppress(OSError):
                size_bytes = path.stat().st_size
                right = self.size_bytes is None or size_bytes == self.size_bytes
                return Held(state if right else State.PARTIAL, path, size_bytes)
        return Held(State.ABSENT, self.path, 0)

    def fetch(self, progress: Progress) -> Path:
        wish = Wish(self.name, self.url, self.path, self.size_bytes, self._expected())
        if importlib.util.find_spec("filelock") is None:
            raise needs_package(self, "filelock")
        with alone(wish):
            if self.held.state is State.WHOLE and self._is_right():
                return self.path
            found = download(wish, progress, threading.Event().wait)
            self._note(found)
        return self.path

    def remove(self) -> int:
        freed = 0
        for path in (self.path, part_of(self.path)):
            with suppress(OSError):
                freed += path.stat().st_size
        self.path.unlink(missing_ok=True)
        discard_part(self.path)
        self._notes.unlink(missing_ok=True)
        return freed

    def verified(self) -> Path:
        """Where it lies, once its checksum is found to be right: what is in it is run.

        Raises
        ------
        BackendError
            It is not here, or not what it was.
        """
        path = located(self)
        expected = self._expected()
        found = sha256_of(path)
        if expected is None:
            self._note(found)
        elif found != expected:
            raise damaged(self, f"its checksum is {found}, and should be {expected}")
        return path

    def _is_right(self) -> bool:
        try:
            self.verified()
        except BackendError:
            return False
        return True

    def _expected(self) -> str | None:
        if self.sha256 is not None:
            return self.sha256
        with suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(self._notes.read_text(encoding="utf-8"))
            return str(noted["sha256"])
        return None

    def _note(self, sha256: str) -> None:
        text = json.dumps({"url": self.url, "sha256": sha256}, indent=2)
        with suppress(OSError):  # a folder that is only read has its checksums from elsewhere
            self._notes.write_text(text + "\n", encoding="utf-8")

    @property
    def _notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")
