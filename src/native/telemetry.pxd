from libc.stdint cimport uint64_t


cdef extern from "clock.h" nogil:
    uint64_t sv_now_ns() noexcept


cdef extern from "telemetry.h" nogil:
    int SV_BUCKETS

    ctypedef struct sv_histogram:
        uint64_t count
        uint64_t sum_ns
        uint64_t max_ns
        uint64_t buckets[1]  # SV_BUCKETS in truth

    void sv_histogram_record(sv_histogram* histogram, uint64_t value_ns) noexcept
    uint64_t sv_bucket_limit(int bucket) noexcept


cdef extern from "supply.h" nogil:
    ctypedef struct sv_supply:
        uint64_t late_after_ns
        uint64_t patience_ns
        uint64_t late_blocks

    void sv_supply_block(sv_supply* supply, uint64_t now_ns, uint64_t block_ns) noexcept
    uint64_t sv_supply_take_deepest(sv_supply* supply) noexcept


cdef class Histogram:
    cdef sv_histogram* core
