"""What the callback has counted, told in the log as often as it is worth it: it may not log itself (SPEC A14)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sottovoce.audio.lifecycle import Report

_NS = 1_000_000_000

#: Least time between two looks, and between two messages of one kind.
_LOOK_INTERVAL_NS = _NS
_TELL_INTERVAL_NS = 10 * _NS

#: Counters that stand for something heard or lost, and what is said of them.
_HEARD = {
    "starvations": "sound ran dry in mid-utterance",
    "overruns": "captured sound was lost: nobody read it in time",
    "errors": "the host gave no memory for a block",
    "resample_errors": "resampling failed in the callback",
}

#: The first mismatch is told, and then every so many.
_SHAPE_MISMATCHES = 100


class CounterLog:
    """Decides what of a stream's counters is logged; time is given."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._told_ns: dict[str, int] = {}
        self._looked_ns: int | None = None

    def due(self, now_ns: int) -> bool:
        """Whether it is time to look again."""
        return self._looked_ns is None or now_ns - self._looked_ns >= _LOOK_INTERVAL_NS

    def look(self, counters: Mapping[str, int], now_ns: int) -> tuple[Report, ...]:
        """What is to be logged of the totals at a time of a monotonic clock."""
        self._looked_ns = now_ns
        found = [self._grown(name, message, counters.get(name, 0), now_ns) for name, message in _HEARD.items()]
        found.append(self._mismatched(counters.get("shape_mismatches", 0)))
        return tuple(report for report in found if report is not None)

    def _grown(self, name: str, message: str, count: int, now_ns: int) -> Report | None:
        new = count - self._told.get(name, 0)
        last_ns = self._told_ns.get(name)
        if new <= 0 or (last_ns is not None and now_ns - last_ns < _TELL_INTERVAL_NS):
            return None
        self._told[name], self._told_ns[name] = count, now_ns
        return Report(logging.WARNING, message, {"new": new, "total": count})

    def _mismatched(self, count: int) -> Report | None:
        told = self._told.get("shape_mismatches", 0)
        if count == 0 or (told and count // _SHAPE_MISMATCHES == told // _SHAPE_MISMATCHES):
            return None
        self._told["shape_mismatches"] = count
        return Report(logging.WARNING, "blocks were longer than the engine takes, and silent", {"total": count})
