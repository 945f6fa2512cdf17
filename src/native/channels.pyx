"""From one number of channels to another.

Mono to stereo duplicates, stereo to mono is ``(L + R) / 2``, N to M copies ``min(N, M)``, and spare output channels are
silent.
"""

from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.stddef cimport size_t
from libc.string cimport memcpy

from .buffers cimport acquire_frames
from .kernels cimport sv_kernels_active, sv_kernels_select_from_environment


cdef void channels_mix(const float* x, size_t x_channels, float* out, size_t out_channels,
                       size_t frames) noexcept nogil:
    """The rule of this module; x and out do not overlap. Realtime: yes. Thread: callback|engine."""
    cdef size_t frame, channel
    cdef size_t shared = min(x_channels, out_channels)
    if x_channels == out_channels:
        memcpy(out, x, frames * x_channels * sizeof(float))
    elif x_channels == 1 and out_channels == 2:
        sv_kernels_active.mono_to_stereo(x, out, frames)
    elif x_channels == 2 and out_channels == 1:
        sv_kernels_active.stereo_to_mono(x, out, frames)
    else:
        for frame in range(frames):
            for channel in range(shared):
                out[frame * out_channels + channel] = x[frame * x_channels + channel]
            for channel in range(shared, out_channels):
                out[frame * out_channels + channel] = 0.0


def mix_channels(x, out):
    """Bring ``x`` to the channels of ``out``.

    Realtime: yes (``channels_mix``). Thread: callback|engine.

    Parameters
    ----------
    x : numpy.ndarray of float32, shape (frames, 1..64), C-contiguous
    out : numpy.ndarray of float32, shape (frames, 1..64), C-contiguous
        Receives every frame of ``x``; it may not share memory with ``x``.

    Raises
    ------
    TypeError, ValueError
        If a dtype or shape is another, or the frames differ.
    """
    cdef Py_buffer source, target
    acquire_frames(x, &source, "x", 0, False)
    try:
        acquire_frames(out, &target, "out", 0, True)
        try:
            if source.shape[0] != target.shape[0]:
                raise ValueError(f"out has {target.shape[0]} frames; it must have as many as x, {source.shape[0]}")
            channels_mix(<const float*> source.buf, source.shape[1], <float*> target.buf, target.shape[1],
                         source.shape[0])
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)


sv_kernels_select_from_environment()
