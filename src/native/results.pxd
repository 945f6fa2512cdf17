from libc.stdint cimport uint64_t


cdef extern from "results.h" nogil:
    int SV_MARKS
    int SV_RESULTS

    ctypedef enum sv_result_kind:
        SV_PASSED
        SV_FLUSHED
        SV_REFUSED

    ctypedef struct sv_result:
        uint64_t mark
        uint64_t generation
        uint64_t ns
        uint64_t delay_ns
        sv_result_kind kind

    ctypedef struct sv_results:
        uint64_t lost

    void sv_results_push(sv_results* results, const sv_result* result) noexcept
    bint sv_results_pop(sv_results* results, sv_result* result) noexcept
