"""What was seen of the engine at one moment, and what a short while of it tells."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from sottovoce.audio.player import PlayerSnapshot
from sottovoce.audio.recorder import RecorderSnapshot
from sottovoce.audio.report import StreamReport
from sottovoce.core.units import FLOOR_DB

#: How far back a verdict looks, in seconds.
WINDOW_S = 10.0

#: From this peak on, sound is cut off; a full-scale int16 sample is 0.0003 dB below 0.
CLIP_DBFS = -0.001

#: How long the highest peak stays marked, in seconds.
HOLD_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """The engine at one moment; a direction that is not open is None.

    Attributes
    ----------
    at_ns : int
        On a monotonic clock.
    output, input : PlayerSnapshot, RecorderSnapshot or None
        What both sides tell.
    highest_dbfs : mapping of str to float
        The highest peak of "output" and "input" lately; a peak that passes between two looks far apart is in it.
    """

    at_ns: int
    output: PlayerSnapshot | None = None
    input: RecorderSnapshot | None = None
    highest_dbfs: Mapping[str, float] = field(default_factory=dict)

    @property
    def reports(self) -> dict[str, StreamReport]:
        """The streams that there are, "output" and "input"."""
        sides = {"output": self.output, "input": self.input}
        return {kind: side.stream for kind, side in sides.items() if side is not None}


def period_s(report: StreamReport) -> float:
    """Length of a block in seconds; where the device chooses its size, the mean of those that came; 0 if none did."""
    frames: float = report.blocksize
    if not frames:
        frames = report.counters.get("frames", 0) / max(1, report.counters.get("blocks", 0))
    return frames / report.samplerate if report.samplerate else 0.0


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much one stream's counters have grown between two looks."""

    before: StreamReport | None
    now: StreamReport

    def of(self, *names: str) -> int:
        """Growth of all these counters together."""
        earlier = self.before.counters if self.before else {}
        return sum(self.now.counters.get(name, 0) - earlier.get(name, 0) for name in names)

    @property
    def recreates(self) -> int:
        return self.now.recreates - (self.before.recreates if self.before else 0)


class History:
    """The looks of the last :data:`WINDOW_S` seconds."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()

    def add(self, look: Look) -> tuple[Look, Look]:
        """Take a look; returns the one to compare it with, and itself with the highest peaks since that one."""
        self._looks.append(look)
        while len(self._looks) > 2 and look.at_ns - self._looks[1].at_ns >= WINDOW_S * 1e9:
            self._looks.popleft()
        highest = {
            kind: max(seen.reports[kind].peak_dbfs for seen in self._looks if kind in seen.reports)
            for kind in look.reports
        }
        return self._looks[0], dataclasses.replace(look, highest_dbfs=highest)


@dataclass(frozen=True, slots=True)
class Held:
    """The highest peak of the last :data:`HOLD_S` seconds, and whether the level has ever reached full scale."""

    peak_dbfs: float = FLOOR_DB
    at_ns: int = 0
    clipped: bool = False

    def update(self, peak_dbfs: float, at_ns: int) -> Held:
        """With the level at a later moment."""
        clipped = self.clipped or peak_dbfs >= CLIP_DBFS
        if peak_dbfs >= self.peak_dbfs or at_ns - self.at_ns > HOLD_S * 1e9:
            return Held(peak_dbfs, at_ns, clipped)
        return dataclasses.replace(self, clipped=clipped)
