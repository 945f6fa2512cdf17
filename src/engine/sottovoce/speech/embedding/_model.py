"""The embedded speaker model: mixtures of Gaussians that know speech, and matrices that know voices.

How the frames of a segment differ from each Gaussian (a supervector: Campbell, Sturim and Reynolds, "Support vector
machines using GMM supervectors for speaker verification", 2006), with mean and spread of the pitch behind it, goes to
where voices lie apart and rooms and microphones do not (principal components, then linear discriminants, in one
matrix). Made by ``tools/train_speaker.py``.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sottovoce.speech.embedding._frontend import Analysis, Floats, product
from sottovoce.speech.embedding.base import Scoring, Vector, unit

#: How many steps of speech outweigh the mixture's own mean (relevance: Reynolds et al. 2000), and the usual pitch.
RELEVANCE = 2.0
PITCH_RELEVANCE = 20.0


@dataclass(frozen=True, slots=True)
class Sums:
    """What a stretch of speech adds up to in one view.

    Attributes
    ----------
    occupancy : array, shape (components,)
        Steps of speech by component.
    sums : array, shape (components, dimension)
        Of the cepstra.
    """

    occupancy: Floats
    sums: Floats

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.occupancy + other.occupancy, self.sums + other.sums)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a stretch of speech adds up to; two stretches add up to that of both.

    Attributes
    ----------
    views : tuple of Sums
        One of each view.
    pitch : array, shape (3,)
        Number of voiced steps, sum and sum of squares of their log pitch.
    """

    views: tuple[Sums, ...]
    pitch: npt.NDArray[np.float64]

    def __add__(self, other: Statistics) -> Statistics:
        views = tuple(mine + theirs for mine, theirs in zip(self.views, other.views, strict=True))
        return Statistics(views, self.pitch + other.pitch)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Gaussians with diagonal covariance.

    Attributes
    ----------
    weights : array, shape (components,)
    means, variances : array, shape (components, dimension)
    """

    weights: Floats
    means: Floats
    variances: Floats

    def posteriors(self, cepstra: Floats) -> Floats:
        """Which component each step belongs to, shape (steps, components)."""
        inverse = 1.0 / self.variances
        constant = np.log(self.weights) - 0.5 * (
            np.log(2.0 * np.pi * self.variances).sum(axis=1) + (self.means**2 * inverse).sum(axis=1)
        )
        squares = product(cepstra**2, inverse.T)
        logs = product(cepstra, (self.means * inverse).T) - 0.5 * squares + constant.astype(np.float32)
        highest = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - highest)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at speech, and from there to where voices lie apart.

    Attributes
    ----------
    columns : array of int
        Which of the cepstra it looks at.
    mixture : Mixture
        Of speech in general.
    projection : array, shape (dimension, components * len(columns) + 2)
        Of a supervector and the pitch.
    offset : array, shape (dimension,)
        Subtracted behind the projection.
    """

    columns: npt.NDArray[np.intp]
    mixture: Mixture
    projection: Floats
    offset: Floats


