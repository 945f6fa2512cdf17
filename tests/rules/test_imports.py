"""Imports run downward only, and the package's door is light."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sottovoce
from tests.rules.sources import PACKAGE, ROOT

# import-linter must read the folder that it is told to, also where the project is installed in editable mode, whose
# finder would answer first.
LINT = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__name__.startswith("ScikitBuild")]
sys.path.insert(0, ".")
from importlinter.cli import lint_imports
sys.exit(lint_imports(no_cache=True, no_logo=True))
"""


def mirror(folder: Path) -> Path:
    """Copy the package and the contracts; compiled modules become files that the linter can see, from their stubs."""
    package = folder / "sottovoce"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for stub in package.rglob("*.pyi"):
        stub.rename(stub.with_suffix(".py"))
    return package


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a mirror."""
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False)


def test_imports_keep_the_contracts(tmp_path: Path) -> None:
    mirror(tmp_path)
    result = lint(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("core/units.py", "sottovoce.audio"),
        ("speech/registry.py", "sottovoce.audio"),
        ("assistant/theses.py", "sottovoce.app"),
        ("assistant/theses.py", "sottovoce.speech.tts.espeak"),
        ("assistant/theses.py", "sottovoce.native.ring"),
        ("core/units.py", "sottovoce.native.convert"),
        ("app/config.py", "sottovoce.native.mixer"),
    ],
)
def test_forbidden_import_is_found(tmp_path: Path, module: str, forbidden: str) -> None:
    file = mirror(tmp_path) / module
    with file.open("a", encoding="utf-8") as source:
        source.write(f"\nimport {forbidden}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


IMPORTED = """
import json, sys
before = set(sys.modules)
import sottovoce
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)))
"""


def test_import_loads_nothing_but_the_package() -> None:
    assert json.loads(fresh(IMPORTED)) == ["sottovoce"]


def test_public_names_exist_and_are_documented() -> None:
    public = sottovoce.__all__
    assert len(public) == len(set(public))
    undocumented = []
    for name in public:
        thing = getattr(sottovoce, name)
        if (inspect.isclass(thing) or inspect.isroutine(thing)) and not (thing.__doc__ or "").strip():
            undocumented.append(name)
    assert undocumented == []


def test_public_methods_are_documented() -> None:
    undocumented = []
    for name in sottovoce.__all__:
        thing = getattr(sottovoce, name)
        if inspect.isclass(thing) and thing.__module__.startswith("sottovoce"):
            for attribute, member in vars(thing).items():
                documented = inspect.isroutine(member) or isinstance(member, property | classmethod | staticmethod)
                if not attribute.startswith("_") and documented and not (member.__doc__ or "").strip():
                    undocumented.append(f"{name}.{attribute}")
    assert undocumented == []
