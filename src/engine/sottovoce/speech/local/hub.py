"""A model in a repository of the Hugging Face hub, kept in the cache that all programs of this machine share.

The hub's own library says what is in it, and keeps the cache; HF_ENDPOINT, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE
are honoured. Large files are fetched here: that library (2.4) throws away what has come when a fetch is interrupted,
and compares sizes where the hub names checksums.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sottovoce.core.errors import BackendError
from sottovoce.speech.local.download import Wish, alone, download
from sottovoce.speech.local.folder import hub_cache
from sottovoce.speech.local.model import Held, Progress, State, backend_of, megabytes, needs_package, sha256_of

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling


#: Why a file cannot be written.
_DISK = (
    errno.ENOSPC,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EIO,
    errno.ENAMETOOLONG,
)


#: What the HTTP libraries of the hub's own (httpx, and requests before it) call it.
_NO_CONNECTION = {"TransportError", "ConnectionError", "Timeout"}


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model in a repository of the hub.

    Attributes
    ----------
    name, what, licence, about_bytes : str, str, str, int or None
        See :class:`LocalModel`.
    repository : str
        As ``owner/name``.
    needed : tuple of str
        Files, as patterns, each of which has to be there: ``vocabulary.*``.
    welcome : tuple of str
        Files that are fetched where the repository has them.
    """

    name: str
    what: str
    licence: str
    repository: str
    needed: tuple[str, ...]
    welcome: tuple[str, ...] = ()
    about_bytes: int | None = None

    @property
    def held(self) -> Held:
        snapshot = self._snapshot()
        if snapshot is not None:
            files = [path for path in snapshot.rglob("*") if path.is_file()]  # a link to nothing is no file
            if all(any(fnmatch(path.name, pattern) for path in files) for pattern in self.needed):
                return Held(State.WHOLE, snapshot, sum(path.stat().st_size for path in files))
        here = self._here_bytes()
        return Held(State.PARTIAL if here else State.ABSENT, snapshot or self._folder, here)

    def fetch(self, progress: Progress) -> Path:
        try:
            from huggingface_hub import HfApi
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ImportError:
            raise needs_package(self, "huggingface_hub") from None
        disable_progress_bars()
        with self._translated():
            info = HfApi(endpoint=_endpoint()).model_info(self.repository, files_metadata=True)
            files = [file for file in info.siblings or () if self._wants(file.rfilename)]
            self._check_offer(files)
            done, total = 0, sum(file.size or 0 for file in files)
            snapshot = self._folder / "snapshots" / str(info.sha)
            for file in files:
                progress(done, total)
                self._bring(file, snapshot, partial(_tell_more, progress, done, total))
                done += file.size or 0
            progress(done, total)
        held = self.held
        if held.state is not State.WHOLE:
            raise self._failure("the repository changed meanwhile", "try again", retryable=True)
        return held.path

    def remove(self) -> int:
        freed = self._here_bytes()
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(hub_cache() / ".locks" / self._folder.name, ignore_errors=True)
        return freed

    @property
    def _folder(self) -> Path:
        return hub_cache() / f"models--{self.repository.replace('/', '--')}"

    def _snapshot(self) -> Path | None:
        """The folder of the version that the hub's library would take."""
        with suppress(OSError):
            commit = (self._folder / "refs" / "main").read_text(encoding="utf-8").strip()
            snapshot = self._folder / "snapshots" / commit
            if commit and snapshot.is_dir():
                return snapshot
        return None

    def _here_bytes(self) -> int:
        """All that lies here, unfinished files too."""
        sizes = 0
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # it may just have got its name
                if path.is_file() and not path.is_symlink():
                    sizes += path.stat().st_size
        return sizes

    def _bring(self, file: RepoSibling, snapshot: Path, progress: Progress) -> None:
        """Bring one file here, if it is not here and right."""
        from huggingface_hub import hf_hub_download, hf_hub_url
        from huggingface_hub.utils._headers import build_hf_headers

        path = snapshot / file.rfilename
        if path.is_file() and _is_right(path, file):
            return
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if file.lfs is not None:
            # the library begins anew each time, which is long for some GB; what lies under its checksum it takes
            sha256 = str(file.lfs.sha256)
            wish = Wish(
                self.name,
                hf_hub_url(self.repository, file.rfilename, endpoint=_endpoint()),
                self._folder / "blobs" / sha256,
                file.size,
                sha256,
                "HF_HUB_CACHE",
                build_hf_headers().get("authorization", ""),
            )
            with alone(wish):
                download(wish, progress, threading.Event().wait)
        path = Path(hf_hub_download(self.repository, file.rfilename, cache_dir=hub_cache(), endpoint=_endpoint()))
        if not _is_right(path, file):
            path.resolve().unlink(missing_ok=True)
            raise self._altered(file.rfilename)

    def _wants(self, file: str) -> bool:
        return any(fnmatch(file, pattern) for pattern in (*self.needed, *self.welcome))

    def _check_offer(self, files: list[RepoSibling]) -> None:
        names = [file.rfilename for file in files]
        lacking = [pattern for pattern in self.needed if not any(fnmatch(name, pattern) for name in names)]
        if lacking:
            raise BackendError(
                f"the repository {self.repository} has no {', '.join(lacking)}: it holds no model for "
                f"{backend_of(self)}",
                backend=backend_of(self),
                hint="name one that was converted for it: see docs/backends.md",
            )

    def _altered(self, file: str) -> BackendError:
        return BackendError(
            f"{file} of {self.name} does not have the checksum that the hub names for it; it was thrown away",
            backend=backend_of(self),
            retryable=True,
            hint=f"sottovoce models get {self.name} again; if that does not help, something on the way alters it",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Make a BackendError of what the hub's library raises."""
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

        try:
            yield
        except BackendError:
            raise
        except OfflineModeIsEnabled as error:
            raise self._failure("HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE") from error
        except LocalEntryNotFoundError as error:  # which some versions take for an answer of the server
            raise self._failure_of(error) from error
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", 0)
            raise self._failure(*_meaning(status, self.repository), retryable=status >= 429) from error
        except Exception as error:  # the errors of its HTTP library are no part of its interface
            raise self._failure_of(error) from error

    def _failure_of(self, error: BaseException) -> BackendError:
        """What happened, told by what lies at its bottom."""
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                hint = "where a proxy has certificates of its own, name them with SSL_CERT_FILE"
                return self._failure(f"its certificate is not trusted ({_in_words(cause)})", hint)
            if isinstance(cause, OSError) and cause.errno in _DISK:
                return self._disk_failure(cause)
        if any(_is_connection(cause) for cause in causes):
            hint = f"sottovoce models get {self.name}, once there is a connection: it goes on where it stopped"
            return self._failure(f"no connection ({_in_words(causes[-1])})", hint, retryable=True)
        hint = "update huggingface-hub, or fetch the files in another way and set the model to their folder"
        return self._failure(f"its library fails ({_in_words(causes[-1])})", hint)

    def _disk_failure(self, error: OSError) -> BackendError:
        cache = hub_cache()
        if error.errno == errno.ENOSPC:
            free = megabytes(shutil.disk_usage(cache.parent).free)
            hint = f"make room on the disk of {cache}, or name another folder with HF_HUB_CACHE"
            return self._failure(f"the disk is full ({free} are free)", hint)
        hint = f"let {cache} be written, or name another folder with HF_HUB_CACHE"
        return self._failure(f"{error.filename or cache} cannot be written ({error.strerror})", hint)

    def _failure(self, why: str, hint: str, *, retryable: bool = False) -> BackendError:
        place = _endpoint() or "https://huggingface.co"
        message = f"{self.name} cannot be fetched from {place}/{self.repository}: {why}"
        return BackendError(message, backend=backend_of(self), retryable=retryable, hint=hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, down to the first."""
    seen = set[int]()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _is_connection(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror | ssl.SSLError):
        return True
    if {kind.__name__ for kind in type(error).__mro__} & _NO_CONNECTION:
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def _in_words(error: BaseException) -> str:
    """Its kind, and the first line of what it says."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _tell_more(progress: Progress, before: int, total: int, here: int, _: int | None) -> None:
    progress(before + here, total)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _meaning(status: int, repository: str) -> tuple[str, str]:
    if status in (401, 403, 404):  # the hub does not tell what is private from what is not there
        return (
            f"there is no such repository ({status})",
            f"correct the name {repository!r}; one of your own needs HF_TOKEN",
        )
    return f"the server answers {status or 'nothing'}", "try again later"


def _is_right(path: Path, file: Any) -> bool:
    """Whether a file is what the hub says it should be."""
    if file.lfs is not None:
        return sha256_of(path) == str(file.lfs.sha256)
    if not file.blob_id:
        return file.size is None or path.stat().st_size == file.size
    content = path.read_bytes()
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return found == str(file.blob_id)
