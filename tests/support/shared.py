"""Where the recordings and tools are that only tests use; tests skip, visibly, where they are absent."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_folder() -> Path | None:
    """The folder of shared test material, or None."""
    given = os.environ.get("SOTTOVOCE_SHARED")
    folder = Path(given) if given else ROOT.parent / "shared"
    return folder if folder.is_dir() else None


def shared_data() -> Path:
    """The folder of recordings; skips the test where there is none."""
    folder = shared_folder()
    if folder is None or not (folder / "data" / "speech").is_dir():
        pytest.skip("no recordings: set SOTTOVOCE_SHARED to a folder with data/speech in it")
    return folder / "data"


def manifest(kind: str) -> list[dict[str, str]]:
    """Rows of the recordings' manifest whose file lies in the folder ``kind``; skips where there is none."""
    path = shared_data() / "speech" / "MANIFEST.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["file"].startswith(f"{kind}/")]
