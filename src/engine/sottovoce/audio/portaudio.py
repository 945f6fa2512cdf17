"""PortAudio through sounddevice: the only file that touches sounddevice's insides.

A compiled callback is handed over by its address, so PortAudio's thread never enters Python. ``_StreamBase``,
``_initialize`` and ``_terminate`` are on sounddevice's page for library authors; ``_ffi`` and ``_lib`` are not
documented, hence this one file. cffi lets the GIL go around every call below, so none of them can deadlock with a
Python thread.
"""

from __future__ import annotations

import atexit
import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sottovoce.audio.host import Device, Host, HostStream, Kind, StreamRequest
from sottovoce.core.errors import DeviceError, HostAudioError
from sottovoce.native import hostlog

#: A host call that takes longer than this holds up nobody else: they get an error instead.
_BUSY_LIMIT_S = 5.0

#: PortAudio's codes for "not in this format", after which another rate or channel count may do.
INVALID_CHANNEL_COUNT = -9998
INVALID_SAMPLERATE = -9997

_INSTALL_HINTS = {
    "linux": "apt-get install libportaudio2 (Fedora: dnf install portaudio; Arch: pacman -S portaudio)",
    "darwin": "pip install --force-reinstall sounddevice, or brew install portaudio",
}

_HINTS = {
    INVALID_SAMPLERATE: "prefer_stream_rate='device' opens it at its own rate",
    INVALID_CHANNEL_COUNT: "`sottovoce devices` shows how many channels each device has",
    -9996: "`sottovoce devices` lists what there is",
    -9985: "another program may hold the device: close it, or name another device",
}


@dataclass(frozen=True, slots=True)
class PortAudioStatus:
    """Whether PortAudio can be used; ``problem`` and ``hint`` are empty if it can."""

    available: bool
    version: str = ""
    library: str = ""
    problem: str = ""
    hint: str = ""


def portaudio_status() -> PortAudioStatus:
    """PortAudio's version and library, or what is missing and the command that mends it."""
    try:
        sd = _load()
    except DeviceError as error:
        return PortAudioStatus(available=False, problem=error.message, hint=error.hint)
    return PortAudioStatus(available=True, version=sd.get_portaudio_version()[1], library=str(sd._libname))


def _load() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise DeviceError(f"sounddevice cannot be imported: {error}", hint="pip install sounddevice") from error
    except OSError as error:  # what sounddevice raises where its wheel brings no PortAudio along
        raise DeviceError(f"PortAudio cannot be loaded: {error}", hint=_install_hint()) from error
    except Exception as error:  # PortAudioError, a class that cannot be named before the import: no working host API
        raise DeviceError(f"PortAudio does not start: {error}", hint="start the sound server, or reboot it") from error
    if sys.platform == "linux":
        _take_messages_of_alsa()
    return sounddevice


def _take_messages_of_alsa() -> None:
    """Count what ALSA has to say of every underrun; it would write it to stderr, across the screen."""
    try:
        alsa = ctypes.CDLL("libasound.so.2")
    except OSError:  # a PortAudio that was built without it
        return
    alsa.snd_lib_error_set_handler.argtypes = [ctypes.c_void_p]
    alsa.snd_lib_error_set_handler(hostlog.handler_address())


def _install_hint() -> str:
    return _INSTALL_HINTS.get(sys.platform, "pip install --force-reinstall sounddevice")


class _SoundDeviceStream:
    """A stream of a compiled callback."""

    def __init__(self, host: SoundDeviceHost, raw: Any) -> None:
        self._host = host
        self._raw = raw
        self._open = True
        self._guard = threading.Lock()

    @property
    def samplerate(self) -> int:
        return int(self._raw.samplerate + 0.5)

    @property
    def latency_s(self) -> float:
        return float(self._raw.latency)

    def start(self) -> None:
        with self._host.translated("start the stream"):
            self._raw.start()

    def abort(self) -> None:
        with self._host.translated("abort the stream"):
            self._raw.abort(ignore_errors=False)

    def close(self) -> None:
        with self._guard:
            was_open, self._open = self._open, False
        if was_open:
            self._host.close_raw(self._raw)


