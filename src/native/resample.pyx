"""Stateful linear resampling.

Output frame ``m`` is the straight line between the two input frames around time ``m * in / out``. The position is kept
as integers, so the output is the same, bit for bit, however the input is cut into blocks, and never drifts. After the
flush, ``n`` input frames have become exactly ``n * out / in`` frames, rounded to nearest.

The error of a straight line grows with frequency (images at -10 dB and below near half the samplerate): this is the
resampler for the callback, where it must cost next to nothing.
"""

cimport cython
from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy, memset

from .buffers cimport acquire_frames, check_channels, check_samplerate
from .kernels cimport sv_kernels_active, sv_kernels_select, sv_kernels_select_from_environment

# Counts are moved back by whole periods from here on: the products below then stay far from 2**63.
cdef int64_t _REBASE_FRAMES = 1 << 24
# Below this many samples, letting the GIL go costs more than the work.
cdef Py_ssize_t _NOGIL_SAMPLES = 16384


cdef uint32_t _common_divisor(uint32_t a, uint32_t b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cdef int64_t _ceil_div(int64_t a, int64_t b) noexcept nogil:
    """a / b rounded up, for b > 0."""
    return a // b + (a % b > 0)


cdef void linear_init(linear_state* state, uint32_t in_samplerate, uint32_t out_samplerate,
                      uint32_t channels) noexcept nogil:
    """Realtime: yes. Thread: engine."""
    cdef uint32_t divisor = _common_divisor(in_samplerate, out_samplerate)
    state.next.up = out_samplerate // divisor
    state.next.down = in_samplerate // divisor
    state.next.whole = state.next.down // state.next.up
    state.next.part = state.next.down % state.next.up
    state.up_whole = state.next.up // state.next.down
    state.up_part = state.next.up % state.next.down
    state.channels = channels
    linear_reset(state)


cdef void linear_reset(linear_state* state) noexcept nogil:
    """Forget all input. Realtime: yes. Thread: callback|engine."""
    state.next.index = 0
    state.next.phase = 0
    state.seen = 0
    state.emitted = 0
    state.pair_index = 0
    memset(state.pair, 0, sizeof(state.pair))
    memset(state.last, 0, sizeof(state.last))


cdef int64_t _total(const linear_state* state, int64_t seen) noexcept nogil:
    """seen * out / in, rounded to nearest: what a stream of that length becomes."""
    return (2 * seen * state.next.up + state.next.down) // (2 * <int64_t> state.next.down)


cdef int64_t _available(const linear_state* state, int64_t seen) noexcept nogil:
    """Output frames that can be given after that many input frames, were they the last or not.

    The lesser of (seen - 1) * up // down + 1 and of the total, by one division for both.
    """
    cdef int64_t scaled = seen * state.next.up
    cdef int64_t whole = scaled // state.next.down
    cdef int64_t part = scaled - whole * state.next.down
    if seen == 0:
        return 0
    return whole + min(1 - <int64_t> state.up_whole - (part < state.up_part), <int64_t> (2 * part >= state.next.down))


cdef int64_t _on_edge(const linear_state* state) noexcept nogil:
    """Output frames that lie before the next input frame."""
    cdef int64_t ahead = (state.seen - state.next.index) * state.next.up - state.next.phase  # in input frames / up
    if ahead <= 0:
        return 0
    return _ceil_div(ahead, state.next.down)


cdef int64_t linear_out_frames(const linear_state* state, int64_t in_frames) noexcept nogil:
    """Output frames that so many more input frames give, exactly. Realtime: yes. Thread: callback|engine."""
    return max(0, _available(state, state.seen + in_frames) - state.emitted)


cdef int64_t linear_in_frames(const linear_state* state, int64_t out_frames) noexcept nogil:
    """Least input frames that give so many more output frames. Realtime: yes. Thread: callback|engine."""
    cdef int64_t last = state.emitted + out_frames - 1  # the number of the last output frame wanted
    cdef int64_t by_time = _ceil_div(last * state.next.down, state.next.up) + 1
    cdef int64_t by_total = _ceil_div((2 * last + 1) * state.next.down, 2 * <int64_t> state.next.up)
    return max(0, max(by_time, by_total) - state.seen) if out_frames > 0 else 0


cdef int64_t linear_flush_frames(const linear_state* state) noexcept nogil:
    """Output frames that the flush still gives. Realtime: yes. Thread: callback|engine."""
    return max(0, _total(state, state.seen) - state.emitted)


cdef const float* _frame_at(const linear_state* state, const float* x, int64_t index) noexcept nogil:
    """An input frame by its number: of this block, the newest before it, or of the pair kept."""
    if index >= state.seen:
        return x + (index - state.seen) * state.channels
    if index == state.seen - 1:
        return state.last
    return state.pair + (index - state.pair_index) * state.channels


cdef void _copy(float* to, const float* frame, uint32_t channels) noexcept nogil:
    """One frame: a call of memcpy takes longer than one sample."""
    if channels == 1:
        to[0] = frame[0]
    else:
        memcpy(to, frame, channels * sizeof(float))


cdef void _keep(linear_state* state, const float* x, int64_t in_frames) noexcept nogil:
    """Take a block as seen, and keep the frames that the next output needs."""
    cdef uint32_t channels = state.channels
    cdef int64_t seen = state.seen + in_frames
    cdef int64_t first = min(state.next.index, seen - 2)  # -1 at the very start: never read
    cdef int64_t periods
    cdef float kept[2 * RESAMPLE_MAX_CHANNELS]
    if in_frames > 0:
        _copy(kept, _frame_at(state, x, first), channels)
        _copy(kept + channels, _frame_at(state, x, min(first + 1, seen - 1)), channels)
        _copy(state.last, x + (in_frames - 1) * channels, channels)
        _copy(state.pair, kept, channels)
        _copy(state.pair + channels, kept + channels, channels)
        state.pair_index = first
        state.seen = seen
    if state.emitted >= _REBASE_FRAMES or state.seen >= _REBASE_FRAMES:
        periods = min(state.emitted // state.next.up, (state.seen - 1) // state.next.down)
        state.emitted -= periods * state.next.up
        state.seen -= periods * state.next.down
        state.next.index -= periods * state.next.down
        state.pair_index -= periods * state.next.down


cdef int64_t linear_process(linear_state* state, const float* x, int64_t in_frames, float* out,
                            int64_t out_room) noexcept nogil:
    """Take all of x, give at most out_room frames, return how many.

    out_room is at least linear_out_frames(in_frames), or in_frames at most linear_in_frames(out_room): frames further
    back than the pair are not kept. Realtime: yes. Thread: callback|engine.
    """
    cdef int64_t count = min(out_room, linear_out_frames(state, in_frames))
    linear_give(state, x, in_frames, out, count)
    return max(0, count)


cdef void linear_give(linear_state* state, const float* x, int64_t in_frames, float* out,
                      int64_t count) noexcept nogil:
    """The same for whoever knows the count already: its division is a tenth of a short call.

    Realtime: yes. Thread: callback|engine.
    """
    cdef int64_t on_edge
    if count > 0:
        on_edge = min(_on_edge(state), count)
        if on_edge > 0:
            if in_frames > 0:
                _copy(state.pair + 2 * state.channels, x, state.channels)
            state.next.index -= state.pair_index
            sv_kernels_active.linear(state.pair, out, on_edge, state.channels, &state.next)
            state.next.index += state.pair_index
        if count > on_edge:
            state.next.index -= state.seen
            sv_kernels_active.linear(x, out + on_edge * state.channels, count - on_edge, state.channels, &state.next)
            state.next.index += state.seen
        state.emitted += count
    _keep(state, x, in_frames)


cdef int64_t linear_flush(linear_state* state, float* out, int64_t out_room) noexcept nogil:
    """Give the rest, holding the newest frame; the state is reset once all is given. Realtime: yes.

    Thread: callback|engine.
    """
    cdef int64_t given = linear_process(state, NULL, 0, out, out_room)
    cdef int64_t held = min(out_room - given, linear_flush_frames(state))
    cdef int64_t frame
    for frame in range(given, given + held):
        memcpy(out + frame * state.channels, state.last, state.channels * sizeof(float))
    state.emitted += held
    state.next.index = state.emitted * state.next.down // state.next.up
    state.next.phase = <uint32_t> (state.emitted * state.next.down % state.next.up)
    if linear_flush_frames(state) == 0:
        linear_reset(state)
    return given + held


@cython.final
cdef class LinearResampler:
    """Linear resampler with state, for one stream.

    Parameters
    ----------
    in_samplerate, out_samplerate : int
        In Hz, 1000..768000.
    channels : int
        1..64.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __cinit__(self, in_samplerate, out_samplerate, channels):
        linear_init(&self.core, check_samplerate(in_samplerate, "in_samplerate"),
                    check_samplerate(out_samplerate, "out_samplerate"), check_channels(channels, "channels"))

    @property
    def latency_frames(self):
        """The most output frames by which the output is behind ``in_frames * out / in``; none of it is a shift."""
        return max(self.core.next.up - 1, (self.core.next.down - 1) // 2) / <double> self.core.next.down

    @property
    def flush_frames(self):
        """Frames that :meth:`flush_into` would give now."""
        return linear_flush_frames(&self.core)

    def out_frames(self, in_frames):
        """Frames that :meth:`process_into` would give for so many more, exactly.

        Realtime: yes (``linear_out_frames``). Thread: engine.

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
        return linear_out_frames(&self.core, in_frames)

    def process_into(self, x, out):
        """Resample a block.

        Realtime: yes (``linear_process``). Thread: engine.

        Parameters
        ----------
        x : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            May be empty.
        out : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            At least ``out_frames(len(x))`` frames; it may not share memory with ``x``.

        Returns
        -------
        int
            Frames given, from the start of ``out``.

        Raises
        ------
        TypeError, ValueError
            If a dtype or shape is another, or ``out`` is too short.
        """
        cdef Py_buffer source, target
        cdef int64_t needed
        acquire_frames(x, &source, "x", self.core.channels, False)
        try:
            acquire_frames(out, &target, "out", self.core.channels, True)
            try:
                with self.lock:
                    needed = linear_out_frames(&self.core, source.shape[0])
                    if target.shape[0] < needed:
                        raise ValueError(f"out has {target.shape[0]} frames; {source.shape[0]} frames of x"
                                         f" need {needed} (out_frames tells)")
                    if source.len + target.len < _NOGIL_SAMPLES * <Py_ssize_t> sizeof(float):
                        return linear_process(&self.core, <const float*> source.buf, source.shape[0],
                                              <float*> target.buf, needed)
                    with nogil:
                        needed = linear_process(&self.core, <const float*> source.buf, source.shape[0],
                                                <float*> target.buf, needed)
                    return needed
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)

    def flush_into(self, out):
        """Give what is left of the stream, and be as new.

        Realtime: yes (``linear_flush``). Thread: engine.

        Parameters
        ----------
        out : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            At least ``flush_frames`` frames.

        Returns
        -------
        int
            Frames given, from the start of ``out``.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another, or ``out`` is too short.
        """
        cdef Py_buffer target
        cdef int64_t needed
        acquire_frames(out, &target, "out", self.core.channels, True)
        try:
            with self.lock:
                needed = linear_flush_frames(&self.core)
                if target.shape[0] < needed:
                    raise ValueError(f"out has {target.shape[0]} frames; the flush gives {needed} (flush_frames tells)")
                return linear_flush(&self.core, <float*> target.buf, needed)
        finally:
            PyBuffer_Release(&target)

    def reset(self):
        """Forget all input, without allocation.

        Realtime: yes (``linear_reset``). Thread: engine.
        """
        with self.lock:
            linear_reset(&self.core)


def _select_isa(name):
    """Run this module's kernels by that instruction set, one that this machine has; for tests."""
    if sv_kernels_select(name.encode("ascii")) != 0:
        raise ValueError(f"name is {name!r}; allowed: what sottovoce.native.convert.available_isas() gives")


sv_kernels_select_from_environment()
