from libc.stdint cimport uint64_t


cdef extern from "atomics.h" nogil:
    int SV_CACHE_LINE
    uint64_t sv_load_acquire(const uint64_t* p) noexcept
    void sv_store_release(uint64_t* p, uint64_t value) noexcept
    uint64_t sv_load_relaxed(const uint64_t* p) noexcept
    void sv_store_relaxed(uint64_t* p, uint64_t value) noexcept
    bint sv_try_take(uint64_t* flag) noexcept
    void sv_prefetch(const void* p) noexcept
    void sv_give_back(uint64_t* flag) noexcept
    void sv_count(uint64_t* counter, uint64_t more) noexcept
