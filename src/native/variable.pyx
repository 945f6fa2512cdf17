"""A resampler whose ratio may change while it runs, without a click: for two devices whose clocks drift apart."""

cimport cython
from libc.math cimport ceil
from libc.stdint cimport int16_t, int64_t, uint32_t
from libc.stdlib cimport free

from .buffers cimport check_channels, check_samplerate
from .kernels cimport sv_kernels_active, sv_kernels_select_from_environment
from .memory cimport sv_new
from .polyphase cimport array_refusal, sv_arrays_import, sv_frames, sv_frames_new, sv_frames_of
from .polyphase import TIERS as _TIERS

# How far the ratio may leave the nominal one: the filter is that of the nominal ratio.
MAX_DEVIATION = 0.05
MAX_SLEW_FRAMES = 1 << 32

# Below this many samples, letting the GIL go costs more than the work.
cdef int64_t _NOGIL_SAMPLES = 16384
# int16 is converted in pieces of this many frames.
cdef enum:
    _PIECE_FRAMES = 1024

sv_arrays_import()
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
        free(self.scratch)

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
            self.check_idle()
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

    cdef int check_idle(self) except -1:
        """One thread at a time: while a large block is worked at without the GIL, another thread could come in."""
        if self.is_busy:
            raise RuntimeError("the resampler is in use by another thread; each thread needs one of its own")
        return 0

    cdef int take(self, object x, sv_frames* block) except -1:
        """Look at an input; at the first one of int16, have room to convert it."""
        cdef double most
        cdef int64_t room
        if not sv_frames_of(x, self.channels, False, block):
            raise array_refusal(x, "x", self.channels, False)
        if block.is_int16 and self.scratch == NULL:
            # a piece, and what it or the flush gives at the most extreme ratio
            most = max(<double> _PIECE_FRAMES, sv_variable_latency(self.stream)) * self.nominal_ratio
            room = _PIECE_FRAMES + <int64_t> ceil(most * (1.0 + 2.0 * MAX_DEVIATION)) + 8
            self.scratch = <float*> sv_new(<size_t> (room * self.channels) * sizeof(float))
            if self.scratch == NULL:
                raise MemoryError("no memory to convert int16")
        return 0

    cdef int run(self, const sv_frames* block, void* out) except -1:
        """Take a block; ``out`` has room for what it gives."""
        self.is_int16, self.is_flat = block.is_int16, block.is_flat
        if block.frames * self.channels < _NOGIL_SAMPLES:
            self.work(block, out)
            return 0
        self.is_busy = True
        with nogil:
            self.work(block, out)
        self.is_busy = False
        return 0

    cdef void work(self, const sv_frames* block, void* out) noexcept nogil:
        cdef const int16_t* x = <const int16_t*> block.samples
        cdef int16_t* target = <int16_t*> out
        cdef float* result = self.scratch + _PIECE_FRAMES * self.channels
        cdef int64_t taken = 0, frames, given
        if not block.is_int16:
            sv_variable_process(self.stream, <const float*> block.samples, block.frames, <float*> out)
            return
        while taken < block.frames:
            frames = min(<int64_t> _PIECE_FRAMES, block.frames - taken)
            sv_kernels_active.int16_to_float32(x + taken * self.channels, self.scratch,
                                               <size_t> (frames * self.channels))
            given = sv_variable_process(self.stream, self.scratch, frames, result)
            sv_kernels_active.float32_to_int16(result, target, <size_t> (given * self.channels))
            target += given * self.channels
            taken += frames

    def process(self, x):
        """Resample a block.

        Realtime: no (it makes an array). Thread: engine.

        Parameters
        ----------
        x : numpy.ndarray of float32 or int16, shape (frames, channels), or (frames,) for one channel, C-contiguous
            May be empty. NaN and infinity count as 0.

        Returns
        -------
        numpy.ndarray
            Of the dtype and number of axes of ``x``.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another; the state is as before.
        """
        cdef sv_frames block, ready
        self.take(x, &block)
        with cython.critical_section(self):
            self.check_idle()
            out = sv_frames_new(sv_variable_out_frames(self.stream, block.frames), self.channels, block.is_int16,
                                block.is_flat, &ready)
            self.run(&block, ready.samples)
        return out

    def process_into(self, x, out):
        """Resample a block into memory of the caller's, of the dtype of ``x`` and with room for :meth:`out_frames`.

        Realtime: no (Python holds a lock); but for the first int16 it allocates nothing. Thread: engine.

        Returns
        -------
        int
            Frames given, from the start of ``out``.

        Raises
        ------
        TypeError, ValueError
            If a dtype or shape is another, or ``out`` is too short or read-only; the state is as before.
        """
        cdef sv_frames block, room
        cdef int64_t needed
        self.take(x, &block)
        if not sv_frames_of(out, self.channels, True, &room):
            raise array_refusal(out, "out", self.channels, True)
        if room.is_int16 != block.is_int16:
            raise TypeError(f"out has dtype {out.dtype}; it must be that of x, {x.dtype}")
        with cython.critical_section(self):
            self.check_idle()
            needed = sv_variable_out_frames(self.stream, block.frames)
            if room.frames < needed:
                raise ValueError(f"out has {room.frames} frames; {block.frames} frames of x"
                                 f" need {needed} (out_frames tells)")
            self.run(&block, room.samples)
        return needed

    def flush(self):
        """Give what is left of the stream, as if silence followed, and be as new at the ratio last asked for.

        Realtime: no. Thread: engine.

        Returns
        -------
        numpy.ndarray
            Of the dtype and number of axes of the last block.
        """
        cdef sv_frames rest
        with cython.critical_section(self):
            self.check_idle()
            out = sv_frames_new(sv_variable_flush_frames(self.stream), self.channels, self.is_int16, self.is_flat,
                                &rest)
            if self.is_int16:
                sv_variable_flush(self.stream, self.scratch)
                sv_kernels_active.float32_to_int16(self.scratch, <int16_t*> rest.samples,
                                                   <size_t> (rest.frames * self.channels))
            else:
                sv_variable_flush(self.stream, <float*> rest.samples)
        return out

    def reset(self):
        """Forget all input, without allocation; the ratio is the one last asked for.

        Realtime: yes (``sv_variable_reset``). Thread: engine.
        """
        with cython.critical_section(self):
            self.check_idle()
            sv_variable_reset(self.stream)
