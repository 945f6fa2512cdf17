"""Between a stream's compiled counters and the state machine of ``tuner.py``."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sottovoce.audio.host import Device, Kind
from sottovoce.audio.negotiate import StreamConfig
from sottovoce.audio.tuner import Change, DeviceRange, LatencyTuner, Look

#: Below this magnitude (-46 dBFS), what is captured is quiet enough for a stream to be opened anew: nobody speaks.
QUIET_PEAK = 0.005


class Counted(Protocol):
    """What is read of a stream's callback."""

    @property
    def generation(self) -> int: ...
    @property
    def peak(self) -> float: ...
    def counters(self) -> dict[str, int]: ...
    def take_deepest_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """The latency that was asked for last, in seconds, and what became of it if it tunes itself."""

    asked_s: float = 0.0
    tuned: bool = False
    grown: int = 0
    at_ceiling: bool = False


class LatencyControl:
    """Says which latency a stream is opened with, and when it should be another one.

    Parameters
    ----------
    config : StreamConfig
        What is wanted of the stream.
    tuner : LatencyTuner, optional
        Decides if ``config.latency`` is "auto".
    """

    def __init__(self, config: StreamConfig, tuner: LatencyTuner | None = None) -> None:
        self._config = config
        self._tuner = (tuner or LatencyTuner()) if config.latency == "auto" else None
        self._lock = threading.Lock()  # streams are opened by one thread and watched by another
        self._asked_s = 0.0
        self._generation = 0
        self._counted: Mapping[str, int] = {}

    def opens(self, device: Device, *, rested: bool = False) -> float:
        """A stream is about to be opened on a device; returns the latency to ask for, in seconds.

        ``rested``: the one before it was closed for want of sound, and for nothing else.
        """
        kind, latency = self._config.kind, self._config.latency
        with self._lock:
            if self._tuner is None:
                self._asked_s = device.latency_s(kind, latency if latency != "auto" else "low")
            else:
                self._asked_s = self._tuner.opens(self._range_of(device, self._tuner), rested=rested)
            return self._asked_s

    def look(self, callback: Counted, now_ns: int) -> Change | None:
        """Whether the stream of a callback should be opened anew with another latency."""
        if self._tuner is None:
            return None
        counted = callback.counters()
        deepest_s = callback.take_deepest_ns() / 1e9
        with self._lock:
            before = self._counted if callback.generation == self._generation else {}
            self._generation, self._counted = callback.generation, counted
            idle = is_idle(before, counted) if self._config.kind == "output" else callback.peak < QUIET_PEAK
            return self._tuner.look(Look(_starvations(self._config.kind, counted), deepest_s, idle), now_ns)

    def report(self) -> LatencyReport:
        """A picture as it is now."""
        with self._lock:
            if self._tuner is None:
                return LatencyReport(self._asked_s)
            return LatencyReport(self._asked_s, True, self._tuner.grown, self._tuner.at_ceiling)

    def _range_of(self, device: Device, tuner: LatencyTuner) -> DeviceRange:
        config = self._config
        block_s = config.block_s or config.blocksize / config.samplerate
        floor_s = max(device.latency_s(config.kind, "low"), 2 * block_s)
        ceiling_s = max(tuner.policy.ceiling_s, device.latency_s(config.kind, "high"), floor_s)
        return DeviceRange(f"{device.host_api}/{device.name}", floor_s, ceiling_s, block_s)


def _starvations(kind: Kind, counted: Mapping[str, int]) -> int:
    """Late blocks or the host's flags, whichever are more: the flags alone miss most gaps (docs/latency.md)."""
    flags = "pa_output_underflows" if kind == "output" else "pa_input_overflows"
    return max(counted.get("late_blocks", 0), counted.get(flags, 0))


def is_idle(before: Mapping[str, int], counted: Mapping[str, int]) -> bool:
    """Whether no block between two looks held any sound."""
    idle = counted.get("idle_blocks", 0) - before.get("idle_blocks", 0)
    return 0 < idle == counted.get("blocks", 0) - before.get("blocks", 0)
