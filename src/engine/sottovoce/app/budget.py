"""When to warn of what was spent, and when to stop spending: pure; money and days are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Scope: TypeAlias = Literal["session", "day"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be spent, in billionths of a US dollar; None is as much as it takes."""

    session_warn: int | None = None
    session_stop: int | None = None
    day_warn: int | None = None
    day_stop: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(limit is not None for limit in (self.session_warn, self.session_stop, self.day_warn, self.day_stop))

    @property
    def any_of_day(self) -> bool:
        """Whether it matters what other sessions spend."""
        return self.day_warn is not None or self.day_stop is not None


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that has been reached; ``stops`` is whether it is one that ends all spending."""

    scope: Scope
    limit: int
    stops: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What was spent and what may be, in billionths of a US dollar, in this session or today; None is no limit."""

    scope: Scope
    spent: int
    warn: int | None
    stop: int | None


class Budget:
    """Adds up what a session spends.

    Parameters
    ----------
    limits : Limits
        What to look at.
    day : str
        The day on which it begins.
    """

    def __init__(self, limits: Limits, day: str) -> None:
        self._limits = limits
        self._day = day
        self._session = self._own_of_day = self._others_of_day = 0
        self._told: set[Reached] = set()

    def spend(self, nano_usd: int, day: str) -> list[Reached]:
        """This session has spent so much; returns the limits that it has reached by that, each once."""
        self._begin(day)
        self._session += nano_usd
        self._own_of_day += nano_usd
        return self._news()

    def own_of(self, day: str) -> int:
        """What this session has spent on a day, the present one."""
        self._begin(day)
        return self._own_of_day

    def others_spent(self, nano_usd: int, day: str) -> list[Reached]:
        """All other sessions together have spent so much on this day; returns as :meth:`spend`."""
        self._begin(day)
        self._others_of_day = nano_usd
        return self._news()

    def stopped(self, day: str) -> Reached | None:
        """The limit because of which nothing more may be spent; None if there is none."""
        self._begin(day)
        return next((reached for reached in self._reached() if reached.stops), None)

    def standings(self, day: str) -> tuple[Standing, Standing]:
        """Where this session stands, and this day."""
        self._begin(day)
        limits, of_day = self._limits, self._own_of_day + self._others_of_day
        return (
            Standing("session", self._session, limits.session_warn, limits.session_stop),
            Standing("day", of_day, limits.day_warn, limits.day_stop),
        )

    def _begin(self, day: str) -> None:
        """With a new day, what was spent before it counts for the session alone."""
        if day != self._day:
            self._day = day
            self._own_of_day = self._others_of_day = 0
            self._told = {reached for reached in self._told if reached.scope == "session"}

    def _reached(self) -> list[Reached]:
        limits, of_day = self._limits, self._own_of_day + self._others_of_day
        known: tuple[tuple[Scope, int, int | None, bool], ...] = (
            ("session", self._session, limits.session_stop, True),
            ("day", of_day, limits.day_stop, True),
            ("session", self._session, limits.session_warn, False),
            ("day", of_day, limits.day_warn, False),
        )
        return [
            Reached(scope, limit, stops) for scope, spent, limit, stops in known if limit is not None and spent >= limit
        ]

    def _news(self) -> list[Reached]:
        news = [reached for reached in self._reached() if reached not in self._told]
        self._told.update(news)
        return news
