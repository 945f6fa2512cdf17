"""The stubs of the compiled modules say what the modules hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.sources import NATIVE, PACKAGE, ROOT

MODULES = sorted(f"sottovoce.native.{path.stem}" for path in (PACKAGE / "native").glob("*.pyi"))


#: What Cython puts into every module for itself.
NOT_OURS = r"sottovoce\.native\.\w+\.(__test__|__pyx_capi__)"


def stubtest(mypy_path: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    """Run stubtest with the stubs under ``mypy_path``."""
    config = mypy_path / "stubtest.toml"
    config.write_text(f'[tool.mypy]\nmypy_path = "{mypy_path.as_posix()}"\n', encoding="utf-8")
    allowed = mypy_path / "allowed.txt"
    allowed.write_text(NOT_OURS, encoding="utf-8")
    options = ["--mypy-config-file", str(config), "--allowlist", str(allowed), "--ignore-unused-allowlist"]
    command = [sys.executable, "-m", "mypy.stubtest", *options, *modules]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A copy of the stubs, and of nothing else."""
    folder = tmp_path / "sottovoce" / "native"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.pyi").touch()
    for stub in (PACKAGE / "native").glob("*.pyi"):
        (folder / stub.name).write_bytes(stub.read_bytes())
    return tmp_path


def test_every_compiled_module_has_a_stub() -> None:
    assert {f"sottovoce.native.{path.stem}" for path in NATIVE.glob("*.pyx")} == set(MODULES)


def test_stubs_agree_with_the_modules(stubs: Path) -> None:
    result = stubtest(stubs, *MODULES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_stub_that_lies_is_found(stubs: Path) -> None:
    stub = stubs / "sottovoce" / "native" / "convert.pyi"
    stub.write_text(stub.read_text(encoding="utf-8") + "\ndef nowhere() -> None: ...\n", encoding="utf-8")
    result = stubtest(stubs, "sottovoce.native.convert")
    assert result.returncode == 1
    assert "nowhere" in result.stdout
