"""What an embedder hears: cepstra, pitch, and which of it is speech. NumPy alone, 16 kHz, a frame every 10 ms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Mono

Floats = npt.NDArray[np.float32]

SAMPLERATE = 16_000
#: Frames of audio from one analysis to the next.
HOP_FRAMES = 160
HOP_S = HOP_FRAMES / SAMPLERATE
_WINDOW_FRAMES = 400
_FFT = 512

_BANDS = 30
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7600.0
#: Cepstral coefficients without the first, which is the level, and how many of them, the level among them, have slopes.
CEPSTRA, SLOPES = 28, 20
DIMENSION = CEPSTRA + SLOPES
#: Two ways to look at a step: as fine a spectrum as there is; and a coarser one with the slopes.
STILL = np.arange(CEPSTRA)
MOVING = np.concatenate([np.arange(SLOPES), CEPSTRA + np.arange(SLOPES)])

#: What is so far (dB) below the mean of a segment is taken for no louder: noise, silence that a machine has made, or a
#: band that a telephone has cut off, would weigh more than a voice.
_FLOOR_DB = -35.0
#: Speech is at most so far (dB) below its loud frames, and above the middle between those and the quiet ones.
_SPEECH_RANGE_DB = 25.0
_LOUD_PERCENT, _QUIET_PERCENT = 95, 10
_QUIET_SHARE = 0.4
#: Multiplications that OpenBLAS does in the thread that asks for them.
_ALONE = 250_000
#: Steps on either side over which a slope is taken.
_SLOPE_REACH = 2

# Pitch is looked for in a copy at a quarter of the rate, every other step.
_PITCH_DECIMATION = 4
_PITCH_WINDOW, _PITCH_FFT = 160, 512
_PITCH_LOWEST_HZ, _PITCH_HIGHEST_HZ = 65.0, 400.0
_VOICED = 0.4
#: What is above folds into the band of the pitch.
_HARMONICS_HZ = 1300.0
#: Of the power spectrum, so that one strong harmonic does not drown the others (Tolonen and Karjalainen 2000).
_COMPRESSION = 0.5


@dataclass(frozen=True, slots=True)
class Analysis:
    """A segment, step by step.

    Attributes
    ----------
    cepstra : array, shape (steps, DIMENSION)
        Of all steps.
    speech : array of bool, shape (steps,)
        Which steps are speech.
    level_db : array, shape (steps,)
        In the band of speech; only differences mean anything.
    pitch : array, shape (steps,)
        Natural logarithm of the pitch in Hz; NaN where there is none.
    """

    cepstra: Floats
    speech: npt.NDArray[np.bool_]
    level_db: Floats
    pitch: Floats

    @property
    def speech_s(self) -> float:
        """Seconds of speech."""
        return float(np.count_nonzero(self.speech)) * HOP_S


def analyse(audio: Mono) -> Analysis:
    """Analyse a segment (shape (frames,), at :data:`SAMPLERATE`) of any length; less than a window has no steps."""
    if len(audio) < _WINDOW_FRAMES:
        nothing = np.zeros(0, np.float32)
        return Analysis(np.zeros((0, DIMENSION), np.float32), nothing.astype(bool), nothing, nothing)
    audio = np.asarray(audio, np.float32)
    energies = mel_energies(audio - audio.mean())
    total = energies.sum(axis=1)
    level_db = 10.0 * np.log10(np.maximum(total, 1e-12))
    speech = _speech(level_db)
    loud = float(total[speech].mean()) if speech.any() else 0.0
    floor = max(loud / _BANDS * 10.0 ** (_FLOOR_DB / 10.0), 1e-12)
    static = product(np.log(np.maximum(energies, floor)), _cosines().T)
    cepstra = np.concatenate([static[:, 1:], _slopes(static[:, :SLOPES])], axis=1)
    return Analysis(cepstra, speech, level_db.astype(np.float32), _pitch(audio, len(cepstra)))


def mel_energies(audio: Mono) -> Floats:
    """Energy in each band of each step, shape (steps, bands)."""
    emphasised = np.empty_like(audio)
    emphasised[0] = audio[0]
    emphasised[1:] = audio[1:] - np.float32(0.97) * audio[:-1]
    windows = np.lib.stride_tricks.sliding_window_view(emphasised, _WINDOW_FRAMES)[::HOP_FRAMES]
    spectrum = np.fft.rfft(windows * _hamming(_WINDOW_FRAMES), _FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return product(power, _mel_bands().T)


def product(left: Floats, right: Floats) -> Floats:
    """``left @ right``, by pieces that BLAS does not share among its threads.

    They are done in less time than a thread takes to wake up; beside other work, waiting for one costs 2 ms and more.
    """
    rows = max(1, _ALONE // max(1, right.size))
    if len(left) <= rows:
        return left @ right
    made = np.empty((len(left), right.shape[1]), np.float32)
    for start in range(0, len(left), rows):
        np.matmul(left[start : start + rows], right, out=made[start : start + rows])
    return made


def speech_steps(audio: Mono) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which steps of a segment are speech, and the level (dB) of each."""
    if len(audio) < _WINDOW_FRAMES:
        return np.zeros(0, bool), np.zeros(0, np.float32)
    audio = np.asarray(audio, np.float32)
    level_db = 10.0 * np.log10(np.maximum(mel_energies(audio - audio.mean()).sum(axis=1), 1e-12))
    return _speech(level_db), level_db.astype(np.float32)


