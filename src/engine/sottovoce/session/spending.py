"""What calls of services cost: a row a call, which outlasts its session, since the money is spent none the less."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from sottovoce.core.usage import Usage

#: The table; a session that is deleted leaves its rows, with nothing in them that tells of it.
TABLE = """
    CREATE TABLE spending (
        id INTEGER PRIMARY KEY,
        session_id INTEGER REFERENCES sessions (id) ON DELETE SET NULL,
        day TEXT NOT NULL,
        part TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        generation INTEGER,
        segment INTEGER,
        revision INTEGER,
        turn INTEGER,
        wasted INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        audio_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        audio_s REAL NOT NULL,
        characters INTEGER NOT NULL,
        estimated INTEGER NOT NULL,
        nano_usd INTEGER
    );
    CREATE INDEX spending_of_session ON spending (session_id);
    CREATE INDEX spending_of_day ON spending (day);
"""


@dataclass(frozen=True, slots=True)
class Spending(Usage):
    """A call of a service: what it has used up, what it was made for, and what it cost.

    Attributes
    ----------
    estimated : bool
        Whether the service did not say it all, so that the money is an estimate.
    day : str
        On which it ended, where the wearer is: "2026-11-21".
    generation, segment, revision : int or None
        What it was made for: a generation of the turn machine, or a segment as it was given at a pause.
    turn : int or None
        The turn of the session that it belongs to; None if none is known.
    wasted : bool
        Whether it was made for a question that proved to go on, and was thrown away.
    nano_usd : int or None
        What it cost, in billionths of a US dollar; None if the price is unknown.
    """

    day: str = field(kw_only=True)
    generation: int | None = None
    segment: int | None = None
    revision: int | None = None
    turn: int | None = None
    wasted: bool = False
    nano_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What some calls cost together.

    Attributes
    ----------
    calls : int
        How many there were.
    nano_usd : int
        What those cost whose price is known, wasted ones among them, in billionths of a US dollar.
    unpriced : int
        Calls whose price is unknown, which are not in it.
    estimated : int
        Calls of which it is an estimate.
    wasted_calls, wasted_nano_usd : int
        Calls for questions that proved to go on, and what they cost.
    """

    calls: int = 0
    nano_usd: int = 0
    unpriced: int = 0
    estimated: int = 0
    wasted_calls: int = 0
    wasted_nano_usd: int = 0

    @classmethod
    def of_call(cls, nano_usd: int | None, *, estimated: bool = False, wasted: bool = False) -> Cost:
        """What one call costs."""
        nano = nano_usd or 0
        return cls(1, nano, int(nano_usd is None), int(estimated), int(wasted), nano * wasted)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.nano_usd + other.nano_usd,
            self.unpriced + other.unpriced,
            self.estimated + other.estimated,
            self.wasted_calls + other.wasted_calls,
            self.wasted_nano_usd + other.wasted_nano_usd,
        )


@dataclass(frozen=True, slots=True)
class DaysCost:
    """What was used up of one model on one day, and what it cost."""

    cost: Cost
    day: str
    part: str
    provider: str
    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    audio_s: float
    characters: int


def cost_of(calls: Iterable[Spending]) -> Cost:
    """What some calls cost together."""
    costs = (Cost.of_call(call.nano_usd, estimated=call.estimated, wasted=call.wasted) for call in calls)
    return sum(costs, Cost())


#: Sums in the order of the fields of :class:`Cost`.
_SUMS = """
    count(*), coalesce(sum(nano_usd), 0), count(*) - count(nano_usd), coalesce(sum(estimated), 0),
    coalesce(sum(wasted), 0), coalesce(sum(nano_usd * wasted), 0)
"""
_NAMES = tuple(each.name for each in fields(Spending))
_COLUMNS = ", ".join(_NAMES)

# A session may have been deleted while a call of it was on its way.
INSERT = (
    f"INSERT INTO spending (session_id, {_COLUMNS}) "
    f"VALUES ((SELECT id FROM sessions WHERE id = ?), {', '.join('?' for _ in _NAMES)})"
)
OF_SESSION = f"SELECT {_COLUMNS} FROM spending WHERE session_id = ? ORDER BY id"
SUM_OF_SESSION = f"SELECT {_SUMS} FROM spending WHERE session_id = ?"
SPENT_BESIDES = "SELECT coalesce(sum(nano_usd), 0) FROM spending WHERE day = ? AND session_id IS NOT ?"
BY_DAY = f"""
SELECT day, part, provider, model, sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(audio_s),
       sum(characters), {_SUMS}
  FROM spending WHERE day >= ? GROUP BY day, provider, model, part ORDER BY day DESC, provider, model, part
"""
TURN_ACCEPTED = "UPDATE spending SET turn = ? WHERE session_id = ? AND NOT wasted AND (generation = ? OR segment = ?)"
TURN_DISCARDED = "UPDATE spending SET wasted = 1 WHERE session_id = ? AND generation = ?"
SEGMENT_WENT_ON = "UPDATE spending SET wasted = 1 WHERE session_id = ? AND segment = ? AND revision < ?"
FORGET = "UPDATE spending SET generation = NULL, segment = NULL, revision = NULL, turn = NULL WHERE session_id = ?"


def values_of(call: Spending) -> tuple[object, ...]:
    """The values of a row, in the order of :data:`INSERT` behind its session."""
    return tuple(getattr(call, name) for name in _NAMES)


def from_row(row: tuple[Any, ...]) -> Spending:
    """The call of a row of :data:`OF_SESSION`."""
    values = dict(zip(_NAMES, row, strict=True))
    return Spending(**{**values, "wasted": bool(values["wasted"]), "estimated": bool(values["estimated"])})


def from_sums(row: tuple[Any, ...]) -> DaysCost:
    """The sums of a row of :data:`BY_DAY`."""
    return DaysCost(Cost(*row[9:]), *row[:9])
