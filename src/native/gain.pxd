from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

# A gain on its way: linear in amplitude, one value per frame, the same however the frames are cut into blocks.
ctypedef struct gain_ramp:
    float start
    float target
    uint32_t length
    uint32_t position

cdef inline bint gain_moves(const gain_ramp* ramp) noexcept nogil:
    return ramp.position < ramp.length

cdef void gain_set(gain_ramp* ramp, float value) noexcept nogil
cdef void gain_move(gain_ramp* ramp, float target, uint32_t frames) noexcept nogil
cdef float gain_now(const gain_ramp* ramp) noexcept nogil
cdef void gain_apply(gain_ramp* ramp, float* x, size_t frames, size_t channels) noexcept nogil
cdef void gain_skip(gain_ramp* ramp, size_t frames) noexcept nogil
