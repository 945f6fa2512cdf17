from libc.stdint cimport int64_t, uint32_t

cimport cython

from .kernels cimport sv_linear_position

cdef enum:
    RESAMPLE_MAX_CHANNELS = 64

# Output frame m is read at input time m * down / up: integers, so that no cutting into blocks can change a bit.
ctypedef struct linear_state:
    sv_linear_position next                    # of the next output frame; its index counts as `seen` does
    uint32_t up_whole                          # up / down
    uint32_t up_part                           # up % down
    uint32_t channels
    int64_t seen                               # input frames taken so far
    int64_t emitted                            # output frames given so far
    int64_t pair_index                         # which input frame pair[0] is
    float pair[3 * RESAMPLE_MAX_CHANNELS]      # the two frames that the next output needs, and room for one more
    float last[RESAMPLE_MAX_CHANNELS]          # the newest input frame

cdef void linear_init(linear_state* state, uint32_t in_samplerate, uint32_t out_samplerate,
                      uint32_t channels) noexcept nogil
cdef void linear_reset(linear_state* state) noexcept nogil
cdef int64_t linear_out_frames(const linear_state* state, int64_t in_frames) noexcept nogil
cdef int64_t linear_in_frames(const linear_state* state, int64_t out_frames) noexcept nogil
cdef int64_t linear_flush_frames(const linear_state* state) noexcept nogil
cdef int64_t linear_process(linear_state* state, const float* x, int64_t in_frames, float* out,
                            int64_t out_room) noexcept nogil
cdef void linear_give(linear_state* state, const float* x, int64_t in_frames, float* out,
                      int64_t count) noexcept nogil
cdef int64_t linear_flush(linear_state* state, float* out, int64_t out_room) noexcept nogil


cdef class LinearResampler:
    cdef linear_state core
    cdef cython.pythread_type_lock lock
