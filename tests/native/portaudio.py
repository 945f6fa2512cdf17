"""Calls a callback as PortAudio does: by its address."""

from __future__ import annotations

import ctypes

import numpy as np

from sottovoce.native.callback import CaptureCallback, PlaybackCallback
from tests.native.arrays import Float


class TimeInfo(ctypes.Structure):
    """``PaStreamCallbackTimeInfo``."""

    _fields_ = (("input_adc", ctypes.c_double), ("current", ctypes.c_double), ("output_dac", ctypes.c_double))


STREAM_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.POINTER(TimeInfo),
    ctypes.c_ulong,
    ctypes.c_void_p,
)
FINISHED_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def play(callback: PlaybackCallback, frames: int, flags: int = 0, times: TimeInfo | None = None) -> Float:
    """One block of a playback stream, into memory that held rubbish."""
    out = np.full((frames, callback.channels), 7.0, np.float32)
    time_info = None if times is None else ctypes.pointer(times)
    result = STREAM_CALLBACK(callback.address)(None, out.ctypes.data, frames, time_info, flags, callback.userdata)
    assert result == 0  # paContinue
    return out


def capture(callback: CaptureCallback, x: Float, flags: int = 0) -> None:
    """One block of a capture stream."""
    result = STREAM_CALLBACK(callback.address)(x.ctypes.data, None, len(x), None, flags, callback.userdata)
    assert result == 0


def finish(callback: PlaybackCallback | CaptureCallback) -> None:
    """The stream has stopped."""
    FINISHED_CALLBACK(callback.finished_address)(callback.userdata)
