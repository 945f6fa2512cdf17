cimport cython
from libc.stdint cimport uint32_t, uint64_t

from .mixer_core cimport MixerCore, sv_command_kind
from .source_core cimport source_core


cdef class Source:
    cdef source_core* core
    cdef MixerCore shared
    cdef cython.pythread_type_lock lock
    cdef uint32_t _samplerate
    cdef uint64_t _lookahead
    cdef bint _removed
    cdef bint _paused
    cdef float _gain
    cdef uint64_t _stale_writes
    cdef uint64_t _stale_frames
    cdef uint64_t _short_writes
    cdef uint64_t _heard_generation
    cdef uint64_t _heard_ns

    cdef bint _flush_waits(self) noexcept
    cdef int _ramp(self, sv_command_kind kind, object gain, double most, object ramp_s) except -1
    cdef bint _moving(self) noexcept
    cdef double _seconds(self, uint64_t first, uint64_t last) noexcept
    cdef int _require_there(self) except -1
    cdef int _command(self, sv_command_kind kind, float value, uint32_t frames) except -1
