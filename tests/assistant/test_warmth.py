"""Connections are warm when a question needs them."""

from __future__ import annotations

from sottovoce.assistant.warmth import LASTS_S, Warmer
from sottovoce.core.errors import BackendError


class Backend:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.warmed = 0

    def warm(self) -> None:
        self.warmed += 1
        if self.fails:
            raise BackendError("not reached", backend="test")


class HandClock:
    ns = 0

    def now_ns(self) -> int:
        return self.ns


def test_backends_are_warmed_when_they_have_rested_and_not_before() -> None:
    clock, failing, well = HandClock(), Backend(fails=True), Backend()
    warmer = Warmer([failing, well, well], clock)
    counts = []
    for at_s in (1.0, LASTS_S, LASTS_S + 1.0, 2 * LASTS_S - 1.0, 3 * LASTS_S):
        clock.ns = round(at_s * 1e9)
        warmer.wish()
        assert warmer.serve(0.0)
        counts.append((failing.warmed, well.warmed))
    assert counts == [(0, 0), (1, 1), (1, 1), (1, 1), (2, 2)]
    warmer.close()
    assert not warmer.serve()
