"""`sottovoce sessions`, over a store that a session has filled."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.session import records
from sottovoce.session.store import SessionStore
from tests.app.conftest import Result

Cli = Callable[..., Result]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two sessions: the first with a question, its theses and an utterance that was not answered."""
    path = tmp_path / "sessions.db"
    with SessionStore(path) as opened:
        first = opened.start_session("answer", "notes/product.md")
        for event in _events():
            opened.append(first, event)
        opened.end_session(first, "finished")
        opened.start_session("live")
    return path


def _events() -> list[records.Event]:
    heard, cut = records.ThesisStatus.HEARD, records.ThesisStatus.INTERRUPTED
    stages = (records.StageTime("asr", 0, 310_000_000), records.StageTime("total", 0, 905_000_000))
    return [
        records.UtteranceHeard(1, 61.0, 63.0, records.SpeakerKind.OTHER, "how long does the battery last", 0.9, "en"),
        records.QuestionAccepted(1, 1),
        records.ThesisChanged(1, 1, "Two years on a [coin] cell", "Battery (product.md)", heard, 64.0, 2.0, 2.0),
        records.ThesisChanged(1, 2, "Одиннадцать лет", "", cut, 66.0, 2.0, 0.5),
        records.TurnEnded(1, "spoken", stages),
        records.UtteranceHeard(2, 70.0, 71.0, records.SpeakerKind.OWN, "let me see"),
        records.QuestionIgnored(2, "the wearer's own voice"),
    ]


def call(cli: Cli, store: Path, *arguments: object) -> Result:
    return cli("--set", f"session.path={store}", "sessions", *arguments)


def test_the_list_shows_the_newest_first(cli: Cli, store: Path) -> None:
    result = call(cli, store, "list")
    lines = result.out.splitlines()
    assert result.code == 0
    assert [line.split()[0] for line in lines[2:]] == ["2", "1"]
    assert "no end noted" in lines[2]
    assert "finished" in lines[3]


def test_the_list_as_json(cli: Cli, store: Path) -> None:
    sessions = call(cli, store, "list", "--json", "--limit", 5).json
    assert [session["id"] for session in sessions] == [2, 1]
    assert (sessions[1]["utterances"], sessions[1]["turns"], sessions[1]["theses"]) == (2, 1, 2)
    assert sessions[0]["length_s"] is None


