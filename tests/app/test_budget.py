"""Budgets: what is told when, what is still paid for, days that end, and two sessions at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sottovoce.app.budget import Budget, Limits, Reached
from sottovoce.app.ledger import Ledger
from sottovoce.app.money import NANO
from sottovoce.app.prices import PriceTable, read_prices
from sottovoce.app.purse import LOOK_EVERY_S, Purse
from sottovoce.assistant.notices import BudgetReached, Notice, PriceUnknown, Spent
from sottovoce.core.errors import BackendError
from sottovoce.session.store import SessionStore
from sottovoce.speech.usage import Account, Usage, begin_call, charged_to
from tests.session.samples import HeldClock, S

TODAY, TOMORROW = "2026-11-21", "2026-11-22"

#: A call that costs a dollar, and one whose price nobody knows.
DOLLAR = Usage("tts", "openai", "tts-1", characters=1_000_000 // 15 + 1)
CHARACTERS = 200_000  # of tts-1: three dollars
UNKNOWN = ("openai", "gpt-99")


class Days:
    """A time of day that stands where the test puts it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 23, 0)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def table(tmp_path: Path) -> PriceTable:
    return read_prices(tmp_path / "none.toml")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with SessionStore(tmp_path / "sessions.db") as opened:
        yield opened


@pytest.fixture
def days() -> Days:
    return Days()


def pay(account: Account, characters: int = CHARACTERS, model: str = "tts-1") -> None:
    """A call of the speech service: three dollars, unless something else is said."""
    with charged_to(account):
        call = begin_call("tts", "openai", model)
    with call:
        call.speaks("x" * characters)


def told(purse: Purse) -> list[Notice]:
    notices: list[Notice] = []
    purse.listen(notices.append)
    return notices


def test_budget_tells_of_each_limit_once() -> None:
    budget = Budget(Limits(session_warn=2, session_stop=5, day_warn=3), TODAY)
    assert budget.spend(1, TODAY) == []
    assert budget.spend(1, TODAY) == [Reached("session", 2, False)]
    assert budget.spend(1, TODAY) == [Reached("day", 3, False)]
    assert budget.stopped(TODAY) is None
    assert budget.spend(9, TODAY) == [Reached("session", 5, True)]
    assert budget.stopped(TODAY) == Reached("session", 5, True)
    assert budget.spend(9, TODAY) == []


def test_budget_of_a_day_is_new_with_the_day_and_that_of_a_session_is_not() -> None:
    budget = Budget(Limits(day_stop=5, session_stop=8), TODAY)
    assert budget.spend(5, TODAY) == [Reached("day", 5, True)]
    assert budget.stopped(TOMORROW) is None
    assert budget.others_spent(4, TOMORROW) == []
    assert budget.spend(1, TOMORROW) == [Reached("day", 5, True)]
    assert budget.spend(2, TOMORROW) == [Reached("session", 8, True)]


def test_nothing_is_limited_where_no_limit_is_set(table: PriceTable) -> None:
    purse = Purse(table, Limits())
    notices = told(purse)
    for _ in range(3):
        pay(purse.for_turn(1))
    assert purse.spent.nano_usd == 9 * NANO
    assert [type(notice) for notice in notices] == [Spent, Spent, Spent]


def test_what_has_begun_is_finished_and_nothing_new_begins(table: PriceTable) -> None:
    purse = Purse(table, Limits(session_warn=1 * NANO, session_stop=5 * NANO))
    notices = told(purse)
    pay(purse.for_turn(1))
    pay(purse.for_turn(1))
    pay(purse.for_turn(1))  # its theses are spoken to the end
    with pytest.raises(BackendError, match=r"the budget of this session, \$5, is spent") as caught:
        pay(purse.for_turn(2))
    assert caught.value.backend == "openai"
    assert not caught.value.retryable
    assert "budget.session_stop_usd" in caught.value.hint
    pay(purse.for_turn(1))
    assert [notice for notice in notices if isinstance(notice, BudgetReached)] == [
        BudgetReached("session", "$1", stops=False),
        BudgetReached("session", "$5", stops=True),
    ]


