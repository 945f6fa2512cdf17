"""Log mel energies as Kaldi makes them, which networks for speakers are trained on. NumPy alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from sottovoce.core.types import Mono

SAMPLERATE = 16_000
_WINDOW_FRAMES, _HOP_FRAMES, _FFT = 400, 160, 512
_LOWEST_HZ = 20.0
#: The least energy that Kaldi takes a logarithm of, for samples of 1 and not of 2 to the 15.
_LEAST = float(np.finfo(np.float32).eps) * 2.0**-30


def fbank(audio: Mono, bands: int = 80) -> npt.NDArray[np.float32]:
    """Shape (steps, bands): ``compute-fbank-feats`` with a Hamming window and no dither, less its mean over time.

    Less than a window (25 ms) has no steps.
    """
    if len(audio) < _WINDOW_FRAMES:
        return np.zeros((0, bands), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW_FRAMES)[::_HOP_FRAMES].astype(np.float64)
    windows = windows - windows.mean(axis=1, keepdims=True)
    emphasised = windows - 0.97 * np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    spectrum = np.fft.rfft(emphasised * np.hamming(_WINDOW_FRAMES), _FFT)
    energies = (spectrum.real**2 + spectrum.imag**2)[:, : _FFT // 2] @ _bands(bands).T
    logs = np.log(np.maximum(energies, _LEAST))
    return np.asarray(logs - logs.mean(axis=0), np.float32)


@cache
def _bands(bands: int) -> npt.NDArray[np.float64]:
    """Triangles evenly spaced in mel from 20 Hz to 8 kHz, shape (bands, bins)."""

    def mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1127.0 * np.log(1.0 + hz / 700.0)

    low, high = mel(np.array([_LOWEST_HZ, SAMPLERATE / 2]))
    edges = np.linspace(low, high, bands + 2)
    bins = mel(np.arange(_FFT // 2) * SAMPLERATE / _FFT)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float64)
