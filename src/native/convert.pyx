"""Conversion between int16 and float32 samples.

The rule (one and the same everywhere in the product): int16 to float32 divides by 32768; float32 to int16 clips to
[-1, 1 - 1/32768], multiplies by 32768 and rounds to nearest, ties to even; NaN becomes 0. The round trip of every
int16 value is exact.
"""

from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.stdint cimport int16_t
from libc.stdlib cimport getenv

from .buffers cimport acquire
from .kernels cimport sv_kernels_active, sv_kernels_available, sv_kernels_select_from_environment

# Below this many samples, letting the GIL go costs more than the conversion.
cdef Py_ssize_t _NOGIL_SAMPLES = 16384


cdef int _select_isa() except -1:
    if sv_kernels_select_from_environment() == 0:
        return 0
    wanted = getenv(b"SOTTOVOCE_ISA").decode("utf-8", "replace")
    raise ImportError(f"SOTTOVOCE_ISA is {wanted!r}; this machine can run {', '.join(available_isas())};"
                      " unset it to have the best one chosen")


def available_isas():
    """Names of the instruction sets that this machine can run, best last.

    Realtime: no. Thread: engine.

    Returns
    -------
    tuple of str
    """
    cdef const char* const* name = sv_kernels_available()
    names = []
    while name[0] != NULL:
        names.append(name[0].decode("ascii"))
        name += 1
    return tuple(names)


def isa():
    """Name of the instruction set in use.

    The environment variable ``SOTTOVOCE_ISA``, read once when this module is imported, may force one.

    Realtime: no. Thread: engine.

    Returns
    -------
    str
        ``"baseline"`` (SSE2 on x86-64, NEON on aarch64), ``"avx2"`` or ``"avx512"``.
    """
    return sv_kernels_active.name.decode("ascii")


cdef int _check_same_shape(Py_buffer* x, Py_buffer* out, object x_array, object out_array) except -1:
    cdef int axis
    cdef bint same = x.ndim == out.ndim
    if same:
        for axis in range(x.ndim):
            same = same and x.shape[axis] == out.shape[axis]
    if not same:
        raise ValueError(f"out has shape {out_array.shape}; it must be that of x, {x_array.shape}")
    return 0


def int16_to_float32(x, out):
    """Convert int16 samples to float32: ``x / 32768``.

    Realtime: yes (the kernel below it). Thread: engine.

    Parameters
    ----------
    x : numpy.ndarray of int16, C-contiguous, any shape
    out : numpy.ndarray of float32, C-contiguous, same shape
        Receives the samples, in [-1, 1).

    Raises
    ------
    TypeError
        If a dtype is another.
    ValueError
        If an array is not contiguous, or the shapes differ.
    """
    cdef Py_buffer source, target
    cdef size_t samples
    acquire(x, &source, "x", b"h", False)
    try:
        acquire(out, &target, "out", b"f", True)
        try:
            _check_same_shape(&source, &target, x, out)
            samples = source.len // sizeof(int16_t)
            if samples < _NOGIL_SAMPLES:
                sv_kernels_active.int16_to_float32(<const int16_t*> source.buf, <float*> target.buf, samples)
            else:
                with nogil:
                    sv_kernels_active.int16_to_float32(<const int16_t*> source.buf, <float*> target.buf, samples)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)


def float32_to_int16(x, out):
    """Convert float32 samples to int16: clip to [-1, 1 - 1/32768], times 32768, round to nearest; NaN becomes 0.

    Realtime: yes (the kernel below it). Thread: engine.

    Parameters
    ----------
    x : numpy.ndarray of float32, C-contiguous, any shape
    out : numpy.ndarray of int16, C-contiguous, same shape
        Receives the samples.

    Raises
    ------
    TypeError
        If a dtype is another.
    ValueError
        If an array is not contiguous, or the shapes differ.
    """
    cdef Py_buffer source, target
    cdef size_t samples
    acquire(x, &source, "x", b"f", False)
    try:
        acquire(out, &target, "out", b"h", True)
        try:
            _check_same_shape(&source, &target, x, out)
            samples = source.len // sizeof(float)
            if samples < _NOGIL_SAMPLES:
                sv_kernels_active.float32_to_int16(<const float*> source.buf, <int16_t*> target.buf, samples)
            else:
                with nogil:
                    sv_kernels_active.float32_to_int16(<const float*> source.buf, <int16_t*> target.buf, samples)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)


_select_isa()
