"""Streaming resamplers for arrays as they come: float32 or int16, one or two axes, blocks of any size.

The linear one is that of ``resample``; the others are polyphase filters (``kernels/polyphase.h``). However the input is
cut into blocks, the output is the same, bit for bit, on every instruction set.
"""

cimport cython
from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.stdint cimport int16_t, int64_t
from libc.stdlib cimport free

from .buffers cimport acquire, check_channels, check_samplerate
from .filter cimport (
    sv_polyphase_advance,
    sv_polyphase_flush,
    sv_polyphase_flush_frames,
    sv_polyphase_flush_int16,
    sv_polyphase_free,
    sv_polyphase_is_fixed,
    sv_polyphase_latency_frames,
    sv_polyphase_new,
    sv_polyphase_out_frames,
    sv_polyphase_process,
    sv_polyphase_process_int16,
    sv_polyphase_reset,
    sv_polyphase_table_bytes,
)
from .kernels cimport sv_kernels_active, sv_kernels_select, sv_kernels_select_from_environment
from .memory cimport sv_new
from .resample cimport (linear_flush, linear_flush_frames, linear_give, linear_init, linear_out_frames,
                        linear_process, linear_reset)
from .rate_converter import QUALITIES as TIERS

# Below this many samples, letting the GIL go costs more than the work.
cdef int64_t _NOGIL_SAMPLES = 16384
# The linear one converts int16 in pieces of this many samples.
cdef enum:
    _PIECE_SAMPLES = 4096

sv_arrays_import()
sv_kernels_select_from_environment()


cdef object array_refusal(object array, str name, uint32_t channels, bint writable):
    """The error for an argument that ``sv_frames_of`` does not take."""
    cdef Py_buffer view
    dtype = getattr(array, "dtype", None)
    if dtype is None:
        return TypeError(f"{name} is {type(array).__name__}; it must be a NumPy array of float32 or int16")
    if dtype != "float32" and dtype != "int16":
        return TypeError(f"{name} has dtype {dtype}; it must be float32 or int16")
    try:
        acquire(array, &view, name, b"h" if dtype == "int16" else b"f", writable)
    except (TypeError, ValueError) as error:
        return error
    PyBuffer_Release(&view)
    if array.ndim == 1 and channels == 1 or array.ndim == 2 and array.shape[1] == channels:
        return ValueError(f"{name} is not aligned to its samples; its copy() is")
    return ValueError(f"{name} has shape {array.shape}; it must be (frames, {channels})"
                      + (" or (frames,)" if channels == 1 else ""))


