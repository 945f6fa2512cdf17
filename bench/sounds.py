"""Sounds in which nobody speaks, made from random numbers: noise of many kinds, music, silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sottovoce.core.types import Mono

RATE = 16_000

Rng = np.random.Generator


def noises(rng: Rng, seconds: float = 4.0) -> dict[str, Mono]:
    """One sound of each kind."""
    return {name: _levelled(make(rng, round(seconds * RATE))) for name, make in _KINDS.items()} | {
        "silence": np.zeros(round(seconds * RATE), np.float32)
    }


def music(rng: Rng, frames: int) -> Mono:
    """Chords of four voices with overtones, a melody, a bass and drums, at a random tempo and key."""
    at = np.arange(frames) / RATE
    beat_s = rng.uniform(0.35, 0.6)
    key_hz = 110.0 * 2 ** (rng.integers(0, 12) / 12)
    out = np.zeros(frames)
    for bar in range(int(frames / RATE / (4 * beat_s)) + 1):
        root = rng.choice([0, 3, 5, 7, 8, 10])
        for step in (-12, 0, rng.choice([3, 4]), 7):
            out += _note(at - 4 * bar * beat_s, key_hz * 2 ** ((root + step) / 12), 4 * beat_s, rng)
        for beat in range(4):
            start_s = (4 * bar + beat) * beat_s
            out += 1.5 * _note(at - start_s, 4 * key_hz * 2 ** (rng.choice([0, 2, 3, 5, 7, 10]) / 12), beat_s, rng)
            drum = np.exp(-30 * np.maximum(at - start_s, 0)) * (at >= start_s)
            out += drum * (rng.standard_normal(frames) if beat % 2 else 3 * np.sin(2 * np.pi * 60 * at))
    return out.astype(np.float32)


def _note(at: Mono, hz: float, length_s: float, rng: Rng) -> Mono:
    on = (at >= 0) & (at < length_s)
    envelope = np.minimum(1.0, at / 0.02) * np.exp(-2.0 * at / length_s) * on
    vibrato = 1.0 + 0.003 * np.sin(2 * np.pi * 5.5 * at + rng.uniform(0, 6))
    tones = sum(np.sin(2 * np.pi * hz * number * at * vibrato) / number for number in range(1, 6) if hz * number < 7000)
    note: Mono = envelope * tones
    return note


def _coloured(slope: float) -> Callable[[Rng, int], Mono]:
    def make(rng: Rng, frames: int) -> Mono:
        spectrum = np.fft.rfft(rng.standard_normal(frames))
        spectrum *= np.maximum(np.fft.rfftfreq(frames, 1 / RATE), 50.0) ** (-slope / 2)
        return np.fft.irfft(spectrum, frames).astype(np.float32)

    return make


def _modulated(rng: Rng, frames: int) -> Mono:
    """Noise with the rhythm of syllables and the spectrum of speech."""
    at = np.arange(frames) / RATE
    rhythm = sum(np.sin(2 * np.pi * hz * at + rng.uniform(0, 6)) for hz in (2.1, 3.7, 4.9))
    return (_coloured(1.5)(rng, frames) * np.maximum(0.1, 1 + 0.6 * rhythm)).astype(np.float32)


def _keys(rng: Rng, frames: int) -> Mono:
    """Somebody typing."""
    out = 0.003 * rng.standard_normal(frames)
    for start in rng.integers(0, frames - 1600, frames // RATE * 6):
        out[start : start + 800] += rng.standard_normal(800) * np.exp(-np.arange(800) / 120)
    return out.astype(np.float32)


def _hum(rng: Rng, frames: int) -> Mono:
    at = np.arange(frames) / RATE
    lines = sum(np.sin(2 * np.pi * 50 * number * at + rng.uniform(0, 6)) / number for number in range(1, 12))
    return (lines + 0.05 * rng.standard_normal(frames)).astype(np.float32)


def _ringing(rng: Rng, frames: int) -> Mono:
    """A telephone."""
    at = np.arange(frames) / RATE
    warble = np.where((at * 20).astype(int) % 2, rng.uniform(700, 1000), rng.uniform(1100, 1500))
    return (np.sin(np.cumsum(2 * np.pi * warble / RATE)) * (at % 1.5 < 1.0)).astype(np.float32)


def _levelled(audio: Mono, rms: float = 0.05) -> Mono:
    levelled: Mono = (audio * (rms / max(float(np.sqrt(np.mean(np.square(audio)))), 1e-9))).astype(np.float32)
    return np.clip(levelled, -1.0, 1.0)


_KINDS: dict[str, Callable[[Rng, int], Mono]] = {
    "white": _coloured(0.0),
    "pink": _coloured(1.0),
    "brown": _coloured(2.0),
    "modulated": _modulated,
    "keys": _keys,
    "hum": _hum,
    "ringing": _ringing,
    "music": music,
}
