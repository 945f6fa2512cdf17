"""Checks of what comes in from Python: every refusal names the argument, its value and what is allowed.

Realtime: no. Thread: engine.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_IsContiguous, PyBuffer_Release
from cpython.buffer cimport Py_buffer, PyObject_GetBuffer

cdef enum:
    _MAX_CHANNELS = 64

MIN_SAMPLERATE = 1000
MAX_SAMPLERATE = 768_000
MAX_CHANNELS = _MAX_CHANNELS

cdef dict _DTYPES = {"f": "float32", "h": "int16"}


cdef object _refusal(object array, str name, char kind, bint writable):
    """The error for an argument that is no C-contiguous array of the dtype wanted."""
    wanted = f"a C-contiguous NumPy array of {_DTYPES[chr(kind)]}"
    dtype = getattr(array, "dtype", None)
    if dtype is None:
        return TypeError(f"{name} is {type(array).__name__}; it must be {wanted}")
    if dtype.char != chr(kind) or not dtype.isnative:
        return TypeError(f"{name} has dtype {dtype}; it must be {wanted}")
    if writable and not array.flags.writeable:
        return ValueError(f"{name} is read-only; it must be writable")
    return ValueError(f"{name} has strides {array.strides} for shape {array.shape}; it must be {wanted}"
                      " (numpy.ascontiguousarray makes one)")


cdef int acquire(object array, Py_buffer* view, str name, char kind, bint writable) except -1:
    """Take the buffer of a C-contiguous array; whoever takes it releases it."""
    try:
        PyObject_GetBuffer(array, view, PyBUF_STRIDES | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    except (TypeError, ValueError, BufferError):
        raise _refusal(array, name, kind, writable) from None
    if view.format[0] == kind and view.format[1] == 0 and PyBuffer_IsContiguous(view, b"C"):
        return 0
    PyBuffer_Release(view)
    raise _refusal(array, name, kind, writable)


cdef int acquire_frames(object array, Py_buffer* view, str name, Py_ssize_t channels, bint writable) except -1:
    """Take the buffer of a float32 array of shape (frames, channels); any number of channels if that is 0."""
    acquire(array, view, name, b"f", writable)
    cdef Py_ssize_t least = channels or 1, most = channels or _MAX_CHANNELS
    if view.ndim == 2 and least <= view.shape[1] <= most:
        return 0
    PyBuffer_Release(view)
    wanted = channels if channels else f"1..{MAX_CHANNELS}"
    raise ValueError(f"{name} has shape {array.shape}; it must be (frames, {wanted})")


cdef int check_samplerate(object samplerate, str name) except -1:
    """The samplerate as an int, in Hz."""
    if not isinstance(samplerate, int) or not MIN_SAMPLERATE <= samplerate <= MAX_SAMPLERATE:
        raise ValueError(f"{name} is {samplerate!r}; it must be a whole number of Hz,"
                         f" {MIN_SAMPLERATE}..{MAX_SAMPLERATE}")
    return samplerate


cdef int check_channels(object channels, str name) except -1:
    """The number of channels as an int."""
    if not isinstance(channels, int) or not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"{name} is {channels!r}; it must be a whole number, 1..{MAX_CHANNELS}")
    return channels
