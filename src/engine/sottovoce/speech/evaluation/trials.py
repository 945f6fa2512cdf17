"""Trials of "is it the same voice": how often both kinds of error are made, by threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_REPEATS = 500


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """Shares of both errors at each threshold, from the lowest up.

    Attributes
    ----------
    thresholds : ndarray
        Scores from which two voices are taken for one.
    false_accepts : ndarray
        Share of the trials of different voices that reach it.
    false_rejects : ndarray
        Share of the trials of one voice that do not.
    """

    thresholds: npt.NDArray[np.float64]
    false_accepts: npt.NDArray[np.float64]
    false_rejects: npt.NDArray[np.float64]

    @property
    def equal_error_rate(self) -> float:
        """Where both shares meet, between two thresholds if need be."""
        gap = self.false_rejects - self.false_accepts
        at = int(np.searchsorted(gap, 0.0))  # first point at or past the crossing; it rises from -1 to 1
        part = -gap[at - 1] / (gap[at] - gap[at - 1])
        return float(self.false_rejects[at - 1] + part * (self.false_rejects[at] - self.false_rejects[at - 1]))


def error_curve(same: Sequence[float], different: Sequence[float]) -> ErrorCurve:
    """The curve of trials with one voice and with two.

    Raises
    ------
    ValueError
        There are none of one kind.
    """
    if not len(same) or not len(different):
        raise ValueError(f"{len(same)} trials of one voice and {len(different)} of two; one of each is needed")
    ours, theirs = np.sort(np.asarray(same, np.float64)), np.sort(np.asarray(different, np.float64))
    thresholds = np.append(np.unique(np.concatenate([ours, theirs])), np.inf)
    return ErrorCurve(
        thresholds,
        1.0 - np.searchsorted(theirs, thresholds) / len(theirs),
        np.searchsorted(ours, thresholds) / len(ours),
    )


def equal_error_interval(same: Sequence[float], different: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """95 % interval of the equal error rate, by drawing trials of both kinds anew."""
    rng, ours, theirs = np.random.default_rng(seed), np.asarray(same), np.asarray(different)
    rates = [
        error_curve(rng.choice(ours, len(ours)), rng.choice(theirs, len(theirs))).equal_error_rate  # type: ignore[arg-type]
        for _ in range(_REPEATS)
    ]
    low, high = np.quantile(rates, (0.025, 0.975))
    return float(low), float(high)
