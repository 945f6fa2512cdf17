cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from .activity cimport Activity, sv_activity
from .results cimport sv_results
from .ring cimport Ring, sv_ring
from .source_core cimport block_report, source_core
from .telemetry cimport Histogram

cdef enum:
    MIXER_MAX_SOURCES = 32
    MIXER_MAX_BLOCKSIZE = 16384

cdef extern from "commands.h" nogil:
    ctypedef enum sv_command_kind:
        SV_ADD
        SV_REMOVE
        SV_GAIN
        SV_DUCK
        SV_PAUSE
        SV_RESUME
        SV_YIELD
        SV_MARK
        SV_FENCE

    ctypedef struct sv_command:
        void* subject
        float value
        uint32_t frames
        sv_command_kind kind
        uint64_t mark
        uint64_t frame
        uint64_t generation

    ctypedef struct sv_commands:
        pass

    int SV_COMMANDS
    bint sv_commands_push(sv_commands* commands, const sv_command* command) noexcept
    bint sv_commands_pop(sv_commands* commands, sv_command* command) noexcept


ctypedef struct mixer_core:
    sv_commands commands
    sv_results results
    uint64_t delay_ns          # from a block to its being heard, as its callback knows
    uint64_t taken             # by whoever renders, or settles what nobody renders
    uint64_t last_ns           # start of the newest block; 0 before the first
    uint64_t rendered_frames
    uint64_t blocks
    uint64_t underruns
    uint64_t starvations
    uint64_t idle_blocks
    uint64_t scrubbed_samples
    uint64_t resample_errors
    uint64_t overlaps
    uint64_t yields
    uint64_t yielded_blocks
    uint64_t heeded            # the serial number of the newest SV_YIELD that the callback has taken
    uint64_t undriven_ns       # without a block for so long, nobody listens
    uint32_t samplerate
    uint32_t channels
    int active
    sv_activity* activity      # to whom the sources yield; NULL for nobody
    float yield_gain           # below 0: they pause
    bint yielding
    source_core* sources[MIXER_MAX_SOURCES]
    float* content             # one piece of one source
    float* mixed               # the same at the mixer's channels
    sv_ring* tap               # receives what is rendered, for whoever wants to know; NULL for nobody
    uint64_t tap_lost_frames

cdef void mixer_render(mixer_core* mixer, float* out, int64_t frames, uint64_t now_ns,
                       block_report* report) noexcept nogil
cdef bint mixer_hold(mixer_core* mixer, int64_t frames, uint64_t now_ns, block_report* report) noexcept nogil


# The engine's end of a mixer, which the mixer and its sources share.
cdef class MixerCore:
    cdef mixer_core* core
    cdef Histogram flush_latencies
    cdef cython.pythread_type_lock lock  # of whoever sends commands

    cdef Ring tap              # kept as long as a callback may write to it
    cdef Activity activity     # to whom the sources yield
    cdef list activities       # and with its number each one that the callback may still look at
    cdef uint32_t heeds
    cdef uint64_t marks
    cdef dict results          # of marks, for who asks

    cdef int send(self, sv_command_kind kind, void* subject, float value, uint32_t frames) except -1
    cdef int push(self, const sv_command* command) except -1
    cdef object mark(self, sv_command_kind kind, source_core* source, uint64_t frame, uint64_t generation)
    cdef object take_result(self, object mark)
    cdef int heed(self, Activity activity, float gain) except -1
    cdef bint settle(self) noexcept
