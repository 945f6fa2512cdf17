"""PortAudio, reached in two ways, and the only file that touches sounddevice's insides.

A compiled callback is handed over by its address, so PortAudio's thread never enters Python. Streams are opened either
by sounddevice's ``_StreamBase`` (on its page for library authors, with ``_ffi``, ``_libname`` and ``_exit_handler``
beside it, which are not documented), or by the C functions of the very library that it has loaded. Everything else
goes through those in both ways, so that the second is there when sounddevice changes.
"""

from __future__ import annotations

import atexit
import ctypes
import ctypes.util
import inspect
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

from sottovoce.audio.host import Device, Kind, StreamRequest
from sottovoce.audio.libportaudio import (
    INVALID_CHANNEL_COUNT,
    INVALID_DEVICE,
    INVALID_SAMPLERATE,
    CtypesStream,
    LibPortAudio,
    PaFailure,
)
from sottovoce.core.errors import ConfigError, DeviceError, HostAudioError
from sottovoce.core.log import get_logger, log_event
from sottovoce.native import hostlog

#: How streams are opened.
Way: TypeAlias = Literal["sounddevice", "ctypes"]
WantedWay: TypeAlias = Literal["auto", "sounddevice", "ctypes"]

#: A host call that takes longer than this holds up nobody else: they get an error instead.
_BUSY_LIMIT_S = 5.0

_INSTALL_HINTS = {
    "linux": "apt-get install libportaudio2 (Fedora: dnf install portaudio; Arch: pacman -S portaudio)",
    "darwin": "pip install --force-reinstall sounddevice, or brew install portaudio",
}

_HINTS = {
    INVALID_SAMPLERATE: "prefer_stream_rate='device' opens it at its own rate",
    INVALID_CHANNEL_COUNT: "`sottovoce devices` shows how many channels each device has",
    INVALID_DEVICE: "`sottovoce devices` lists what there is",
    -9985: "another program may hold the device: close it, or name another device",
}

_logger = get_logger("audio")


@dataclass(frozen=True, slots=True)
class PortAudioStatus:
    """Whether PortAudio can be used, and the way in; ``problem`` and ``hint`` are empty if it can."""

    available: bool
    version: str = ""
    library: str = ""
    way: str = ""
    problem: str = ""
    hint: str = ""


def portaudio_status() -> PortAudioStatus:
    """PortAudio's version and library, or what is missing and the command that mends it."""
    try:
        host = portaudio_host()
    except DeviceError as error:
        return PortAudioStatus(available=False, problem=error.message, hint=error.hint)
    return PortAudioStatus(available=True, version=host.library.version, library=host.library.path, way=host.way)


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


def _open_library(sd: Any) -> LibPortAudio:
    """The library that sounddevice has loaded."""
    path = getattr(sd, "_libname", None) or ctypes.util.find_library("portaudio")
    if not path:
        raise DeviceError(
            "sounddevice does not say which PortAudio it has loaded", hint="pip install 'sounddevice<0.6'"
        )
    try:
        return LibPortAudio(path)
    except OSError as error:
        raise DeviceError(f"PortAudio cannot be loaded: {error}", hint=_install_hint()) from error


def missing_insides(sd: Any) -> str:
    """What of sounddevice that :class:`_SoundDeviceStream` needs is not as it was; nothing if all is."""
    for name in ("_StreamBase", "_ffi", "PortAudioError"):
        if not hasattr(sd, name):
            return f"sounddevice.{name} is gone"
    known = inspect.signature(sd._StreamBase.__init__).parameters
    for name in ("kind", "callback", "finished_callback", "userdata"):
        if name not in known:
            return f"sounddevice._StreamBase takes no {name}"
    return ""


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


