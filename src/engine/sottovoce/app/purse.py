"""Pays for a session: every call of a service is priced, noted, and held against the budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sottovoce.app.budget import Budget, Limits, Reached, Standing
from sottovoce.app.money import shown_limit
from sottovoce.app.prices import Cost, PriceTable
from sottovoce.assistant.notices import BudgetReached, Notice, PriceUnknown, Spent
from sottovoce.core.clock import Clock, MonotonicClock
from sottovoce.core.errors import BudgetSpentError, StoreError
from sottovoce.session.spending import Cost as Spendings
from sottovoce.speech.usage import Account, Part, Usage

#: How often (s) is looked what other sessions have spent today, at most.
LOOK_EVERY_S = 2.0

#: Revision of a segment that was given at its end: later than any pause.
WHOLE = 1 << 30

#: Pieces of work that were admitted and are remembered; more than can be in flight.
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Work:
    """What a call is made for: a turn by its generation, or a segment as it was given at a pause; or neither."""

    generation: int | None = None
    segment: int | None = None
    revision: int | None = None

    @property
    def key(self) -> tuple[int | None, int | None]:
        """The same for all that has to be finished once it was begun: a turn, or a segment with all its pauses."""
        return self.generation, self.segment


class Book(Protocol):
    """Where calls are noted. Never waits."""

    def note(self, work: Work, usage: Usage, cost: Cost, day: str) -> None:
        """A call has ended on ``day``."""
        ...

    def spent_besides(self, day: str) -> int:
        """What was spent elsewhere on this day, in billionths of a dollar; a StoreError if nobody can say."""
        ...


class Purse:
    """Pays for the calls of one session. Safe to use from several threads.

    When a limit that stops is reached, no call is admitted any more, but for what was admitted before: an answer that
    has begun is given and spoken to its end.

    Parameters
    ----------
    prices : PriceTable
        What calls cost.
    limits : Limits
        The budget.
    book : Book or None
        Where calls are noted.
    now : callable
        The time of day, where the wearer is.
    clock : Clock
        For how long ago it was looked what others have spent.
    """

    def __init__(
        self,
        prices: PriceTable,
        limits: Limits,
        book: Book | None = None,
        *,
        now: Callable[[], datetime] = datetime.now,
        clock: Clock | None = None,
    ) -> None:
        self._prices = prices
        self._limits = limits
        self._book = book
        self._now = now
        self._clock: Clock = clock or MonotonicClock()
        self._lock = threading.Condition()
        self._budget = Budget(limits, self._today())
        self._admitted: dict[tuple[int | None, int | None], None] = {}
        self._unknown: set[tuple[str, str]] = set()
        self._open = 0
        self._spent = Spendings()
        self._looked_ns: int | None = None
        self._listener: Callable[[Notice], None] | None = None

    @property
    def spent(self) -> Spendings:
        """What this session has cost so far."""
        with self._lock:
            return self._spent

    @property
    def standings(self) -> tuple[Standing, Standing]:
        """What was spent and what may be, in this session and today, as far as it is known without looking."""
        with self._lock:
            return self._budget.standings(self._today())

    def spent_today(self) -> int:
        """What was spent on this day, as far as is known, other sessions included, in billionths of a dollar.

        Asks the book, which may take a while.
        """
        day = self._today()
        try:
            others = self._book.spent_besides(day) if self._book is not None else 0
        except StoreError:  # the store itself says that it does not work
            others = 0
        with self._lock:
            return others + self._budget.own_of(day)

    def price(self, usage: Usage) -> int | None:
        """What a call costs, in billionths of a dollar; None if its price is unknown."""
        return self._prices.cost(usage).nano_usd

    def listen(self, listener: Callable[[Notice], None]) -> None:
        """Tell ``listener`` of every call that has ended, and of every limit that was reached, from now on."""
        with self._lock:
            self._listener = listener

    def for_turn(self, generation: int) -> Account:
        """See :class:`sottovoce.assistant.ports.Purse`."""
        return _Account(self, Work(generation=generation))

    def for_segment(self, number: int, revision: int) -> Account:
        """See :class:`sottovoce.assistant.ports.Purse`."""
        return _Account(self, Work(segment=number, revision=revision or WHOLE))

    def for_anything(self) -> Account:
        """Of what belongs to no turn."""
        return _Account(self, Work())

    def settle(self, timeout_s: float) -> bool:
        """Wait until every call has ended, as each does soon after it was given up; False after ``timeout_s``."""
        with self._lock:
            return self._lock.wait_for(lambda: self._open == 0, timeout_s)

    def admit(self, work: Work, provider: str) -> None:
        """Let a call be made, or raise a BudgetSpentError that says which limit was reached."""
        news = self._look()
        with self._lock:
            stopped = self._budget.stopped(self._today())
            refused = stopped is not None and (work == Work() or work.key not in self._admitted)
            if not refused:
                self._admitted[work.key] = None
                while len(self._admitted) > _REMEMBERED:
                    del self._admitted[next(iter(self._admitted))]
        self._tell(map(_notice, news))
        if stopped is not None and refused:
            raise self._refusal(stopped, provider)

    def opened(self) -> None:
        with self._lock:
            self._open += 1

    def closed(self, work: Work, usage: Usage | None) -> None:
        """A call has ended; note what it has cost."""
        try:
            if usage is not None:
                self._pay(work, usage)
        finally:
            with self._lock:
                self._open -= 1
                self._lock.notify_all()

    def _pay(self, work: Work, usage: Usage) -> None:
        cost, day = self._prices.cost(usage), self._today()
        notices: list[Notice] = [Spent(usage, cost.nano_usd, cost.estimated, work.generation)]
        with self._lock:
            news = self._budget.spend(cost.nano_usd or 0, day)
            self._spent += Spendings.of_call(cost.nano_usd, estimated=cost.estimated)
            model = (usage.provider, usage.model)
            if cost.nano_usd is None and self._limits.any and model not in self._unknown:
                self._unknown.add(model)
                notices.append(PriceUnknown(*model))
        if self._book is not None:
            self._book.note(work, usage, cost, day)
        self._tell([*notices, *map(_notice, news)])

    def _look(self) -> list[Reached]:
        """See what other sessions have spent, if that matters and was not seen just now."""
        if self._book is None or not self._limits.any_of_day:
            return []
        now_ns = self._clock.now_ns()
        with self._lock:
            if self._looked_ns is not None and now_ns - self._looked_ns < LOOK_EVERY_S * 1e9:
                return []
            self._looked_ns = now_ns
        day = self._today()
        try:
            spent = self._book.spent_besides(day)
        except StoreError:  # the store itself says that it does not work; what was known last counts on
            return []
        with self._lock:
            return self._budget.others_spent(spent, day)

    def _tell(self, news: Iterable[Notice]) -> None:
        with self._lock:
            listener = self._listener
        if listener is not None:
            for notice in news:
                listener(notice)

    def _refusal(self, reached: Reached, provider: str) -> BudgetSpentError:
        of_day = reached.scope == "day"
        return BudgetSpentError(
            f"the budget of this {reached.scope}, {shown_limit(reached.limit)}, is spent",
            backend=provider,
            hint=f"raise budget.{reached.scope}_stop_usd" + (", or wait for tomorrow" if of_day else ""),
        )

    def _today(self) -> str:
        return self._now().date().isoformat()


def _notice(reached: Reached) -> BudgetReached:
    return BudgetReached(reached.scope, shown_limit(reached.limit), reached.stops)


@dataclass(frozen=True, slots=True)
class _Account:
    """The account of one piece of work."""

    purse: Purse
    work: Work

    def admit(self, part: Part, provider: str) -> None:
        self.purse.admit(self.work, provider)

    def opened(self) -> None:
        self.purse.opened()

    def closed(self, usage: Usage | None) -> None:
        self.purse.closed(self.work, usage)
