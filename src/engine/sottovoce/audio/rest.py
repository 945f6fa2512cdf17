"""When an output rests: nothing has sounded for a while, and nothing waits to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sottovoce.audio.host import Device
from sottovoce.audio.tuning import is_idle

_NS = 1_000_000_000


class RestWatch:
    """Watches one stream; time is given.

    Parameters
    ----------
    after_s : float
        Seconds without sound after which it may rest.
    """

    def __init__(self, after_s: float) -> None:
        self._after_ns = int(after_s * _NS)
        self._counted: Mapping[str, int] = {}
        self._idle_since_ns: int | None = None

    def due(self, counted: Mapping[str, int], now_ns: int) -> bool:
        """Whether the stream may rest now, from what its callback has counted; to be asked often."""
        before, self._counted = self._counted, counted
        if counted.get("blocks", 0) == before.get("blocks", 0):
            return False  # blocks may be longer than the time between two looks
        if not is_idle(before, counted):
            self._idle_since_ns = None
            return False
        if self._idle_since_ns is None:
            self._idle_since_ns = now_ns
        return now_ns - self._idle_since_ns >= self._after_ns


class Rests(Protocol):
    """Whoever owns a stream that may rest."""

    def watch(self, device: Device) -> RestWatch | None:
        """Watches a new stream on a device; None if it is not to rest there."""
        ...

    def wanted(self) -> bool:
        """Whether there is something to play."""
        ...
