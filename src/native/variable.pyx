"""A resampler whose ratio may change while it runs, without a click: for two devices whose clocks drift apart."""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, Py_buffer, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint32_t

import numpy

from .buffers cimport acquire_frames, check_channels, check_samplerate
from .kernels cimport sv_kernels_select_from_environment
from .polyphase import TIERS as _TIERS

# How far the ratio may leave the nominal one: the filter is that of the nominal ratio.
MAX_DEVIATION = 0.05
MAX_SLEW_FRAMES = 1 << 32

cdef object _empty = numpy.empty
cdef object _float32 = numpy.dtype(numpy.float32)

sv_kernels_select_from_environment()


@cython.final
cdef class VariableResampler:
    """One stream at a ratio that may be changed at any time, and slews there frame by frame.

    Parameters
    ----------
    in_samplerate, out_samplerate : int
        Nominal rates in Hz, 1000..768000; they may be equal.
    channels : int
        1..64.
    quality : {"fast", "standard", "hq", "best"}
        The tier whose filter is used.

    Raises
    ------
    ValueError
        If an argument is out of range.
    MemoryError
        If there is no room for the tables.
    """

    def __cinit__(self, in_samplerate, out_samplerate, channels=1, quality="standard"):
        cdef uint32_t rate_in = check_samplerate(in_samplerate, "in_samplerate")
        cdef uint32_t rate_out = check_samplerate(out_samplerate, "out_samplerate")
        self.channels = check_channels(channels, "channels")
        if quality not in _TIERS[1:]:
            raise ValueError(f"quality is {quality!r}; allowed: {', '.join(map(repr, _TIERS[1:]))}")
        self.nominal_ratio = rate_out / <double> rate_in
        self.stream = sv_variable_new(_TIERS.index(quality) - 1, rate_in, rate_out, self.channels)
        if self.stream == NULL:
            raise MemoryError("no memory for the tables of the resampler")

    def __dealloc__(self):
        sv_variable_free(self.stream)

    @property
    def ratio(self):
        """Output frames for each input frame, now."""
        return 1.0 / sv_variable_step(self.stream)

    @property
    def latency_frames(self):
        """Output frames by which the output is behind the input, at most, at the nominal ratio."""
        return sv_variable_latency(self.stream) * self.nominal_ratio

    @property
    def flush_frames(self):
        """Frames that :meth:`flush` would give now."""
        return sv_variable_flush_frames(self.stream)

    def set_ratio(self, ratio, slew_frames=0):
        """Change the ratio.

        Realtime: yes (``sv_variable_set_step``). Thread: engine.

        Parameters
        ----------
        ratio : float
            Output frames for each input frame, within 5 % of ``nominal_ratio``.
        slew_frames : int
            Output frames over which the ratio gets there, evenly; 0 (at once) to 2**32.

        Raises
        ------
        ValueError
            If either is out of range; the ratio is as before.
        """
        if not abs(ratio / self.nominal_ratio - 1.0) <= MAX_DEVIATION:
            raise ValueError(f"ratio is {ratio}; it must be within 5 % of the nominal ratio, {self.nominal_ratio:.6f}")
        if not isinstance(slew_frames, int) or not 0 <= slew_frames <= MAX_SLEW_FRAMES:
            raise ValueError(f"slew_frames is {slew_frames!r}; it must be a whole number, 0..2**32")
        with cython.critical_section(self):
            sv_variable_set_step(self.stream, 1.0 / ratio, slew_frames)

    def out_frames(self, in_frames):
        """Frames that :meth:`process` would give for so many more, exactly, unless the ratio is changed before.

        Realtime: no. Thread: engine.

        Raises
        ------
        ValueError
            If ``in_frames`` is no whole number, 0..2**32.
        """
        if not isinstance(in_frames, int) or not 0 <= in_frames <= 1 << 32:
            raise ValueError(f"in_frames is {in_frames!r}; it must be a whole number, 0..2**32")
        return sv_variable_out_frames(self.stream, in_frames)

    cdef object empty(self, int64_t frames):
        return _empty((frames, self.channels), _float32)

    def process(self, x):
        """Resample a block.

        Realtime: no (it makes an array). Thread: engine.

        Parameters
        ----------
        x : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            May be empty. NaN and infinity count as 0.

        Returns
        -------
        numpy.ndarray of float32, shape (frames, channels)

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another; the state is as before.
        """
        cdef Py_buffer source, target
        acquire_frames(x, &source, "x", self.channels, False)
        try:
            with cython.critical_section(self):
                out = self.empty(sv_variable_out_frames(self.stream, source.shape[0]))
                PyObject_GetBuffer(out, &target, PyBUF_WRITABLE)
                sv_variable_process(self.stream, <const float*> source.buf, source.shape[0], <float*> target.buf)
                PyBuffer_Release(&target)
            return out
        finally:
            PyBuffer_Release(&source)

    def process_into(self, x, out):
        """Resample a block into memory of the caller's, with room for :meth:`out_frames`; returns the frames given.

        Realtime: no (Python holds a lock); it allocates nothing. Thread: engine.

        Raises
        ------
        TypeError, ValueError
            If a dtype or shape is another, or ``out`` is too short or read-only; the state is as before.
        """
        cdef Py_buffer source, target
        cdef int64_t needed
        acquire_frames(x, &source, "x", self.channels, False)
        try:
            acquire_frames(out, &target, "out", self.channels, True)
            try:
                with cython.critical_section(self):
                    needed = sv_variable_out_frames(self.stream, source.shape[0])
                    if target.shape[0] < needed:
                        raise ValueError(f"out has {target.shape[0]} frames; {source.shape[0]} frames of x"
                                         f" need {needed} (out_frames tells)")
                    return sv_variable_process(self.stream, <const float*> source.buf, source.shape[0],
                                               <float*> target.buf)
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)

    def flush(self):
        """Give what is left of the stream, as if silence followed, and be as new at the ratio last asked for.

        Realtime: no. Thread: engine.
        """
        cdef Py_buffer target
        with cython.critical_section(self):
            out = self.empty(sv_variable_flush_frames(self.stream))
            PyObject_GetBuffer(out, &target, PyBUF_WRITABLE)
            sv_variable_flush(self.stream, <float*> target.buf)
            PyBuffer_Release(&target)
        return out

    def reset(self):
        """Forget all input, without allocation; the ratio is the one last asked for.

        Realtime: yes (``sv_variable_reset``). Thread: engine.
        """
        with cython.critical_section(self):
            sv_variable_reset(self.stream)
