"""`sottovoce replay`: the traces that are kept, what differs, and what is no trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sottovoce.app.cli import run
from sottovoce.app.exit_codes import ExitCode
from sottovoce.app.replay import parse
from sottovoce.assistant.trace import replay

TRACES = sorted((Path(__file__).parents[1] / "assistant" / "traces").glob("*.jsonl"))


def test_there_are_traces() -> None:
    assert TRACES


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_every_trace_is_decided_as_it_was(trace: Path) -> None:
    made, _, steps = parse(trace.read_text(encoding="utf-8").splitlines())
    assert [(number, one.step, one.now) for number, one in enumerate(replay(made, steps)) if not one.same] == []


def test_file_is_shown_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(TRACES[0])]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "all decided the same" in shown
    assert "on speculation" in shown


def test_what_is_decided_otherwise_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = tmp_path / "changed.jsonl"
    changed.write_text(TRACES[0].read_text(encoding="utf-8").replace("speak 1.1", "speak 1.2", 1), encoding="utf-8")
    assert run(["replay", str(changed)]) == ExitCode.DIFFERS
    assert "1 decided otherwise" in capsys.readouterr().out
    assert run(["replay", str(changed), "--json"]) == ExitCode.DIFFERS
    assert sum(not one["same"] for one in json.loads(capsys.readouterr().out)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing in it"),
        ("no json", "line 1"),
        ('{"format": 99, "max_theses": 4, "speculate": "answer"}', "format is 99"),
        ('{"format": 1, "max_theses": 4, "speculate": "much"}', "speculate is 'much'"),
        ('{"format": 1, "max_theses": 4, "speculate": "off"}\n{"at_s": 1}', "line 2"),
        (
            '{"format": 1, "max_theses": 4, "speculate": "off"}\n{"at_s": 1, "event": {"event": "?"}, "decided": []}',
            "step 1",
        ),
    ],
)
def test_what_is_no_trace_says_which_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(text, encoding="utf-8")
    assert run(["replay", str(file)]) == ExitCode.USAGE
    assert says in capsys.readouterr().err


def test_unknown_session_and_missing_file_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOTTOVOCE_SESSION_PATH", str(tmp_path / "none.db"))
    assert run(["replay", "7"]) == ExitCode.STORE
    assert run(["replay", str(tmp_path / "none.jsonl")]) == ExitCode.USAGE
    assert "none.jsonl cannot be read" in capsys.readouterr().err
