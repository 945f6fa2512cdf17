"""Frames and seconds, decibels and gain."""

from __future__ import annotations

import math

#: The level that stands for silence where a level in dB is asked of nothing.
FLOOR_DB = -120.0


def frames_to_s(frames: int, samplerate: int) -> float:
    """Length in seconds of ``frames`` at ``samplerate`` (Hz)."""
    return frames / samplerate


def s_to_frames(seconds: float, samplerate: int) -> int:
    """Length in frames of ``seconds`` at ``samplerate`` (Hz), rounded to nearest, never truncated."""
    return math.floor(seconds * samplerate + 0.5)


def db_to_gain(db: float) -> float:
    """Linear gain of a level in dB: ``10 ** (db / 20)``."""
    return float(10.0 ** (db / 20.0))


def gain_to_db(gain: float) -> float:
    """Level in dB of a linear gain, at least :data:`FLOOR_DB`."""
    return max(FLOOR_DB, 20.0 * math.log10(gain)) if gain > 0.0 else FLOOR_DB
