"""A host whose inputs are the monitors of a sound server's outputs: what PulseAudio or PipeWire plays.

PortAudio does not list them. The thread of a stream is Python's, and all that it does is to hand what has come to the
same compiled callback that PortAudio would call. It looks once a block, however often the server has something: the
blocks of that are as short as its most impatient client wants. What comes meanwhile waits, and nothing is lost by it.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator

import numpy as np

from sottovoce.audio.host import Device, Kind, StreamRequest
from sottovoce.audio.libpulse import PulseConnection, PulseRecording, Sink
from sottovoce.core.errors import DeviceError, HostAudioError
from sottovoce.native.mixer import MAX_BLOCKSIZE

HOST_API = "PulseAudio monitor"

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

#: What comes waits in the server for so long (s), at least, before any of it is lost.
_HELD_S = 1.0

#: How long opening and ending a stream may take (s), the sound server's answers included.
_LIMIT_S = 5.0


class MonitorHost:
    """The outputs of the sound server, as inputs; the default one is that of the system."""

    way = "libpulse"

    def devices(self) -> tuple[Device, ...]:
        """One input for each output, by the name of its monitor.

        Raises
        ------
        DeviceError
            If libpulse is not installed, or no server answers.
        """
        with contextlib.closing(PulseConnection()) as connection:
            return tuple(_device(sink) for sink in connection.sinks())

    def refresh(self, max_age_s: float = 0.0) -> bool:
        """The list is always a new one."""
        return True

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        """Every format: the server converts."""
        return kind == "input"

    def open(self, request: StreamRequest) -> MonitorStream:
        """A stream on a monitor.

        Raises
        ------
        DeviceError
            If the server refuses, or does not answer.
        """
        return MonitorStream(request)

    def abandon(self) -> None:
        """Nothing waits for it at exit."""


class MonitorStream:
    """A stream of what an output plays; it ends when that output goes, or another one becomes the default instead."""

    latency_s = 0.0  # not known: what was asked for counts, which is what the server holds for a thread that is late

    def __init__(self, request: StreamRequest) -> None:
        self.samplerate = request.samplerate
        self._request = request
        self._callback = _CALLBACK(request.callback_address)
        self._say_finished = _FINISHED(request.finished_address)
        self._silence = np.zeros((MAX_BLOCKSIZE, request.channels), np.float32)
        self._started = threading.Event()
        self._opened = threading.Event()
        self._stopping = threading.Event()
        self._refusals: list[DeviceError] = []
        self._thread = threading.Thread(target=self._run, name="sottovoce-loopback", daemon=True)
        self._thread.start()
        if not self._opened.wait(_LIMIT_S):
            self._stop()
            raise HostAudioError(
                f"{request.device_name!r} cannot be opened: the sound server does not answer",
                pa_code=0,
                hint="restart the sound server",
            )
        if self._refusals:
            self._thread.join()
            raise self._refusals[0]

    def start(self) -> None:
        """Let its sound come."""
        self._started.set()

    def abort(self) -> None:
        """Stop at once."""
        self._stop()

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        self._stop()
        self._thread.join(_LIMIT_S)

    def _stop(self) -> None:
        self._stopping.set()
        self._started.set()

    def _run(self) -> None:
        try:
            with self._connected() as (connection, recording):
                follows = _Default(connection, self._request.device_name)
                self._opened.set()
                self._started.wait()
                block_s = self._request.blocksize / self._request.samplerate
                while not (recording.ended or follows.gone or self._stopping.wait(block_s)):
                    while connection.iterate(0.0):
                        while not self._stopping.is_set() and recording.take(self._hand_over):
                            pass
        except DeviceError as error:
            self._refusals.append(error)
        finally:
            self._opened.set()
            if not self._stopping.is_set():
                self._say_finished(self._request.userdata)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[tuple[PulseConnection, PulseRecording]]:
        request = self._request
        connection = PulseConnection()
        try:
            recording = connection.record(request.device_name, request.samplerate, request.channels, request.blocksize)
            try:
                yield connection, recording
            finally:
                recording.close()
        finally:
            connection.close()

    def _hand_over(self, address: int | None, frames: int) -> None:
        """Call the compiled callback as PortAudio would, in blocks that it takes."""
        frame_bytes, done = 4 * self._request.channels, 0
        while done < frames:
            part = min(frames - done, MAX_BLOCKSIZE)
            block = self._silence.ctypes.data if address is None else address + done * frame_bytes
            self._callback(block, None, part, None, 0, self._request.userdata)
            done += part


class _Default:
    """Whether a monitor was that of the default output, and is no more."""

    def __init__(self, connection: PulseConnection, monitor: str) -> None:
        self._connection = connection
        self._changed = False
        self._sink = next((sink.name for sink in connection.sinks() if sink.monitor == monitor and sink.default), "")
        if self._sink:
            connection.when_server_changes(self._note)

    @property
    def gone(self) -> bool:
        """Asks the server, if it has said that something has changed."""
        changed, self._changed = self._changed, False
        return changed and self._connection.default_sink() not in ("", self._sink)

    def _note(self) -> None:
        self._changed = True


def _device(sink: Sink) -> Device:
    return Device(
        id=sink.number,
        name=sink.monitor,
        host_api=HOST_API,
        input_channels=sink.channels,
        output_channels=0,
        default_samplerate=sink.samplerate,
        default_input=sink.default,
        default_output=False,
        low_input_latency_s=_HELD_S,
        high_input_latency_s=_HELD_S,
        low_output_latency_s=0.0,
        high_output_latency_s=0.0,
    )
