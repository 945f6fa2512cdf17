"""Reads notes from files and folders, whatever lies there."""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sottovoce.core.errors import NotesError
from sottovoce.speech.notes.markdown import parse
from sottovoce.speech.notes.note import Note, Notes, NotesWarning

SUFFIXES = (".md", ".markdown", ".txt")

_EXAMPLE = 'a note is a heading with points under it: "# When do we launch?", and below it "- On the third of June"'

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16, hence before it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_RUSSIAN_WORD = re.compile(r"[А-ЯЁ]?[а-яё]+|[А-ЯЁ]+")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much is read; what lies beyond is named in a warning.

    Attributes
    ----------
    file_bytes : int
        Of one file. 2 MiB are some 300 000 words, 35 hours of speech.
    total_bytes : int
        Of all files together.
    files : int
        Most files.
    """

    file_bytes: int = 2 << 20
    total_bytes: int = 16 << 20
    files: int = 20_000


def read_notes(paths: Path | str | Sequence[Path | str], limits: ReadLimits | None = None) -> Notes:
    """Read a folder of notes with all folders in it, or a file, or several of both.

    Markdown and plain text (``.md``, ``.markdown``, ``.txt``) is read; hidden files and folders are passed over, and
    links are followed, each real file and folder once. UTF-8 is expected, UTF-16 and UTF-32 known by their mark, and
    Windows-1251 taken where nothing else can be meant.

    Parameters
    ----------
    paths : path or sequence of paths
        Files and folders.
    limits : ReadLimits
        How much is read at most.

    Raises
    ------
    NotesError
        A path is not there or cannot be read, or there is no note in any of them.
    """
    roots = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    if not roots:
        raise NotesError("no path to notes given", path="", hint="name a folder of Markdown files")
    reader = _Reader(limits or ReadLimits())
    for root in roots:
        reader.read(root)
    if not reader.notes:
        raise _nothing(roots[0], reader)
    return Notes(tuple(reader.notes), tuple(reader.warnings))


class _Reader:
    """One reading: what has been found, seen and passed over so far."""

    def __init__(self, limits: ReadLimits) -> None:
        self.notes: list[Note] = []
        self.warnings: list[NotesWarning] = []
        self.other_suffixes: set[str] = set()
        self.files = 0
        self._limits = limits
        self._bytes_left = limits.total_bytes
        self._left_out = 0
        self._seen: set[tuple[int, int]] = set()

    def read(self, root: Path) -> None:
        try:
            mode = root.stat().st_mode
        except OSError as error:
            raise _unreadable(root, error) from error
        if stat.S_ISDIR(mode):
            for path in self._walk(root):
                self._read_file(path)
        elif root.suffix.lower() in SUFFIXES:
            self._read_file(root)
        else:
            raise NotesError(
                f"{root} is not a kind of file that notes are read from ({', '.join(SUFFIXES)})",
                path=root,
                hint="export it as Markdown or plain text",
            )
        if self._left_out:
            self._warn(
                root,
                f"{self._left_out} files are left out: notes are read up to {self._limits.total_bytes >> 20} MiB "
                f"and {self._limits.files} files in all",
                "name a smaller folder",
            )
            self._left_out = 0

    def _walk(self, root: Path) -> Iterator[Path]:
        """Files with a fitting suffix under ``root`` in the order of their names, each real one once."""
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                if not self._first_sight(folder.stat()):
                    continue
                with os.scandir(folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                if folder == root:
                    raise _unreadable(root, error) from error
                self._warn(folder, f"the folder cannot be read: {_words(error)}", "check its permissions")
                continue
            inner = []
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = folder / entry.name
                if _is_folder(entry):
                    inner.append(path)
                elif path.suffix.lower() in SUFFIXES:
                    yield path
                else:
                    self.other_suffixes.add(path.suffix.lower())
            folders.extend(reversed(inner))

    def _first_sight(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True

    def _read_file(self, path: Path) -> None:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                self._warn(path, "not a regular file", "notes are read from files only")
                return
            if not self._first_sight(status):
                return
            if self._bytes_left <= 0 or self.files >= self._limits.files:
                self._left_out += 1
                return
            with path.open("rb") as file:
                data = file.read(min(self._limits.file_bytes, self._bytes_left) + 1)
        except OSError as error:
            self._warn(path, f"cannot be read: {_words(error)}", "check its permissions")
            return
        self.files += 1
        whole = len(data) <= self._limits.file_bytes and len(data) <= self._bytes_left
        self._bytes_left -= len(data)
        if not whole:
            read = min(self._limits.file_bytes, len(data))
            self._warn(
                path,
                f"only the first {read / 2**20:.1f} MiB of {status.st_size / 2**20:.1f} MiB are read",
                "notes are short points: split the file, or leave it out of the folder",
            )
        text = self._decode(path, data, whole)
        if text is not None:
            notes, warnings = parse(text, path)
            self.notes.extend(notes)
            self.warnings.extend(warnings)

    def _decode(self, path: Path, data: bytes, whole: bool) -> str | None:
        """The text of a file, up to its last complete line if it was cut; None, and a warning, if it is no text."""
        encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
        if encoding in ("utf-8", "utf-8-sig") and b"\0" in data:
            self._warn(path, "not a text but a binary file", "export it as Markdown or plain text in UTF-8")
            return None
        try:
            text = codecs.getincrementaldecoder(encoding)("strict").decode(data, final=whole)
        except UnicodeDecodeError as error:
            return self._decode_1251(path, data, error)
        return text if whole else text.rpartition("\n")[0] or text

    def _decode_1251(self, path: Path, data: bytes, error: UnicodeDecodeError) -> str | None:
        line = data.count(b"\n", 0, error.start) + 1
        text = data.decode("cp1251", "replace")
        if error.encoding.startswith("utf-8") and _reads_as_russian(text):
            self._warn(path, "not UTF-8; read as Windows-1251", "save it in UTF-8", line)
            return text
        self._warn(
            path,
            f"not {error.encoding.upper()} (byte {error.start} is 0x{data[error.start]:02x}); the file is passed over",
            "save it in UTF-8",
            line,
        )
        return None

    def _warn(self, path: Path, message: str, hint: str, line: int = 0) -> None:
        self.warnings.append(NotesWarning(path, line, message, hint))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle; reading it says so
        return False


def _reads_as_russian(text: str) -> bool:
    """True if nearly every word beyond ASCII is a Russian word by its letters and their case.

    Latin-1 read as Windows-1251 mixes alphabets within words, KOI8-R swaps small and capital letters, and CP866 gives
    signs: none of them passes.
    """
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    good = sum(_RUSSIAN_WORD.fullmatch(word) is not None for word in words)
    vowels = sum(char in "аеиоуыяюэё" for char in text.lower())
    letters = sum("а" <= char <= "я" or char == "ё" for char in text.lower())
    return bool(words) and good >= 0.95 * len(words) and 0.25 * letters <= vowels <= 0.65 * letters


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _unreadable(root: Path, error: OSError) -> NotesError:
    if isinstance(error, FileNotFoundError):
        return NotesError(
            f"no notes at {root}: there is no such file or folder",
            path=root,
            hint=f"name a folder of Markdown files; {_EXAMPLE}",
        )
    return NotesError(f"notes at {root} cannot be read: {_words(error)}", path=root, hint="check its permissions")


def _nothing(root: Path, reader: _Reader) -> NotesError:
    if reader.files or reader.warnings:
        reason = "; ".join(str(warning) for warning in reader.warnings[:3]) or "they hold headings at most, no points"
        message = f"no notes in the files at {root}: {reason}"
    else:
        others = ", ".join(sorted(suffix for suffix in reader.other_suffixes if suffix)[:5])
        message = f"no file in {root} has one of the suffixes {', '.join(SUFFIXES)}"
        message += f" (there are: {others})" if others else ""
    return NotesError(message, path=root, hint=_EXAMPLE)
