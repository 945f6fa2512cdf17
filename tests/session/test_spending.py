"""What calls cost, in the store: with their turns, in vain or not, beyond their session, and in files of before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sottovoce.app.ledger import Ledger
from sottovoce.app.prices import Cost as Price
from sottovoce.app.purse import WHOLE, Work
from sottovoce.session.export import to_json
from sottovoce.session.records import QuestionAccepted
from sottovoce.session.spending import Cost, Spending
from sottovoce.session.store import SessionStore
from sottovoce.speech.usage import Usage
from tests.session.samples import SECRET, conversation, heard

DAY = "2026-11-21"
CALL = Spending("llm", "openai", "gpt-4o-mini", day=DAY, input_tokens=900, output_tokens=40, nano_usd=159_000)
USAGE = Usage("llm", "openai", "gpt-4o-mini", input_tokens=900, output_tokens=40)
SOUND = Usage("asr", "openai", "whisper-1", audio_s=2.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    with SessionStore(path) as opened:
        yield opened


def test_call_comes_back_whole_and_is_in_the_sums(store: SessionStore) -> None:
    session_id = store.start_session("live")
    unknown = replace(CALL, model="gpt-99", estimated=True, nano_usd=None)
    store.spend(session_id, CALL)
    store.spend(session_id, unknown)
    store.flush()
    record = store.session(session_id)
    assert record.spending == (CALL, unknown)
    assert record.summary.cost == Cost(calls=2, nano_usd=159_000, unpriced=1, estimated=1)
    assert store.sessions()[0].cost == record.summary.cost
    assert '"nano_usd": 159000' in to_json(record)


def test_turn_is_charged_whether_its_calls_end_before_it_is_asked_or_after(store: SessionStore) -> None:
    session_id = store.start_session("live")
    ledger = Ledger(store, session_id)
    store.append(session_id, heard(4, "When?"))
    store.append(session_id, QuestionAccepted(1, 4))
    ledger.note(Work(segment=4, revision=WHOLE), SOUND, Price(200, False), DAY)
    ledger.note(Work(generation=7), USAGE, Price(1000, False), DAY)
    ledger.accepted(generation=7, turn=1, segment=4)
    ledger.note(Work(generation=7), USAGE, Price(30, True), DAY)
    store.flush()
    record = store.session(session_id)
    assert record.turns[0].cost == Cost(calls=3, nano_usd=1230, estimated=1)


def test_what_was_made_in_vain_is_counted_apart_whenever_it_ends(store: SessionStore) -> None:
    session_id = store.start_session("live")
    ledger = Ledger(store, session_id)
    for revision in (1, 2):
        ledger.note(Work(segment=1, revision=revision), SOUND, Price(100, False), DAY)
    ledger.note(Work(generation=1), USAGE, Price(1000, False), DAY)
    ledger.discarded(1)
    ledger.note(Work(generation=1), USAGE, Price(1000, False), DAY)  # its speech, given up
    ledger.note(Work(segment=1, revision=WHOLE), SOUND, Price(100, False), DAY)
    ledger.note(Work(segment=1, revision=2), SOUND, Price(100, False), DAY)  # late
    ledger.note(Work(generation=2), USAGE, Price(1000, False), DAY)
    ledger.accepted(generation=2, turn=1, segment=1)
    store.flush()
    cost = store.session(session_id).summary.cost
    assert (cost.calls, cost.nano_usd) == (7, 3400)
    assert (cost.wasted_calls, cost.wasted_nano_usd) == (5, 2300)


def test_costs_are_summed_by_day_and_model_from_a_day_on(store: SessionStore) -> None:
    session_id = store.start_session("live")
    for day in ("2026-11-19", "2026-11-20", "2026-11-20"):
        store.spend(session_id, replace(CALL, day=day))
    store.spend(None, replace(CALL, day="2026-11-20", model="other", nano_usd=None))
    store.flush()
    rows = [(row.day, row.model, row.input_tokens, row.cost.calls, row.cost.unpriced) for row in store.costs()]
    assert rows == [
        ("2026-11-20", "gpt-4o-mini", 1800, 2, 0),
        ("2026-11-20", "other", 900, 1, 1),
        ("2026-11-19", "gpt-4o-mini", 900, 1, 0),
    ]
    assert {row.day for row in store.costs("2026-11-20")} == {"2026-11-20"}
    assert store.spent_besides("2026-11-20", session_id) == 0
    assert store.spent_besides("2026-11-20", None) == 318_000


def test_deleted_session_leaves_its_sum_and_nothing_that_tells_of_it(store: SessionStore, path: Path) -> None:
    session_id = store.start_session("live")
    for at_s, event in conversation():
        store.append(session_id, event, at_s)
    store.spend(session_id, replace(CALL, generation=3, turn=2))
    store.flush()
    store.delete(session_id)
    store.spend(session_id, CALL)  # a call that was on its way
    store.flush()
    assert store.costs()[0].cost.nano_usd == 318_000
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT session_id, generation, turn FROM spending").fetchall()
    assert rows == [(None, None, None)] * 2
    assert SECRET.encode() not in path.read_bytes()