def test_an_empty_list_makes_no_database(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    result = call(cli, path, "list")
    assert (result.code, result.out) == (0, f"no sessions are kept in {path}\n")
    assert call(cli, path, "list", "--json").json == []
    assert not path.exists()


def test_a_session_is_shown_with_theses_and_times(cli: Cli, store: Path) -> None:
    result = call(cli, store, "show", 1)
    assert result.code == 0
    for shown in (
        "01:01  other: how long does the battery last",
        "1. Two years on a [coin] cell  Battery (product.md)",
        "2. Одиннадцать лет  [interrupted]",
        "asr 310 ms  total 905 ms",
        "01:10  own: let me see  (not answered: the wearer's own voice)",
    ):
        assert shown in result.out


def test_words_that_were_not_kept_are_not_shown(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "redacted.db"
    with SessionStore(path, transcripts="redact") as opened:
        session = opened.start_session("live")
        for event in _events():
            opened.append(session, event)
    shown = call(cli, path, "show", 1).out
    assert "[30 characters]" in shown
    assert "battery" not in shown.lower()


@pytest.mark.parametrize(("verb", "more"), [("show", ()), ("export", ()), ("delete", ("--yes",))])
def test_an_unknown_session_is_an_error_of_the_store(cli: Cli, store: Path, verb: str, more: tuple[str, ...]) -> None:
    result = call(cli, store, verb, 9, *more)
    assert result.code == 8
    assert "no session 9" in result.err
    assert "hint: `sottovoce sessions list`" in result.err


def test_without_a_store_nothing_can_be_shown(cli: Cli, tmp_path: Path) -> None:
    assert call(cli, tmp_path / "none.db", "show", 1).code == 8
    (tmp_path / "text.db").write_text("this is not a database", encoding="utf-8")
    assert call(cli, tmp_path / "text.db", "list").code == 8


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [((), "# Session 1"), (("--format", "json"), "{"), (("--format", "srt"), "1\n00:01:01,000 --> 00:01:03,000\n")],
)
def test_a_session_is_exported_to_stdout(cli: Cli, store: Path, arguments: tuple[str, ...], begins: str) -> None:
    assert call(cli, store, "export", 1, *arguments).out.startswith(begins)


def test_an_exported_file_is_readable_by_its_owner_alone_and_never_overwritten(
    cli: Cli, store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "session.json"
    assert call(cli, store, "export", 1, "--out", file).code == 0
    assert json.loads(file.read_text(encoding="utf-8"))["session"]["id"] == 1
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("mine", encoding="utf-8")
    file.chmod(0o644)
    result = call(cli, store, "export", 1, "--out", file)
    assert (result.code, file.read_text(encoding="utf-8")) == (2, "mine")
    assert "hint: say --force" in result.err
    assert call(cli, store, "export", 1, "--out", file, "--force").code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert call(cli, store, "export", 1, "--out", tmp_path / "no" / "file").code == 2


def test_exported_json_survives_a_terminal_without_utf8(store: Path) -> None:
    script = "from sottovoce.app.cli import run; import sys; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "--set", f"session.path={store}", "sessions", "export", "1", "--format", "json"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "HOME": str(store.parent)},
        check=True,
    )
    assert "Одиннадцать лет" in [thesis["text"] for thesis in json.loads(done.stdout)["turns"][0]["theses"]]


def test_a_session_is_deleted_once_that_is_certain(cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = call(cli, store, "delete", 1)  # stdin is no terminal
    assert refused.code == 2
    assert "--yes" in refused.err
    assert call(cli, store, "delete", 1, 9, "--yes").code == 8
    assert len(call(cli, store, "list", "--json").json) == 2
    assert call(cli, store, "delete", 1, 1, "--yes").out == "deleted session 1\n"
    assert [session["id"] for session in call(cli, store, "list", "--json").json] == [2]


def test_sessions_are_found_by_what_was_said_and_answered(cli: Cli, store: Path) -> None:
    result = call(cli, store, "search", "batteries")
    assert result.code == 0
    assert "how long does the battery last" in result.out
    assert "01:01  how long does the battery last" in result.out
    assert "01:06  thesis: Одиннадцать лет" in call(cli, store, "search", "лет").out
    assert call(cli, store, "search", "zebra").out == f"nothing of the kind is kept in {store}\n"


def test_what_is_found_as_json(cli: Cli, store: Path) -> None:
    (found,) = call(cli, store, "search", "coin", "cell", "--json", "--best").json
    assert (found["id"], found["count"], found["title"]) == (1, 1, "how long does the battery last")
    (hit,) = found["hits"]
    assert (hit["kind"], hit["turn"], hit["number"], hit["matches"]) == ("thesis", 1, 1, ["coin", "cell"])
    assert hit["text"] == "Two years on a [coin] cell"
    assert call(cli, store, "search", "coin", "--json", "--before", 1).json == []
    assert call(cli, store, "search", "coin", "--json", "--since", "9999-12-31").json == []
    assert call(cli, store, "search", "coin", "--json", "--until", "0001-01-01").json == []
    assert len(call(cli, store, "search", "coin", "--json", "--until", "9999-12-31").json) == 1


def test_searching_makes_no_database(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    assert call(cli, path, "search", "coin").out == f"nothing of the kind is kept in {path}\n"
    assert not path.exists()


def test_the_list_goes_on_before_a_session(cli: Cli, store: Path) -> None:
    assert [session["id"] for session in call(cli, store, "list", "--json", "--before", 2).json] == [1]


@pytest.mark.parametrize("kind", ["md", "json", "srt"])
def test_an_exported_session_can_be_redacted(cli: Cli, store: Path, kind: str) -> None:
    assert "battery" in call(cli, store, "export", 1, "--format", kind).out.lower()
    result = call(cli, store, "export", 1, "--format", kind, "--redact")
    assert result.code == 0
    assert "battery" not in result.out.lower()
    assert "product.md" not in result.out


def test_what_is_no_file_is_never_written_over(cli: Cli, store: Path) -> None:
    result = call(cli, store, "export", 1, "--out", "/dev/null", "--force")
    assert (result.code, "exists and is left as it is" in result.err) == (2, True)


def test_the_last_session_needs_no_number(cli: Cli, store: Path) -> None:
    assert call(cli, store, "show", "last").out.startswith("session 2, live")
    assert call(cli, store, "export", "last").out.startswith("# Session 2")
    refused = call(cli, store, "show", "-1")
    assert refused.code == 2
    assert "'0' is no session" in call(cli, store, "export", "0").err
    with SessionStore(store) as opened:
        opened.delete(1)
        opened.delete(2)
    assert call(cli, store, "show", "last").code == 8
