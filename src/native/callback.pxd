from libc.stdint cimport int64_t, uint32_t, uint64_t

from .activity cimport Activity, sv_activity, sv_detector
from .meter cimport sv_meter
from .mixer cimport Mixer
from .mixer_core cimport mixer_core
from .rate_converter cimport rate_converter
from .ring cimport Ring, sv_ring
from .stream_core cimport StreamCallback, stream_state

# What PortAudio gives to a callback, as in its header (portaudio.h, version 19).
ctypedef struct PaStreamCallbackTimeInfo:
    double inputBufferAdcTime
    double currentTime
    double outputBufferDacTime

cdef extern from "warm.h" nogil:
    ctypedef struct sv_warm:
        int64_t lead_in_frames
        int64_t sleeps_after_frames
        bint keeps_warm
        bint asleep

    void sv_warm_held(sv_warm* warm, bint waits, float* out, int64_t frames, uint32_t channels) noexcept
    void sv_warm_rendered(sv_warm* warm, bint sounded, float* out, int64_t frames, uint32_t channels) noexcept

cdef extern from "edge.h" nogil:
    ctypedef struct sv_edge:
        pass

    void sv_edge_init(sv_edge* edge, uint32_t samplerate) noexcept
    void sv_edge_rise(sv_edge* edge) noexcept
    void sv_edge_held(sv_edge* edge, bint resumes) noexcept
    void sv_edge_played(sv_edge* edge, float* out, int64_t frames, uint32_t channels) noexcept
    void sv_edge_decay(sv_edge* edge, float* out, int64_t frames, uint32_t channels) noexcept


ctypedef struct playback_state:
    stream_state stream
    mixer_core* mixer
    uint32_t channels          # of the stream
    bint converts              # the stream's format is not the mixer's
    bint resamples
    bint may_sleep             # the device, so that what is in `warm` counts
    sv_warm warm
    uint64_t converter_delay_ns
    sv_edge edge
    float* content             # one piece of the mixer's output
    float* resampled           # the same at the stream's samplerate
    rate_converter converter

ctypedef struct capture_state:
    stream_state stream
    sv_ring* ring
    sv_activity* activity      # NULL: nobody will want to know
    sv_detector detector
    uint32_t channels
    bint resamples
    float* content             # one piece as it came
    float* mixed               # the same at the ring's channels
    float* resampled           # the same at the ring's samplerate
    rate_converter converter


cdef class PlaybackCallback(StreamCallback):
    cdef playback_state* state
    cdef readonly Mixer mixer
    cdef readonly int samplerate
    cdef readonly int channels


cdef class CaptureCallback(StreamCallback):
    cdef capture_state* state
    cdef readonly Ring ring
    cdef readonly Activity activity
    cdef readonly int samplerate
    cdef readonly int channels
    cdef readonly int ring_samplerate
