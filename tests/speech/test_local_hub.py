"""A model in a repository of the hub, with the hub's own library against a server that fails."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from sottovoce.core.errors import BackendError
from sottovoce.speech.local import download
from sottovoce.speech.local.hub import HubModel
from sottovoce.speech.local.model import State, located
from tests.support.hub import Fails, FileServer

pytest.importorskip("huggingface_hub", reason='install the extra: pip install -e ".[whisper]"')

REPOSITORY = "Systran/faster-whisper-tiny"
LARGE = bytes(range(256)) * 2000
FILES = {
    "model.bin": LARGE,
    "config.json": b"{}",
    "tokenizer.json": b'{"a": 1}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not wanted",
}
ALL_BYTES = sum(len(content) for name, content in FILES.items() if name != "README.md")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0))
    with FileServer(repositories={REPOSITORY: dict(FILES)}) as started:
        monkeypatch.setenv("HF_ENDPOINT", started.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        yield started


@pytest.fixture
def model() -> HubModel:
    return HubModel(
        "whisper/tiny", "recognition", "MIT", REPOSITORY, ("model.bin", "config.json", "tokenizer.json", "vocabulary.*")
    )


def nobody(here: int, total: int | None) -> None:
    """Look at no progress."""


def test_repository_is_fetched_into_the_cache_that_all_share(
    server: FileServer, model: HubModel, tmp_path: Path
) -> None:
    told: list[tuple[int, int | None]] = []
    assert model.held.state is State.ABSENT
    folder = model.fetch(lambda here, total: told.append((here, total)))
    assert folder == located(model)
    assert folder.is_relative_to(tmp_path / "hub" / "models--Systran--faster-whisper-tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, content in FILES.items() if name != "README.md"
    }
    assert model.held.size_bytes == ALL_BYTES
    assert told[0] == (0, ALL_BYTES)
    assert told[-1] == (ALL_BYTES, ALL_BYTES)


def test_fetched_again_nothing_is_sent(server: FileServer, model: HubModel) -> None:
    model.fetch(nobody)
    fetched = len(server.ranges)
    model.fetch(nobody)
    assert len(server.ranges) == fetched


def test_cut_connection_leaves_a_part_that_the_next_fetch_goes_on_with(server: FileServer, model: HubModel) -> None:
    server.script.extend([Fails(cut_after=200_000), *[Fails(status=503)] * 3])
    with pytest.raises(BackendError) as caught:
        model.fetch(nobody)
    assert caught.value.retryable
    assert model.held.state is State.PARTIAL
    with pytest.raises(BackendError, match="only in part"):
        located(model)
    server.script.clear()
    server.ranges.clear()
    assert (model.fetch(nobody) / "model.bin").read_bytes() == LARGE
    assert "bytes=200000-" in server.ranges


def test_altered_file_is_refused_and_thrown_away(server: FileServer, model: HubModel) -> None:
    server.script.append(Fails(altered=True))
    with pytest.raises(BackendError, match="bytes with the checksum"):
        model.fetch(nobody)
    server.script.extend([Fails(), Fails(altered=True)])
    with pytest.raises(BackendError, match=r"config\.json of whisper/tiny does not have the checksum"):
        model.fetch(nobody)
    assert model.held.state is State.PARTIAL
    assert (model.fetch(nobody) / "model.bin").read_bytes() == LARGE


def test_file_that_was_damaged_on_the_disk_is_fetched_anew(server: FileServer, model: HubModel) -> None:
    folder = model.fetch(nobody)
    (folder / "model.bin").resolve().write_bytes(LARGE[:-1] + b"x")
    assert (model.fetch(nobody) / "model.bin").read_bytes() == LARGE


def test_file_that_is_missing_makes_it_partial(server: FileServer, model: HubModel) -> None:
    folder = model.fetch(nobody)
    (folder / "model.bin").resolve().unlink()
    assert model.held.state is State.PARTIAL
    model.fetch(nobody)
    assert model.held.state is State.WHOLE


def test_repository_that_does_not_exist_is_named(server: FileServer) -> None:
    with pytest.raises(BackendError, match=r"no such repository \(404\)") as caught:
        HubModel("whisper/a/b", "recognition", "", "a/b", ("model.bin",)).fetch(nobody)
    assert "HF_TOKEN" in caught.value.hint
    assert not caught.value.retryable


def test_repository_that_holds_something_else_is_refused_before_it_is_fetched(server: FileServer) -> None:
    server.repositories["a/b"] = {"pytorch_model.bin": LARGE, "config.json": b"{}"}
    with pytest.raises(BackendError, match=r"has no model\.bin: it holds no model for whisper"):
        HubModel("whisper/a/b", "recognition", "", "a/b", ("model.bin", "config.json")).fetch(nobody)
    assert server.ranges == []


def test_no_connection_is_an_error_that_a_retry_may_mend(model: HubModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BackendError, match=r"cannot be fetched from http://127\.0\.0\.1:9/Systran") as caught:
        model.fetch(nobody)
    assert caught.value.retryable


def wrapped(inner: BaseException) -> RuntimeError:
    """As the hub's library, or the one below it, passes it on."""
    error = RuntimeError("something of the library")
    error.__cause__ = inner
    return error


@pytest.mark.parametrize(
    ("error", "said", "hint", "retryable"),
    [
        (wrapped(ConnectionRefusedError(111, "refused")), "no connection (ConnectionRefusedError", "goes on", True),
        (wrapped(socket.gaierror(-2, "Name or service not known")), "Name or service not known", "goes on", True),
        (wrapped(TimeoutError("timed out")), "no connection (TimeoutError: timed out)", "goes on", True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable", "goes on", True),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/y"),
            "/x/y cannot be written (Permission",
            "HF_HUB",
            False,
        ),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Read-only file system", "HF_HUB_CACHE", False),
        (OSError(errno.ENOSPC, "No space"), "the disk is full", "make room", False),
        (wrapped(ssl.SSLCertVerificationError(1, "bad")), "its certificate is not trusted", "SSL_CERT_FILE", False),
        (KeyError("siblings"), "its library fails (KeyError: 'siblings')", "update huggingface-hub", False),
        (ValueError("no JSON\nat all"), "its library fails (ValueError: no JSON)", "update huggingface-hub", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_happened_is_named_and_not_always_the_connection(
    server: FileServer,
    model: HubModel,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
    hint: str,
    retryable: bool,
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", fail)
    with pytest.raises(BackendError) as caught:
        model.fetch(nobody)
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.retryable is retryable
    if not retryable:
        assert "no connection" not in caught.value.message


def test_removed_model_is_gone_from_the_cache(server: FileServer, model: HubModel, tmp_path: Path) -> None:
    model.fetch(nobody)
    assert model.remove() >= ALL_BYTES
    assert model.held.state is State.ABSENT
    assert model.remove() == 0