class SoundDeviceHost:
    """PortAudio as sounddevice loads it.

    PortAudio's own functions are not thread-safe, so one lock serialises those that touch its lists. Aborting a
    stream, the one call known to hang for as long as a sound server does, is made outside it.
    """

    def __init__(self) -> None:
        self._sd = _load()
        self._lock = threading.Lock()
        self._open_streams = 0
        self._listed_s = time.monotonic()

    def devices(self) -> tuple[Device, ...]:
        sd = self._sd
        with self._exclusive("list the devices"):
            apis = sd.query_hostapis()
            default_input, default_output = sd._lib.Pa_GetDefaultInputDevice(), sd._lib.Pa_GetDefaultOutputDevice()
            return tuple(
                Device(
                    id=info["index"],
                    name=info["name"],
                    host_api=apis[info["hostapi"]]["name"],
                    input_channels=info["max_input_channels"],
                    output_channels=info["max_output_channels"],
                    default_samplerate=round(info["default_samplerate"]),
                    default_input=info["index"] == default_input,
                    default_output=info["index"] == default_output,
                    low_input_latency_s=info["default_low_input_latency"],
                    high_input_latency_s=info["default_high_input_latency"],
                    low_output_latency_s=info["default_low_output_latency"],
                    high_output_latency_s=info["default_high_output_latency"],
                )
                for info in sd.query_devices()
            )

    def refresh(self, max_age_s: float = 0.0) -> bool:
        """PortAudio sees new devices only after it is terminated and initialised, which kills every open stream
        (python-sounddevice 125, 493, 601): so only with all of ours closed.
        """
        with self._exclusive("look for devices"):
            if self._open_streams:
                return False
            if time.monotonic() - self._listed_s >= max_age_s:
                while self._sd._initialized:
                    self._sd._terminate()
                self._sd._initialize()
                self._listed_s = time.monotonic()
            return True

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        check = self._sd.check_input_settings if kind == "input" else self._sd.check_output_settings
        try:
            with self._exclusive("check a format"):
                check(device=device_id, channels=channels, dtype="float32", samplerate=samplerate)
        except HostAudioError:
            return False
        return True

    def open(self, request: StreamRequest) -> HostStream:
        ffi = self._sd._ffi
        with self._exclusive(f"open {request.kind} device {request.device_id} at {request.samplerate} Hz"):
            raw = self._sd._StreamBase(
                kind=request.kind,
                samplerate=request.samplerate,
                blocksize=request.blocksize,
                device=request.device_id,
                channels=request.channels,
                dtype="float32",
                latency=request.latency_s,
                callback=ffi.cast("PaStreamCallback*", request.callback_address),
                finished_callback=ffi.cast("PaStreamFinishedCallback*", request.finished_address),
                userdata=ffi.cast("void*", request.userdata),
            )
            self._open_streams += 1
            self._promote(raw, request.device_id)
        return _SoundDeviceStream(self, raw)

    def _promote(self, raw: Any, device_id: int) -> None:
        """Ask for realtime priority for the stream's thread, which PortAudio does by itself everywhere but on ALSA.

        Where the system refuses, PortAudio goes on without.
        """
        sd = self._sd
        if sd.query_hostapis(sd.query_devices(device_id)["hostapi"])["name"] != "ALSA":
            return  # the function takes any stream for one of ALSA's
        enable = getattr(ctypes.CDLL(sd._libname), "PaAlsa_EnableRealtimeScheduling", None)
        if enable is not None:
            enable.argtypes, enable.restype = [ctypes.c_void_p, ctypes.c_int], None
            enable(int(sd._ffi.cast("uintptr_t", raw._ptr)), 1)

    def close_raw(self, raw: Any) -> None:
        """Close a stream that :meth:`open` has opened."""
        with self._exclusive("close the stream"):
            self._open_streams -= 1  # whatever the host answers, PortAudio has forgotten the stream
            raw.close(ignore_errors=False)

    def abandon(self) -> None:
        # sounddevice terminates PortAudio at exit, which closes the hanging stream again and would hang there.
        atexit.unregister(self._sd._exit_handler)

    @contextmanager
    def translated(self, action: str) -> Iterator[None]:
        """Turn PortAudio's errors into ours, with both PortAudio's and the system's words."""
        try:
            yield
        except self._sd.PortAudioError as error:
            text = error.args[0]
            pa_code = error.args[1] if len(error.args) > 1 else 0
            host_text = error.args[2][2] if len(error.args) > 2 else ""
            message = f"cannot {action}: {text}" + (f" ({host_text})" if host_text else "")
            raise HostAudioError(message, pa_code=pa_code, host_text=host_text, hint=_HINTS.get(pa_code, "")) from error

    @contextmanager
    def _exclusive(self, action: str) -> Iterator[None]:
        if not self._lock.acquire(timeout=_BUSY_LIMIT_S):
            raise HostAudioError(
                f"cannot {action}: an earlier call to the sound system has hung for over {_BUSY_LIMIT_S:.0f} s",
                pa_code=0,
                hint="restart the sound server",
            )
        try:
            with self.translated(action):
                yield
        finally:
            self._lock.release()


_host_lock = threading.Lock()
_host: SoundDeviceHost | None = None


def portaudio_host() -> Host:
    """The one PortAudio of this process, loaded at the first call.

    Raises
    ------
    DeviceError
        If it is not installed; the hint is the command that installs it.
    """
    global _host
    with _host_lock:
        if _host is None:
            _host = SoundDeviceHost()
        return _host
