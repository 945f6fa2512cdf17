"""The polyphase resampler in plain NumPy, by its definition: what the compiled one is tested against.

Frames are intervals that begin together: the middle of output frame ``m`` is ``((2m + 1) * down - up) / (2 * up)``
input frames after the middle of input frame 0, where ``up / down`` is the ratio in lowest terms. Each output is the sum
of the inputs nearer than half the filter's length, weighted by the tier's prototype and divided by the weights' sum.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

HEADER = Path(__file__).resolve().parents[1] / "src" / "native" / "kernels" / "prototypes.h"

Array = npt.NDArray[np.float64]


def prototypes() -> dict[str, tuple[int, Array]]:
    """Tier -> length of its filter in samples of the lower rate, and its cosines; read from the committed table."""
    text = HEADER.read_text(encoding="ascii")
    lengths = {name: int(length) for name, length in re.findall(r'\{"(\w+)", (\d+),', text)}
    bodies = re.findall(r"sv_cosines_(\w+)\[\] = \{(.*?)\};", text, re.DOTALL)
    return {
        name: (lengths[name], np.array([float(word) for word in body.replace(",", " ").split()]))
        for name, body in bodies
    }


def lowest_terms(in_samplerate: int, out_samplerate: int) -> tuple[int, int]:
    """``up`` and ``down`` of the ratio."""
    divisor = math.gcd(in_samplerate, out_samplerate)
    return out_samplerate // divisor, in_samplerate // divisor


def total_frames(in_frames: int, in_samplerate: int, out_samplerate: int) -> int:
    """Frames of a whole stream: rounded to nearest, halves up."""
    return (2 * in_frames * out_samplerate + in_samplerate) // (2 * in_samplerate)


def available_frames(in_frames: int, in_samplerate: int, out_samplerate: int, length: int) -> int:
    """Frames that so many input frames give before the flush: those whose last input is among them."""
    up, down = lowest_terms(in_samplerate, out_samplerate)
    reach = 2 if up == down else length * max(up, down)
    return max(0, (2 * up * in_frames + up + down - reach) // (2 * down))


def resample(x: npt.NDArray[np.float32], in_samplerate: int, out_samplerate: int, tier: str) -> Array:
    """The whole of a mono signal, flushed."""
    up, down = lowest_terms(in_samplerate, out_samplerate)
    if up == down:
        return x.astype(np.float64)
    length, cosines = prototypes()[tier]
    scale = min(1.0, up / down)
    half = length / (2 * scale)
    order = np.arange(len(cosines))
    out = np.zeros(total_frames(len(x), in_samplerate, out_samplerate))
    for m in range(len(out)):
        middle = ((2 * m + 1) * down - up) / (2 * up)
        index = np.arange(math.floor(middle - half), math.ceil(middle + half) + 1)
        distance = (index - middle) * scale
        weight = np.cos(2 * np.pi * np.multiply.outer(distance, order) / length) @ cosines
        weight[np.abs(distance) >= length / 2] = 0.0
        heard = (index >= 0) & (index < len(x))
        out[m] = weight[heard] @ x[index[heard]] / weight.sum()
    return out
