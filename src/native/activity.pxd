from libc.stdint cimport int64_t, uint32_t, uint64_t

cimport cython


cdef extern from "activity.h" nogil:
    ctypedef struct sv_activity:
        uint64_t wanted
        uint64_t threshold
        uint64_t margin
        uint64_t hold_ns
        uint64_t until_ns
        uint64_t activations
        uint64_t active_blocks

    ctypedef struct sv_detector:
        pass

    double sv_load_double(const uint64_t* p) noexcept
    void sv_store_double(uint64_t* p, double value) noexcept
    void sv_detector_init(sv_detector* detector, double samplerate) noexcept
    bint sv_detector_hear(sv_detector* detector, const float* x, int64_t frames, uint32_t channels, double threshold,
                          double margin) noexcept
    void sv_detector_go_on(sv_detector* detector, const sv_activity* activity) noexcept
    void sv_activity_note(sv_activity* activity, const sv_detector* detector, bint active, uint64_t now_ns) noexcept
    bint sv_activity_lasts(const sv_activity* activity, uint64_t now_ns) noexcept


cdef class Activity:
    cdef sv_activity* core
    cdef cython.pythread_type_lock lock

    cdef void want(self, int more) noexcept
