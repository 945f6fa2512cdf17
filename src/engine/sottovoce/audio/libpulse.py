"""libpulse through ctypes: which outputs there are, and streams that record what one of them plays.

The library is that of PulseAudio, which PipeWire's server understands, too. Only what a capture of a monitor needs is
here. Structures are those of ``pulse/introspect.h`` of version 1, of which only the beginning is read: later fields may
be added behind it. Everything of one connection is used by one thread.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Any

from sottovoce.core.errors import DeviceError

_INSTALL_HINT = "apt-get install libpulse0 (Fedora: dnf install pulseaudio-libs; Arch: pacman -S libpulse)"
_START_HINT = "start PulseAudio or PipeWire (pipewire-pulse); `pactl info` tells whether it runs"

_SILENT = "the sound server (PulseAudio, or PipeWire in its place) does not answer"

#: How long the server may take to answer (s).
_ANSWER_LIMIT_S = 2.0

_NO_AUTOSPAWN = 1
_CONTEXT_READY, _CONTEXT_FAILED = 4, 5
_STREAM_READY, _STREAM_FAILED = 2, 3
_OPERATION_RUNNING = 0
_SERVER_EVENTS, _SERVER_EVENT, _FACILITY = 0x0080, 0x0007, 0x000F
#: As often as it is wanted, and never moved: a stream whose output goes must end, not go on with a microphone.
_ADJUST_LATENCY, _DONT_MOVE = 0x2000, 0x0200
_FLOAT32LE = 5
_ANY = 0xFFFFFFFF


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", c_int), ("samplerate", c_uint32), ("channels", c_uint8))


class _ChannelMap(ctypes.Structure):
    _fields_ = (("channels", c_uint8), ("positions", c_int * 32))


class _Volume(ctypes.Structure):
    _fields_ = (("channels", c_uint8), ("values", c_uint32 * 32))


class _ServerInfo(ctypes.Structure):
    _fields_ = (
        ("user", c_char_p),
        ("host", c_char_p),
        ("version", c_char_p),
        ("server", c_char_p),
        ("sample_spec", _SampleSpec),
        ("default_sink", c_char_p),
    )


class _SinkInfo(ctypes.Structure):
    _fields_ = (
        ("name", c_char_p),
        ("index", c_uint32),
        ("description", c_char_p),
        ("sample_spec", _SampleSpec),
        ("channel_map", _ChannelMap),
        ("owner", c_uint32),
        ("volume", _Volume),
        ("muted", c_int),
        ("monitor", c_uint32),
        ("monitor_name", c_char_p),
    )


class _BufferAttributes(ctypes.Structure):
    _fields_ = tuple((name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


_SERVER_CALLBACK = CFUNCTYPE(None, c_void_p, POINTER(_ServerInfo), c_void_p)
_SINK_CALLBACK = CFUNCTYPE(None, c_void_p, POINTER(_SinkInfo), c_int, c_void_p)
_EVENT_CALLBACK = CFUNCTYPE(None, c_void_p, c_int, c_uint32, c_void_p)

#: Result and arguments of each function that is used.
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pa_mainloop_new": (c_void_p, ()),
    "pa_mainloop_free": (None, (c_void_p,)),
    "pa_mainloop_get_api": (c_void_p, (c_void_p,)),
    "pa_mainloop_prepare": (c_int, (c_void_p, c_int)),
    "pa_mainloop_poll": (c_int, (c_void_p,)),
    "pa_mainloop_dispatch": (c_int, (c_void_p,)),
    "pa_context_new": (c_void_p, (c_void_p, c_char_p)),
    "pa_context_connect": (c_int, (c_void_p, c_char_p, c_int, c_void_p)),
    "pa_context_disconnect": (None, (c_void_p,)),
    "pa_context_unref": (None, (c_void_p,)),
    "pa_context_get_state": (c_int, (c_void_p,)),
    "pa_context_errno": (c_int, (c_void_p,)),
    "pa_context_get_server_info": (c_void_p, (c_void_p, _SERVER_CALLBACK, c_void_p)),
    "pa_context_get_sink_info_list": (c_void_p, (c_void_p, _SINK_CALLBACK, c_void_p)),
    "pa_context_set_subscribe_callback": (None, (c_void_p, _EVENT_CALLBACK, c_void_p)),
    "pa_context_subscribe": (c_void_p, (c_void_p, c_int, c_void_p, c_void_p)),
    "pa_operation_get_state": (c_int, (c_void_p,)),
    "pa_operation_unref": (None, (c_void_p,)),
    "pa_stream_new": (c_void_p, (c_void_p, c_char_p, POINTER(_SampleSpec), c_void_p)),
    "pa_stream_connect_record": (c_int, (c_void_p, c_char_p, POINTER(_BufferAttributes), c_int)),
    "pa_stream_disconnect": (c_int, (c_void_p,)),
    "pa_stream_unref": (None, (c_void_p,)),
    "pa_stream_get_state": (c_int, (c_void_p,)),
    "pa_stream_peek": (c_int, (c_void_p, POINTER(c_void_p), POINTER(c_size_t))),
    "pa_stream_drop": (c_int, (c_void_p,)),
    "pa_strerror": (c_char_p, (c_int,)),
}


@dataclass(frozen=True, slots=True)
class Sink:
    """An output of the sound server; ``monitor`` is the name of the source that gives what it plays."""

    number: int
    name: str
    description: str
    samplerate: int
    channels: int
    monitor: str
    default: bool


@functools.cache
def _library() -> Any:
    """The library, with its prototypes set.

    Raises
    ------
    DeviceError
        If it is not installed.
    """
    name = ctypes.util.find_library("pulse") or "libpulse.so.0"
    try:
        library = ctypes.CDLL(name)
        for function, (result, arguments) in _PROTOTYPES.items():
            getattr(library, function).restype = result
            getattr(library, function).argtypes = arguments
    except (OSError, AttributeError) as error:
        raise DeviceError(f"libpulse cannot be loaded: {error}", hint=_INSTALL_HINT) from error
    return library


class PulseConnection:
    """A connection to the sound server. Used by one thread at a time, and closed by it.

    Raises
    ------
    DeviceError
        If the library is not installed, or no server answers.
    """

    def __init__(self) -> None:
        self._library = _library()
        self._loop = self._library.pa_mainloop_new()
        self._context = self._library.pa_context_new(self._library.pa_mainloop_get_api(self._loop), b"sottovoce")
        self._told: list[Callable[[], None]] = []
        self._on_event = _EVENT_CALLBACK(self._event)  # the library keeps no reference of its own
        try:
            if self._library.pa_context_connect(self._context, None, _NO_AUTOSPAWN, None) < 0:
                raise self.failure(_SILENT)
            self._run_until(self._ready)
        except DeviceError:
            self.close()
            raise

    def sinks(self) -> tuple[Sink, ...]:
        """Every output, the default one marked.

        Raises
        ------
        DeviceError
            The server does not answer.
        """
        default, found = self.default_sink(), []

        def note(_: int, info: Any, end: int, __: int) -> None:
            if not end and info:
                found.append(_sink(info.contents, default))

        callback = _SINK_CALLBACK(note)
        self._finish(self._library.pa_context_get_sink_info_list(self._context, callback, None))
        return tuple(found)

    def default_sink(self) -> str:
        """Name of the output that is played to unless a program names one; empty if there is none."""
        names: list[str] = []

        def note(_: int, info: Any, __: int) -> None:
            names.append(_text(info.contents.default_sink) if info else "")

        callback = _SERVER_CALLBACK(note)
        self._finish(self._library.pa_context_get_server_info(self._context, callback, None))
        return names[0] if names else ""

    def when_server_changes(self, tell: Callable[[], None]) -> None:
        """Let ``tell`` be called, by whoever runs :meth:`iterate`, when another output may be the default."""
        self._told.append(tell)
        self._library.pa_context_set_subscribe_callback(self._context, self._on_event, None)
        self._finish(self._library.pa_context_subscribe(self._context, _SERVER_EVENTS, None, None))

    def iterate(self, timeout_s: float) -> bool:
        """Wait until something happens, at most ``timeout_s``, and see to it; the GIL is free while it waits.

        False if nothing has happened.

        Raises
        ------
        DeviceError
            The server is gone.
        """
        library, loop = self._library, self._loop
        wait_us = max(0, round(timeout_s * 1e6))
        happened = -1
        if library.pa_mainloop_prepare(loop, wait_us) >= 0 and library.pa_mainloop_poll(loop) >= 0:
            happened = library.pa_mainloop_dispatch(loop)
        if happened < 0 or library.pa_context_get_state(self._context) >= _CONTEXT_FAILED:
            raise self.failure(_SILENT)
        return happened > 0

    def record(self, monitor: str, samplerate: int, channels: int, block_frames: int) -> PulseRecording:
        """Record a source, float32 in blocks of about ``block_frames``; it is never moved to another one.

        Raises
        ------
        DeviceError
            The server refuses.
        """
        return PulseRecording(self, self._library, self._context, monitor, (samplerate, channels, block_frames))

    def failure(self, what: str) -> DeviceError:
        """``what`` has happened, in the server's words."""
        code = self._library.pa_context_errno(self._context)
        return DeviceError(f"{what}: {_text(self._library.pa_strerror(code))}", hint=_START_HINT)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Iterate until ``done``.

        Raises
        ------
        DeviceError
            The server is gone, or is not done in time.
        """
        self._run_until(done)

    def close(self) -> None:
        """Give everything back; once."""
        self._library.pa_context_disconnect(self._context)
        self._library.pa_context_unref(self._context)
        self._library.pa_mainloop_free(self._loop)

    def _ready(self) -> bool:
        return bool(self._library.pa_context_get_state(self._context) == _CONTEXT_READY)

    def _run_until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _ANSWER_LIMIT_S
        while not done():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                raise DeviceError(f"{_SILENT}: nothing came within {_ANSWER_LIMIT_S:g} s", hint=_START_HINT)
            self.iterate(left_s)

    def _finish(self, operation: int | None) -> None:
        if not operation:
            raise self.failure("the sound server refuses")
        try:
            self._run_until(lambda: self._library.pa_operation_get_state(operation) != _OPERATION_RUNNING)
        finally:
            self._library.pa_operation_unref(operation)

    def _event(self, _: int, event: int, __: int, ___: int) -> None:
        if event & _FACILITY == _SERVER_EVENT:
            for tell in self._told:
                tell()


class PulseRecording:
    """A stream of :meth:`PulseConnection.record`; its sound comes while the connection iterates."""

    def __init__(
        self, connection: PulseConnection, library: Any, context: int, monitor: str, form: tuple[int, int, int]
    ) -> None:
        samplerate, channels, block_frames = form
        self._library = library
        self._frame_bytes = 4 * channels
        spec = _SampleSpec(_FLOAT32LE, samplerate, channels)
        self._stream = library.pa_stream_new(context, b"what the machine plays", byref(spec), None)
        if not self._stream:
            raise connection.failure(f"{samplerate} Hz and {channels} channels are refused")
        attributes = _BufferAttributes(_ANY, _ANY, _ANY, _ANY, block_frames * self._frame_bytes)
        code = library.pa_stream_connect_record(
            self._stream, monitor.encode(), byref(attributes), _ADJUST_LATENCY | _DONT_MOVE
        )
        try:
            if code < 0:
                raise connection.failure(f"{monitor!r} cannot be recorded")
            connection.run_until(lambda: library.pa_stream_get_state(self._stream) >= _STREAM_READY)
            if self.ended:
                raise connection.failure(f"{monitor!r} cannot be recorded")
        except DeviceError:
            self.close()
            raise

    @property
    def ended(self) -> bool:
        """Whether nothing more comes: the output, or the server, is gone."""
        return bool(self._library.pa_stream_get_state(self._stream) >= _STREAM_FAILED)

    def take(self, use: Callable[[int | None, int], None]) -> bool:
        """Hand the oldest piece to ``use``, by its address (None: it was lost, and is silence) and frames.

        False if there is none.
        """
        data, size = c_void_p(), c_size_t()
        if self._library.pa_stream_peek(self._stream, byref(data), byref(size)) < 0 or not size.value:
            return False
        use(data.value, size.value // self._frame_bytes)
        self._library.pa_stream_drop(self._stream)
        return True

    def close(self) -> None:
        """End it; once, before its connection."""
        self._library.pa_stream_disconnect(self._stream)
        self._library.pa_stream_unref(self._stream)


def _sink(info: _SinkInfo, default: str) -> Sink:
    name = _text(info.name)
    return Sink(
        number=info.index,
        name=name,
        description=_text(info.description),
        samplerate=info.sample_spec.samplerate,
        channels=info.sample_spec.channels,
        monitor=_text(info.monitor_name) or f"{name}.monitor",
        default=name == default,
    )


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
