"""The contract of an embedder: a segment in, a vector that tells whose voice it is out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Mono

#: Shape (dimension,), of length 1.
Vector: TypeAlias = npt.NDArray[np.float32]

#: Shape (n, dimension), rows of length 1.
Vectors: TypeAlias = npt.NDArray[np.float32]

#: Less speech (s) than this tells nothing of its speaker.
LEAST_SPEECH_S = 0.35


@dataclass(frozen=True, slots=True)
class Embedding:
    """A voice as it was heard once.

    Attributes
    ----------
    vector : Vector
        Points in about the same direction whenever the same person speaks.
    speech_s : float
        Seconds of speech it was made of: silence does not count, and the longer, the surer.
    """

    vector: Vector
    speech_s: float


@dataclass(frozen=True, slots=True)
class Scoring:
    """How alike two vectors of one model are, as a number that means the same for every voice.

    With a cohort the cosine is normalised by what strangers score, the nearest of them (adaptive symmetric score
    normalisation: Matejka et al., "Analysis of score normalization in multilingual speaker recognition", 2017); the
    result is in standard deviations above a stranger. Without one it is the cosine.

    Attributes
    ----------
    weights : tuple of 4 floats
        Of 1, the score, log2 of the seconds of speech, and their product: the log-odds that it is the same voice
        (logistic regression, own and other equally likely).
    cohort : Vectors or None
        Strangers.
    nearest : int
        How many of them, the most alike, count.
    """

    weights: tuple[float, float, float, float]
    cohort: Vectors | None = None
    nearest: int = 60

    def score(self, enrolled: Vector, heard: Vector) -> float:
        """Likeness of a vector to an enrolled one, both of length 1."""
        return float(self.scores(enrolled[None], heard[None])[0, 0])

    def scores(self, enrolled: Vectors, heard: Vectors) -> npt.NDArray[np.float32]:
        """The same of many, shape (enrolled, heard)."""
        cosines: npt.NDArray[np.float32] = enrolled @ heard.T
        if self.cohort is None:
            return cosines
        (middle, spread), (other_middle, other_spread) = self._strangers(enrolled), self._strangers(heard)
        above = (cosines - middle[:, None]) / spread[:, None] + (cosines - other_middle) / other_spread
        return np.asarray(0.5 * above, np.float32)

    def log_odds(self, score: float, speech_s: float) -> float:
        """Natural logarithm of the odds that ``speech_s`` seconds with this score are of the enrolled voice."""
        length = math.log2(max(speech_s, LEAST_SPEECH_S))
        constant, by_score, by_length, by_both = self.weights
        return constant + by_score * score + by_length * length + by_both * score * length

    def _strangers(self, vectors: Vectors) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Mean and deviation of what the nearest strangers score with each vector."""
        assert self.cohort is not None
        cosines = vectors @ self.cohort.T
        nearest = np.partition(cosines, -self.nearest, axis=1)[:, -self.nearest :]
        return nearest.mean(axis=1), np.maximum(nearest.std(axis=1), 1e-3)


def probability(log_odds: float) -> float:
    """What odds given by their logarithm mean, 0 to 1."""
    return 1.0 / (1.0 + math.exp(-min(max(log_odds, -50.0), 50.0)))


def unit(vector: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The same direction (of each row, if there are several), of length 1."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(vector / np.maximum(length, 1e-12), np.float32)


class Embedder(Protocol):
    """Makes vectors of voices. Used by one thread at a time."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str:
        """What made a vector: vectors of different models say nothing about one another."""
        ...

    @property
    def samplerate(self) -> int:
        """The samplerate (Hz) at which segments are wanted."""
        ...

    @property
    def scoring(self) -> Scoring:
        """How its vectors are compared."""
        ...

    def warm(self) -> None:
        """Load everything that the first call would load; idempotent."""
        ...

    def embed(self, audio: Mono) -> Embedding | None:
        """Hear one segment (shape (frames,), float32, [-1, 1]).

        Returns None where there is too little speech (:data:`LEAST_SPEECH_S`). Failure raises BackendError.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
