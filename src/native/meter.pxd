from libc.stdint cimport uint64_t

from .kernels cimport sv_level


cdef extern from "meter.h" nogil:
    ctypedef struct sv_meter_reading:
        float peak
        float mean_square

    ctypedef struct sv_meter:
        double samplerate

    void sv_meter_note(sv_meter* meter, uint64_t frames, uint64_t samples, const sv_level* level) noexcept
    sv_meter_reading sv_meter_read(const sv_meter* meter) noexcept
