from .mixer_core cimport MixerCore, mixer_core


cdef class Mixer:
    cdef mixer_core* core
    cdef MixerCore shared
    cdef int _max_sources
    cdef list _sources
    cdef list _leaving

    cdef void _reclaim(self) noexcept
