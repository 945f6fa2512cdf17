"""A model that is one file: fetched, resumed, checked, never half taken for whole."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.core.errors import BackendError
from sottovoce.speech.local import download
from sottovoce.speech.local.catalogue import fetch
from sottovoce.speech.local.file import FileModel
from sottovoce.speech.local.model import State, located, megabytes
from tests.support.hub import Fails, FileServer

pytest.importorskip("filelock", reason='install the extra: pip install -e ".[whisper]"')

CONTENT = bytes(range(256)) * 4096
OTHER = bytes(reversed(range(256))) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()

Make = Callable[..., FileModel]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0))
    with FileServer(files={"voice.pt": CONTENT}) as started:
        yield started


@pytest.fixture
def make(server: FileServer, tmp_path: Path) -> Make:
    def made(**known: object) -> FileModel:
        url = f"{server.url}/files/{known.pop('file', 'voice.pt')}"
        return FileModel("silero/voice", "voices", "", url, tmp_path / "silero", **known)  # type: ignore[arg-type]

    return made


def nobody(here: int, total: int | None) -> None:
    """Look at no progress."""


def left(model: FileModel) -> list[str]:
    return sorted(path.name for path in model.folder.iterdir() if not path.name.endswith(".lock"))


def test_file_is_fetched_once_and_its_progress_told(server: FileServer, make: Make) -> None:
    model, told = make(sha256=SHA256), []
    assert model.held.state is State.ABSENT
    path = model.fetch(lambda here, total: told.append((here, total)))
    assert path.read_bytes() == CONTENT
    assert model.held.state is State.WHOLE
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)
    model.fetch(nobody)
    assert len(server.ranges) == 1


def test_cut_connection_is_resumed_where_it_stopped(server: FileServer, make: Make) -> None:
    server.script.extend([Fails(cut_after=300_000), Fails(status=503), Fails(cut_after=200_000)])
    model = make(sha256=SHA256)
    assert model.fetch(nobody).read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=300000-", "bytes=300000-", "bytes=500000-"]
    assert left(model) == ["voice.pt", "voice.pt.json"]


def test_connection_that_stays_cut_is_given_up_and_what_came_is_kept(server: FileServer, make: Make) -> None:
    server.script.extend([Fails(cut_after=1000), *[Fails(status=503)] * 3])
    model = make(sha256=SHA256)
    with pytest.raises(BackendError, match=r"answers 503; 1 kB of it are kept") as caught:
        model.fetch(nobody)
    assert caught.value.retryable
    assert "sottovoce models get silero/voice" in caught.value.hint
    assert (model.held.state, model.held.size_bytes) == (State.PARTIAL, 1000)
    with pytest.raises(BackendError, match="only in part"):
        located(model)
    assert model.fetch(nobody).read_bytes() == CONTENT


def test_interrupted_fetch_leaves_nothing_that_counts_as_whole(server: FileServer, make: Make) -> None:
    model = make(sha256=SHA256)

    def interrupt(here: int, total: int | None) -> None:
        if here > 400_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fetch(interrupt)
    assert model.held.state is State.PARTIAL
    assert not model.path.exists()
    assert model.fetch(nobody).read_bytes() == CONTENT
    assert server.ranges[1] != ""


def test_halves_of_two_versions_are_never_put_together(server: FileServer, make: Make) -> None:
    server.script.append(Fails(cut_after=1000))
    server.script.extend([Fails(status=503)] * 3)
    model = make()
    with pytest.raises(BackendError):
        model.fetch(nobody)
    server.files["voice.pt"] = OTHER
    assert model.fetch(nobody).read_bytes() == OTHER


def test_server_that_knows_no_parts_sends_it_all_again(server: FileServer, make: Make) -> None:
    server.script.extend([Fails(cut_after=1000), Fails(whole=True)])
    assert make(sha256=SHA256).fetch(nobody).read_bytes() == CONTENT


def test_wrong_checksum_is_refused_and_thrown_away(server: FileServer, make: Make) -> None:
    server.script.append(Fails(altered=True))
    model = make(sha256=SHA256)
    with pytest.raises(BackendError, match=f"expected {SHA256}"):
        model.fetch(nobody)
    assert (model.held.state, left(model)) == (State.ABSENT, [])
    assert model.fetch(nobody).read_bytes() == CONTENT


def test_file_of_another_size_is_refused_before_it_is_fetched(server: FileServer, make: Make) -> None:
    with pytest.raises(BackendError, match=f"has {len(CONTENT)} bytes; silero/voice has 7"):
        make(size_bytes=7).fetch(nobody)
    assert make(size_bytes=len(CONTENT)).fetch(nobody).read_bytes() == CONTENT


def test_checksum_that_nobody_knows_is_noted_and_holds_ever_after(make: Make) -> None:
    model = make()
    model.fetch(nobody)
    assert model.verified() == model.path
    altered = CONTENT[:-1] + b"x"
    model.path.write_bytes(altered)
    with pytest.raises(BackendError, match="damaged") as caught:
        model.verified()
    assert "sottovoce models remove silero/voice" in caught.value.hint
    assert model.fetch(nobody).read_bytes() == CONTENT


def test_file_that_somebody_copied_there_is_taken_if_it_is_right(make: Make) -> None:
    model = make(sha256=SHA256, size_bytes=len(CONTENT))
    model.folder.mkdir()
    model.path.write_bytes(CONTENT)
    assert model.verified() == model.path
    model.path.write_bytes(CONTENT[:-1])
    assert model.held.state is State.PARTIAL
    model.path.write_bytes(OTHER)
    with pytest.raises(BackendError, match="damaged"):
        model.verified()


def test_full_disk_is_noticed_before_anything_is_written(
    server: FileServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    model = make(sha256=SHA256)
    with pytest.raises(BackendError, match=r"the disk is full .*1 MB are needed") as caught:
        model.fetch(nobody)
    assert "models.path" in caught.value.hint
    assert model.held.state is State.ABSENT


def test_disk_that_fills_up_meanwhile_leaves_a_part(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(sha256=SHA256)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(BackendError, match="the disk is full"):
            model.fetch(nobody)
    assert not model.path.exists()
    assert model.fetch(nobody).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fails", "words"),
    [(Fails(status=404), "answers 404"), (Fails(content_type="text/html"), "a web page in the place of")],
)
def test_answer_that_is_no_model_is_refused_at_once(server: FileServer, make: Make, fails: Fails, words: str) -> None:
    server.script.append(fails)
    with pytest.raises(BackendError, match=words):
        make(sha256=SHA256).fetch(nobody)
    assert len(server.ranges) == 1


def test_nothing_listens_there(make: Make, server: FileServer, tmp_path: Path) -> None:
    nowhere = FileModel("silero/voice", "voices", "", "http://127.0.0.1:9/voice.pt", tmp_path)
    with pytest.raises(BackendError, match="no connection"):
        nowhere.fetch(nobody)


def test_two_processes_do_not_fetch_the_same_at_once(make: Make) -> None:
    from filelock import FileLock

    model = make(sha256=SHA256)
    model.folder.mkdir()
    with FileLock(model.folder / "voice.pt.lock"), pytest.raises(BackendError, match="by another process"):
        model.fetch(nobody)
    model.fetch(nobody)


def test_folder_that_cannot_be_made_is_an_error(make: Make, tmp_path: Path) -> None:
    (tmp_path / "silero").write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(BackendError, match="cannot be kept") as caught:
        make(sha256=SHA256).fetch(nobody)
    assert "models.path" in caught.value.hint


def test_removed_file_is_gone_with_all_that_belongs_to_it(server: FileServer, make: Make) -> None:
    model = make(sha256=SHA256)
    model.fetch(nobody)
    assert model.remove() == len(CONTENT)
    assert (model.held.state, left(model)) == (State.ABSENT, [])
    assert model.remove() == 0


def test_offline_nothing_is_fetched_and_the_command_is_named(server: FileServer, make: Make) -> None:
    model = make(sha256=SHA256)
    with pytest.raises(BackendError, match="offline mode is on") as caught:
        fetch(model, nobody, offline=True)
    assert caught.value.hint.startswith("sottovoce models get silero/voice")
    assert server.ranges == []
    fetch(model, nobody, offline=False)
    assert fetch(model, nobody, offline=True) == model.path


def test_sizes_are_for_people() -> None:
    assert [megabytes(size) for size in (999, 484_000_000, 1_530_400_000)] == ["1 kB", "484 MB", "1530 MB"]
