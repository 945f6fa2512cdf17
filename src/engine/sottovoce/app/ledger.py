"""From calls of services to what the store keeps of them: each with its turn, and whether it was made in vain."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import asdict

from sottovoce.app.prices import Cost
from sottovoce.app.purse import Work
from sottovoce.session.spending import Spending
from sottovoce.session.store import SessionStore
from sottovoce.speech.usage import Usage

#: Turns and segments that are remembered for calls that end late.
_REMEMBERED = 64


class Ledger:
    """Notes calls in the store. Safe to use from several threads; never waits.

    A call may end before it is known whether what it was made for is ever asked, or after: it gets its turn either way.

    Parameters
    ----------
    store : SessionStore
        Where to.
    session_id : int or None
        The session; None is outside of any.
    """

    def __init__(self, store: SessionStore, session_id: int | None) -> None:
        self._store = store
        self._session_id = session_id
        self._lock = threading.Lock()
        self._turns: OrderedDict[int, int] = OrderedDict()  # by generation
        self._segments: OrderedDict[int, int] = OrderedDict()  # turns by segment
        self._discarded: OrderedDict[int, int] = OrderedDict()  # generations
        self._revisions: OrderedDict[int, int] = OrderedDict()  # the last of each segment

    def note(self, work: Work, usage: Usage, cost: Cost, day: str) -> None:
        """A call has ended on ``day``."""
        with self._lock:
            turn, wasted = self._of(work)
            call = Spending(
                **{**asdict(usage), "estimated": cost.estimated},
                day=day,
                generation=work.generation,
                segment=work.segment,
                revision=work.revision,
                turn=turn,
                wasted=wasted,
                nano_usd=cost.nano_usd,
            )
            self._store.spend(self._session_id, call)

    def spent_besides(self, day: str) -> int:
        """What was spent on a day outside of this session, in billionths of a dollar."""
        return self._store.spent_besides(day, self._session_id)

    def accepted(self, generation: int, turn: int, segment: int) -> None:
        """What was said in this segment is the question of this turn."""
        if self._session_id is not None:
            with self._lock:
                _remember(self._turns, generation, turn)
                _remember(self._segments, segment, turn)
                self._store.accept_turn(self._session_id, turn, generation, segment)

    def discarded(self, generation: int) -> None:
        """Its question proved to go on."""
        if self._session_id is not None:
            with self._lock:
                _remember(self._discarded, generation, 0)
                self._store.waste_turn(self._session_id, generation)

    def _of(self, work: Work) -> tuple[int | None, bool]:
        if work.segment is None or work.revision is None:
            generation = work.generation or 0
            return self._turns.get(generation), generation in self._discarded
        last = self._revisions.get(work.segment, 0)
        if work.revision > last:
            _remember(self._revisions, work.segment, work.revision)
            if self._session_id is not None:
                self._store.waste_revisions(self._session_id, work.segment, work.revision)
        wasted = work.revision < last
        return None if wasted else self._segments.get(work.segment), wasted


def _remember(known: OrderedDict[int, int], key: int, value: int) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
