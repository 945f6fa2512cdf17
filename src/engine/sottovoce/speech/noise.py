"""Noise made weaker than the voice in it, by the suppressor of WebRTC (package pywebrtc-audio, extra ``aec``).

Pure: no thread, no clock; the same result however the stream is cut.
"""

from __future__ import annotations

import logging
from typing import Any, Literal, TypeAlias

import numpy as np

from sottovoce.core.errors import BackendUnavailableError, ConfigError
from sottovoce.core.log import get_logger, log_event
from sottovoce.core.types import Mono
from sottovoce.speech.echo.framing import Delay, Framed, Streams

_LOG = get_logger("speech.noise")

SAMPLERATE = 16_000

NoiseLevel: TypeAlias = Literal["low", "moderate", "high", "highest"]

#: How much noise is weakened at most (dB) -> the library's number of it.
_LEVELS: dict[str, int] = {"low": 0, "moderate": 1, "high": 2, "highest": 3}
_BLOCK_FRAMES = SAMPLERATE // 100
#: Measured: its filter bank.
_DELAY_FRAMES = 96


class NoiseSuppressor:
    """Weakens steady noise by 6 ("low"), 12, 18 or 21 dB ("highest"); 15 ms later, each frame in its place.

    If the library fails, that is logged once, and the sound goes on as it is.

    Parameters
    ----------
    samplerate : int
        16000 Hz, nothing else.
    level : {"low", "moderate", "high", "highest"}
        How much.

    Raises
    ------
    BackendUnavailableError
        Its package is not installed.
    """

    def __init__(self, samplerate: int, level: NoiseLevel) -> None:
        if samplerate != SAMPLERATE:
            raise ConfigError(f"samplerate is {samplerate}; allowed: {SAMPLERATE}", key="samplerate")
        if level not in _LEVELS:
            raise ConfigError(f"level is {level!r}; allowed: {', '.join(_LEVELS)}", key="level")
        try:
            import pywebrtc_audio
        except ImportError as error:
            raise BackendUnavailableError(
                "noise suppression needs pywebrtc_audio, not installed here",
                backend="webrtc",
                install_hint='pip install "sottovoce[aec]"',
            ) from error
        self._library: Any = pywebrtc_audio.NoiseSuppressor(sample_rate=SAMPLERATE, level=_LEVELS[level])
        self._framed = Framed(self._blocks, 1, 1, _BLOCK_FRAMES, _DELAY_FRAMES)
        self._late = Delay(_DELAY_FRAMES)
        self._failed = False

    def process(self, audio: Mono) -> Mono:
        """The next frames, shape (frames,), with less noise; fewer at the beginning."""
        quieter: Mono = self._framed.process(audio[None])[0]
        return quieter

    def _blocks(self, streams: Streams) -> Streams:
        late = self._late.process(streams[0])
        if not self._failed:
            try:
                quieter: Mono = self._library.process(np.ascontiguousarray(streams[0]))
            except (RuntimeError, TypeError, ValueError, MemoryError) as error:
                self._failed = True
                log_event(_LOG, logging.WARNING, "noise is not suppressed any more", reason=str(error))
            else:
                return np.stack([quieter])
        return np.stack([late])