@dataclass(frozen=True, slots=True)
class SpeakerModel:
    """Everything that the embedded embedder has learned.

    Attributes
    ----------
    views : tuple of View
        What they find is put one behind the other, each weighing the same.
    usual_pitch : array, shape (3,)
        Mean of the speakers' mean log pitch, its deviation between speakers, and their usual spread.
    cohort : array, shape (speakers, dimension)
        The voices it was trained on.
    weights : tuple of 4 floats
        Of :class:`~sottovoce.speech.embedding.base.Scoring`.
    """

    views: tuple[View, ...]
    usual_pitch: Floats
    cohort: Floats
    weights: tuple[float, float, float, float]

    @property
    def scoring(self) -> Scoring:
        return Scoring(self.weights, self.cohort)

    @property
    def name(self) -> str:
        """Changes whenever it is trained anew."""
        crc = 0
        for view in self.views:
            crc = zlib.crc32(np.ascontiguousarray(view.projection).tobytes(), crc)
        return f"builtin-{crc:08x}"

    def statistics(self, analysis: Analysis, step_range: slice = slice(None)) -> Statistics:
        """What the speech in some steps of a segment adds up to."""
        speech = analysis.speech[step_range]
        cepstra = analysis.cepstra[step_range][speech]
        sums = tuple(sums_of(view.mixture, cepstra[:, view.columns]) for view in self.views)
        return Statistics(sums, pitch_sums(analysis.pitch[step_range][speech]))

    def vector(self, statistics: Statistics) -> Vector:
        """The embedding of a stretch of speech."""
        pitch = pitch_vector(self.usual_pitch, statistics.pitch)
        found = [
            unit(view.projection @ np.concatenate([supervector(view.mixture, sums), pitch]) - view.offset)
            for view, sums in zip(self.views, statistics.views, strict=True)
        ]
        return unit(np.concatenate(found))

    def save(self, path: Path) -> None:
        """Write it, the large parts in a byte a number, or two."""
        arrays = {
            "usual_pitch": self.usual_pitch,
            "weights": np.asarray(self.weights),
            "cohort": self.cohort.astype(np.float16),
        }
        for number, view in enumerate(self.views):
            arrays |= {
                f"columns_{number}": view.columns,
                f"mixture_weights_{number}": view.mixture.weights,
                f"means_{number}": view.mixture.means,
                f"variances_{number}": view.mixture.variances,
                f"projection_{number}": np.rint(view.projection / _steps(view.projection)).astype(np.int8),
                f"steps_{number}": _steps(view.projection),
                f"offset_{number}": view.offset,
            }
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` has written."""
        with np.load(path, allow_pickle=False) as file:
            count = sum(name.startswith("columns_") for name in file.files)
            views = tuple(_read_view(file, number) for number in range(count))
            constant, by_score, by_length, by_both = (float(weight) for weight in file["weights"])
            cohort = unit(np.asarray(file["cohort"], np.float32))
            return cls(views, np.asarray(file["usual_pitch"]), cohort, (constant, by_score, by_length, by_both))


def sums_of(mixture: Mixture, cepstra: Floats) -> Sums:
    """What steps of speech add up to."""
    posteriors = mixture.posteriors(cepstra)
    return Sums(posteriors.sum(axis=0), product(posteriors.T, cepstra))


def supervector(mixture: Mixture, sums: Sums) -> Floats:
    """How speech differs from speech in general, shape (components * cepstra,)."""
    occupancy = sums.occupancy[:, None]
    moved = (sums.sums - occupancy * mixture.means) / (occupancy + RELEVANCE)
    return np.asarray(moved * np.sqrt(mixture.weights[:, None] / mixture.variances), np.float32).ravel()


def pitch_sums(pitch: Floats) -> npt.NDArray[np.float64]:
    """Number of voiced steps, sum and sum of squares of their log pitch."""
    voiced = pitch[np.isfinite(pitch)].astype(np.float64)
    return np.array([len(voiced), voiced.sum(), (voiced**2).sum()])


def pitch_vector(usual_pitch: Floats, pitch: npt.NDArray[np.float64]) -> Floats:
    """How the pitch of speech differs from the usual one in mean and spread; zeros where nothing is voiced."""
    count, total, squares = pitch
    if not count:
        return np.zeros(2, np.float32)
    usual, deviation, spread = usual_pitch
    mean = total / count
    found_spread = np.sqrt(max(squares / count - mean**2, 0.0))
    certainty = count / (count + PITCH_RELEVANCE)
    return np.array([certainty * (mean - usual) / deviation, certainty * (found_spread / spread - 1.0)], np.float32)


def _steps(projection: Floats) -> Floats:
    """What 1 stands for in each row, if the largest of it is 127; shape (dimension, 1)."""
    return np.asarray(np.abs(projection).max(axis=1, keepdims=True) / 127.0, np.float32)


def _read_view(file: Mapping[str, npt.NDArray[Any]], number: int) -> View:
    def read(name: str) -> Floats:
        return np.asarray(file[f"{name}_{number}"], np.float32)

    mixture = Mixture(read("mixture_weights"), read("means"), read("variances"))
    columns = np.asarray(file[f"columns_{number}"], np.intp)
    return View(columns, mixture, read("projection") * read("steps"), read("offset"))