class _RawStream(Protocol):
    """A stream of PortAudio; its methods raise PaFailure, and none holds the GIL."""

    samplerate: float
    latency_s: float

    @property
    def pointer(self) -> int: ...
    def start(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class _SoundDeviceStream:
    """A stream opened by sounddevice."""

    def __init__(self, sd: Any, request: StreamRequest) -> None:
        self._sd = sd
        ffi = sd._ffi
        with self._translated():
            self._raw = sd._StreamBase(
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
        self.samplerate: float = self._raw.samplerate
        self.latency_s: float = self._raw.latency

    @property
    def pointer(self) -> int:
        return int(self._sd._ffi.cast("uintptr_t", self._raw._ptr))

    def start(self) -> None:
        with self._translated():
            self._raw.start()

    def abort(self) -> None:
        with self._translated():
            self._raw.abort(ignore_errors=False)

    def close(self) -> None:
        with self._translated():
            self._raw.close(ignore_errors=False)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._sd.PortAudioError as error:
            code = error.args[1] if len(error.args) > 1 else 0
            host_text = error.args[2][2] if len(error.args) > 2 else ""
            raise PaFailure(code, error.args[0], host_text) from error


class PortAudioStream:
    """An open stream of :class:`PortAudioHost`."""

    def __init__(self, host: PortAudioHost, raw: _RawStream) -> None:
        self._host = host
        self._raw = raw
        self._open = True
        self._guard = threading.Lock()

    @property
    def samplerate(self) -> int:
        return int(self._raw.samplerate + 0.5)

    @property
    def latency_s(self) -> float:
        return self._raw.latency_s

    def start(self) -> None:
        with _explained("start the stream"):
            self._raw.start()

    def abort(self) -> None:
        with _explained("abort the stream"):
            self._raw.abort()

    def close(self) -> None:
        with self._guard:
            was_open, self._open = self._open, False
        if was_open:
            self._host.close_raw(self._raw)


class _Instance:
    """What both ways share: PortAudio's lists are not thread-safe, so one lock serialises the calls that touch them.

    Aborting a stream, the one call known to hang for as long as a sound server does, is made outside it.
    """

    def __init__(self) -> None:
        self.sd = _load()
        self.library = _open_library(self.sd)
        self.open_streams = 0
        self.listed_s = time.monotonic()
        self._lock = threading.Lock()

    @contextmanager
    def exclusive(self, action: str) -> Iterator[LibPortAudio]:
        """The library, for nobody else at the time, with its errors explained."""
        if not self._lock.acquire(timeout=_BUSY_LIMIT_S):
            raise HostAudioError(
                f"cannot {action}: an earlier call to the sound system has hung for over {_BUSY_LIMIT_S:.0f} s",
                pa_code=0,
                hint="restart the sound server",
            )
        try:
            with _explained(action):
                yield self.library
        finally:
            self._lock.release()


class PortAudioHost:
    """The PortAudio of this process, entered in one of two ways."""

    def __init__(self, instance: _Instance, way: Way) -> None:
        self._instance = instance
        self.way: str = way

    @property
    def library(self) -> LibPortAudio:
        """The library itself."""
        return self._instance.library

    def devices(self) -> tuple[Device, ...]:
        with self._instance.exclusive("list the devices") as library:
            return library.devices()

    def refresh(self, max_age_s: float = 0.0) -> bool:
        """PortAudio sees new devices only after it is terminated and initialised, which kills every open stream
        (python-sounddevice 125, 493, 601): so only with all of ours closed.
        """
        instance = self._instance
        with instance.exclusive("look for devices") as library:
            if time.monotonic() - instance.listed_s < max_age_s:
                return True
            if instance.open_streams:
                return False
            library.reinitialize()
            instance.listed_s = time.monotonic()
            return True

    def supports(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> bool:
        try:
            with self._instance.exclusive("check a format") as library:
                library.check_format(kind, device_id, samplerate, channels)
        except HostAudioError:
            return False
        return True

    def open(self, request: StreamRequest) -> PortAudioStream:
        instance = self._instance
        name = f"{request.kind} device {request.device_id} {request.device_name!r}"
        with instance.exclusive(f"open {name} at {request.samplerate} Hz, {request.channels} channels") as library:
            device = library.device(request.device_id)
            if device is None or device.name != request.device_name:
                raise PaFailure(INVALID_DEVICE, "it is not there any more")
            raw = self._open_raw(library, request)
            instance.open_streams += 1
            if device.host_api == "ALSA":
                library.promote(raw.pointer)
        return PortAudioStream(self, raw)

    def _open_raw(self, library: LibPortAudio, request: StreamRequest) -> _RawStream:
        if self.way == "ctypes":
            return CtypesStream(library, request)
        return _SoundDeviceStream(self._instance.sd, request)

    def close_raw(self, raw: _RawStream) -> None:
        """Close a stream that :meth:`open` has opened."""
        with self._instance.exclusive("close the stream"):
            self._instance.open_streams -= 1  # whatever the host answers, PortAudio has forgotten the stream
            raw.close()

    def abandon(self) -> None:
        # sounddevice terminates PortAudio at exit, which closes the hanging stream again and would hang there
        handler = getattr(self._instance.sd, "_exit_handler", None)
        if handler is not None:
            atexit.unregister(handler)


@contextmanager
def _explained(action: str) -> Iterator[None]:
    """Turn PortAudio's errors into ours, with both PortAudio's and the system's words."""
    try:
        yield
    except PaFailure as failure:
        text = failure.text + (f" ({failure.host_text})" if failure.host_text else "")
        hint = _HINTS.get(failure.code, "")
        raise HostAudioError(
            f"cannot {action}: {text}", pa_code=failure.code, host_text=failure.host_text, hint=hint
        ) from failure


_choice_lock = threading.Lock()
_wanted: WantedWay = "auto"
_instance: _Instance | None = None
_hosts: dict[WantedWay, PortAudioHost] = {}


def choose_way(wanted: WantedWay) -> None:
    """Say how PortAudio is entered from now on by whoever opens a stream; "auto" unless this is called.

    Parameters
    ----------
    wanted : {"auto", "sounddevice", "ctypes"}
        sounddevice's own stream class, the C functions of its library, or the former unless it has changed.

    Raises
    ------
    ConfigError
        If it is none of those.
    """
    global _wanted
    if wanted not in get_args(WantedWay):
        raise ConfigError(f"portaudio is {wanted!r}; allowed: 'auto', 'sounddevice', 'ctypes'", key="portaudio")
    with _choice_lock:
        _wanted = wanted


def portaudio_host() -> PortAudioHost:
    """The one PortAudio of this process, loaded at the first call and entered as :func:`choose_way` says.

    Raises
    ------
    DeviceError
        If it is not installed; the hint is the command that installs it.
    """
    global _instance
    with _choice_lock:
        if _instance is None:
            _instance = _Instance()
        if _wanted not in _hosts:
            _hosts[_wanted] = PortAudioHost(_instance, _resolved(_wanted, missing_insides(_instance.sd)))
        return _hosts[_wanted]


def _resolved(wanted: WantedWay, missing: str) -> Way:
    if wanted == "ctypes":
        return "ctypes"
    if not missing:
        return "sounddevice"
    if wanted == "sounddevice":
        raise DeviceError(f"streams cannot be opened by sounddevice: {missing}", hint="set audio.portaudio to 'ctypes'")
    log_event(_logger, logging.WARNING, "sounddevice has changed: its library is used directly", reason=missing)
    return "ctypes"
