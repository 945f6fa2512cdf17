from libc.stdint cimport uint64_t


cdef extern from "position.h" nogil:
    ctypedef struct sv_position:
        uint64_t generation
        uint64_t from_content_ns
        uint64_t from_ns
        uint64_t to_content_ns
        uint64_t to_ns
        uint64_t delay_ns

    ctypedef struct sv_position_lock:
        pass

    void sv_position_write(sv_position_lock* lock, const sv_position* at) noexcept
    bint sv_position_read(const sv_position_lock* lock, sv_position* at) noexcept
    uint64_t sv_position_heard(const sv_position* at, uint64_t now_ns, uint64_t latency_ns) noexcept
