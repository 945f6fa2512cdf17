"""Microphones, rooms and noise made of random numbers: what a voice may come through before it is heard.

Everything is drawn from a seeded generator; no recording but those of the voices themselves is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

SAMPLERATE = 16_000


@dataclass(frozen=True)
class Channel:
    """One way from a mouth to a file; two segments through the same channel sound of the same place.

    Attributes
    ----------
    curve_db : array
        Gain of the microphone at frequencies evenly spaced in octaves from 60 Hz to 8 kHz.
    room : array
        Impulse response; one sample, if there is no room.
    band_hz : tuple of float
        What is let through.
    snr_db : float
        Of the noise; infinite for none.
    noise_slope : float
        Of its power spectrum, as an exponent of frequency: 0 white, -1 pink, -2 brown.
    voices : int
        Of how many voices the noise is; 0 for no voices.
    clipped : float
        Highest sample, over the largest; 1 for none cut off.
    gain_db : float
        Level at the end.
    """

    curve_db: npt.NDArray[np.float64]
    room: Audio
    band_hz: tuple[float, float]
    snr_db: float
    noise_slope: float
    voices: int
    clipped: float
    gain_db: float

    def __call__(self, audio: Audio, others: Sequence[Audio], rng: np.random.Generator) -> Audio:
        """What comes out; ``others`` are voices for the noise."""
        size = _fft_size(len(audio) + len(self.room))
        frequencies = np.asarray(np.fft.rfftfreq(size, 1.0 / SAMPLERATE), np.float64)
        spectrum = np.fft.rfft(audio, size)
        if len(self.room) > 1:
            spectrum *= np.fft.rfft(self.room, size)
        spectrum *= self._response(frequencies)
        heard = np.fft.irfft(spectrum, size)[: len(audio)]
        if np.isfinite(self.snr_db):
            heard += self.noise(heard, others, rng)
        peak = np.abs(heard).max() + 1e-9
        heard = np.clip(heard, -self.clipped * peak, self.clipped * peak) * (10.0 ** (self.gain_db / 20.0) / peak)
        return np.asarray(heard, np.float32)

    def _response(self, frequencies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        octaves = np.log2(np.maximum(frequencies, 1.0) / 60.0)
        at = np.linspace(0.0, np.log2(SAMPLERATE / 2 / 60.0), len(self.curve_db))
        low, high = self.band_hz
        edges = 1.0 / (1.0 + (low / np.maximum(frequencies, 1.0)) ** 8) / (1.0 + (frequencies / high) ** 24)
        return 10.0 ** (np.interp(octaves, at, self.curve_db) / 20.0) * np.sqrt(edges)

    def noise(self, heard: npt.NDArray[np.floating], others: Sequence[Audio], rng: np.random.Generator) -> Audio:
        """What is heard with it."""
        if self.voices:
            noise = np.zeros(len(heard))
            for _ in range(self.voices):
                voice = others[int(rng.integers(len(others)))]
                start = int(rng.integers(len(voice)))
                noise += np.resize(np.roll(voice, -start), len(heard)) / (voice.std() + 1e-9)
        else:
            size = _fft_size(len(heard))
            spectrum = np.fft.rfft(rng.standard_normal(size))
            frequencies = np.maximum(np.fft.rfftfreq(size, 1.0 / SAMPLERATE), 50.0)
            noise = np.fft.irfft(spectrum * frequencies ** (self.noise_slope / 2.0), size)[: len(heard)]
        gain = heard.std() / (noise.std() + 1e-9) * 10.0 ** (-self.snr_db / 20.0)
        return np.asarray(gain * noise, np.float32)


#: A file as it is.
CLEAN = Channel(np.zeros(8), np.ones(1, np.float32), (20.0, 7990.0), np.inf, 0.0, 0, 1.0, -3.0)


def draw_channel(rng: np.random.Generator, *, voices: bool = True) -> Channel:
    """A channel of any kind; whether its noise may be of ``voices``, which have to be given then."""
    bumps = np.cumsum(rng.normal(0.0, 1.6, 8))
    slope = rng.uniform(-1.5, 1.5) * np.arange(8)
    curve = bumps - bumps.mean() + slope - slope.mean()
    kind = rng.random()
    band = (20.0, 7990.0)
    if kind < 0.12:
        band = (rng.uniform(200.0, 320.0), rng.uniform(3300.0, 3600.0))
    elif kind < 0.4:
        band = (rng.uniform(40.0, 180.0), rng.uniform(4500.0, 7900.0))
    return Channel(
        curve_db=curve,
        room=_room(rng) if rng.random() < 0.6 else np.ones(1, np.float32),
        band_hz=band,
        snr_db=float(rng.uniform(8.0, 35.0)) if rng.random() < 0.7 else np.inf,
        noise_slope=float(rng.uniform(-2.0, 0.3)),
        voices=int(rng.integers(3, 8)) if rng.random() < 0.3 and voices else 0,
        clipped=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.1 else 1.0,
        gain_db=float(rng.uniform(-30.0, 0.0)),
    )


def _room(rng: np.random.Generator) -> Audio:
    """A direct path, then noise that dies away, faster where it is high (Polack 1988)."""
    decay_s = rng.uniform(0.12, 0.7)
    frames = int(0.8 * decay_s * SAMPLERATE)
    at_s = np.arange(frames) / SAMPLERATE
    tail = rng.standard_normal(frames)
    dull = rng.standard_normal(frames)
    for _ in range(2):
        dull = np.convolve(dull, np.ones(6) / 6.0, mode="same") * 1.6
    tail = tail * np.exp(-6.9 * at_s / (0.5 * decay_s)) + dull * np.exp(-6.9 * at_s / decay_s)
    tail[: int(rng.uniform(0.001, 0.012) * SAMPLERATE)] = 0.0
    direct_db = rng.uniform(-4.0, 14.0)
    tail *= 10.0 ** (-direct_db / 20.0) / (np.sqrt((tail**2).sum()) + 1e-9)
    tail[0] = 1.0
    return tail.astype(np.float32)


def _fft_size(frames: int) -> int:
    """A length that transforms fast."""
    size = 1 << (frames - 1).bit_length()
    return next(each for each in (5 * size // 8, 3 * size // 4, size) if each >= frames)
