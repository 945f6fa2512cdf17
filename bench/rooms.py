"""Rooms that no training has seen: rectangular ones, by mirror images of the source.

J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65 (1979).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

SPEED_OF_SOUND = 343.0


def image_room(
    size_m: tuple[float, float, float],
    source_m: tuple[float, float, float],
    ear_m: tuple[float, float, float],
    reflection: float,
    samplerate: int = 16_000,
    length_s: float = 0.4,
) -> npt.NDArray[np.float64]:
    """Impulse response of a room whose walls all reflect the share ``reflection`` of the pressure, 0 to 1."""
    reach_m = length_s * SPEED_OF_SOUND
    response = np.zeros(int(length_s * samplerate) + 1)
    axes = []
    for size, source, ear in zip(size_m, source_m, ear_m, strict=True):
        rooms = np.arange(-int(reach_m / (2 * size)) - 1, int(reach_m / (2 * size)) + 2)
        offsets = [(2.0 * n * size + sign * source - ear, abs(n - flip) + abs(n)) for n in rooms
                   for sign, flip in ((1.0, 0), (-1.0, 1))]  # fmt: skip
        axes.append((np.array([d for d, _ in offsets]), np.array([bounces for _, bounces in offsets])))
    (x, bx), (y, by), (z, bz) = axes
    for (dx, cx), (dy, cy) in itertools.product(zip(x, bx, strict=True), zip(y, by, strict=True)):
        distance = np.sqrt(dx * dx + dy * dy + z * z)
        near = distance < reach_m
        at = np.rint(distance[near] / SPEED_OF_SOUND * samplerate).astype(int)
        gain = reflection ** (cx + cy + bz[near]) / np.maximum(distance[near], 0.1)
        inside = at < len(response)
        np.add.at(response, at[inside], gain[inside])
    return response / np.abs(response).max()
