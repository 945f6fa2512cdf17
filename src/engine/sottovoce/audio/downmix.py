"""From several channels to one, without those that hear nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Block, Mono
from sottovoce.core.units import db_to_gain

#: A channel that is so far below the loudest one has no part in the mean: a cable that is not plugged in still hums.
DEAD_DB = -30.0

#: Nothing is concluded from what is quieter than this (dBFS).
LEAST_DBFS = -70.0

#: How long (s) sound must be heard before a channel is called dead.
HEARD_S = 0.5

#: How fast what a channel has had is forgotten (s): one of two people may be silent for as long.
FORGOTTEN_S = 20.0

# Opposed channels: what is left of a voice in their mean
_CANCELLED_DB = -25.0


class Downmix:
    """The mean of the channels in which anything is heard.

    A dead channel would halve the voice of the other one. It takes part again in the very block in which it is heard.
    Where two channels cancel each other, as those of a microphone that is wired with opposed poles, the first is taken.

    Parameters
    ----------
    channels : int
        Channels of each block.
    samplerate : int
        Their rate in Hz.
    """

    def __init__(self, channels: int, samplerate: int) -> None:
        self._channels, self._samplerate = channels, samplerate
        self._power: npt.NDArray[np.float64] = np.zeros(channels)
        self._mean_power = 0.0
        self._heard_s = 0.0
        self._weights = self._wanted = np.full(channels, 1.0 / channels, np.float32)

    @property
    def dead(self) -> tuple[int, ...]:
        """Channels that are left out, from 0."""
        return tuple(np.flatnonzero(self._wanted == 0.0).tolist())

    @property
    def problem(self) -> str:
        """What is wrong with the channels, in words; empty if nothing is."""
        if not self.dead:
            return ""
        if self._cancelled:
            return "the channels of the microphone cancel each other, so that only the first is heard"
        names = ", ".join(str(number + 1) for number in self.dead)
        return f"channel {names} of {self._channels} is silent, so that the others alone are heard"

    def mix(self, block: Block) -> Mono:
        """One channel of a block, shape (frames, channels)."""
        if self._channels == 1 or not len(block):
            return np.ascontiguousarray(block[:, 0])
        self._listen(block)
        before, self._weights = self._weights, self._wanted
        mono: Mono = block @ self._weights
        if not np.array_equal(before, self._weights):  # within a block, so that nothing clicks
            part = np.linspace(0.0, 1.0, len(block), dtype=np.float32)
            mono = part * mono + (1.0 - part) * (block @ before)
        return mono

    @property
    def _cancelled(self) -> bool:
        return bool(self._mean_power < db_to_gain(_CANCELLED_DB) ** 2 * self._power.mean())

    def _listen(self, block: Block) -> None:
        power = np.mean(np.square(block, dtype=np.float64), axis=0)
        if power.max() < db_to_gain(LEAST_DBFS) ** 2:
            return
        length_s = len(block) / self._samplerate
        kept = np.exp(-length_s / FORGOTTEN_S)
        self._power = np.maximum(kept * self._power, power)
        self._mean_power = max(kept * self._mean_power, float(np.mean(np.square(block.mean(axis=1)))))
        self._heard_s += length_s
        live = self._power >= db_to_gain(DEAD_DB) ** 2 * self._power.max()
        if self._heard_s < HEARD_S:
            live[:] = True
        elif live.all() and self._cancelled:
            live[1:] = False
        self._wanted = (live / live.sum()).astype(np.float32)
