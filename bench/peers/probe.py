"""Measures a callback from outside, whoever wrote it: how long PortAudio waits for it, and when it falls silent."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sottovoce.audio.host import Device, Host, HostStream, Kind, StreamRequest

_SOURCE = Path(__file__).with_name("probe.c")


class _Core(ctypes.Structure):
    """``probe`` of probe.c."""

    _fields_ = (
        ("called", ctypes.c_void_p),
        ("finished", ctypes.c_void_p),
        ("userdata", ctypes.c_void_p),
        ("durations_ns", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
        ("channels", ctypes.c_uint64),
        ("blocks", ctypes.c_uint64),
        ("silent_since", ctypes.c_uint64),
        ("largest_step", ctypes.c_float),
        ("last", ctypes.c_float),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError("callbacks are measured by a small library in C, and there is no compiler: install gcc")
    with tempfile.TemporaryDirectory() as folder:
        library = str(Path(folder) / "probe.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", str(_SOURCE), "-o", library], check=True)
        return ctypes.CDLL(library)


class Probe:
    """Takes a callback's place at PortAudio, and calls it; keep it until the stream is closed.

    A player that opens its stream anew puts it before the new callback, too; figures go on where they were.

    Parameters
    ----------
    channels : int
        Of the output.
    capacity : int
        Blocks whose durations are kept.
    """

    def __init__(self, channels: int, capacity: int) -> None:
        self._durations = np.ones(capacity, np.uint64)  # written once, so that no page fault waits in a callback
        self._first = _Core(capacity=capacity, channels=channels, durations_ns=self._durations.ctypes.data)
        self._cores: list[_Core] = []  # an old stream may call for as long as it is not closed: all are kept

    def put_before(self, address: int, userdata: int, finished_address: int = 0) -> int:
        """The callbacks to call, and what PortAudio would hand to both; returns what it is to hand to ours."""
        core = _Core.from_buffer_copy(self._core)
        core.called, core.userdata, core.finished = address, userdata, finished_address
        self._cores.append(core)
        return ctypes.addressof(core)

    @property
    def _core(self) -> _Core:
        return self._cores[-1] if self._cores else self._first

    @property
    def streams(self) -> int:
        """Streams that were opened."""
        return len(self._cores)

    @property
    def address(self) -> int:
        """Of the callback that is given to PortAudio."""
        return ctypes.cast(_library().probe_callback, ctypes.c_void_p).value or 0

    @property
    def finished_address(self) -> int:
        """Of the callback that PortAudio is to call when the stream has stopped."""
        return ctypes.cast(_library().probe_finished, ctypes.c_void_p).value or 0

    @property
    def blocks(self) -> int:
        """Blocks so far."""
        return int(self._core.blocks)

    @property
    def silent_since_ns(self) -> int:
        """When the callback returned that gave the first block ending in silence; 0 while it sounds."""
        return int(self._core.silent_since)

    @property
    def largest_step(self) -> float:
        """The largest step between neighbouring frames, over all blocks."""
        return float(self._core.largest_step)

    def durations_ns(self, first: int, last: int) -> npt.NDArray[np.uint64]:
        """How long blocks ``first`` up to ``last`` took."""
        if last > len(self._durations):
            raise RuntimeError(f"{last} blocks were played, the probe keeps {len(self._durations)}: give it more room")
        return self._durations[first:last].copy()


@dataclasses.dataclass(frozen=True, slots=True)
class ProbedHost:
    """A host of sottovoce whose streams are measured."""

    host: Host
    probe: Probe

    def open(self, request: StreamRequest) -> HostStream:
        userdata = self.probe.put_before(request.callback_address, request.userdata, request.finished_address)
        return self.host.open(
            dataclasses.replace(
                request,
                callback_address=self.probe.address,
                finished_address=self.probe.finished_address,
                userdata=userdata,
            )
        )

    @property
    def way(self) -> str:
        return self.host.way

    def devices(self) -> tuple[Device, ...]:
        return self.host.devices()

    def refresh(self, max_age_s: float = 0.0) -> bool:
        return self.host.refresh(max_age_s)

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        return self.host.supports(kind, device_id, samplerate, channels)

    def abandon(self) -> None:
        self.host.abandon()


class _ProbedLibrary:
    """sounddevice's PortAudio, whose streams, which have no other callback, are opened with a probe before theirs."""

    def __init__(self, sounddevice: Any, probe: Probe) -> None:
        self._sd, self._probe, self._lib = sounddevice, probe, sounddevice._lib

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lib, name)

    def Pa_OpenStream(self, *arguments: Any) -> Any:
        ffi = self._sd._ffi
        *format_, callback, userdata = arguments
        own = self._probe.put_before(int(ffi.cast("uintptr_t", callback)), int(ffi.cast("uintptr_t", userdata)))
        address = ffi.cast("PaStreamCallback*", self._probe.address)
        return self._lib.Pa_OpenStream(*format_, address, ffi.cast("void*", own))


@contextmanager
def probed_sounddevice(probe: Probe) -> Iterator[Any]:
    """sounddevice, whose streams, those of programs built on it included, are measured if opened meanwhile."""
    import sounddevice

    library = sounddevice._lib
    sounddevice._lib = _ProbedLibrary(sounddevice, probe)
    try:
        yield sounddevice
    finally:
        sounddevice._lib = library
