"""`sottovoce notes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.conftest import Result

Cli = Callable[..., Result]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "product.md").write_text(
        "# Battery\n\n## How long does the battery last?\n- Two years on a [coin] cell\n- Eleven at one an hour\n\n"
        "## What does it cost?\n- Forty euros\n",
        encoding="utf-8",
    )
    (folder / "deep" / "запуск.md").write_text("# Когда запуск?\n- Третьего июня\n", encoding="utf-8")
    return folder


def test_the_note_that_answers_comes_first(cli: Cli, notes: Path) -> None:
    result = cli("notes", "search", "how", "long does the battery last", "--notes", notes)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("1. How long does the battery last?  product.md:3")
    assert lines[1:3] == ["   - Two years on a [coin] cell", "   - Eleven at one an hour"]


def test_a_search_as_json(cli: Cli, notes: Path) -> None:
    (first, *rest) = cli("notes", "search", "how about the battery", "--notes", notes, "--json", "--limit", 1).json
    assert rest == []
    assert first["title"] == "How long does the battery last?"
    assert first["points"] == ["Two years on a [coin] cell", "Eleven at one an hour"]
    assert (Path(first["path"]), first["line"]) == (notes / "product.md", 3)
    assert [(match["heard"], match["where"]) for match in first["matched"]] == [("battery", "heading")]
    assert first["given"]
    assert first["confidence"] >= first["threshold"]
    assert 0 < first["coverage"] <= 1


def test_a_search_in_russian(cli: Cli, notes: Path) -> None:
    assert cli("notes", "search", "когда запуск", "--notes", notes, "--json").json[0]["points"] == ["Третьего июня"]


def test_a_question_without_an_answer_is_no_error(cli: Cli, notes: Path) -> None:
    result = cli("notes", "search", "xyzzy", "--notes", notes)
    assert (result.code, result.out) == (0, "no note answers this, of 3 notes\n")
    assert cli("notes", "search", "xyzzy", "--notes", notes, "--json").json == []


def test_a_check_lists_every_note_and_its_warnings(cli: Cli, notes: Path) -> None:
    (notes / "broken.md").write_bytes(b"# caf\xe9\n- na\xefve \xff\n")
    result = cli("notes", "check", "--notes", notes)
    assert result.code == 0
    assert "Battery > How long does the battery last?" in result.out
    assert "deep/запуск.md:1" in result.out.replace("\\", "/")
    assert "3 notes, 4 points" in result.out
    assert "warning: " in result.err
    assert "broken.md" in result.err
    checked = cli("notes", "check", "--notes", notes, "--json").json
    assert len(checked["notes"]) == 3
    assert [Path(warning["path"]).name for warning in checked["warnings"]] == ["broken.md"]


def test_the_notes_of_the_settings_are_used(cli: Cli, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOTTOVOCE_NOTES_PATH", str(notes))
    assert "Forty euros" in cli("notes", "search", "what does it cost").out


@pytest.mark.parametrize("verb", [("check",), ("search", "x")])
def test_notes_that_are_not_there_are_an_error_of_their_own(cli: Cli, tmp_path: Path, verb: tuple[str, ...]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in ((), ("--notes", tmp_path / "nowhere"), ("--notes", empty)):
        result = cli("notes", *verb, *arguments)
        assert result.code == 5
        assert result.err.startswith("error: ")
        assert "\nhint: " in result.err


def test_why_a_note_is_found_is_told_and_what_is_below_the_threshold_stands_apart(cli: Cli, notes: Path) -> None:
    found = cli("notes", "search", "how about the battery", "--notes", notes)
    assert "why: in the heading: battery (100% of what is asked)" in found.out
    unsure = cli("notes", "search", "how about the battery", "--notes", notes, "--set", "notes.min_confidence=1")
    assert unsure.out.startswith(
        "no note answers this, of 3 notes\n\nnearest, but below the threshold of 100%:\n1. How long"
    )
    assert "Two years" not in unsure.out


def test_a_question_is_read_as_a_transcript_is(cli: Cli, notes: Path) -> None:
    (notes / "servers.md").write_text("# What runs on Kubernetes?\n- Everything since 2026\n", encoding="utf-8")
    asked = ("notes", "search", "what runs on cuber netties in twenty twenty six", "--notes", notes)
    assert "asked as: what runs on Kubernetes in 2026" in cli(*asked).out
    assert "asked as" not in cli(*asked, "--set", "notes.restore=false").out
