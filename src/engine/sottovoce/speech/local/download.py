"""One file over HTTPS: it goes on where it stopped, is checked before it counts, and is there whole or not at all.

What has come lies in ``<name>.part``; where no checksum is known, the server's mark of that version (its ETag) lies in
``<name>.part.etag``, so that halves of two versions are never put together. Proxies and certificates are those of the
environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sottovoce.core.errors import BackendError
from sottovoce.speech.local.model import Progress, megabytes, sha256_of

#: A connection that is silent for so long (s) is given up.
SILENCE_S = 30.0

#: Pauses (s) before the next attempts; whenever something has come they begin anew.
PAUSES_S = (0.5, 1.0, 2.0, 4.0)

_PIECE_BYTES = 1 << 18
_BROKEN = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Wish:
    """A file to be fetched.

    Attributes
    ----------
    name : str
        The model that it is, for errors.
    url : str
        Where it is.
    target : Path
        Where it goes.
    size_bytes : int or None
        Its size, where that is known.
    sha256 : str or None
        Its checksum, where that is known.
    place : str
        The setting, or variable, that says where it goes.
    authorization : str
        What the server, and none that it refers to, is told of who asks; "" is nothing.
    """

    name: str
    url: str
    target: Path
    size_bytes: int | None
    sha256: str | None
    place: str = "models.path"
    authorization: str = ""


def part_of(target: Path) -> Path:
    """Where the part of a file lies that has come."""
    return target.with_name(f"{target.name}.part")


def mark_of(target: Path) -> Path:
    """Where the server's mark of that part lies."""
    return target.with_name(f"{target.name}.part.etag")


def download(wish: Wish, progress: Progress, wait: Callable[[float], object]) -> str:
    """Fetch a file to its place, and return its SHA-256.

    Parameters
    ----------
    progress : callable
        Told how much is there.
    wait : callable
        Waits so many seconds before the next attempt.

    Raises
    ------
    BackendError
        It cannot be had, or is not what it should be; in its place is what was there before, which may be nothing.
    """
    try:
        _fetch(wish, progress, wait)
        return _install(wish)
    except OSError as error:
        raise _disk_error(wish, error) from error


