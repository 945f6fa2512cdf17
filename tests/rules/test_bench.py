"""The benchmark runner: what it writes, and what it refuses."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.rules.sources import ROOT


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_runner", ROOT / "bench" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def case(runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case named ``for`` in a folder of its own."""
    folder = tmp_path / "bench" / "cases"
    folder.mkdir(parents=True)
    file = folder / "for_.py"
    file.write_text(
        '"""Count.\n\nMore."""\nTARGETS = {"count_ms": ("<", 2)}\n'
        'def run(quick):\n    return {"count_ms": 1.0 if quick else 3.0, "count": 7}\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(runner, "CASES", folder)
    load = importlib.util.spec_from_file_location("bench.cases.for_", file)
    assert load is not None
    assert load.loader is not None
    module = importlib.util.module_from_spec(load)
    load.loader.exec_module(module)
    monkeypatch.setitem(__import__("sys").modules, "bench.cases.for_", module)
    return file


def test_result_names_case_machine_and_figures(
    runner: ModuleType, case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "result.json"
    assert runner.main(["for", "--quick", "--json", str(out)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert set(result) == {"case", "machine", "figures"}
    assert result["case"] == "for"
    assert result["figures"] == {"count_ms": 1.0, "count": 7}
    assert {"cpu", "cores", "python", "numpy", "platform"} <= set(result["machine"])
    assert "< 2  met" in capsys.readouterr().out


def test_missed_target_is_shown_and_no_failure(
    runner: ModuleType, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["for", "--json", "-"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["figures"]["count_ms"] == 3.0
    assert "NOT MET" in printed.err


def test_list_shows_cases_with_their_first_line(
    runner: ModuleType, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["--list"]) == 0
    assert capsys.readouterr().out == "for  Count.\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"]])
def test_unknown_case_is_refused_with_the_list(
    runner: ModuleType, case: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(arguments) == 2
    assert "there are: for" in capsys.readouterr().err


def test_figure_that_is_no_number_is_refused(runner: ModuleType) -> None:
    with pytest.raises(ValueError, match="x is nan"):
        runner.checked({"x": float("nan")})


def test_target_without_figure_is_refused(runner: ModuleType) -> None:
    with pytest.raises(ValueError, match="typo"):
        runner.show({"x": 1.0}, {"typo": ("<", 2.0)}, io.StringIO())


def test_figure_that_may_be_missing_is_said_to_be(runner: ModuleType) -> None:
    shown = io.StringIO()
    runner.show({"x": 1.0}, {"peer_ratio": ("<", 2.0)}, shown, frozenset({"peer_ratio"}))
    assert "peer_ratio  not measured here" in shown.getvalue()


def test_every_case_says_what_it_measures(runner: ModuleType) -> None:
    files = runner.case_files()
    assert {"import", "convert", "callback_offline", "demo"} <= set(files)
    assert [name for name, path in files.items() if not runner.first_line(path)] == []
