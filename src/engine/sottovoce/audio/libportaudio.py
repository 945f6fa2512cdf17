"""PortAudio's C functions through ctypes: devices, formats, and streams of a compiled callback.

Knows the library by its name only, so it is the same instance that whoever else has loaded it uses. ctypes lets the
GIL go around every call, so none of them can deadlock with a Python thread. Structures are those of ``portaudio.h``,
version 19, whose layout is part of its binary interface.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_long, c_ulong, c_void_p
from typing import Any

from sottovoce.audio.host import Device, Kind, StreamRequest

UNANTICIPATED_HOST_ERROR = -9999
INVALID_CHANNEL_COUNT = -9998
INVALID_SAMPLERATE = -9997
INVALID_DEVICE = -9996

_NOT_INITIALIZED = -10000
_FLOAT32 = 1
_NO_FLAG = 0


class PaFailure(Exception):
    """PortAudio refused: its code and text, and the text of the system beneath it, if that refused."""

    def __init__(self, code: int, text: str, host_text: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.host_text = host_text


class _DeviceInfo(ctypes.Structure):
    _fields_ = (
        ("struct_version", c_int),
        ("name", c_char_p),
        ("host_api", c_int),
        ("input_channels", c_int),
        ("output_channels", c_int),
        ("low_input_latency", c_double),
        ("low_output_latency", c_double),
        ("high_input_latency", c_double),
        ("high_output_latency", c_double),
        ("samplerate", c_double),
    )


class _HostApiInfo(ctypes.Structure):
    _fields_ = (("struct_version", c_int), ("type", c_int), ("name", c_char_p))


class _StreamParameters(ctypes.Structure):
    _fields_ = (
        ("device", c_int),
        ("channels", c_int),
        ("sample_format", c_ulong),
        ("latency", c_double),
        ("host_api_specific", c_void_p),
    )


class _StreamInfo(ctypes.Structure):
    _fields_ = (
        ("struct_version", c_int),
        ("input_latency", c_double),
        ("output_latency", c_double),
        ("samplerate", c_double),
    )


class _HostErrorInfo(ctypes.Structure):
    _fields_ = (("host_api", c_int), ("code", c_long), ("text", c_char_p))


#: Parameters of input and output, and the samplerate.
_FORMAT = (POINTER(_StreamParameters), POINTER(_StreamParameters), c_double)

#: Result and arguments of each function that is used.
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "Pa_Initialize": (c_int, ()),
    "Pa_Terminate": (c_int, ()),
    "Pa_GetVersionText": (c_char_p, ()),
    "Pa_GetErrorText": (c_char_p, (c_int,)),
    "Pa_GetLastHostErrorInfo": (POINTER(_HostErrorInfo), ()),
    "Pa_GetDeviceCount": (c_int, ()),
    "Pa_GetDefaultInputDevice": (c_int, ()),
    "Pa_GetDefaultOutputDevice": (c_int, ()),
    "Pa_GetDeviceInfo": (POINTER(_DeviceInfo), (c_int,)),
    "Pa_GetHostApiInfo": (POINTER(_HostApiInfo), (c_int,)),
    "Pa_IsFormatSupported": (c_int, _FORMAT),
    "Pa_OpenStream": (
        c_int,
        (POINTER(c_void_p), *_FORMAT, c_ulong, c_ulong, c_void_p, c_void_p),
    ),
    "Pa_SetStreamFinishedCallback": (c_int, (c_void_p, c_void_p)),
    "Pa_GetStreamInfo": (POINTER(_StreamInfo), (c_void_p,)),
    "Pa_StartStream": (c_int, (c_void_p,)),
    "Pa_AbortStream": (c_int, (c_void_p,)),
    "Pa_CloseStream": (c_int, (c_void_p,)),
}


class LibPortAudio:
    """The functions of a PortAudio that somebody may have initialised already.

    Not thread-safe where PortAudio is not: its owner serialises the calls that touch its lists.

    Parameters
    ----------
    path : str
        Name or path of the shared library.

    Raises
    ------
    OSError
        If it cannot be loaded, or is no PortAudio.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.functions: Any = ctypes.CDLL(path)
        for name, (result, arguments) in _PROTOTYPES.items():
            try:
                function = getattr(self.functions, name)
            except AttributeError as error:
                raise OSError(f"{path} is no PortAudio: it lacks {name}") from error
            function.restype, function.argtypes = result, arguments

    @property
    def version(self) -> str:
        text: bytes = self.functions.Pa_GetVersionText()
        return _text(text)

    def check(self, code: int) -> int:
        """``code`` if it is no error.

        Raises
        ------
        PaFailure
            If it is.
        """
        if code >= 0:
            return code
        host_text = ""
        if code == UNANTICIPATED_HOST_ERROR:
            info = self.functions.Pa_GetLastHostErrorInfo()
            host_text = _text(info.contents.text) if info else ""
        raise PaFailure(code, _text(self.functions.Pa_GetErrorText(code)), host_text)

    def reinitialize(self) -> None:
        """Look for devices anew, which kills every open stream.

        Whoever has initialised it before finds it initialised as often as then.
        """
        times = 0
        with _quiet():
            while (code := self.functions.Pa_Terminate()) != _NOT_INITIALIZED:
                self.check(code)
                times += 1
            for _ in range(max(times, 1)):
                self.check(self.functions.Pa_Initialize())

    def devices(self) -> tuple[Device, ...]:
        """Every device, from the list of the last initialisation."""
        found = (self.device(number) for number in range(self.check(self.functions.Pa_GetDeviceCount())))
        return tuple(device for device in found if device is not None)

    def device(self, number: int) -> Device | None:
        """The device of an id; None if there is none."""
        found = self.functions.Pa_GetDeviceInfo(number)
        if not found:
            return None
        info = found.contents
        host_api = self.functions.Pa_GetHostApiInfo(info.host_api)
        return Device(
            id=number,
            name=_text(info.name),
            host_api=_text(host_api.contents.name) if host_api else "",
            input_channels=info.input_channels,
            output_channels=info.output_channels,
            default_samplerate=round(info.samplerate),
            default_input=number == self.functions.Pa_GetDefaultInputDevice(),
            default_output=number == self.functions.Pa_GetDefaultOutputDevice(),
            low_input_latency_s=info.low_input_latency,
            high_input_latency_s=info.high_input_latency,
            low_output_latency_s=info.low_output_latency,
            high_output_latency_s=info.high_output_latency,
        )

    def check_format(self, kind: Kind, device_id: int, samplerate: int, channels: int) -> None:
        """Raises PaFailure if the device does not take that format as float32."""
        parameters = _StreamParameters(device_id, channels, _FLOAT32, 0.0, None)
        self.check(self.functions.Pa_IsFormatSupported(*_directions(kind, parameters), samplerate))

    def promote(self, pointer: int) -> None:
        """Ask for realtime priority for the thread of a stream of ALSA, and of no other: it takes any for one of its.

        PortAudio asks by itself everywhere else. Where the system refuses, it goes on without.
        """
        enable = getattr(self.functions, "PaAlsa_EnableRealtimeScheduling", None)
        if enable is not None:
            enable.argtypes, enable.restype = (c_void_p, c_int), None
            enable(pointer, 1)


