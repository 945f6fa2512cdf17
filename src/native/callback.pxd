from libc.stdint cimport int64_t, uint32_t, uint64_t

from .meter cimport sv_meter
from .mixer cimport Mixer
from .mixer_core cimport mixer_core
from .resample cimport linear_state
from .ring cimport Ring, sv_ring
from .telemetry cimport Histogram, sv_histogram

# What PortAudio gives to a callback, as in its header (portaudio.h, version 19).
ctypedef unsigned long PaStreamCallbackFlags

ctypedef struct PaStreamCallbackTimeInfo:
    double inputBufferAdcTime
    double currentTime
    double outputBufferDacTime

# What every callback counts, each in a memory of its own.
ctypedef struct stream_state:
    uint64_t retired           # written by the engine; all the rest by the callback
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
    uint64_t overruns
    uint64_t overrun_frames
    uint64_t pa_input_underflows
    uint64_t pa_input_overflows
    uint64_t pa_output_underflows
    uint64_t pa_output_overflows
    uint64_t pa_priming_blocks
    sv_meter meter
    sv_histogram* durations
    sv_histogram* intervals
    sv_histogram* resampling

ctypedef struct playback_state:
    stream_state stream
    mixer_core* mixer
    uint32_t channels          # of the stream
    bint converts              # the stream's format is not the mixer's
    bint resamples
    linear_state linear
    float* content             # one piece of the mixer's output
    float* resampled           # the same at the stream's samplerate

ctypedef struct capture_state:
    stream_state stream
    sv_ring* ring
    uint32_t channels
    bint resamples
    linear_state linear
    float* content             # one piece as it came
    float* mixed               # the same at the ring's channels
    float* resampled           # the same at the ring's samplerate


cdef extern from "thread.h" nogil:
    uint64_t sv_thread_self() noexcept
    int sv_thread_priority(uint64_t thread) noexcept


cdef class StreamCallback:
    cdef stream_state* stream  # the first member of the state of each kind
    cdef readonly Histogram durations
    cdef readonly Histogram intervals
    cdef readonly Histogram resampling
    cdef readonly object generation

    cdef int connect(self, stream_state* stream, object generation, int samplerate) except -1


cdef class PlaybackCallback(StreamCallback):
    cdef playback_state* state
    cdef readonly Mixer mixer
    cdef readonly int samplerate
    cdef readonly int channels


cdef class CaptureCallback(StreamCallback):
    cdef capture_state* state
    cdef readonly Ring ring
    cdef readonly int samplerate
    cdef readonly int channels
    cdef readonly int ring_samplerate
