"""What the callbacks of playback and capture have in common: the memory that they count in, and its reader."""

from libc.math cimport sqrt
from libc.stdint cimport uint64_t, uintptr_t

from .atomics cimport sv_count, sv_load_acquire, sv_load_relaxed, sv_store_relaxed, sv_store_release
from .meter cimport sv_meter_read
from .telemetry cimport Histogram, sv_histogram_record, sv_now_ns, sv_supply_block, sv_supply_take_deepest


cdef void finished_callback(void* userdata) noexcept nogil:
    """PortAudio says that a stream has stopped. Realtime: yes. Thread: callback."""
    sv_store_release(&(<stream_state*> userdata).finished, 1)


# PaStreamCallbackFlags
cdef enum:
    _INPUT_UNDERFLOW = 1
    _INPUT_OVERFLOW = 2
    _OUTPUT_UNDERFLOW = 4
    _OUTPUT_OVERFLOW = 8
    _PRIMING_OUTPUT = 16


cdef void stream_begin(stream_state* stream, uint64_t now_ns, uint64_t frames,
                       PaStreamCallbackFlags flags) noexcept nogil:
    """Count what is known before the work. Realtime: yes. Thread: callback."""
    cdef uint64_t last_ns = sv_load_relaxed(&stream.last_block_ns)
    if last_ns:
        sv_histogram_record(stream.intervals, now_ns - last_ns)
    else:
        sv_store_relaxed(&stream.thread, sv_thread_self())
    sv_store_relaxed(&stream.last_block_ns, now_ns)
    sv_supply_block(&stream.supply, now_ns, frames * 1000000000 // stream.samplerate)
    if flags:
        sv_count(&stream.pa_input_underflows, (flags & _INPUT_UNDERFLOW) != 0)
        sv_count(&stream.pa_input_overflows, (flags & _INPUT_OVERFLOW) != 0)
        sv_count(&stream.pa_output_underflows, (flags & _OUTPUT_UNDERFLOW) != 0)
        sv_count(&stream.pa_output_overflows, (flags & _OUTPUT_OVERFLOW) != 0)
        sv_count(&stream.pa_priming_blocks, (flags & _PRIMING_OUTPUT) != 0)


cdef void stream_finish(stream_state* stream, uint64_t started_ns, uint64_t frames,
                        uint64_t resample_ns) noexcept nogil:
    """Count what is known after the work. Realtime: yes. Thread: callback."""
    if resample_ns:
        sv_histogram_record(stream.resampling, resample_ns)
    sv_count(&stream.frames, frames)
    sv_histogram_record(stream.durations, sv_now_ns() - started_ns)
    sv_store_release(&stream.blocks, sv_load_relaxed(&stream.blocks) + 1)


cdef dict shared_counters(const stream_state* stream):
    """What both kinds of callback count. Realtime: no. Thread: engine."""
    return {
        "blocks": sv_load_acquire(&stream.blocks),
        "frames": sv_load_relaxed(&stream.frames),
        "generation_mismatches": sv_load_relaxed(&stream.generation_mismatches),
        "shape_mismatches": sv_load_relaxed(&stream.shape_mismatches),
        "errors": sv_load_relaxed(&stream.errors),
        "resample_errors": sv_load_relaxed(&stream.resample_errors),
        "scrubbed_samples": sv_load_relaxed(&stream.scrubbed_samples),
        "late_blocks": sv_load_relaxed(&stream.supply.late_blocks),
        "pa_input_underflows": sv_load_relaxed(&stream.pa_input_underflows),
        "pa_input_overflows": sv_load_relaxed(&stream.pa_input_overflows),
        "pa_output_underflows": sv_load_relaxed(&stream.pa_output_underflows),
        "pa_output_overflows": sv_load_relaxed(&stream.pa_output_overflows),
        "pa_priming_blocks": sv_load_relaxed(&stream.pa_priming_blocks),
    }


cdef class StreamCallback:
    """What the callbacks of playback and capture have in common; made only as one of these.

    Keep it until its stream is closed.
    """

    def __cinit__(self, *args, **kwargs):
        if type(self) is StreamCallback:
            raise TypeError("a StreamCallback is made only as a PlaybackCallback or a CaptureCallback")

    cdef int connect(self, stream_state* stream, object generation, uint64_t samplerate) except -1:
        """Take the memory that the callback counts in; of a stream at ``samplerate`` (Hz)."""
        if not isinstance(generation, int) or generation < 0:
            raise ValueError(f"generation is {generation!r}; it must be a whole number, at least 0")
        self.generation = generation
        self.durations = Histogram()
        self.intervals = Histogram()
        self.resampling = Histogram()
        stream.samplerate = samplerate
        stream.meter.samplerate = samplerate
        stream.durations = self.durations.core
        stream.intervals = self.intervals.core
        stream.resampling = self.resampling.core
        self.stream = stream
        return 0

    @property
    def userdata(self):
        """Address that PortAudio is to hand to both callbacks."""
        return <uintptr_t> self.stream

    @property
    def finished_address(self):
        """Of the ``PaStreamFinishedCallback``."""
        return <uintptr_t> &finished_callback

    @property
    def finished(self):
        """True once PortAudio has said that the stream stopped."""
        return sv_load_acquire(&self.stream.finished) != 0

    @property
    def last_block_ns(self):
        """When the newest block began, on the clock of ``time.monotonic_ns``; 0 before the first."""
        return sv_load_relaxed(&self.stream.last_block_ns)

    def priority(self):
        """How the thread of the blocks is scheduled, as the system says; only while the stream is not being closed.

        Realtime: no. Thread: engine.

        Returns
        -------
        int
            1 to 99 in realtime, 0 not so, -1 if there was no block yet or the system does not tell.
        """
        return sv_thread_priority(sv_load_relaxed(&self.stream.thread))

    def raise_priority(self, most):
        """Schedule the thread of the blocks at a higher priority, if it is scheduled in realtime; only while the stream
        is not being closed.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        most : int
            1..99; the thread gets as near to that as the system lets it, and is never lowered.

        Raises
        ------
        ValueError
            If it is out of range.
        """
        if not isinstance(most, int) or not 1 <= most <= 99:
            raise ValueError(f"most is {most!r}; it must be a whole number, 1..99")
        sv_thread_raise(sv_load_relaxed(&self.stream.thread), most)

    @property
    def peak(self):
        """The largest magnitude of late, 0..1: it jumps up within a block and falls 20 dB in 1.7 s.

        Of what the mixer gave, or of what the device gave to a capture.
        """
        return sv_meter_read(&self.stream.meter).peak

    @property
    def rms(self):
        """The root mean square of all samples, 0..1, weighted exponentially with a time constant of 125 ms."""
        return sqrt(sv_meter_read(&self.stream.meter).mean_square)

    def expect_within(self, held_s):
        """Say what the device's buffer holds, in seconds up to an hour: later blocks are counted; 0 judges nothing.

        Realtime: yes. Thread: engine.
        """
        if not 0.0 <= held_s <= 3600.0:
            raise ValueError(f"held_s is {held_s!r}; it must be seconds, 0..3600")
        sv_store_relaxed(&self.stream.supply.late_after_ns, <uint64_t> (held_s * 1e9))

    def take_deepest_ns(self):
        """How far below its fullest the buffer was since the last call, in ns. Realtime: yes. Thread: engine."""
        return sv_supply_take_deepest(&self.stream.supply)

    def hold(self):
        """Let playback be silent from the next block on, and take nothing from the mixer; capture goes on.

        Realtime: yes. Thread: engine.
        """
        sv_store_release(&self.stream.held, 1)

    def release(self):
        """Undo :meth:`hold`.

        Realtime: yes. Thread: engine.
        """
        sv_store_release(&self.stream.held, 0)

    def retire(self):
        """Make this callback stale: from now on it writes silence, counts that, and touches nothing else.

        A block that has begun is finished.

        Realtime: yes. Thread: engine.
        """
        sv_store_release(&self.stream.retired, 1)
