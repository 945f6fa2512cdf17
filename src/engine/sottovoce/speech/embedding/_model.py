"""The embedded speaker model: a mixture of Gaussians that knows speech, and a matrix that knows voices.

How the frames of a segment differ from each Gaussian (a supervector: Campbell, Sturim and Reynolds, "Support vector
machines using GMM supervectors for speaker verification", 2006), with mean and spread of the pitch behind it, goes to
where voices lie apart and rooms and microphones do not (principal components, then linear discriminants, in one
matrix). Made by ``tools/train_speaker.py``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from sottovoce.speech.embedding._frontend import Analysis, Floats
from sottovoce.speech.embedding.base import Scoring, Vector, unit

#: How many steps of speech outweigh the mixture's own mean (relevance: Reynolds et al. 2000), and the usual pitch.
RELEVANCE = 8.0
PITCH_RELEVANCE = 20.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a stretch of speech adds up to; two stretches add up to that of both.

    Attributes
    ----------
    occupancy : array, shape (components,)
        Steps of speech by component.
    sums : array, shape (components, dimension)
        Of the cepstra.
    pitch : array, shape (3,)
        Number of voiced steps, sum and sum of squares of their log pitch.
    """

    occupancy: Floats
    sums: Floats
    pitch: npt.NDArray[np.float64]

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(self.occupancy + other.occupancy, self.sums + other.sums, self.pitch + other.pitch)


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
        logs = cepstra @ (self.means * inverse).T - 0.5 * (cepstra**2 @ inverse.T) + constant.astype(np.float32)
        highest = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - highest)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class SpeakerModel:
    """Everything that the embedded embedder has learned.

    Attributes
    ----------
    mixture : Mixture
        Of speech in general.
    usual_pitch : array, shape (3,)
        Mean of the speakers' mean log pitch, its deviation between speakers, and their usual spread.
    projection : array, shape (dimension, components * cepstra + 2)
        To where voices lie apart.
    offset : array, shape (dimension,)
        Subtracted behind the projection.
    cohort : array, shape (speakers, dimension)
        The voices it was trained on.
    weights : tuple of 4 floats
        Of :class:`~sottovoce.speech.embedding.base.Scoring`.
    """

    mixture: Mixture
    usual_pitch: Floats
    projection: Floats
    offset: Floats
    cohort: Floats
    weights: tuple[float, float, float, float]

    @property
    def scoring(self) -> Scoring:
        return Scoring(self.weights, self.cohort)

    @property
    def name(self) -> str:
        """Changes whenever it is trained anew."""
        return f"builtin-{zlib.crc32(np.ascontiguousarray(self.projection).tobytes()):08x}"

    def vector(self, statistics: Statistics) -> Vector:
        """The embedding of a stretch of speech."""
        return unit(self.projection @ supervector(self.mixture, self.usual_pitch, statistics) - self.offset)

    def save(self, path: Path) -> None:
        """Write it, the large parts in half precision."""
        np.savez_compressed(
            path,
            mixture_weights=self.mixture.weights,
            means=self.mixture.means,
            variances=self.mixture.variances,
            usual_pitch=self.usual_pitch,
            offset=self.offset,
            weights=np.asarray(self.weights),
            projection=self.projection.astype(np.float16),
            cohort=self.cohort.astype(np.float16),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` has written."""
        with np.load(path, allow_pickle=False) as file:
            values = {name: np.asarray(file[name], np.float32) for name in file.files}
            weights = [float(weight) for weight in file["weights"]]
        constant, by_score, by_length, by_both = weights
        return cls(
            Mixture(values["mixture_weights"], values["means"], values["variances"]),
            values["usual_pitch"],
            values["projection"],
            values["offset"],
            unit(values["cohort"]),
            (constant, by_score, by_length, by_both),
        )


def statistics_of(mixture: Mixture, analysis: Analysis, step_range: slice = slice(None)) -> Statistics:
    """What the speech in some steps of a segment adds up to."""
    speech = analysis.speech[step_range]
    cepstra = analysis.cepstra[step_range][speech]
    posteriors = mixture.posteriors(cepstra)
    pitch = analysis.pitch[step_range][speech]
    voiced = pitch[np.isfinite(pitch)].astype(np.float64)
    return Statistics(
        posteriors.sum(axis=0),
        posteriors.T @ cepstra,
        np.array([len(voiced), voiced.sum(), (voiced**2).sum()]),
    )


def supervector(mixture: Mixture, usual_pitch: Floats, statistics: Statistics) -> Floats:
    """How speech differs from speech in general, shape (components * cepstra + 2,)."""
    occupancy = statistics.occupancy[:, None]
    moved = (statistics.sums - occupancy * mixture.means) / (occupancy + RELEVANCE)
    scaled = moved * np.sqrt(mixture.weights[:, None] / mixture.variances)
    count, total, squares = statistics.pitch
    pitch = np.zeros(2, np.float32)
    if count:
        usual, deviation, spread = usual_pitch
        mean = total / count
        found_spread = np.sqrt(max(squares / count - mean**2, 0.0))
        certainty = count / (count + PITCH_RELEVANCE)
        pitch[:] = certainty * (mean - usual) / deviation, certainty * (found_spread / spread - 1.0)
    return np.concatenate([scaled.ravel(), pitch]).astype(np.float32)