@cython.final
cdef class StreamResampler:
    """One stream through one resampler.

    Parameters
    ----------
    in_samplerate, out_samplerate : int
        In Hz, 1000..768000; any ratio.
    channels : int
        1..64.
    quality : str
        One of ``TIERS``.
    on_int16 : callable, optional
        Called once, without arguments, before the first block of int16 is converted.
    adapt : callable, optional
        Called with an input that is not taken as it is; returns an array that is, or raises.

    Raises
    ------
    ValueError
        If an argument is out of range.
    MemoryError
        If there is no room for the tables.
    """

    def __cinit__(self, in_samplerate, out_samplerate, channels, quality, on_int16=None, adapt=None):
        cdef uint32_t rate_in = check_samplerate(in_samplerate, "in_samplerate")
        cdef uint32_t rate_out = check_samplerate(out_samplerate, "out_samplerate")
        self.channels_ = check_channels(channels, "channels")
        if quality not in TIERS:
            raise ValueError(f"quality is {quality!r}; allowed: {', '.join(map(repr, TIERS))}")
        self.on_int16, self.adapt = on_int16, adapt
        linear_init(&self.line, rate_in, rate_out, self.channels_)
        if quality == "linear":
            return
        self.stream = sv_polyphase_new(TIERS.index(quality) - 1, rate_in, rate_out, self.channels_)
        if self.stream == NULL:
            raise MemoryError("no memory for the tables of the resampler")

    def __dealloc__(self):
        sv_polyphase_free(self.stream)
        free(self.scratch)

    @property
    def latency_frames(self):
        """The most output frames by which the output is behind ``in_frames * out / in``; none of it is a shift."""
        if self.stream != NULL:
            return sv_polyphase_latency_frames(self.stream)
        return max(self.line.next.up - 1, (self.line.next.down - 1) // 2) / <double> self.line.next.down

    @property
    def flush_frames(self):
        """Frames that :meth:`flush` would give now."""
        return self.left()

    @property
    def is_fixed(self):
        """True if every output has a row of its own in the tables, False if rows are interpolated."""
        return self.stream == NULL or sv_polyphase_is_fixed(self.stream) != 0

    @property
    def table_bytes(self):
        """Size of the tables of this ratio."""
        return 0 if self.stream == NULL else sv_polyphase_table_bytes(self.stream)

    cdef int check_idle(self) except -1:
        """One thread at a time: while a large block is worked at without the GIL, another thread could come in."""
        if self.is_busy:
            raise RuntimeError("the resampler is in use by another thread; each thread needs one of its own")
        return 0

    cdef object take(self, object x, sv_frames* block):
        """Look at an input; returns what holds its memory: ``x``, or what it was adapted to."""
        if not sv_frames_of(x, self.channels_, False, block):
            if self.adapt is None:
                raise array_refusal(x, "x", self.channels_, False)
            x = self.adapt(x)
            if not sv_frames_of(x, self.channels_, False, block):
                raise array_refusal(x, "x", self.channels_, False)
        if block.is_int16:
            self._note_int16()
        return x

    cdef int run(self, const sv_frames* block, void* out, int64_t frames) except -1:
        """Take a block; `out` has room for the `frames` that it gives."""
        self.is_int16, self.is_flat = block.is_int16, block.is_flat
        if block.frames * self.channels_ < _NOGIL_SAMPLES:
            self.work(block.samples, block.frames, out, frames, block.is_int16)
            return 0
        self.is_busy = True
        with nogil:
            self.work(block.samples, block.frames, out, frames, block.is_int16)
        self.is_busy = False
        return 0

    cdef int64_t reach(self, int64_t in_frames) noexcept nogil:
        """Frames that so many more input frames give."""
        if self.stream != NULL:
            return sv_polyphase_out_frames(self.stream, in_frames)
        return linear_out_frames(&self.line, in_frames)

    cdef int64_t left(self) noexcept nogil:
        """Frames that the flush gives."""
        return sv_polyphase_flush_frames(self.stream) if self.stream != NULL else linear_flush_frames(&self.line)

    cdef int64_t work(self, const void* x, int64_t in_frames, void* out, int64_t room, bint is_int16) noexcept nogil:
        """Take a block; `out` has room for what it gives, `room` frames."""
        cdef int64_t taken = 0, given = 0, frames, ready, piece
        cdef const int16_t* source = <const int16_t*> x
        cdef int16_t* target = <int16_t*> out
        cdef float* result
        if self.stream != NULL:
            if is_int16:
                return sv_polyphase_process_int16(self.stream, source, in_frames, target)
            return sv_polyphase_process(self.stream, <const float*> x, in_frames, <float*> out)
        if not is_int16:
            linear_give(&self.line, <const float*> x, in_frames, <float*> out, room)
            return room
        piece = _PIECE_SAMPLES // self.channels_
        result = self.scratch + piece * self.channels_
        while taken < in_frames:
            frames = min(piece, in_frames - taken)
            sv_kernels_active.int16_to_float32(source + taken * self.channels_, self.scratch,
                                               <size_t> (frames * self.channels_))
            ready = linear_process(&self.line, self.scratch, frames, result, linear_out_frames(&self.line, frames))
            sv_kernels_active.float32_to_int16(result, target + given * self.channels_,
                                               <size_t> (ready * self.channels_))
            taken += frames
            given += ready
        return given

    cdef int64_t finish(self, void* out, int64_t room, bint is_int16) noexcept nogil:
        """Give the rest, and be as new."""
        cdef int64_t given
        if self.stream != NULL:
            if is_int16:
                return sv_polyphase_flush_int16(self.stream, <int16_t*> out)
            return sv_polyphase_flush(self.stream, <float*> out)
        if not is_int16:
            given = linear_flush(&self.line, <float*> out, room)
        else:
            given = linear_flush(&self.line, self.scratch, room)
            sv_kernels_active.float32_to_int16(self.scratch, <int16_t*> out, <size_t> (given * self.channels_))
        linear_reset(&self.line)
        return given

    def _note_int16(self):
        """At the first block of int16: tell whoever asked, and have room to convert."""
        cdef int64_t most
        if self.on_int16 is not None:
            on_int16, self.on_int16 = self.on_int16, None
            on_int16()
        if self.stream == NULL and self.scratch == NULL:
            most = _PIECE_SAMPLES // self.channels_
            most += 2 + (most + 1) * self.line.next.up // self.line.next.down + self.line.up_whole
            self.scratch = <float*> sv_new(<size_t> (most * self.channels_) * sizeof(float))
            if self.scratch == NULL:
                raise MemoryError("no memory to convert int16")

    @cython.binding(False)
    def out_frames(self, in_frames):
        """Frames that :meth:`process` would give for so many more, exactly.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        in_frames : int
            0..2**40.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If it is out of range.
        """
        if not isinstance(in_frames, int) or not 0 <= in_frames <= 1 << 40:
            raise ValueError(f"in_frames is {in_frames!r}; it must be a whole number, 0..2**40")
        return self.reach(in_frames)

    @cython.binding(False)  # a third of the call is saved in the stable ABI of Python 3.11
    def process(self, x):
        """Resample a block.

        Realtime: no (it makes an array). Thread: engine.

        Parameters
        ----------
        x : numpy.ndarray of float32 or int16, shape (frames, channels), or (frames,) for one channel, C-contiguous
            May be empty. NaN and infinity count as 0 (in the linear one they reach the outputs beside them).

        Returns
        -------
        numpy.ndarray
            ``out_frames(len(x))`` frames, of the dtype and number of axes of ``x``.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another, or ``x`` is not contiguous; the state is as before.
        """
        cdef sv_frames block, ready
        cdef int64_t frames
        x = self.take(x, &block)
        with cython.critical_section(self):
            self.check_idle()
            frames = self.reach(block.frames)
            out = sv_frames_new(frames, self.channels_, block.is_int16, block.is_flat, &ready)
            self.run(&block, ready.samples, frames)
        return out

    @cython.binding(False)
    def process_into(self, x, out):
        """Resample a block into memory of the caller's.

        Realtime: no (Python holds a lock); it allocates nothing. Thread: engine.

        Parameters
        ----------
        x : numpy.ndarray of float32 or int16, shape (frames, channels), or (frames,) for one channel, C-contiguous
        out : numpy.ndarray
            Of the dtype of ``x`` and at least ``out_frames(len(x))`` frames; it may not share memory with ``x``.

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
        x = self.take(x, &block)
        if not sv_frames_of(out, self.channels_, True, &room):
            raise array_refusal(out, "out", self.channels_, True)
        if room.is_int16 != block.is_int16:
            raise TypeError(f"out has dtype {out.dtype}; it must be that of x, {x.dtype}")
        with cython.critical_section(self):
            self.check_idle()
            needed = self.reach(block.frames)
            if room.frames < needed:
                raise ValueError(f"out has {room.frames} frames; {block.frames} frames of x"
                                 f" need {needed} (out_frames tells)")
            self.run(&block, room.samples, needed)
        return needed

    def flush(self):
        """Give what is left of the stream, as if silence followed, and be as new.

        Realtime: no. Thread: engine.

        Returns
        -------
        numpy.ndarray
            ``flush_frames`` frames, of the dtype and number of axes of the last block.
        """
        cdef sv_frames rest
        with cython.critical_section(self):
            self.check_idle()
            out = sv_frames_new(self.left(), self.channels_, self.is_int16, self.is_flat, &rest)
            self.finish(rest.samples, rest.frames, self.is_int16)
        return out

    def reset(self):
        """Forget all input, without allocation.

        Realtime: yes (the functions below it). Thread: engine.
        """
        with cython.critical_section(self):
            self.check_idle()
            linear_reset(&self.line)
            if self.stream != NULL:
                sv_polyphase_reset(self.stream)

    def _advance(self, periods):
        """Be as if so many whole periods had gone by: for tests of streams that last for years."""
        with cython.critical_section(self):
            if self.stream != NULL:
                sv_polyphase_advance(self.stream, periods)


def _select_isa(name):
    """Run this module's kernels by that instruction set, one that this machine has; for tests."""
    if sv_kernels_select(name.encode("ascii")) != 0:
        raise ValueError(f"name is {name!r}; allowed: what sottovoce.native.convert.available_isas() gives")
