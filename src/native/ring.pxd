from libc.stdint cimport uint64_t

cimport cython


cdef extern from "ring.h" nogil:
    ctypedef struct sv_ring:
        float* data
        uint64_t capacity
        uint64_t channels
        uint64_t head
        uint64_t tail

    ctypedef struct sv_ring_span:
        float* first
        float* second
        uint64_t first_frames
        uint64_t second_frames

    uint64_t sv_ring_space(sv_ring* ring, uint64_t enough) noexcept
    uint64_t sv_ring_write(sv_ring* ring, const float* x, uint64_t frames) noexcept
    uint64_t sv_ring_ready(sv_ring* ring, uint64_t enough) noexcept
    sv_ring_span sv_ring_read_span(const sv_ring* ring, uint64_t frames) noexcept
    void sv_ring_prefetch(const sv_ring* ring, uint64_t frames) noexcept
    void sv_ring_read_done(sv_ring* ring, uint64_t frames) noexcept
    uint64_t sv_ring_read(sv_ring* ring, float* out, uint64_t frames) noexcept
    uint64_t sv_ring_queued(const sv_ring* ring) noexcept


cdef sv_ring* ring_new(object capacity_frames, uint64_t channels) except NULL
cdef void ring_free(sv_ring* ring) noexcept


cdef class Ring:
    cdef sv_ring* core
    cdef cython.pythread_type_lock producer
    cdef cython.pythread_type_lock consumer
