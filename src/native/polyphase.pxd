from libc.stdint cimport int16_t, int64_t, uint32_t

from .filter cimport sv_polyphase
from .resample cimport linear_state


cdef extern from "arrays.h":
    ctypedef struct sv_frames:
        void* samples
        int64_t frames
        bint is_int16
        bint is_flat

    int sv_arrays_import() except -1
    bint sv_frames_of(object array, uint32_t channels, bint writable, sv_frames* frames) noexcept
    object sv_frames_new(int64_t count, uint32_t channels, bint is_int16, bint is_flat, sv_frames* frames)


cdef object array_refusal(object array, str name, uint32_t channels, bint writable)


cdef class StreamResampler:
    cdef sv_polyphase* stream                # NULL if the quality is linear
    cdef linear_state line
    cdef float* scratch                      # of the linear one, for int16
    cdef uint32_t channels_
    cdef bint is_int16                       # what the last block was
    cdef bint is_flat
    cdef object on_int16
    cdef object adapt
    cdef bint is_busy                        # at work without the GIL

    cdef int check_idle(self) except -1
    cdef object take(self, object x, sv_frames* block)
    cdef int run(self, const sv_frames* block, void* out, int64_t frames) except -1
    cdef int64_t reach(self, int64_t in_frames) noexcept nogil
    cdef int64_t left(self) noexcept nogil
    cdef int64_t work(self, const void* x, int64_t in_frames, void* out, int64_t room, bint is_int16) noexcept nogil
    cdef int64_t finish(self, void* out, int64_t room, bint is_int16) noexcept nogil
