"""Where audio of another samplerate is resampled: in the callback, or by whoever writes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from sottovoce.audio.report import DurationStats, StreamReport
from sottovoce.audio.resampler import Quality, Resampler
from sottovoce.core.types import Block

ResampleMode: TypeAlias = Literal["producer", "callback", "off"]

#: Where a source is resampled now; "none" if it has the mixer's samplerate.
Placement: TypeAlias = Literal["callback", "producer", "none"]

#: Of the period of a block, what resampling may take at p95 before it leaves the callback.
RESAMPLE_BUDGET = 0.2

#: How often the budget is looked at, and how many blocks make a p95.
CHECK_INTERVAL_S, LEAST_BLOCKS = 0.25, 60

#: A multiple of the frames after which every quality begins the same panels anew.
_LONGEST_PERIOD = 16


@dataclass(frozen=True, slots=True)
class OverBudget:
    """Resampling takes too long, at p95 of the newest blocks."""

    p95_ns: int
    budget_ns: int


class ResampleBudget:
    """Watches what resampling takes of the callback's time; says once that it is too much, and for good.

    Parameters
    ----------
    share : float
        Of the period of a block, above 0.
    """

    def __init__(self, share: float = RESAMPLE_BUDGET) -> None:
        self._share = share
        self._checked_s = -math.inf
        self._before = DurationStats()
        self.exceeded: OverBudget | None = None

    def is_due(self, now_s: float) -> bool:
        """Whether it is worth while to ask for a report."""
        return self.exceeded is None and now_s - self._checked_s >= CHECK_INTERVAL_S

    def note(self, report: StreamReport, now_s: float) -> OverBudget | None:
        """Judge the blocks since the last time, if they are enough; not None when they first take too long."""
        self._checked_s = now_s
        if self.exceeded is not None or not report.samplerate:
            return None
        newest = report.resampling.since(self._before)
        if newest.count < LEAST_BLOCKS:
            return None
        self._before = report.resampling
        budget_ns = round(self._share * report.blocksize / report.samplerate * 1e9)
        if newest.p95_ns <= budget_ns:
            return None
        self.exceeded = OverBudget(newest.p95_ns, budget_ns)
        return self.exceeded


class History:
    """The newest frames of a stream: what a resampler must have seen to go on in the middle of it."""

    def __init__(self, in_samplerate: int, out_samplerate: int, channels: int, quality: Quality) -> None:
        self._rates, self._channels, self._quality = (in_samplerate, out_samplerate), channels, quality
        latency_frames = Resampler(in_samplerate, out_samplerate, channels, quality).latency_frames
        # an output sees twice the latency of input
        self._most = 2 * math.ceil((latency_frames + 2) * max(1.0, in_samplerate / out_samplerate)) + 2
        self._newest = np.empty((0, channels), np.float32)

    def note(self, block: Block) -> None:
        """What was written."""
        self._newest = np.concatenate([self._newest[-self._most :], block[-self._most :]])[-self._most :]

    def resampler_after(self, frames: int) -> Resampler:
        """A resampler as it is after a stream of so many frames, the newest of which were noted."""
        resampler = Resampler(*self._rates, self._channels, self._quality)
        known = min(frames, self._newest.shape[0])
        # what is before is out of sight; only where in its period the stream is counts
        period = _LONGEST_PERIOD * self._rates[0] // math.gcd(*self._rates)
        resampler.process(np.zeros(((frames - known) % period, self._channels), np.float32))
        resampler.process(self._newest[self._newest.shape[0] - known :])
        return resampler
