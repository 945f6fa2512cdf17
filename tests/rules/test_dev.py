"""dev.py: when it installs anew, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.rules.sources import ROOT

PROJECT = """
[project]
name = "sottovoce"
optional-dependencies.app = ["click"]
optional-dependencies.offline = ["sottovoce[app]", "speech"]
optional-dependencies.test = ["sottovoce[offline]", "pytest"]
optional-dependencies.bench = ["psutil"]
"""


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """dev.py as a module, working on a small project in a folder of its own."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "src").mkdir()
    for name in ("CMakeLists.txt", "src/a.py"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    for name, path in {"ROOT": ".", "VENV": ".venv", "STAMP": ".venv/stamp.json", "LOG": ".venv/log"}.items():
        monkeypatch.setattr(module, name, tmp_path / path)
    return module


@pytest.fixture
def installed(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pip would have been asked to install, call by call."""
    asked: list[str] = []

    def remember(words: str, command: Sequence[str]) -> None:
        asked.append(command[-1].removeprefix(str(dev.ROOT)))

    monkeypatch.setattr(dev, "with_progress", remember)
    monkeypatch.setattr(dev, "check_compiler", lambda: None)
    monkeypatch.setattr(dev, "make_venv", lambda: dev.VENV.mkdir(exist_ok=True))
    monkeypatch.setattr(dev, "venv_works", lambda stamp: stamp.get("python") == sys.version)
    return asked


def test_install_happens_once(dev: ModuleType, installed: list[str]) -> None:
    dev.install("offline")
    dev.install("offline")
    assert installed == ["[offline]"]


def test_install_again_after_a_change_keeps_earlier_extras(dev: ModuleType, installed: list[str]) -> None:
    dev.install("offline")
    dev.install("bench")
    (dev.ROOT / "src" / "a.py").write_text("changed", encoding="utf-8")
    dev.install("offline")
    assert installed == ["[offline]", "[bench,offline]", "[bench,offline]"]


def test_extra_that_another_includes_needs_no_install(dev: ModuleType, installed: list[str]) -> None:
    dev.install("test")
    dev.install("offline")
    dev.install("app")
    assert installed == ["[test]"]


def test_install_that_failed_is_tried_again(
    dev: ModuleType, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.install("offline")
    (dev.ROOT / "src" / "a.py").write_text("changed", encoding="utf-8")

    def fail(words: str, command: Sequence[str]) -> None:
        raise dev.SetupError("no")

    with monkeypatch.context() as patch:
        patch.setattr(dev, "with_progress", fail)
        with pytest.raises(dev.SetupError):
            dev.install("offline")
    dev.install("offline")
    assert installed == ["[offline]", "[offline]"]


def test_hash_sees_content_and_names_and_no_caches(dev: ModuleType, tmp_path: Path) -> None:
    first = dev.source_hash(tmp_path)
    (tmp_path / "src" / "__pycache__").mkdir()
    (tmp_path / "src" / "__pycache__" / "a.pyc").write_text("x", encoding="utf-8")
    assert dev.source_hash(tmp_path) == first
    (tmp_path / "src" / "a.py").rename(tmp_path / "src" / "b.py")
    second = dev.source_hash(tmp_path)
    (tmp_path / "src" / "b.py").write_text("y", encoding="utf-8")
    assert len({first, second, dev.source_hash(tmp_path)}) == 3


def test_failed_installation_shows_the_end_of_its_log(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    dev.VENV.mkdir()
    with pytest.raises(dev.SetupError, match="the whole log is") as raised:
        dev.with_progress("Installing", [sys.executable, "-c", "import sys; print('exploded'); sys.exit(1)"])
    assert str(dev.LOG) in str(raised.value)
    shown = capsys.readouterr().err
    assert "failed in" in shown
    assert "exploded" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="names packages of Linux distributions")
def test_missing_compiler_names_the_package(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    with pytest.raises(dev.SetupError, match="apt-get install gcc"):
        dev.check_compiler()


@pytest.mark.skipif(sys.platform != "linux", reason="CC is looked at on Linux only")
def test_wrong_compiler_is_named(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-cc -O2")
    with pytest.raises(dev.SetupError, match="no-such-cc"):
        dev.check_compiler()


@pytest.mark.skipif(sys.platform != "linux", reason="headers are a package of their own on Linux")
def test_missing_headers_name_the_package(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/usr/bin/{name}" if name in {"cc", "apt-get"} else None)
    monkeypatch.setattr(dev.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(dev.SetupError, match=r"apt-get install python3\.\d+-dev"):
        dev.check_compiler()


def test_missing_venv_names_the_package(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(dev.SetupError, match="venv"):
        dev.make_venv()


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nothing"], 2), (["--help"], 0)])
def test_usage_is_shown(dev: ModuleType, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(arguments) == code
    printed = capsys.readouterr()
    assert "dev.py test" in (printed.err if code else printed.out)


def test_setup_error_is_a_message_and_a_code(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(extra: str) -> None:
        raise dev.SetupError("no C compiler")

    monkeypatch.setattr(dev, "install", fail)
    assert dev.main(["demo"]) == 3
    assert capsys.readouterr().err == "dev.py: no C compiler\n"
