"""Files that hold what was said: whole or not there, and readable by their owner alone from the first byte on."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sottovoce.core.errors import ConfigError


def write_private(file: Path, text: str, *, overwrite: bool, key: str = "--out") -> None:
    """Write ``text`` to ``file``, which no one else may read.

    Raises
    ------
    ConfigError
        Of the option ``key``: the file is there and not to be overwritten, or it cannot be written. It is as it was.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if file.exists() and not (overwrite and file.is_file()):
            raise FileExistsError
        with suppress(FileNotFoundError):
            part.unlink()
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as opened:
                opened.write(text)
            os.replace(part, file)
        except BaseException:  # Ctrl-C too
            with suppress(OSError):
                part.unlink()
            raise
    except FileExistsError as error:
        hint = "say --force" if file.is_file() else "name another file"
        raise ConfigError(f"{file} exists and is left as it is", key=key, hint=hint) from error
    except OSError as error:
        hint = "" if file.parent.is_dir() else "name a file in a folder that is there"
        raise ConfigError(f"{file} cannot be written: {error.strerror}", key=key, hint=hint) from error
