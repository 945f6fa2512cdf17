"""What an installed sottovoce consists of."""

from __future__ import annotations

import json
import tomllib
from importlib import metadata

import pytest

import sottovoce
from tests.rules.sources import NATIVE, PACKAGE, ROOT


@pytest.fixture
def files() -> set[str]:
    """Paths of the files that were installed, from the distribution's RECORD."""
    distribution = metadata.distribution("sottovoce")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("installed in editable mode: only `pip install .` copies the files")
    return {file.as_posix() for file in distribution.files or ()}


def test_distribution_holds_every_file_of_the_package(files: set[str]) -> None:
    wanted = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".so", ".pyd"}
    }
    assert {"sottovoce/py.typed", "sottovoce/native/ring.pyi"} <= wanted
    assert wanted - files == set()


def test_distribution_holds_every_compiled_module_once(files: set[str]) -> None:
    for source in NATIVE.glob("*.pyx"):
        built = [
            name
            for name in files
            if name.startswith(f"sottovoce/native/{source.stem}.") and name.endswith((".so", ".pyd"))
        ]
        assert len(built) == 1, built


def test_distribution_holds_no_native_source(files: set[str]) -> None:
    assert {name for name in files if name.endswith((".pyx", ".pxd", ".c", ".h", ".a"))} == set()


def test_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == sottovoce.__version__ == metadata.version("sottovoce")


def test_version_is_in_the_changelog() -> None:
    assert f"## [{sottovoce.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
