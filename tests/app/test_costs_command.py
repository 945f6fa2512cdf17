"""`sottovoce costs`, and what sessions say of money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sottovoce.session import records
from sottovoce.session.spending import Spending
from sottovoce.session.store import SessionStore
from tests.app.conftest import Result

Cli = Callable[..., Result]

LLM = Spending(
    "llm", "openai", "gpt-4o-mini", day="2026-11-20", turn=1, input_tokens=900, cached_tokens=300, output_tokens=40
)
CALLS = (
    replace(LLM, nano_usd=159_000_000),
    replace(LLM, nano_usd=100_000_000, turn=None, wasted=True),
    Spending("asr", "openai", "whisper-1", day="2026-11-21", audio_s=90.0, estimated=True, nano_usd=9_000_000),
    Spending("tts", "localhost", "piper", day="2026-11-21", characters=40),
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.db"
    with SessionStore(path) as opened:
        session_id = opened.start_session("live")
        opened.append(session_id, records.UtteranceHeard(1, 1.0, 2.0, records.SpeakerKind.OTHER, "when"))
        opened.append(session_id, records.QuestionAccepted(1, 1))
        for call in CALLS:
            opened.spend(session_id, call)
        opened.end_session(session_id, "ended")
        opened.start_session("live")
    return path


def call(cli: Cli, store: Path, *arguments: object) -> Result:
    return cli("--set", f"session.path={store}", *arguments)


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.out.splitlines()]


def test_costs_are_shown_by_day_the_last_first(cli: Cli, store: Path) -> None:
    shown = rows(call(cli, store, "costs"))
    assert shown[2] == ["2026-11-21", "2", "1.5", "min", "40", "~$0.0090", "+", "1", "call", "of", "unknown", "price"]
    assert shown[3] == ["2026-11-20", "2", "1800", "600", "80", "$0.1000", "$0.2590"]
    assert any(row[:3] == ["total", "4", "$0.1000"] for row in shown)


@pytest.mark.parametrize(
    ("by", "first"), [("provider", "localhost"), ("model", "localhost"), ("part", "asr"), ("day", "2026-11-21")]
)
def test_costs_are_shown_by_whatever_is_asked_for(cli: Cli, store: Path, by: str, first: str) -> None:
    result = call(cli, store, "costs", "--by", by)
    assert result.code == 0
    assert first in {row[0] for row in rows(result) if row}
    assert "price unknown" in result.out or by == "day"


def test_costs_as_json_from_a_day_on(cli: Cli, store: Path) -> None:
    result = call(cli, store, "costs", "--json", "--since", "2026-11-21").json
    assert result["currency"] == "USD"
    assert [(row["model"], row["cost"]["usd"]) for row in result["rows"]] == [("piper", None), ("whisper-1", 0.009)]
    assert result["total"] == {
        "usd": 0.009,
        "calls": 2,
        "unpriced_calls": 1,
        "estimated_calls": 1,
        "wasted_calls": 0,
        "wasted_usd": 0.0,
    }


def test_nothing_spent_makes_no_database(cli: Cli, tmp_path: Path) -> None:
    result = call(cli, tmp_path / "none.db", "costs")
    assert (result.code, "no calls of services" in result.out) == (0, True)
    assert not (tmp_path / "none.db").exists()


def test_day_that_is_none_is_refused(cli: Cli, store: Path) -> None:
    assert call(cli, store, "costs", "--since", "yesterday").code == 2


def test_prices_are_shown_with_where_ones_own_go(cli: Cli, home: Path) -> None:
    result = cli("costs", "--prices")
    assert "gpt-4o-mini-transcribe" in result.out
    assert str(home / "config" / "sottovoce" / "prices.toml") in result.out
    prices = {(price["provider"], price["model"]): price for price in cli("costs", "--prices", "--json").json["prices"]}
    assert prices["openai", "gpt-4o-mini"]["input"] == 0.15


def test_table_of_ones_own_that_is_wrong_is_an_error(cli: Cli, home: Path) -> None:
    folder = home / "config" / "sottovoce"
    folder.mkdir(parents=True)
    (folder / "prices.toml").write_text("prices = [3]", encoding="utf-8")
    result = cli("costs", "--prices")
    assert (result.code, "price 1 in" in result.err) == (2, True)


def test_session_says_what_it_cost_for_what_and_what_of_it_in_vain(cli: Cli, store: Path) -> None:
    result = call(cli, store, "sessions", "show", 1)
    assert "cost: ~$0.2680 + 1 call of unknown price" in result.out
    assert "recognition ~$0.0090, theses $0.2590, speech price unknown" in result.out
    assert "$0.1000 of it in vain, 1 call for questions that went on" in result.out
    assert "       $0.1590" in result.out  # the turn


def test_list_of_sessions_has_their_costs(cli: Cli, store: Path) -> None:
    lines = call(cli, store, "sessions", "list").out.splitlines()
    assert "$" not in lines[2]
    assert "~$0.2680" in lines[3]
    newest, oldest = call(cli, store, "sessions", "list", "--json").json
    assert (newest["cost"]["calls"], oldest["cost"]["usd"]) == (0, 0.268)
