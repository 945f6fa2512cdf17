"""A file of what was said is whole or as it was, and nobody else's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sottovoce.app.private_file import write_private
from sottovoce.core.errors import ConfigError


def test_file_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_private(file, "ж\n", overwrite=False)
    assert file.read_bytes() == "ж\n".encode()
    assert file.stat().st_mode & 0o077 == 0
    write_private(file, "new", overwrite=True)
    assert file.read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_file_that_cannot_be_written_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    file = tmp_path / "report.html"
    file.write_text("before", encoding="utf-8")

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises((ConfigError, KeyboardInterrupt)) as raised:
        write_private(file, "after", overwrite=True)
    if isinstance(error, OSError):
        assert "No space left" in str(raised.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    assert file.read_text(encoding="utf-8") == "before"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc, where nobody can write, is Linux's")
def test_folder_where_nobody_can_write_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_private(Path("/proc/report.html"), "text", overwrite=False)
