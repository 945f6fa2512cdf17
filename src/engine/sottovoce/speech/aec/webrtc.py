"""The third echo canceller of WebRTC (AEC3), as in Chrome: a linear filter and a suppressor behind it.

Comes with the package pywebrtc-audio; nothing leaves this machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sottovoce.core.errors import BackendError, BackendUnavailableError
from sottovoce.core.types import Mono

NAME = "webrtc"
EXTRA = "aec"
PACKAGES = ("pywebrtc_audio",)
SENDS = ""

SAMPLERATE = 16_000


def open() -> WebRtcCanceller:
    """Open the canceller."""
    return WebRtcCanceller()


class WebRtcCanceller:
    """AEC3 at 16 kHz in blocks of 10 ms."""

    name = NAME
    samplerate = SAMPLERATE
    blocksize = SAMPLERATE // 100
    #: Measured: its blocks of 4 ms, and its filter bank.
    delay_frames = 128
    #: Its search for the lag ends there.
    most_lag_s = 0.4

    def __init__(self) -> None:
        try:
            from pywebrtc_audio import EchoCanceller
        except ImportError as error:
            raise BackendUnavailableError(
                "the echo canceller 'webrtc' needs pywebrtc_audio, not installed here",
                backend=NAME,
                install_hint='pip install "sottovoce[aec]"',
            ) from error
        self._library: Any = EchoCanceller(sample_rate=SAMPLERATE)

    def process(self, near: Mono, far: Mono) -> Mono:
        if self._library is None:
            raise BackendError("the echo canceller is closed", backend=NAME, hint="open a new one")
        try:
            cleaned: Mono = self._library.process(np.ascontiguousarray(near), np.ascontiguousarray(far))
        except (RuntimeError, TypeError, ValueError, MemoryError) as error:  # all that pybind11 makes of C++ exceptions
            raise BackendError(f"the echo canceller failed: {error}", backend=NAME) from error
        return cleaned

    def expect(self, lag_s: float) -> None:
        """It finds that out by itself."""

    def close(self) -> None:
        self._library = None
