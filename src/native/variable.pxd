from libc.stdint cimport int64_t, uint32_t

from .polyphase cimport sv_frames


cdef extern from "kernels/polyphase_variable.h" nogil:
    ctypedef struct sv_variable:
        pass

    sv_variable* sv_variable_new(int tier, uint32_t in_samplerate, uint32_t out_samplerate, uint32_t channels) noexcept
    void sv_variable_free(sv_variable* stream) noexcept
    void sv_variable_reset(sv_variable* stream) noexcept
    void sv_variable_set_step(sv_variable* stream, double step, int64_t slew_frames) noexcept
    double sv_variable_step(const sv_variable* stream) noexcept
    double sv_variable_latency(const sv_variable* stream) noexcept
    int64_t sv_variable_out_frames(const sv_variable* stream, int64_t in_frames) noexcept
    int64_t sv_variable_process(sv_variable* stream, const float* x, int64_t in_frames, float* out) noexcept
    int64_t sv_variable_flush_frames(const sv_variable* stream) noexcept
    int64_t sv_variable_flush(sv_variable* stream, float* out) noexcept


cdef class VariableResampler:
    cdef sv_variable* stream
    cdef readonly int channels
    cdef readonly double nominal_ratio
    cdef float* scratch            # to convert int16
    cdef bint is_int16             # what the last block was
    cdef bint is_flat
    cdef bint is_busy              # at work without the GIL

    cdef int check_idle(self) except -1
    cdef int take(self, object x, sv_frames* block) except -1
    cdef int run(self, const sv_frames* block, void* out) except -1
    cdef void work(self, const sv_frames* block, void* out) noexcept nogil
