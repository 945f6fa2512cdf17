"""The embedded embedder: NumPy alone, nothing to download, a millisecond or two for each second of speech.

Its numbers (``builtin.npz``) are trained on LibriSpeech; ``builtin.md`` beside them says by whom it was made and how.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from sottovoce.core.types import Mono
from sottovoce.speech.embedding._frontend import HOP_S, SAMPLERATE, analyse
from sottovoce.speech.embedding._model import SpeakerModel, Statistics
from sottovoce.speech.embedding.base import LEAST_SPEECH_S, Embedding, Scoring

EXTRA = ""
SENDS = ""

_NUMBERS = Path(__file__).with_name("builtin.npz")


def open() -> BuiltinEmbedder:
    """Open the embedded embedder."""
    return BuiltinEmbedder()


@cache
def load_model(path: Path = _NUMBERS) -> SpeakerModel:
    """The trained numbers, read once."""
    return SpeakerModel.load(path)


class BuiltinEmbedder:
    """Mixture supervectors, projected; stateless, so any number of threads may share it."""

    name = "builtin"
    samplerate = SAMPLERATE

    @property
    def model(self) -> str:
        return load_model().name

    @property
    def scoring(self) -> Scoring:
        return load_model().scoring

    def warm(self) -> None:
        load_model()
        analyse(np.zeros(SAMPLERATE, np.float32))

    def close(self) -> None: ...

    def embed(self, audio: Mono) -> Embedding | None:
        analysis = analyse(audio)
        if analysis.speech_s < LEAST_SPEECH_S:
            return None
        model = load_model()
        return Embedding(model.vector(model.statistics(analysis)), analysis.speech_s)

    def embed_windows(self, audio: Mono, hop_s: float, hops: int) -> list[Embedding | None]:
        """Embeddings of windows of ``hops`` times ``hop_s`` seconds, one every ``hop_s``; None where little is said.

        The segment is analysed once, whatever the overlap.
        """
        analysis = analyse(audio)
        model = load_model()
        size = max(1, round(hop_s / HOP_S))
        starts = range(0, len(analysis.speech), size)
        blocks = [model.statistics(analysis, slice(start, start + size)) for start in starts]
        lengths_s = [HOP_S * float(np.count_nonzero(analysis.speech[start : start + size])) for start in starts]
        windows: list[Embedding | None] = []
        for first in range(max(1, len(blocks) - hops + 1)):
            speech_s = sum(lengths_s[first : first + hops])
            if speech_s < LEAST_SPEECH_S:
                windows.append(None)
                continue
            total = _total(blocks[first : first + hops])
            windows.append(Embedding(model.vector(total), speech_s))
        return windows


def _total(blocks: list[Statistics]) -> Statistics:
    total = blocks[0]
    for block in blocks[1:]:
        total = total + block
    return total