@contextmanager
def alone(wish: Wish) -> Iterator[None]:
    """While it is entered, no other process fetches the same file.

    Raises
    ------
    BackendError
        One does, or nothing can be written there.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(wish.target.with_name(f"{wish.target.name}.lock"))
    try:
        wish.target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise BackendError(
            f"the model {wish.name} is being fetched by another process",
            backend=_backend(wish),
            retryable=True,
            hint="wait until that is done",
        ) from None
    except OSError as error:
        raise _disk_error(wish, error) from error
    try:
        yield
    finally:
        lock.release()


def _disk_error(wish: Wish, error: OSError) -> BackendError:
    folder = wish.target.parent
    why = error.strerror or type(error).__name__
    hint = f"let {folder} be written, or set {wish.place}"
    if error.errno == errno.ENOSPC:
        why = f"the disk is full ({why})"
        hint = f"make room on the disk of {folder}, or set {wish.place}; what has come is kept"
    return BackendError(f"{wish.name} cannot be kept in {folder}: {why}", backend=_backend(wish), hint=hint)


def discard_part(target: Path) -> None:
    """Forget what has come of a file."""
    part_of(target).unlink(missing_ok=True)
    mark_of(target).unlink(missing_ok=True)


def _fetch(wish: Wish, progress: Progress, wait: Callable[[float], object]) -> None:
    pauses = list(PAUSES_S)
    while True:
        before = _here(wish)
        if before and before == wish.size_bytes:
            return
        try:
            if _attempt(wish, progress):
                return
            why = "the connection was cut"
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # what is here is longer than the file
                    discard_part(wish.target)
                elif error.code < http.client.INTERNAL_SERVER_ERROR and error.code != http.client.TOO_MANY_REQUESTS:
                    raise _refused(wish, error.code) from None
                why = f"the server answers {error.code}"
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise _untrusted(wish, error.reason) from error
            why = f"no connection: {error.reason}"
        except _BROKEN as error:
            why = f"the connection broke: {type(error).__name__}"
        if _here(wish) > before:
            pauses = list(PAUSES_S)
        if not pauses:
            raise BackendError(
                f"{wish.name} cannot be fetched from {wish.url}: {why}; {megabytes(_here(wish))} of it are kept",
                backend=_backend(wish),
                retryable=True,
                hint=f"sottovoce models get {wish.name}, once there is a connection: it goes on where it stopped",
            )
        wait(pauses.pop(0))


def _attempt(wish: Wish, progress: Progress) -> bool:
    """Fetch what is missing; False if the connection ended before the file did."""
    begin = _resumable(wish)
    headers = {"User-Agent": "sottovoce", "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
        if wish.sha256 is None:
            headers["If-Range"] = _mark(wish)
    request = urllib.request.Request(wish.url, headers=headers)
    if wish.authorization:
        request.add_unredirected_header("Authorization", wish.authorization)
    with urllib.request.urlopen(request, timeout=SILENCE_S) as answer:
        if answer.status == http.client.OK:
            begin = 0  # the whole file, from its beginning
        total = _total(answer, begin)
        _check_answer(wish, answer.headers.get_content_type(), begin, total)
        _keep_mark(wish, answer.headers.get("ETag"))
        here = _write(wish, answer, begin, total, progress)
    whole = wish.size_bytes if total is None else total
    return whole is None or here == whole


def _write(wish: Wish, answer: http.client.HTTPResponse, begin: int, total: int | None, progress: Progress) -> int:
    here = begin
    progress(here, total)
    with part_of(wish.target).open("r+b" if begin else "wb") as part:
        part.seek(begin)
        part.truncate()
        while piece := answer.read1(_PIECE_BYTES):
            part.write(piece)
            here += len(piece)
            progress(here, total)
        part.flush()
        os.fsync(part.fileno())
    return here


def _install(wish: Wish) -> str:
    """Put what has come in its place, if it is what it should be."""
    part = part_of(wish.target)
    found = sha256_of(part)
    size = part.stat().st_size
    if wish.sha256 is not None and found != wish.sha256:
        discard_part(wish.target)
        raise BackendError(
            f"{wish.name} from {wish.url} is not what it should be: {size} bytes with the checksum {found}, "
            f"expected {wish.sha256}; it was thrown away",
            backend=_backend(wish),
            hint="try again; if that does not help, something between you and the server alters it, or it is another "
            "version: see docs/backends.md",
        )
    os.replace(part, wish.target)
    mark_of(wish.target).unlink(missing_ok=True)
    return found


def _resumable(wish: Wish) -> int:
    """How many bytes can be kept: without a mark or a checksum nobody would notice halves of two versions."""
    here = _here(wish)
    if here and not _mark(wish) and wish.sha256 is None:
        discard_part(wish.target)
        return 0
    return here


def _total(answer: http.client.HTTPResponse, begin: int) -> int | None:
    """How long the whole file is, as far as the server tells."""
    ranged = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if ranged and int(ranged[1]) == begin:
        return int(ranged[2])
    length = answer.headers.get("Content-Length", "")
    return begin + int(length) if length.isdigit() else None


def _check_answer(wish: Wish, kind: str, begin: int, total: int | None) -> None:
    if kind == "text/html":  # the page of a hotel's network, as a rule
        raise BackendError(
            f"{wish.url} answers with a web page in the place of {wish.name}",
            backend=_backend(wish),
            hint="open any page in a browser: the network may want you to sign in",
        )
    if wish.size_bytes is not None and total is not None and total != wish.size_bytes:
        discard_part(wish.target)
        raise BackendError(
            f"{wish.url} has {total} bytes; {wish.name} has {wish.size_bytes}",
            backend=_backend(wish),
            hint="the server has another version of it: see docs/backends.md for how to use a file of your own",
        )
    free = shutil.disk_usage(wish.target.parent).free
    if total is not None and total - begin > free:
        raise OSError(errno.ENOSPC, f"{megabytes(total - begin)} are needed and {megabytes(free)} are free")


def _refused(wish: Wish, code: int) -> BackendError:
    return BackendError(
        f"{wish.url} answers {code} ({http.client.responses.get(code, 'unknown')}), so {wish.name} cannot be fetched",
        backend=_backend(wish),
        hint="it may have moved: see docs/backends.md for how to use a file of your own",
    )


def _untrusted(wish: Wish, error: ssl.SSLCertVerificationError) -> BackendError:
    return BackendError(
        f"the certificate of {wish.url} is not trusted: {error.verify_message}",
        backend=_backend(wish),
        hint="where a proxy has certificates of its own, name them with SSL_CERT_FILE",
    )


def _keep_mark(wish: Wish, mark: str | None) -> None:
    if mark and wish.sha256 is None and not mark.startswith("W/"):  # a weak mark says nothing of the bytes
        mark_of(wish.target).write_text(mark, encoding="utf-8")
    else:
        mark_of(wish.target).unlink(missing_ok=True)


def _mark(wish: Wish) -> str:
    with suppress(OSError):
        return mark_of(wish.target).read_text(encoding="utf-8")
    return ""


def _here(wish: Wish) -> int:
    with suppress(OSError):
        return part_of(wish.target).stat().st_size
    return 0


def _backend(wish: Wish) -> str:
    return wish.name.partition("/")[0]
