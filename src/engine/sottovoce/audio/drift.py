"""Two devices never run at quite the same rate: how a ring between them is kept from filling up or running dry."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sottovoce.core.errors import ConfigError
from sottovoce.native.variable import VariableResampler

__all__ = ["DriftController", "DriftSettings", "VariableResampler"]


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """How a drift is followed.

    Attributes
    ----------
    target_frames : int
        Level of the ring, in frames of ``samplerate``, that is held.
    samplerate : int
        Of what is in the ring, in Hz.
    bandwidth_rad_s : float
        How quickly a difference of the clocks is followed. At 0.02 a difference of 300 ppm moves the level by about
        6 ms at most and is settled after some five minutes.
    smoothing_s : float
        The level is noisy, because callbacks are not punctual; it is averaged over about so long.
    max_ppm : float
        The most by which the ratio is changed. A change of 578 ppm is one cent of pitch.
    """

    target_frames: int
    samplerate: int
    bandwidth_rad_s: float = 0.02
    smoothing_s: float = 4.0
    max_ppm: float = 500.0

    def __post_init__(self) -> None:
        if self.target_frames < 1 or self.samplerate < 1:
            raise ConfigError(
                f"target_frames is {self.target_frames}, samplerate is {self.samplerate}; both must be at least 1",
                key="target_frames",
            )
        for key in ("bandwidth_rad_s", "smoothing_s", "max_ppm"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{key} is {value!r}; a positive number is needed", key=key)


class DriftController:
    """Finds the ratio that keeps a ring at its level: a smoothed proportional-integral controller.

    The level's deviation ``e`` (in seconds) follows ``de/dt = drift - correction``; with ``correction = 2 w e + w^2
    integral(e)`` it is critically damped and settles without a constant error, whatever the drift. The integral stands
    still while the correction is at its limit. Pure: no clock and no thread of its own.

    Parameters
    ----------
    settings : DriftSettings
        What is held, and how.

    Examples
    --------
    >>> controller = DriftController(DriftSettings(target_frames=2400, samplerate=48000))
    >>> controller.update(level_frames=2400, elapsed_s=0.01)
    1.0
    """

    def __init__(self, settings: DriftSettings) -> None:
        self.settings = settings
        self._smooth_s = 0.0
        self._integral = 0.0
        self._correction = 0.0
        self._started = False

    @property
    def drift_ppm(self) -> float:
        """By how much the writer's clock is found to run faster than the reader's, in parts per million."""
        return self._integral * 1e6

    def update(self, level_frames: float, elapsed_s: float) -> float:
        """Take the ring's level and say by what the nominal ratio of the writer's resampler is to be multiplied.

        Parameters
        ----------
        level_frames : float
            Frames in the ring now, and what the writer's device has ready by now and not yet delivered: the time since
            its last block times its samplerate. Without that, the writer's whole blocks drift through the reader's and
            the level swings slowly by a block, which no smoothing removes.
        elapsed_s : float
            Time since the last update, in seconds.

        Returns
        -------
        float
            Below 1 if the ring is too full, within ``max_ppm`` of 1.

        Raises
        ------
        ConfigError
            (a ValueError) if a number is negative or not finite.
        """
        if not (math.isfinite(level_frames) and level_frames >= 0 and math.isfinite(elapsed_s) and elapsed_s >= 0):
            raise ConfigError(
                f"level_frames is {level_frames!r}, elapsed_s is {elapsed_s!r}; both must be 0 or more",
                key="level_frames",
            )
        settings = self.settings
        error_s = (level_frames - settings.target_frames) / settings.samplerate
        weight = 1.0 if not self._started else -math.expm1(-elapsed_s / settings.smoothing_s)
        self._started = True
        self._smooth_s += weight * (error_s - self._smooth_s)
        gain, limit = settings.bandwidth_rad_s, settings.max_ppm * 1e-6
        step = gain * gain * self._smooth_s * elapsed_s
        wanted = 2.0 * gain * self._smooth_s + self._integral + step
        if abs(wanted) < limit or wanted * step < 0:
            self._integral += step
        self._correction = min(max(wanted, -limit), limit)
        return 1.0 - self._correction

    def reset(self) -> None:
        """Forget the past, as after a change of device; the drift found so far is forgotten, too."""
        self._smooth_s = self._integral = self._correction = 0.0
        self._started = False