def _speech(level_db: Floats) -> npt.NDArray[np.bool_]:
    loud, quiet = np.percentile(level_db, (_LOUD_PERCENT, _QUIET_PERCENT))
    least = max(loud - _SPEECH_RANGE_DB, quiet + _QUIET_SHARE * (loud - quiet))
    return np.asarray((level_db >= least) & (level_db > -100.0))


def _slopes(values: Floats) -> Floats:
    padded = np.pad(values, ((_SLOPE_REACH, _SLOPE_REACH), (0, 0)), mode="edge")
    steps = len(values)
    total = np.zeros_like(values)
    for reach in range(1, _SLOPE_REACH + 1):
        after = padded[_SLOPE_REACH + reach : _SLOPE_REACH + reach + steps]
        before = padded[_SLOPE_REACH - reach : _SLOPE_REACH - reach + steps]
        total += np.float32(reach) * (after - before)
    return total / np.float32(2 * sum(reach * reach for reach in range(1, _SLOPE_REACH + 1)))


def _pitch(audio: Mono, steps: int) -> Floats:
    """Autocorrelation's highest peak, where it is high enough; one value every other step, and the next the same."""
    whole = len(audio) - len(audio) % _PITCH_DECIMATION
    low = audio[:whole].reshape(-1, _PITCH_DECIMATION).mean(axis=1)
    rate = SAMPLERATE / _PITCH_DECIMATION
    hop = 2 * HOP_FRAMES // _PITCH_DECIMATION
    if len(low) < _PITCH_WINDOW:
        return np.full(steps, np.nan, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(low, _PITCH_WINDOW)[::hop]
    spectrum = np.fft.rfft(windows * _hamming(_PITCH_WINDOW), _PITCH_FFT)
    power = (spectrum.real**2 + spectrum.imag**2) ** _COMPRESSION
    power[:, : int(_PITCH_LOWEST_HZ * _PITCH_FFT / rate)] = 0.0  # rumble would have the longest period at all times
    power[:, int(_HARMONICS_HZ * _PITCH_FFT / rate) :] = 0.0
    correlation = np.fft.irfft(power, _PITCH_FFT)[:, : _PITCH_WINDOW // 2]
    correlation /= np.maximum(correlation[:, :1], 1e-9)
    first, last = int(rate / _PITCH_HIGHEST_HZ), int(rate / _PITCH_LOWEST_HZ)
    lags = first + np.argmax(correlation[:, first : last + 1], axis=1)
    rows = np.arange(len(lags))
    before, at, after = (correlation[rows, lags + shift] for shift in (-1, 0, 1))
    bend = np.minimum(before - 2.0 * at + after, -1e-6)
    exact = lags + np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    pitch = np.where(at >= _VOICED, np.log(rate / exact), np.nan).astype(np.float32)
    twice = np.repeat(pitch, 2)[:steps]
    return np.concatenate([twice, np.full(steps - len(twice), np.nan, np.float32)])


@cache
def _hamming(frames: int) -> Floats:
    return np.hamming(frames).astype(np.float32)


@cache
def _mel_bands() -> Floats:
    """Triangles evenly spaced in mel, shape (bands, bins)."""

    def mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)

    edges = np.linspace(mel(_LOWEST_HZ), mel(_HIGHEST_HZ), _BANDS + 2)
    bins = mel(np.arange(_FFT // 2 + 1) * SAMPLERATE / _FFT)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


@cache
def _cosines() -> Floats:
    """Type-II cosine transform of the log energies to cepstra 0 to CEPSTRA, shape (CEPSTRA + 1, bands)."""
    order, band = np.arange(CEPSTRA + 1)[:, None], np.arange(_BANDS) + 0.5
    return np.asarray(np.sqrt(2.0 / _BANDS) * np.cos(np.pi * order * band / _BANDS), np.float32)
