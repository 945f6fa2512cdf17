"""How far the echo in a microphone lags behind what was played, measured and followed. Pure: no thread, no clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sottovoce.core.errors import ConfigError
from sottovoce.core.types import Mono
from sottovoce.core.units import db_to_gain, frames_to_s, s_to_frames


@dataclass(frozen=True, slots=True)
class DelaySettings:
    """How the lag is looked for.

    Attributes
    ----------
    earliest_s, latest_s : float
        Lags that are looked at; below 0 the echo comes before its reference, which two devices may make of it.
    window_s : float
        Sound that one look compares.
    every_s : float
        Time between two looks.
    memory : float
        How much of the looks before counts with each, 0 to 1: an echo is where it was, and other voices are not.
    least_dbfs : float
        Level (RMS) of the reference from which there is something to be looked for.
    clear : float
        Height of the peak over the spread of all lags from which it is an echo: by chance it is below 6.
    same_s : float
        Lags that differ by less are one.
    """

    earliest_s: float = -0.1
    latest_s: float = 0.8
    window_s: float = 1.0
    every_s: float = 0.5
    memory: float = 0.7
    least_dbfs: float = -60.0
    clear: float = 9.0
    same_s: float = 0.004

    def __post_init__(self) -> None:
        if not self.earliest_s <= 0.0:
            raise ConfigError(f"earliest_s is {self.earliest_s}; allowed: 0 or less", key="earliest_s")
        if not self.latest_s > 0.0:
            raise ConfigError(f"latest_s is {self.latest_s}; allowed: more than 0", key="latest_s")
        for key in ("window_s", "every_s"):
            if not getattr(self, key) > 0.0:
                raise ConfigError(f"{key} is {getattr(self, key)}; allowed: more than 0", key=key)
        if not 0.0 <= self.memory < 1.0:
            raise ConfigError(f"memory is {self.memory}; allowed: 0 or more, below 1", key="memory")


@dataclass(frozen=True, slots=True)
class EchoDelay:
    """A lag in seconds, and how clear its peak is (see :attr:`DelaySettings.clear`)."""

    seconds: float
    clarity: float


class DelayTracker:
    """Follows the lag of an echo by generalised cross-correlation with phase transform.

    C. H. Knapp and G. C. Carter, "The generalized correlation method for estimation of time delay", IEEE ASSP-24
    (1976): spectra are flattened, so that a voice, whose own periods repeat, has one peak. What somebody says at the
    microphone meanwhile adds to no lag more than to any other, and looks are averaged. About 2 ms of work a look, and
    none while nothing is played.

    Parameters
    ----------
    samplerate : int
        Of both streams, in Hz.
    settings : DelaySettings, optional
        How it is looked for.

    Attributes
    ----------
    delay : EchoDelay or None
        The lag that two looks in a row agreed on; None until there is one.
    looks, seen : int
        How often it was looked while something was played, and how often there was a clear echo, since the last reset.
    """

    def __init__(self, samplerate: int, settings: DelaySettings | None = None) -> None:
        self.settings = settings or DelaySettings()
        self.delay: EchoDelay | None = None
        self.looks = self.seen = 0
        self._samplerate = samplerate
        self._late = s_to_frames(self.settings.latest_s, samplerate)
        early = s_to_frames(-self.settings.earliest_s, samplerate)
        self._lags = self._late + early + 1
        self._window = s_to_frames(self.settings.window_s, samplerate)
        self._every = s_to_frames(self.settings.every_s, samplerate)
        # the microphone is looked at so far in the past that an echo before its reference has its reference, too
        self._near = np.zeros(self._window + early, np.float32)
        self._far = np.zeros(self._window + self._lags - 1, np.float32)
        self._size = 1 << (len(self._far) - 1).bit_length()
        frequency_hz = np.fft.rfftfreq(self._size, 1.0 / samplerate)
        self._band = (frequency_hz > 200.0) & (frequency_hz < 7000.0)
        self._taper = np.hanning(self._window).astype(np.float32)
        self._likeness = np.zeros(self._lags)
        self._pieces: list[tuple[Mono, Mono]] = []
        self._since = 0
        self._last: float | None = None

    @property
    def until_look(self) -> int:
        """Frames until the next look."""
        return self._every - self._since

    def feed(self, near: Mono, far: Mono) -> bool:
        """Take the next frames of both, of equal length; True if the lag has become known, or another one."""
        changed = False
        at = 0
        while at < len(near):
            piece = slice(at, at + self.until_look)
            self._pieces.append((near[piece], far[piece]))
            taken = len(near[piece])
            self._since += taken
            at += taken
            if self._since == self._every:
                self._near = _shifted([self._near, *(heard for heard, _ in self._pieces)])
                self._far = _shifted([self._far, *(played for _, played in self._pieces)])
                self._pieces, self._since = [], 0
                changed |= self._look()
        return changed

    def reset(self) -> None:
        """Forget the lag: the streams lie differently from now on."""
        self.delay = None
        self.looks = self.seen = 0
        self._last = None
        self._likeness[:] = 0.0

    def _look(self) -> bool:
        near, far = self._near[: self._window], self._far
        least = db_to_gain(self.settings.least_dbfs) ** 2
        if float(np.mean(np.square(far))) < least or not near.any():
            return False
        self.looks += 1
        spectrum = np.fft.rfft(far, self._size) * np.conj(np.fft.rfft(near * self._taper, self._size))
        spectrum[~self._band] = 0.0
        flat = spectrum / np.maximum(np.abs(spectrum), 1e-12)
        # entry k: the reference k frames after the oldest that is kept, which is a lag of `late - k`
        fresh: npt.NDArray[np.float64] = np.fft.irfft(flat, self._size)[: self._lags][::-1]
        memory = self.settings.memory
        self._likeness = memory * self._likeness + (1.0 - memory) * fresh
        return self._judge(np.abs(self._likeness))

    def _judge(self, likeness: npt.NDArray[np.float64]) -> bool:
        spread = float(np.sqrt(np.mean(np.square(likeness))))
        peak = int(np.argmax(likeness))
        clarity = float(likeness[peak]) / max(spread, 1e-30)
        if clarity < self.settings.clear:
            self._last = None
            return False
        self.seen += 1
        lag_s = frames_to_s(peak + self._late - self._lags + 1, self._samplerate)
        agreed = self._last is not None and abs(lag_s - self._last) < self.settings.same_s
        self._last = lag_s
        if not agreed:
            return False
        known, self.delay = self.delay, EchoDelay(lag_s, clarity)
        return known is None or abs(lag_s - known.seconds) >= self.settings.same_s


def _shifted(pieces: list[Mono]) -> Mono:
    """The last frames of all pieces, as many as the first one has."""
    return np.concatenate(pieces)[-len(pieces[0]) :]
