"""What embedders by neural networks have in common."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from sottovoce.core.types import Mono
from sottovoce.speech.embedding._frontend import HOP_FRAMES, HOP_S, speech_steps
from sottovoce.speech.embedding.base import LEAST_SPEECH_S

#: Kept on either side of what is taken for speech (s).
_MARGIN_S = 0.1


def trim(audio: Mono) -> tuple[Mono, float]:
    """From the first to the last speech of a segment, and how many seconds of it are speech; nothing if too few."""
    speech, _ = speech_steps(audio)
    steps = np.flatnonzero(speech)
    speech_s = len(steps) * HOP_S
    if speech_s < LEAST_SPEECH_S:
        return audio[:0], speech_s
    margin = round(_MARGIN_S / HOP_S)
    first, last = max(0, int(steps[0]) - margin), int(steps[-1]) + margin + 1
    return audio[first * HOP_FRAMES : last * HOP_FRAMES], speech_s


def fingerprint(path: Path) -> str:
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
