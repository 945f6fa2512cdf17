"""Notes that change on disk are read again, once, and whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sottovoce.speech.notes.note import Notes
from sottovoce.speech.notes.watching import NotesWatch, signature


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "a.md", "apple")
    return tmp_path


def write(path: Path, title: str, age: int = 0) -> None:
    path.write_text(f"# {title}\n- point\n", encoding="utf-8")
    os.utime(path, ns=(age, age))  # two writes within the clock's resolution would look like one


class Told:
    def __init__(self) -> None:
        self.titles: list[list[str]] = []

    def __call__(self, notes: Notes) -> None:
        self.titles.append([note.title for note in notes.notes])


def test_change_is_told_once_the_files_stay_the_same(folder: Path) -> None:
    watch, told = NotesWatch(folder), Told()
    assert not watch.look(told)
    write(folder / "a.md", "pear", age=1)
    assert not watch.look(told)
    write(folder / "a.md", "plum", age=2)
    assert not watch.look(told), "still being written"
    assert watch.look(told)
    assert not watch.look(told)
    assert told.titles == [["plum"]]


def test_new_and_removed_files_are_changes(folder: Path) -> None:
    watch, told = NotesWatch(folder), Told()
    write(folder / "b.md", "pear")
    for _ in range(2):
        watch.look(told)
    (folder / "a.md").unlink()
    for _ in range(2):
        watch.look(told)
    assert told.titles == [["apple", "pear"], ["pear"]]


def test_other_files_are_no_change(folder: Path) -> None:
    before = signature(folder)
    (folder / "picture.png").write_bytes(b"\0")
    (folder / ".hidden.md").write_text("# x\n- y\n", encoding="utf-8")
    (folder / ".git").mkdir()
    write(folder / ".git" / "c.md", "no note")
    assert signature(folder) == before


def test_notes_that_are_gone_leave_the_old_ones_and_may_come_back(folder: Path) -> None:
    watch, told = NotesWatch(folder), Told()
    (folder / "a.md").unlink()
    for _ in range(3):
        assert not watch.look(told)
    write(folder / "a.md", "pear", age=5)
    watch.look(told)
    assert watch.look(told)
    assert told.titles == [["pear"]]


def test_single_file_is_watched(folder: Path) -> None:
    watch, told = NotesWatch(folder / "a.md"), Told()
    write(folder / "b.md", "pear")
    write(folder / "a.md", "plum", age=7)
    watch.look(told)
    assert watch.look(told)
    assert told.titles == [["plum"]]


def test_thread_tells_and_ends(folder: Path) -> None:
    told = threading.Event()
    watch = NotesWatch(folder, every_s=0.001)
    write(folder / "a.md", "pear", age=9)
    watch.start(lambda notes: told.set())
    assert told.wait(20)
    watch.close()
    watch.close()
    assert "sottovoce-notes" not in {thread.name for thread in threading.enumerate()}
