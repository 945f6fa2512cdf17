"""From turns that have ended to traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sottovoce.assistant import notices
from sottovoce.assistant.notices import Notice

if TYPE_CHECKING:  # it needs an extra
    from sottovoce.metrics.traces import Attributes, TurnTraces


class TurnWatch:
    """An observer that hands every turn to the traces, with figures and never a word of what was said."""

    def __init__(self, traces: TurnTraces) -> None:
        self._traces = traces
        self._theses: dict[int, int] = {}
        self._speculated: set[int] = set()

    def __call__(self, notice: Notice) -> None:
        match notice:
            case notices.UtteranceHeard(_, generation) if generation:
                self._theses[generation] = 0
            case notices.SpeculationEnded(generation, taken=True):
                self._speculated.add(generation)
            case notices.ThesisAdded(thesis):
                self._theses[thesis.generation] = self._theses.get(thesis.generation, 0) + 1
            case notices.TurnEnded(generation, outcome, _, times):
                attributes: Attributes = {
                    "sottovoce.turn.outcome": outcome,
                    "sottovoce.turn.theses": self._theses.pop(generation, 0),
                    "sottovoce.turn.speculated": generation in self._speculated,
                }
                self._speculated.discard(generation)
                self._traces.add(times, attributes, failed=outcome == "failed")
            case _:
                pass
