"""Trials of "is it the same voice": how often both kinds of error are made, by threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_REPEATS = 500

#: With fewer speakers, drawing them anew says nothing, and their recordings alone are drawn.
_FEWEST_SPEAKERS = 3

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """A recording compared with a voice that is known.

    Attributes
    ----------
    score : float
        The higher, the likelier it is that voice.
    enrolled, heard : str
        Whose voice is known, and who speaks.
    recording : str
        What is compared; pieces of one recording belong together.
    """

    score: float
    enrolled: str
    heard: str
    recording: str

    @property
    def own(self) -> bool:
        """Whether it is one voice."""
        return self.enrolled == self.heard


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


@dataclass(frozen=True, slots=True)
class Advice:
    """The least certainty from which verdicts are rarely wrong.

    Attributes
    ----------
    certainty : float
        A probability, as ``speaker.certainty`` is.
    own_known, others_known : float
        Share of the trials of one voice, and of two, that are told for what they are with it; the rest is unsure, but
        for the few that are wrong.
    """

    certainty: float
    own_known: float
    others_known: float


def error_curve(
    same: Sequence[float] | npt.NDArray[np.floating], different: Sequence[float] | npt.NDArray[np.floating]
) -> ErrorCurve:
    """The curve of the scores of trials with one voice and with two.

    Raises
    ------
    ValueError
        There are none of one kind.
    """
    steps = _Steps(np.asarray(same, np.float64), np.asarray(different, np.float64))
    return steps.curve(np.ones(len(same)), np.ones(len(different)))


def curve_of(trials: Sequence[Trial]) -> ErrorCurve:
    """The curve of trials; ValueError if there are none of one kind."""
    return error_curve(
        [trial.score for trial in trials if trial.own], [trial.score for trial in trials if not trial.own]
    )


def equal_error_interval(trials: Sequence[Trial], seed: int = 1) -> tuple[float, float]:
    """95 % interval of the equal error rate, by drawing speakers anew, and each one's recordings.

    Trials of one speaker, or with one, are not independent; with fewer than three speakers only recordings are drawn,
    and what other people would give lies outside as often as not.
    """
    own = np.array([trial.own for trial in trials])
    scores = np.array([trial.score for trial in trials], np.float64)
    steps = _Steps(scores[own], scores[~own])
    return _interval(steps.curve(weights[own], weights[~own]).equal_error_rate for weights in _drawn(trials, own, seed))


def share_interval(
    trials: Sequence[Trial], counts: Callable[[Trial], bool], among: Callable[[Trial], bool], seed: int = 1
) -> tuple[float, float]:
    """95 % interval of the share of some trials among others, drawn as for :func:`equal_error_interval`."""
    chosen = np.array([among(trial) for trial in trials])
    counted = np.array([counts(trial) for trial in trials]) & chosen
    own = np.array([trial.own for trial in trials])
    return _interval(
        float(weights[counted].sum() / weights[chosen].sum())
        for weights in _drawn(trials, own, seed)
        if weights[chosen].any()
    )


def advise(trials: Sequence[Trial], most_wrong: float = 0.01) -> Advice | None:
    """The least certainty at which at most ``most_wrong`` of each kind of trial is taken for the other kind.

    Scores have to be log-odds. None where the trials are too few to tell, or no certainty suffices.
    """
    own = np.array([trial.score for trial in trials if trial.own])
    others = np.array([trial.score for trial in trials if not trial.own])
    if min(len(own), len(others)) < 1.0 / most_wrong:
        return None
    for percent in range(50, 100):
        certainty = percent / 100.0
        limit = math.log(certainty / (1.0 - certainty))
        if (own <= -limit).mean() <= most_wrong and (others >= limit).mean() <= most_wrong:
            return Advice(certainty, float((own >= limit).mean()), float((others <= -limit).mean()))
    return None


class _Steps:
    """Scores of both kinds in order, from which the curve follows for any weights."""

    def __init__(self, same: npt.NDArray[np.float64], different: npt.NDArray[np.float64]) -> None:
        if not len(same) or not len(different):
            raise ValueError(f"{len(same)} trials of one voice and {len(different)} of two; one of each is needed")
        self._same, self._different = np.argsort(same), np.argsort(different)
        self._thresholds = np.append(np.unique(np.concatenate([same, different])), np.inf)
        self._same_at = np.searchsorted(same[self._same], self._thresholds)
        self._different_at = np.searchsorted(different[self._different], self._thresholds)

    def curve(self, same: Weights, different: Weights) -> ErrorCurve:
        """The curve, each trial counting as often as its weight says."""
        return ErrorCurve(
            self._thresholds,
            1.0 - _share_below(different[self._different])[self._different_at],
            _share_below(same[self._same])[self._same_at],
        )


def _share_below(weights: Weights) -> Weights:
    return np.concatenate([np.zeros(1), np.cumsum(weights)]) / float(weights.sum())


def _drawn(trials: Sequence[Trial], own: npt.NDArray[np.bool_], seed: int) -> Iterator[Weights]:
    """How often each trial counts in each draw; draws without trials of one kind are left out."""
    rng = np.random.default_rng(seed)
    speakers = {name: at for at, name in enumerate(sorted({n for each in trials for n in (each.enrolled, each.heard)}))}
    recordings = {key: at for at, key in enumerate(sorted({(each.heard, each.recording) for each in trials}))}
    enrolled = np.array([speakers[trial.enrolled] for trial in trials])
    heard = np.array([speakers[trial.heard] for trial in trials])
    recording = np.array([recordings[trial.heard, trial.recording] for trial in trials])
    of_speaker = [[at for (name, _), at in recordings.items() if name == speaker] for speaker in speakers]
    for _ in range(_REPEATS):
        times = np.ones(len(speakers))
        if len(speakers) >= _FEWEST_SPEAKERS:
            times = rng.multinomial(len(speakers), np.full(len(speakers), 1.0 / len(speakers))).astype(np.float64)
        drawn = np.zeros(len(recordings))
        for members in filter(None, of_speaker):
            drawn[members] = rng.multinomial(len(members), np.full(len(members), 1.0 / len(members)))
        weights = np.where(own, times[heard], times[enrolled] * times[heard]) * drawn[recording]
        if weights[own].any() and weights[~own].any():
            yield weights


def _interval(values: Iterator[float]) -> tuple[float, float]:
    found = list(values)
    if not found:
        return 0.0, 1.0
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
