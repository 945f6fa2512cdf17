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


cdef class Histogram:
    cdef sv_histogram* core
