"""Gains and gain ramps, linear in amplitude, one value per frame."""

from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.math cimport isfinite
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from .buffers cimport acquire_frames
from .kernels cimport sv_kernels_active, sv_kernels_select_from_environment

MAX_RAMP_FRAMES = 1 << 23  # what a float counts exactly, with room to spare


cdef void gain_set(gain_ramp* ramp, float value) noexcept nogil:
    """Be at a value at once. Realtime: yes. Thread: callback."""
    ramp.start = value
    ramp.target = value
    ramp.length = 0
    ramp.position = 0


cdef void gain_move(gain_ramp* ramp, float target, uint32_t frames) noexcept nogil:
    """Start from where it is and be at the target after that many frames. Realtime: yes. Thread: callback."""
    ramp.start = gain_now(ramp)
    ramp.target = target
    ramp.length = frames
    ramp.position = 0


cdef float gain_now(const gain_ramp* ramp) noexcept nogil:
    if ramp.position >= ramp.length:
        return ramp.target
    return ramp.start + (ramp.target - ramp.start) / <float> ramp.length * <float> ramp.position


cdef void gain_apply(gain_ramp* ramp, float* x, size_t frames, size_t channels) noexcept nogil:
    """Multiply frames by the gain and move it on by as many. Realtime: yes. Thread: callback."""
    cdef size_t part
    if ramp.position < ramp.length:
        part = min(frames, <size_t> (ramp.length - ramp.position))
        sv_kernels_active.ramp(x, part, channels, ramp.start, (ramp.target - ramp.start) / <float> ramp.length,
                               ramp.position + 1)
        ramp.position += <uint32_t> part
        x += part * channels
        frames -= part
    if frames and ramp.target != 1.0:
        sv_kernels_active.scale(x, ramp.target, frames * channels)


cdef void gain_skip(gain_ramp* ramp, size_t frames) noexcept nogil:
    """Move it on by so many frames that nobody hears. Realtime: yes. Thread: callback."""
    if gain_moves(ramp):
        ramp.position += <uint32_t> min(frames, <size_t> (ramp.length - ramp.position))


def ramp_gain(x, start, stop):
    """Multiply ``x``, in place, by a gain that goes from ``start`` to ``stop`` in a straight line.

    The first frame is one step from ``start``; the last is at ``stop``, so that ramps can follow each other.

    Realtime: yes (``gain_apply``). Thread: callback|engine.

    Parameters
    ----------
    x : numpy.ndarray of float32, shape (frames, 1..64), C-contiguous
        Below 2**23 frames.
    start, stop : float
        Linear gains.

    Raises
    ------
    TypeError, ValueError
        If dtype, shape or a gain is not as said.
    """
    cdef Py_buffer view
    cdef gain_ramp ramp
    cdef double from_gain = start, to_gain = stop
    if not isfinite(from_gain) or not isfinite(to_gain):
        raise ValueError(f"start is {start!r} and stop is {stop!r}; both must be finite")
    acquire_frames(x, &view, "x", 0, True)
    try:
        if view.shape[0] > MAX_RAMP_FRAMES:
            raise ValueError(f"x has {view.shape[0]} frames; a ramp has at most {MAX_RAMP_FRAMES}")
        gain_set(&ramp, <float> from_gain)
        gain_move(&ramp, <float> to_gain, <uint32_t> view.shape[0])
        gain_apply(&ramp, <float*> view.buf, view.shape[0], view.shape[1])
    finally:
        PyBuffer_Release(&view)


sv_kernels_select_from_environment()
