from libc.stddef cimport size_t
from libc.stdint cimport int16_t, int64_t, uint32_t


cdef extern from "kernels/kernels.h" nogil:
    ctypedef struct sv_level:
        double squares
        float peak

    ctypedef struct sv_linear_position:
        int64_t index
        uint32_t phase
        uint32_t up
        uint32_t down
        uint32_t whole
        uint32_t part

    ctypedef struct sv_kernels:
        const char* name
        void (*int16_to_float32)(const int16_t* x, float* out, size_t samples) noexcept nogil
        void (*float32_to_int16)(const float* x, int16_t* out, size_t samples) noexcept nogil
        void (*add)(float* out, const float* x, size_t samples) noexcept nogil
        void (*add_scaled)(float* out, const float* x, float gain, size_t samples) noexcept nogil
        void (*scale)(float* x, float gain, size_t samples) noexcept nogil
        void (*ramp)(float* x, size_t frames, size_t channels, float start, float slope, uint32_t first) noexcept nogil
        size_t (*scrub)(float* x, size_t samples, sv_level* level) noexcept nogil
        void (*mono_to_stereo)(const float* x, float* out, size_t frames) noexcept nogil
        void (*stereo_to_mono)(const float* x, float* out, size_t frames) noexcept nogil
        void (*linear)(const float* x, float* out, size_t frames, size_t channels,
                       sv_linear_position* position) noexcept nogil

    const sv_kernels* sv_kernels_active
    int sv_kernels_select(const char* name) noexcept
    int sv_kernels_select_from_environment() noexcept
    const char* const* sv_kernels_available() noexcept
