"""What embedders by neural networks have in common."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sottovoce.core.errors import BackendError
from sottovoce.core.types import Mono
from sottovoce.speech.embedding._frontend import HOP_FRAMES, HOP_S, SAMPLERATE, speech_steps
from sottovoce.speech.embedding.base import LEAST_SPEECH_S, Embedding, Scoring, unit

#: Kept on either side of what is taken for speech (s).
_MARGIN_S = 0.1


class NetworkEmbedder(ABC):
    """Loads its network at the first call, or :meth:`warm`, and lets it go when it is closed.

    Parameters
    ----------
    threshold : float
        Cosine at which the same voice is as likely as another, for some 3 s of speech.
    device : {"auto", "cpu", "cuda"}
        Where it runs.
    """

    name: ClassVar[str]
    samplerate = SAMPLERATE

    def __init__(self, threshold: float, device: str) -> None:
        self._device = device
        self._scoring = Scoring(cosine_weights(threshold))
        self._network: Any = None
        self._model = ""
        self._closed = False

    @property
    def model(self) -> str:
        """Names the numbers of the network, so that it has to be loaded first."""
        self._loaded()
        return self._model

    @property
    def scoring(self) -> Scoring:
        return self._scoring

    def warm(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._closed = True
        self._network = None

    def embed(self, audio: Mono) -> Embedding | None:
        network = self._loaded()
        speech, speech_s = _trim(audio)
        if not len(speech):
            return None
        return Embedding(unit(np.asarray(self._run(network, speech), np.float32).reshape(-1)), speech_s)

    def _loaded(self) -> Any:
        if self._closed:
            raise BackendError(f"the embedder {self.name!r} is closed", backend=self.name)
        if self._network is None:
            network, numbers = self._load()
            self._model = f"{self.name}-{_fingerprint(numbers)}"
            self._network = network
        return self._network

    def _no_cuda(self, whose: str, hint: str) -> BackendError:
        return BackendError(f"{whose} knows no CUDA here", backend=self.name, hint=f"{hint}set speaker.device to cpu")

    @abstractmethod
    def _load(self) -> tuple[Any, Path]:
        """The network, and the file of its numbers; BackendError if it cannot be loaded."""

    @abstractmethod
    def _run(self, network: Any, speech: Mono) -> npt.ArrayLike:
        """What the network makes of speech; BackendError if it fails."""


def _trim(audio: Mono) -> tuple[Mono, float]:
    """From the first to the last speech of a segment, and how many seconds of it are speech; nothing if too few."""
    speech, _ = speech_steps(audio)
    steps = np.flatnonzero(speech)
    speech_s = len(steps) * HOP_S
    if speech_s < LEAST_SPEECH_S:
        return audio[:0], speech_s
    margin = round(_MARGIN_S / HOP_S)
    first, last = max(0, int(steps[0]) - margin), int(steps[-1]) + margin + 1
    return audio[first * HOP_FRAMES : last * HOP_FRAMES], speech_s


def _fingerprint(path: Path) -> str:
    """Changes when the file does."""
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            crc = zlib.crc32(chunk, crc)
    return f"{crc:08x}"


def cosine_weights(threshold: float) -> tuple[float, float, float, float]:
    """Of a :class:`Scoring` without a cohort, for networks whose cosine at even odds is known for some 3 s of speech.

    The slope is that of networks trained with an angular margin, as ECAPA-TDNN and WeSpeaker's are: own voices and
    others lie about 0.3 on either side of the threshold, with a deviation of 0.1. Half as much speech wants 0.03 less.
    """
    slope = 18.0
    per_octave = 0.03 * slope
    return (-slope * threshold - per_octave * float(np.log2(3.0)) * -1.0, slope, -per_octave, 0.0)