class CtypesStream:
    """A stream opened by PortAudio's own function; its methods raise PaFailure, and none holds the GIL."""

    def __init__(self, library: LibPortAudio, request: StreamRequest) -> None:
        self._library = library
        functions = library.functions
        parameters = _StreamParameters(request.device_id, request.channels, _FLOAT32, request.latency_s, None)
        stream = c_void_p()
        library.check(
            functions.Pa_OpenStream(
                byref(stream),
                *_directions(request.kind, parameters),
                request.samplerate,
                request.blocksize,
                _NO_FLAG,
                request.callback_address,
                request.userdata,
            )
        )
        self._pointer = stream.value
        try:
            info = functions.Pa_GetStreamInfo(self._pointer)
            if not info:
                raise PaFailure(0, "PortAudio says nothing of the stream")
            latency_s = info.contents.input_latency if request.kind == "input" else info.contents.output_latency
            # PortAudio hands it the userdata that the stream was opened with
            library.check(functions.Pa_SetStreamFinishedCallback(self._pointer, request.finished_address))
        except PaFailure:
            functions.Pa_CloseStream(self._pointer)
            raise
        self.samplerate: float = info.contents.samplerate
        self.latency_s: float = latency_s

    @property
    def pointer(self) -> int:
        """Of the ``PaStream``; 0 once it is closed."""
        return self._pointer or 0

    def start(self) -> None:
        self._library.check(self._library.functions.Pa_StartStream(self._pointer))

    def abort(self) -> None:
        self._library.check(self._library.functions.Pa_AbortStream(self._pointer))

    def close(self) -> None:
        pointer, self._pointer = self._pointer, None
        self._library.check(self._library.functions.Pa_CloseStream(pointer))


def _directions(kind: Kind, parameters: _StreamParameters) -> tuple[Any, Any]:
    """The arguments for input and output."""
    return (byref(parameters), None) if kind == "input" else (None, byref(parameters))


def _text(raw: bytes | None) -> str:
    """Names are UTF-8, but for some drivers of Windows that have an encoding of the system's."""
    raw = raw or b""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("mbcs" if sys.platform == "win32" else "latin-1", errors="replace")


_stderr_lock = threading.Lock()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what JACK's library writes to stderr of a server that is not there."""
    with _stderr_lock, contextlib.ExitStack() as stack:
        try:
            saved = os.dup(2)
        except OSError:  # there is no stderr
            yield
            return
        stack.callback(os.close, saved)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
