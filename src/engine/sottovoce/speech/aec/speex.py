"""The echo canceller of Speex: an adaptive filter, and nothing behind it: what is said meanwhile stays as it is.

It lies in the package pyaec, of which only the library is used: its own calls make an object of every sample.
Nothing leaves this machine.
"""

from __future__ import annotations

from ctypes import POINTER, c_int16
from typing import Any

import numpy as np
import numpy.typing as npt

from sottovoce.core.errors import BackendError, BackendUnavailableError
from sottovoce.core.formats import to_int16
from sottovoce.core.types import Mono

NAME = "speex"
EXTRA = "aec"
PACKAGES = ("pyaec",)
SENDS = ""

SAMPLERATE = 16_000
#: How long an echo is modelled, lag and room together: longer ones are learned more slowly, and worse.
TAIL_FRAMES = 4096

_POINTER = POINTER(c_int16)


def open() -> SpeexCanceller:
    """Open the canceller."""
    return SpeexCanceller()


class SpeexCanceller:
    """The multidelay block frequency adaptive filter of speexdsp at 16 kHz, in blocks of 10 ms.

    J.-M. Valin, "On adjusting the learning rate in frequency domain echo cancellation with double-talk" (2007).
    """

    name = NAME
    samplerate = SAMPLERATE
    blocksize = SAMPLERATE // 100
    delay_frames = 0
    #: The rest of the tail is for the room.
    most_lag_s = 0.1

    def __init__(self) -> None:
        try:
            from pyaec import lib
        except (ImportError, OSError, AttributeError) as error:  # it goes on without its library, and falls over that
            raise BackendUnavailableError(
                "the echo canceller 'speex' needs pyaec, not installed here",
                backend=NAME,
                install_hint='pip install "sottovoce[aec]"',
            ) from error
        self._library: Any = lib
        self._state: Any = lib.AecNew(self.blocksize, TAIL_FRAMES, SAMPLERATE, False)
        if not self._state:
            raise BackendError("the echo canceller has no memory", backend=NAME)
        self._out = np.empty(self.blocksize, np.int16)

    def process(self, near: Mono, far: Mono) -> Mono:
        if self._state is None:
            raise BackendError("the echo canceller is closed", backend=NAME, hint="open a new one")
        heard, played, size = to_int16(near), to_int16(far), self.blocksize
        cleaned = np.empty(len(near), np.float32)
        for at in range(0, len(near), size):
            block = slice(at, at + size)
            self._library.AecCancelEcho(self._state, _at(heard[block]), _at(played[block]), _at(self._out), size)
            cleaned[block] = self._out
        return cleaned / np.float32(-np.iinfo(np.int16).min)

    def expect(self, lag_s: float) -> None:
        """It finds that out by itself."""

    def close(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            self._library.AecDestroy(state)


def _at(values: npt.NDArray[np.int16]) -> Any:
    return values.ctypes.data_as(_POINTER)
