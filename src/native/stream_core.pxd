from libc.stdint cimport uint64_t

from .meter cimport sv_meter
from .telemetry cimport Histogram, sv_histogram, sv_supply

# As in PortAudio's header (portaudio.h, version 19).
ctypedef unsigned long PaStreamCallbackFlags

# What every callback counts, each in a memory of its own.
ctypedef struct stream_state:
    uint64_t retired           # these two are written by the engine; all the rest by the callback
    uint64_t held
    char pad[128]
    uint64_t finished
    uint64_t thread            # that the blocks come on
    uint64_t last_block_ns
    uint64_t dac_delay_ns
    uint64_t blocks
    uint64_t frames
    uint64_t generation_mismatches
    uint64_t shape_mismatches
    uint64_t errors
    uint64_t resample_errors
    uint64_t scrubbed_samples
    uint64_t overlaps
    uint64_t underruns
    uint64_t starvations
    uint64_t idle_blocks
    uint64_t held_blocks
    uint64_t overruns
    uint64_t overrun_frames
    uint64_t pa_input_underflows
    uint64_t pa_input_overflows
    uint64_t pa_output_underflows
    uint64_t pa_output_overflows
    uint64_t pa_priming_blocks
    uint64_t samplerate        # of the stream
    sv_supply supply
    sv_meter meter
    sv_histogram* durations
    sv_histogram* intervals
    sv_histogram* resampling


cdef extern from "thread.h" nogil:
    uint64_t sv_thread_self() noexcept
    int sv_thread_priority(uint64_t thread) noexcept
    void sv_thread_raise(uint64_t thread, int most) noexcept


cdef void stream_begin(stream_state* stream, uint64_t now_ns, uint64_t frames,
                       PaStreamCallbackFlags flags) noexcept nogil
cdef void stream_finish(stream_state* stream, uint64_t started_ns, uint64_t frames,
                        uint64_t resample_ns) noexcept nogil
cdef dict shared_counters(const stream_state* stream)


cdef class StreamCallback:
    cdef stream_state* stream  # the first member of the state of each kind
    cdef readonly Histogram durations
    cdef readonly Histogram intervals
    cdef readonly Histogram resampling
    cdef readonly object generation

    cdef int connect(self, stream_state* stream, object generation, uint64_t samplerate) except -1
