"""A source as the engine sees it: frames go in, and what has become of them can be asked at any time."""

cimport cython
from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from .atomics cimport sv_load_acquire, sv_load_relaxed, sv_store_relaxed, sv_store_release
from .buffers cimport acquire_frames, check_channels, check_samplerate
from .gain cimport gain_set
from .memory cimport sv_new
from .mixer_core cimport SV_DUCK, SV_GAIN, SV_PAUSE, SV_RESUME, MixerCore, sv_command_kind
from .position cimport sv_position, sv_position_heard, sv_position_read
from .rate_converter cimport converter_free, converter_init, converter_lookahead
from .ring cimport ring_free, ring_new, sv_ring_queued, sv_ring_write
from .source_core cimport SOURCE_MOVES_ANEW, SOURCE_MOVES_WITHIN, SOURCE_STAYS, source_core
from .telemetry cimport sv_now_ns

MAX_GAIN = 16.0
MAX_RAMP_S = 10.0

# The fade before anything stops, and after a starvation: short to the ear, far below a click.
cdef double _FADE_S = 0.005

# At a position that is being written: one who writes it takes some 10 ns, unless it is interrupted.
cdef enum:
    _MOST_LOOKS = 1000


@cython.final
cdef class Source:
    """One playing input of a mixer; made by :meth:`~sottovoce.native.mixer.Mixer.add_source`.

    A writer holds the generation that it writes for. :meth:`flush` starts a new one: what is queued fades out in 5 ms,
    and what a stale writer still writes is refused. Frames of the new generation may be written at once.
    """

    def __cinit__(self, MixerCore shared not None, samplerate, channels, capacity_frames, prebuffer_frames,
                  quality):
        self.core = <source_core*> sv_new(sizeof(source_core))
        if self.core == NULL:
            raise MemoryError("no memory for a source")
        self._samplerate = check_samplerate(samplerate, "samplerate")
        self.core.channels = check_channels(channels, "channels")
        self.core.ring = ring_new(capacity_frames, self.core.channels)
        if not isinstance(prebuffer_frames, int) or not 0 <= prebuffer_frames <= self.core.ring.capacity:
            raise ValueError(f"prebuffer_frames is {prebuffer_frames!r}; it must be a whole number,"
                             f" 0..{self.core.ring.capacity}, the capacity")
        self.shared = shared
        self.core.prebuffer_frames = prebuffer_frames
        self.core.flush_latency = shared.flush_latencies.core
        self.core.fade_frames = <uint32_t> (_FADE_S * shared.core.samplerate + 0.5)
        self.core.resamples = self._samplerate != shared.core.samplerate
        converter_init(&self.core.converter, quality, self._samplerate, shared.core.samplerate, self.core.channels)
        if self.core.resamples:  # its part of what is queued is no buffer, and nothing is heard before it has that
            self.core.prebuffer_moved = min(self.core.ring.capacity, self.core.prebuffer_frames
                                            * shared.core.samplerate // self._samplerate)
            self._lookahead = converter_lookahead(&self.core.converter)
            self.core.prebuffer_frames = min(self.core.ring.capacity, self.core.prebuffer_frames + self._lookahead)
        self.core.frame_ns = 1e9 / self._samplerate
        self.core.moved_frame_ns = 1e9 / shared.core.samplerate
        self.core.results = &shared.core.results
        gain_set(&self.core.gain, 1.0)
        gain_set(&self.core.envelope, 1.0)
        gain_set(&self.core.duck, 1.0)
        self.core.duck_asked = 1.0
        self._gain = 1.0

    def __dealloc__(self):
        if self.core != NULL:
            converter_free(&self.core.converter)
            ring_free(self.core.ring)
            free(self.core)

    @property
    def samplerate(self):
        """Of what is written, in Hz: that of the content, or the mixer's after :meth:`move`."""
        return self.shared.core.samplerate if self._moving() else self._samplerate

    @property
    def moved(self):
        """True once the callback resamples no more, after :meth:`move`."""
        return sv_load_acquire(&self.core.moved) != 0

    @property
    def channels(self):
        """Of the content."""
        return self.core.channels

    @property
    def capacity_frames(self):
        """Frames that it holds at most; a power of two."""
        return self.core.ring.capacity

    @property
    def generation(self):
        """The generation that may write; 0 at first, one more with every flush."""
        return sv_load_acquire(&self.core.generation)

    @property
    def acknowledged_generation(self):
        """The newest generation that the callback has made room for."""
        return sv_load_acquire(&self.core.acknowledged)

    @property
    def acknowledged_ns(self):
        """When it did, in nanoseconds of ``time.monotonic_ns``; 0 before the first flush."""
        sv_load_acquire(&self.core.acknowledged)
        return sv_load_relaxed(&self.core.acknowledged_ns)

    @property
    def queued_frames(self):
        """Frames written and not yet played, those of a flush not yet acknowledged included."""
        return sv_ring_queued(self.core.ring)

    @property
    def writable_frames(self):
        """Frames that can be written now."""
        return self.core.ring.capacity - sv_ring_queued(self.core.ring)

    @property
    def written_frames(self):
        """Frames written since the start."""
        return sv_load_acquire(&self.core.ring.head)

    @property
    def consumed_frames(self):
        """Frames of the content played since the start, of all generations; flushed ones do not count."""
        return sv_load_acquire(&self.core.consumed_frames)

    @property
    def played_frames(self):
        """Frames of the content played of the current generation; those still in the resampler are not."""
        cdef uint64_t flush_to = sv_load_acquire(&self.core.flush_to)
        cdef uint64_t tail = sv_load_acquire(&self.core.ring.tail)
        return max(0, <int64_t> (tail - flush_to - sv_load_relaxed(&self.core.held_frames)))

    cdef bint _moving(self) noexcept:
        return sv_load_acquire(&self.core.moves) != SOURCE_STAYS

    cdef double _seconds(self, uint64_t first, uint64_t last) noexcept:
        """How long the frames of the ring from first to before last play: at one samplerate, or at two."""
        cdef uint64_t move_at = sv_load_relaxed(&self.core.move_at) if self._moving() else last
        cdef uint64_t middle = min(max(first, move_at), max(first, last))
        return ((middle - first) / <double> self._samplerate
                + (max(last, middle) - middle) / <double> self.shared.core.samplerate)

    @property
    def queued_s(self):
        """Seconds of content of the current generation that are queued."""
        cdef uint64_t flush_to = sv_load_acquire(&self.core.flush_to)
        cdef uint64_t tail = sv_load_acquire(&self.core.ring.tail)
        return self._seconds(max(flush_to, tail), sv_load_acquire(&self.core.ring.head))

    @property
    def played_s(self):
        """Seconds of content played of the current generation; what is still in the resampler is not."""
        cdef uint64_t flush_to = sv_load_acquire(&self.core.flush_to)
        cdef uint64_t tail = sv_load_acquire(&self.core.ring.tail)
        cdef uint64_t held = sv_load_relaxed(&self.core.held_frames)
        if self._moving() and flush_to >= sv_load_relaxed(&self.core.move_at):
            held = 0
        return max(0.0, self._seconds(min(flush_to, tail), tail) - held / <double> self._samplerate)

    def heard_s(self, latency_s):
        """Seconds of content of the current generation heard by now; it goes on between two blocks, and never back.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        latency_s : float
            From a frame leaving the mixer to its being heard; used where the host does not say for each block.

        Returns
        -------
        float
        """
        cdef uint64_t latency_ns = <uint64_t> (max(0.0, <double> latency_s) * 1e9)
        cdef sv_position at
        cdef int looks = 0
        while not sv_position_read(&self.core.position, &at) and looks < _MOST_LOOKS:
            looks += 1
        with self.lock:
            if self._heard_generation != sv_load_relaxed(&self.core.generation):
                self._heard_generation = sv_load_relaxed(&self.core.generation)
                self._heard_ns = 0
            if looks < _MOST_LOOKS and at.generation == self._heard_generation:
                self._heard_ns = max(self._heard_ns, sv_position_heard(&at, sv_now_ns(), latency_ns))
            return self._heard_ns / 1e9

    @property
    def held_frames(self):
        """Frames of the content that were taken from the ring and are still in the resampler."""
        return 0 if self.moved else sv_load_relaxed(&self.core.held_frames)

    @property
    def lookahead_frames(self):
        """Frames of the content that the callback's resampler may need before it gives the first one."""
        return 0 if self._moving() else self._lookahead

    @property
    def first_frame_ns(self):
        """When the first frame of the current generation left the mixer, on the clock of ``time.monotonic_ns``.

        0 while none has.
        """
        cdef uint64_t tag = sv_load_acquire(&self.core.first_tag)
        return sv_load_relaxed(&self.core.first_ns) if tag == sv_load_acquire(&self.core.generation) + 1 else 0

    @property
    def paused(self):
        """True from :meth:`pause` to :meth:`resume`."""
        return self._paused

    @property
    def gain(self):
        """The linear gain set last; it is reached after its ramp."""
        return self._gain

    def write(self, x, generation):
        """Write as many frames of ``x`` as there is room for; never waits.

        Realtime: no. Thread: engine; writers exclude each other.

        Parameters
        ----------
        x : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            At the source's samplerate.
        generation : int
            The one that the frames belong to.

        Returns
        -------
        int
            Frames written, from the start of ``x``; 0 if the generation was flushed, or the source removed, which is
            counted.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another.
        """
        cdef Py_buffer view
        cdef uint64_t frames, written
        acquire_frames(x, &view, "x", self.core.channels, False)
        try:
            frames = view.shape[0]
            with self.lock:
                if generation != sv_load_relaxed(&self.core.generation) or self._removed:
                    self._stale_writes += 1
                    self._stale_frames += frames
                    return 0
                written = sv_ring_write(self.core.ring, <const float*> view.buf, frames)
                if written < frames and self._flush_waits():
                    written += sv_ring_write(self.core.ring, <const float*> view.buf + written * self.core.channels,
                                             frames - written)
                self._short_writes += written < frames
                return written
        finally:
            PyBuffer_Release(&view)

    cdef bint _flush_waits(self) noexcept:
        """True if room was made by a flush that no callback was there to act on."""
        return (sv_load_acquire(&self.core.acknowledged) != sv_load_relaxed(&self.core.generation)
                and self.shared.settle())

    def end(self, generation):
        """Say that what was written is all: running dry after it is idleness, not starvation, and no prebuffer is due.

        More may be written after it; that is a new utterance of the same generation.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        generation : int
            The one that ends; a stale one is ignored, and counted as a stale write.
        """
        with self.lock:
            if generation != sv_load_relaxed(&self.core.generation) or self._removed:
                self._stale_writes += 1
                return
            sv_store_release(&self.core.end_at, sv_load_relaxed(&self.core.ring.head))

    def move(self, generation):
        """Resample no more in the callback: what is written from now on has the mixer's samplerate. Never waits.

        If an utterance is under way, whoever writes goes on where the callback's resampler will stop, and gives the
        very frames that it would have given.

        Realtime: no. Thread: engine, the one that writes.

        Parameters
        ----------
        generation : int
            The one that is written for.

        Returns
        -------
        int
            How many frames the stream of the resampler has had so far; 0 if what comes begins a new one; -1 if that
            cannot be known before the next block, or the generation is stale or the source removed: it has not moved.

        Raises
        ------
        RuntimeError
            If it does not resample, or has moved already.
        """
        cdef uint64_t head, tail, end_at, flush_to, start
        with self.lock:
            if self._samplerate == self.shared.core.samplerate or self._moving():
                raise RuntimeError("the source does not resample in the callback; there is nothing to move")
            if generation != sv_load_relaxed(&self.core.generation) or self._removed:
                return -1
            head = sv_load_relaxed(&self.core.ring.head)
            tail = sv_load_acquire(&self.core.ring.tail)
            end_at = sv_load_relaxed(&self.core.end_at)
            flush_to = sv_load_relaxed(&self.core.flush_to)
            if head == end_at or head == flush_to:
                start = head
            elif flush_to >= end_at:
                start = flush_to
            elif tail > end_at:  # whether it ran dry at the end is history
                start = sv_load_relaxed(&self.core.stream_start)
            else:
                return -1
            sv_store_relaxed(&self.core.move_at, head)
            sv_store_release(&self.core.moves, SOURCE_MOVES_ANEW if start == head else SOURCE_MOVES_WITHIN)
            return head - start

    def flush(self):
        """Start a new generation: everything queued fades out in 5 ms and is dropped. Never waits.

        Realtime: no. Thread: engine.

        Returns
        -------
        int
            The new generation; ``acknowledged_generation`` reaches it when the callback has acted.
        """
        cdef uint64_t generation
        with self.lock:
            generation = sv_load_relaxed(&self.core.generation) + 1
            sv_store_release(&self.core.flush_to, sv_load_relaxed(&self.core.ring.head))
            sv_store_relaxed(&self.core.flush_ns, sv_now_ns())
            sv_store_release(&self.core.generation, generation)  # pairs with the callback's load
            self.shared.settle()
            return generation

    def set_gain(self, gain, ramp_s=0.02):
        """Move to another gain.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        gain : float
            Linear, 0..16.
        ramp_s : float
            How long it takes, in seconds, 0..10; linear in amplitude.

        Raises
        ------
        ValueError
            If an argument is out of range.
        RuntimeError
            If the source was removed, or the queue of commands is full.
        """
        self._ramp(SV_GAIN, gain, MAX_GAIN, ramp_s)
        self._gain = gain

    def duck(self, gain, ramp_s=0.005):
        """Move to a gain under that of :meth:`set_gain`, which stays what it is: 1 ends it.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        gain : float
            Linear, 0..1.
        ramp_s : float
            How long it takes, in seconds, 0..10; linear in amplitude.

        Raises
        ------
        ValueError
            If an argument is out of range.
        RuntimeError
            If the source was removed, or the queue of commands is full.
        """
        self._ramp(SV_DUCK, gain, 1.0, ramp_s)

    cdef int _ramp(self, sv_command_kind kind, object gain, double most, object ramp_s) except -1:
        cdef double value = gain, seconds = ramp_s
        if not isfinite(value) or not 0.0 <= value <= most:
            raise ValueError(f"gain is {gain!r}; it must be linear, 0..{most:g}")
        if not isfinite(seconds) or not 0.0 <= seconds <= MAX_RAMP_S:
            raise ValueError(f"ramp_s is {ramp_s!r}; it must be in seconds, 0..{MAX_RAMP_S:g}")
        return self._command(kind, value, <uint32_t> (seconds * self.shared.core.samplerate + 0.5))

    def pause(self):
        """Fade out in 5 ms and stop where it is; what is queued stays.

        Realtime: no. Thread: engine.

        Raises
        ------
        RuntimeError
            If the source was removed, or the queue of commands is full.
        """
        self._command(SV_PAUSE, 0.0, 0)
        self._paused = True

    def resume(self):
        """Go on where it was paused, fading in over 5 ms.

        Realtime: no. Thread: engine.

        Raises
        ------
        RuntimeError
            If the source was removed, or the queue of commands is full.
        """
        self._command(SV_RESUME, 0.0, 0)
        self._paused = False

    cdef int _command(self, sv_command_kind kind, float value, uint32_t frames) except -1:
        with self.shared.lock:
            self._require_there()
            return self.shared.send(kind, self.core, value, frames)

    cdef int _require_there(self) except -1:
        if self._removed:
            raise RuntimeError("the source was removed from its mixer; add another")
        return 0

    def counters(self):
        """Everything counted since the start.

        Realtime: no. Thread: engine.

        Returns
        -------
        dict of str to int
            ``starvations`` (how often it ran dry in mid-utterance), ``starved_frames`` (at the mixer's samplerate,
            until it came back), ``flushed_frames`` (dropped by flushes), ``stale_writes`` and ``stale_frames``
            (refused), ``short_writes`` (found too little room).
        """
        return {
            "starvations": sv_load_relaxed(&self.core.starvations),
            "starved_frames": sv_load_relaxed(&self.core.starved_frames),
            "flushed_frames": sv_load_relaxed(&self.core.flushed_frames),
            "stale_writes": self._stale_writes,
            "stale_frames": self._stale_frames,
            "short_writes": self._short_writes,
        }
