"""A server of files that stands for the Hugging Face hub and for any other, and fails as servers do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

COMMIT = "c" * 40


@dataclass(frozen=True, slots=True)
class Fails:
    """What becomes of one request for a file.

    Attributes
    ----------
    status : int
        Answered in its place, if not 200.
    cut_after : int or None
        So many bytes are sent, then the connection is closed.
    stall_after : int or None
        So many bytes are sent, then nothing more until the server ends.
    whole : bool
        A wish for a part of it is ignored.
    altered : bool
        Its last byte is another one.
    content_type : str
        What it is said to be.
    """

    status: int = 200
    cut_after: int | None = None
    stall_after: int | None = None
    whole: bool = False
    altered: bool = False
    content_type: str = "application/octet-stream"


@dataclass(slots=True)
class FileServer:
    """Serves files at ``/files/<name>``, and those of repositories as the hub does; a context manager.

    Attributes
    ----------
    files : dict
        Content by name.
    repositories : dict
        Files of each repository, content by name.
    large : int
        From so many bytes on a file of a repository is one that the hub keeps by its SHA-256.
    script : deque of Fails
        What becomes of the next requests for contents; those after them are answered well.
    ranges : list
        The part that each of them wanted, "" for all of it.
    sent : threading.Event
        Set when something stalls.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    large: int = 10_000
    script: deque[Fails] = field(default_factory=deque)
    ranges: list[str] = field(default_factory=list)
    sent: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _server: Any = None
    _thread: Any = None

    def __enter__(self) -> FileServer:
        handler = type("Handler", (_Handler,), {"served": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def wait_for_the_end(self) -> None:
        """Until the server is ended."""
        self._ended.wait()


class _Handler(BaseHTTPRequestHandler):
    served: FileServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def log_message(self, *ignored: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_content: bool) -> None:
        path = self.path.partition("?")[0].strip("/")
        if path.startswith("api/models/"):
            self._describe(path.removeprefix("api/models/").partition("/revision/")[0])
        elif path.startswith("files/"):
            self._send_file(self.served.files.get(path.removeprefix("files/")), with_content=with_content)
        else:
            repository, _, file = path.partition("/resolve/")
            content = self.served.repositories.get(repository, {}).get(file.partition("/")[2])
            self._send_file(content, with_content=with_content, of_hub=True)

    def _describe(self, repository: str) -> None:
        files = self.served.repositories.get(repository)
        if files is None:
            self._refuse(404)
            return
        siblings = []
        for name, content in files.items():
            sibling: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": _blob_id(content)}
            if len(content) >= self.served.large:
                sha256 = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(sibling)
        body = json.dumps({"_id": "1", "id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings})
        self._send(200, body.encode(), {"Content-Type": "application/json"})

    def _send_file(self, content: bytes | None, *, with_content: bool, of_hub: bool = False) -> None:
        if content is None:
            self._refuse(404)
            return
        served = self.served
        etag = hashlib.sha256(content).hexdigest() if not of_hub or len(content) >= served.large else _blob_id(content)
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if of_hub:
            headers |= {"X-Repo-Commit": COMMIT}
        if not with_content:
            self._send(200, content, headers, with_content=False)
            return
        wanted = self.headers.get("Range", "")
        served.ranges.append(wanted)
        fails = served.script.popleft() if served.script else Fails()
        if fails.status != 200:
            self._refuse(fails.status)
            return
        begin, status = 0, 200
        if wanted and not fails.whole and self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]:
            begin, status = int(wanted.removeprefix("bytes=").partition("-")[0]), 206
            if begin >= len(content):
                self._refuse(416)
                return
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        sent = content[:-1] + bytes([content[-1] ^ 1]) if fails.altered else content
        self._send(status, sent[begin:], headers | {"Content-Type": fails.content_type}, fails=fails)

    def _refuse(self, status: int) -> None:
        error = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"} if status == 404 else {}
        self._send(status, b"{}", {"Content-Type": "application/json", **error})

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str],
        *,
        with_content: bool = True,
        fails: Fails | None = None,
    ) -> None:
        fails = fails or Fails()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not with_content:
            return
        limit = fails.cut_after if fails.stall_after is None else fails.stall_after
        self.wfile.write(body if limit is None else body[:limit])
        self.wfile.flush()
        if fails.stall_after is not None:
            self.served.sent.set()
            self.served.wait_for_the_end()
        if limit is not None:
            self.close_connection = True


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