def test_segment_is_heard_to_its_end_whatever_pauses_it_has(table: PriceTable) -> None:
    purse = Purse(table, Limits(session_stop=3 * NANO))
    pay(purse.for_segment(1, 1))
    pay(purse.for_segment(1, 0))
    with pytest.raises(BackendError):
        pay(purse.for_segment(2, 1))
    with pytest.raises(BackendError):
        pay(purse.for_anything())


def test_budget_of_a_day_ends_with_the_day(table: PriceTable, days: Days) -> None:
    purse = Purse(table, Limits(day_stop=3 * NANO), now=days)
    pay(purse.for_turn(1))
    with pytest.raises(BackendError) as caught:
        pay(purse.for_turn(2))
    assert "tomorrow" in caught.value.hint
    days.now += timedelta(hours=1)
    pay(purse.for_turn(2))


def test_price_that_is_unknown_is_told_once_where_a_budget_should_count_it(table: PriceTable) -> None:
    purse, free = Purse(table, Limits(day_stop=1 * NANO)), Purse(table, Limits())
    notices, others = told(purse), told(free)
    for _ in range(2):
        pay(purse.for_turn(1), model="gpt-99")
        pay(free.for_turn(1), model="gpt-99")
    assert notices.count(PriceUnknown(*UNKNOWN)) == 1
    assert PriceUnknown(*UNKNOWN) not in others
    assert [notice.nano_usd for notice in notices if isinstance(notice, Spent)] == [None, None]


def test_two_sessions_share_the_budget_of_a_day(table: PriceTable, store: SessionStore, days: Days) -> None:
    clock = HeldClock()
    limits = Limits(day_warn=4 * NANO, day_stop=6 * NANO)

    def session() -> Purse:
        return Purse(table, limits, Ledger(store, store.start_session("live")), now=days, clock=clock)

    one, other = session(), session()
    notices = told(other)
    pay(other.for_turn(1))
    pay(one.for_turn(1))
    store.flush()
    assert BudgetReached("day", "$4", stops=False) not in notices  # it has looked before the other had spent
    clock.ns += int(LOOK_EVERY_S * S)
    with pytest.raises(BackendError, match=r"this day, \$6"):
        pay(other.for_turn(2))
    assert [notice for notice in notices if isinstance(notice, BudgetReached)] == [
        BudgetReached("day", "$6", stops=True),
        BudgetReached("day", "$4", stops=False),
    ]
    days.now += timedelta(hours=2)
    pay(other.for_turn(3))


def test_what_was_spent_before_on_this_day_counts(table: PriceTable, store: SessionStore, days: Days) -> None:
    limits = Limits(day_stop=3 * NANO)
    first = Purse(table, limits, Ledger(store, store.start_session("live")), now=days)
    pay(first.for_turn(1))
    store.flush()
    later = Purse(table, limits, Ledger(store, store.start_session("live")), now=days)
    with pytest.raises(BackendError):
        pay(later.for_turn(1))
    days.now += timedelta(days=1)
    pay(Purse(table, limits, Ledger(store, store.start_session("live")), now=days).for_turn(1))


def test_session_waits_at_its_end_for_calls_that_are_on_their_way(table: PriceTable) -> None:
    purse = Purse(table, Limits())
    with charged_to(purse.for_turn(1)):
        call = begin_call("tts", "openai", "tts-1")
    call.__enter__()
    assert not purse.settle(0.0)
    ending = threading.Thread(target=lambda: call.__exit__(None, None, None))
    ending.start()
    assert purse.settle(10.0)
    ending.join()


@pytest.mark.parametrize(
    "settings", [("session_warn_usd=2", "session_stop_usd=1"), ("day_stop_usd=-1",), ("day_warn_usd=x",)]
)
def test_budget_that_makes_no_sense_is_refused(cli: Callable[..., object], settings: tuple[str, ...]) -> None:
    arguments = [part for setting in settings for part in ("--set", f"budget.{setting}")]
    result = cli(*arguments, "config", "show")
    assert result.code == 2  # type: ignore[attr-defined]
    assert "budget." in result.err  # type: ignore[attr-defined]
