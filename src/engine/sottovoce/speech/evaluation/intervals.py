"""How far a figure may be from what it would be with endlessly many recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: Two-sided normal quantile of 95 %.
_Z = 1.959964

_REPEATS = 2000


def wilson(count: int, trials: int) -> tuple[float, float]:
    """95 % interval of a proportion, as a pair of shares; (0, 1) without trials.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927): good for few trials, and
    for proportions near 0 and 1.
    """
    if trials == 0:
        return 0.0, 1.0
    share, spread = count / trials, _Z * _Z / trials
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = _Z / (1.0 + spread) * math.sqrt(share * (1.0 - share) / trials + spread / (4.0 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(parts: Sequence[tuple[float, float]], seed: int = 1) -> tuple[float, float]:
    """95 % interval of ``sum of counts / sum of trials`` over recordings, as a pair of shares.

    Words of one utterance and frames of one recording are not independent, so that whole recordings are drawn:
    Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation" (2004). With a single
    recording there is nothing to draw from, and the interval is as long as Wilson's for its trials.

    Parameters
    ----------
    parts : sequence of (float, float)
        Count and trials of each recording.
    seed : int
        Of the drawing, so that a report is the same twice.
    """
    kept = np.array([part for part in parts if part[1] > 0], np.float64).reshape(-1, 2)
    if len(kept) < 2:
        return wilson(round(kept[:, 0].sum()), round(kept[:, 1].sum())) if _is_share(kept) else (0.0, 1.0)
    drawn = np.random.default_rng(seed).integers(0, len(kept), (_REPEATS, len(kept)))
    sums = kept[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
    return float(low), float(high)


def _is_share(parts: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    return bool((parts[:, 0] <= parts[:, 1]).all())
