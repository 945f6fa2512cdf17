from libc.stddef cimport size_t


cdef void channels_mix(const float* x, size_t x_channels, float* out, size_t out_channels,
                       size_t frames) noexcept nogil
