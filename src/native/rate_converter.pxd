from libc.stdint cimport int64_t, uint32_t

from .filter cimport sv_polyphase
from .resample cimport linear_state

cdef enum:
    CONVERTER_PIECE_FRAMES = 256

# A resampler that gives frames by number: what it made beyond that waits in its store.
ctypedef struct rate_converter:
    sv_polyphase* filter       # NULL: linear
    float* store
    int64_t first              # of the frames in the store
    int64_t ready              # how many there are
    int64_t capacity
    uint32_t in_samplerate
    uint32_t out_samplerate
    uint32_t channels
    linear_state line

cdef int converter_init(rate_converter* converter, object quality, uint32_t in_samplerate, uint32_t out_samplerate,
                        uint32_t channels) except -1
cdef void converter_free(rate_converter* converter) noexcept
cdef int64_t converter_lookahead(const rate_converter* converter) noexcept nogil
cdef void converter_reset(rate_converter* converter) noexcept nogil
cdef int64_t converter_in_frames(const rate_converter* converter, int64_t out_frames) noexcept nogil
cdef void converter_feed(rate_converter* converter, const float* x, int64_t in_frames) noexcept nogil
cdef void converter_end(rate_converter* converter) noexcept nogil
cdef int64_t converter_take(rate_converter* converter, float* out, int64_t frames) noexcept nogil
cdef int64_t converter_held_frames(const rate_converter* converter) noexcept nogil
