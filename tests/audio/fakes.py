"""A host audio system whose every event the test decides."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sottovoce.audio.host import Device, HostStream, Kind, StreamRequest
from sottovoce.core.errors import HostAudioError
from sottovoce.native.telemetry import Histogram

Audio = npt.NDArray[np.float32]

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
)
_FINISHED = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def make_device(number: int, name: str, *, channels: int = 2, samplerate: int = 48000, default: bool = False) -> Device:
    """A device that has both directions."""
    return Device(number, name, "fake", channels, channels, samplerate, default, default, 0.01, 0.1, 0.02, 0.2)


class FakeCallback:
    """Stands for a compiled callback."""

    address = userdata = finished_address = 1
    peak, rms = 0.5, 0.25

    def __init__(self, generation: int, samplerate: int, channels: int) -> None:
        self.generation, self.samplerate, self.channels = generation, samplerate, channels
        self.finished = False
        self.retired = False
        self.held = self.was_held = False
        self.counted = {"blocks": 10}
        self.durations = Histogram()
        self.intervals = Histogram()
        self.resampling = Histogram()
        self._silent_since_ns: int | None = None
        self.held_s = 0.0
        self.deepest_ns = 0
        self.counted = {"blocks": 10}

    @property
    def last_block_ns(self) -> int:
        return time.monotonic_ns() if self._silent_since_ns is None else self._silent_since_ns

    def stall(self) -> None:
        """No block arrives from now on."""
        self._silent_since_ns = time.monotonic_ns()

    def priority(self) -> int:
        return 7

    def raise_priority(self, most: int) -> None:
        pass

    def hold(self) -> None:
        self.held = self.was_held = True

    def release(self) -> None:
        self.held = False

    def retire(self) -> None:
        self.retired = True

    def expect_within(self, held_s: float) -> None:
        self.held_s = held_s

    def take_deepest_ns(self) -> int:
        return self.deepest_ns

    def counters(self) -> dict[str, int]:
        return dict(self.counted)


class FakeStream:
    """A stream that hangs or fails when told."""

    samplerate = 48000
    latency_s = 0.015

    def __init__(self, host: FakeHost, request: StreamRequest) -> None:
        self.host, self.request = host, request
        self.calls: list[str] = []

    def call(self, frames: int, x: Audio | None = None) -> Audio:
        """Call the compiled callback as PortAudio would: hand ``x`` to it, or take a block from it."""
        callback = _CALLBACK(self.request.callback_address)
        out = np.full((frames, self.request.channels), np.nan, np.float32)
        taken = None if x is None else x.ctypes.data_as(ctypes.c_void_p)
        assert callback(taken, out.ctypes.data_as(ctypes.c_void_p), frames, None, 0, self.request.userdata) == 0
        return out

    def finish(self) -> None:
        """Say that the stream has stopped by itself."""
        _FINISHED(self.request.finished_address)(self.request.userdata)

    def start(self) -> None:
        self.calls.append("start")
        if self.host.start_error:
            raise self.host.start_error

    def abort(self) -> None:
        self.calls.append("abort")
        self.host.aborts.wait(10.0)

    def close(self) -> None:
        self.calls.append("close")


class FakeHost:
    """Devices, and streams on them."""

    way = "fake"

    def __init__(self, *devices: Device) -> None:
        self.listed = devices or (make_device(0, "first", default=True), make_device(1, "second"))
        self.streams: list[FakeStream] = []
        self.open_calls = 0
        self.refused_rates: set[int] = set()
        self.refused_channels: set[int] = set()
        self.start_error: HostAudioError | None = None
        self.open_error: HostAudioError | None = None
        #: Cleared, aborting hangs.
        self.aborts = threading.Event()
        self.aborts.set()
        self.opens = threading.Event()
        self.opens.set()
        self.abandoned = False
        #: False while another stream of the process is open.
        self.refreshes = True
        #: Ids that are listed though the device has gone.
        self.gone: set[int] = set()

    def devices(self) -> tuple[Device, ...]:
        return self.listed

    def refresh(self, max_age_s: float = 0.0) -> bool:
        return self.refreshes

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        return samplerate not in self.refused_rates and channels not in self.refused_channels

    def open(self, request: StreamRequest) -> HostStream:
        self.open_calls += 1
        self.opens.wait(10.0)
        if self.open_error:
            raise self.open_error
        if request.device_id in self.gone:
            raise HostAudioError("gone", pa_code=-9996)
        if not self.supports(request.kind, request.device_id, request.samplerate, request.channels):
            raise HostAudioError(f"{request.samplerate} Hz refused", pa_code=-9997)
        stream = FakeStream(self, request)
        self.streams.append(stream)
        return stream

    def abandon(self) -> None:
        self.abandoned = True


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for what another thread does; fails loudly if it never comes."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "what was waited for did not happen"
        time.sleep(0.005)
