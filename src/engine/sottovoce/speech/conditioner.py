"""What is done to the sound of a microphone before it is listened to: rumble and hum out, a quiet voice louder.

Pure: no thread, no clock; the same result however the stream is cut.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.core.units import FLOOR_DB, db_to_gain, s_to_frames
from sottovoce.speech.vad import LevelGate, level_dbfs

#: Where a voice is amplified to: its level (dBFS, RMS of 32 ms) while somebody speaks.
TARGET_DBFS = -26.0

#: A voice is at least so far (dB) above the background.
_VOICE_ABOVE_FLOOR_DB = 9.0
_WINDOW_S = 0.032
# How soon the voice's level is believed: about 0.6 s of speech up, 2 s down
_RISE, _FALL = 0.05, 0.015
_GAIN_RISE_DB_PER_S, _GAIN_FALL_DB_PER_S = 6.0, 40.0
_PEAK = 0.9

# Frames that are filtered at once
_LENGTH = 128
# Such lengths that are multiplied at once: from 16 on, OpenBLAS takes a second thread, which then waits for more work
# without sleep, for some 20 ms each time
_AT_ONCE = 8
# Quality factors of the two halves of a Butterworth filter of the fourth order
_QUALITIES = (0.54119610, 1.30656296)

_Matrix = npt.NDArray[np.float64]


class HighPass:
    """A Butterworth high-pass of the fourth order, 24 dB an octave: no offset, and hum of 50 Hz 16 to 20 dB weaker.

    Two biquads after R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients". A recursion over
    single frames is slow in Python, so 128 frames at a time are multiplied with the filter's impulse response and its
    state carried over: 0.6 ms for a second of sound.

    Parameters
    ----------
    samplerate : int
        In Hz.
    corner_hz : float
        Where it takes away 3 dB; more than 0, less than a quarter of the samplerate.
    """

    def __init__(self, samplerate: int, corner_hz: float = 80.0) -> None:
        if not 0.0 < corner_hz < samplerate / 4.0:
            raise ConfigError(
                f"corner_hz is {corner_hz}; allowed: more than 0, less than {samplerate / 4:g}", key="corner_hz"
            )
        self._sections = [_section(2.0 * math.pi * corner_hz / samplerate, quality) for quality in _QUALITIES]
        impulse, states = self._run(1.0, np.zeros(4))
        lag = np.subtract.outer(np.arange(_LENGTH), np.arange(_LENGTH))
        self._response = np.where(lag >= 0, impulse[lag], 0.0)
        runs = [self._run(0.0, unit) for unit in np.eye(4)]
        self._ringing: _Matrix = np.stack([out for out, _ in runs], axis=1)  # what a state leads to
        self._stepped: _Matrix = np.stack([each for _, each in runs], axis=2)  # what a state becomes after n frames
        self._left: _Matrix = states[::-1].T  # the state that a frame leaves behind
        self._state = np.zeros(4)

    def process(self, audio: Mono) -> Mono:
        """The next frames, shape (frames,), filtered."""
        x = audio.astype(np.float64)
        whole = len(x) - len(x) % _LENGTH
        out = np.empty(len(x))
        if whole:
            blocks = x[:whole].reshape(-1, _LENGTH)
            pieces = [blocks[at : at + _AT_ONCE] for at in range(0, len(blocks), _AT_ONCE)]
            filtered = np.concatenate([piece @ self._response.T for piece in pieces])
            left = np.concatenate([piece @ self._left.T for piece in pieces])
            for number in range(len(blocks)):
                filtered[number] += self._ringing @ self._state
                self._state = self._stepped[-1] @ self._state + left[number]
            out[:whole] = filtered.ravel()
        if rest := len(x) - whole:
            tail = x[whole:]
            out[whole:] = self._response[:rest, :rest] @ tail + self._ringing[:rest] @ self._state
            self._state = self._stepped[rest - 1] @ self._state + self._left[:, _LENGTH - rest :] @ tail
        if np.abs(self._state).max() < 1e-30:  # denormal numbers are slow
            self._state[:] = 0.0
        return out.astype(np.float32)

    def _run(self, first: float, state: _Matrix) -> tuple[_Matrix, _Matrix]:
        """Output, and the state after each frame, for one frame of ``first`` and silence after it."""
        out, states = np.empty(_LENGTH), np.empty((_LENGTH, 4))
        z = state.copy()
        for frame in range(_LENGTH):
            value = first if frame == 0 else 0.0
            for number, (b0, b1, b2, a1, a2) in enumerate(self._sections):
                y = b0 * value + z[2 * number]
                z[2 * number] = b1 * value - a1 * y + z[2 * number + 1]
                z[2 * number + 1] = b2 * value - a2 * y
                value = y
            out[frame], states[frame] = value, z
        return out, states


class AutomaticGain:
    """Amplifies a quiet voice towards :data:`TARGET_DBFS`; never makes anything quieter, and leaves silence alone.

    The gain of 32 ms is decided by what came before them, so nothing is delayed. It follows only what is well above the
    background, rises by 6 dB a second at most, and falls at once when a loud voice comes near the limit.

    Parameters
    ----------
    samplerate : int
        In Hz.
    most_db : float
        Most gain, 0 or more.
    """

    def __init__(self, samplerate: int, most_db: float = 24.0) -> None:
        if most_db < 0.0:
            raise ConfigError(f"most_db is {most_db}; allowed: 0 or more", key="most_db")
        self._most_db = most_db
        self._window_frames = s_to_frames(_WINDOW_S, samplerate)
        self._gate = LevelGate(above_floor_db=_VOICE_ABOVE_FLOOR_DB)
        self._voice_dbfs: float | None = None
        self._gain_db = self._next_db = 0.0
        self._window = np.zeros(0, np.float32)

    @property
    def gain_db(self) -> float:
        """The gain now."""
        return self._next_db

    def process(self, audio: Mono) -> Mono:
        """The next frames, shape (frames,), amplified and within [-1, 1]."""
        out = np.empty_like(audio)
        at = 0
        while at < len(audio):
            done = len(self._window)
            piece = audio[at : at + self._window_frames - done]
            part = (np.arange(done, done + len(piece), dtype=np.float32) + 1.0) / self._window_frames
            start, end = db_to_gain(self._gain_db), db_to_gain(self._next_db)
            gain = np.float32(start) + part * np.float32(end - start) if start != end else np.float32(end)
            out[at : at + len(piece)] = np.clip(gain * piece, -1.0, 1.0)
            self._window = np.concatenate([self._window, piece])
            if len(self._window) == self._window_frames:
                self._decide(self._window)
                self._window = self._window[:0]
            at += len(piece)
        return out

    def _decide(self, window: Mono) -> None:
        level, length_s = level_dbfs(window), _WINDOW_S
        loud = level > FLOOR_DB and self._gate.passes(level)
        self._gate.follow(level, length_s, speech=loud)
        if loud:
            if self._voice_dbfs is None:
                self._voice_dbfs = level
            self._voice_dbfs += (_RISE if level > self._voice_dbfs else _FALL) * (level - self._voice_dbfs)
        self._gain_db = self._next_db
        if self._voice_dbfs is None:
            return
        wanted = min(max(TARGET_DBFS - self._voice_dbfs, 0.0), self._most_db)
        up, down = _GAIN_RISE_DB_PER_S * length_s, _GAIN_FALL_DB_PER_S * length_s
        self._next_db += min(max(wanted - self._next_db, -down), up if loud else 0.0)
        peak = float(np.abs(window).max())
        if peak * db_to_gain(self._next_db) > _PEAK:
            self._next_db = max(0.0, 20.0 * math.log10(_PEAK / peak))


def _section(w: float, quality: float) -> tuple[float, float, float, float, float]:
    c, alpha = math.cos(w), math.sin(w) / (2.0 * quality)
    a0 = 1.0 + alpha
    return (1.0 + c) / 2.0 / a0, -(1.0 + c) / a0, (1.0 + c) / 2.0 / a0, -2.0 * c / a0, (1.0 - alpha) / a0
