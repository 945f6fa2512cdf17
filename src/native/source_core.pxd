from libc.stdint cimport int64_t, uint32_t, uint64_t

from .gain cimport gain_ramp
from .kernels cimport sv_level
from .rate_converter cimport rate_converter
from .position cimport sv_position, sv_position_lock
from .results cimport sv_results
from .ring cimport sv_ring
from .telemetry cimport sv_histogram

cdef enum:
    SOURCE_MAX_CHANNELS = 64

ctypedef enum source_phase:
    SOURCE_IDLE      # nothing to play, and nothing is missed
    SOURCE_PLAYING
    SOURCE_DECAYING  # ran dry in mid-utterance: the last frame is held and faded out
    SOURCE_STARVED   # faded out; waits for its prebuffer

# How resampling leaves the callback for whoever writes.
ctypedef enum source_move:
    SOURCE_STAYS
    SOURCE_MOVES_WITHIN  # what is written from there on goes on with the same stream of the resampler
    SOURCE_MOVES_ANEW    # it is a stream of its own: what the resampler holds comes before it

# What happened in one block; filled in by the render functions.
ctypedef struct block_report:
    bint sounded
    bint starved
    bint overlapped
    bint resumes               # held back, in the middle of its sound
    uint64_t starvations
    uint64_t scrubbed_samples
    uint64_t resample_errors
    uint64_t resample_ns
    uint64_t samples           # that the mixer gave
    sv_level level             # of them

# A place in the content, of which the engine wants to know when it has left the mixer.
ctypedef struct source_mark:
    uint64_t number
    uint64_t frame
    uint64_t generation

ctypedef struct source_core:
    # Written by the engine, read by the callback.
    uint64_t generation
    uint64_t flush_to          # frames before this one are of a generation that was flushed
    uint64_t flush_ns
    uint64_t end_at            # nothing is expected after this frame
    uint64_t move_at           # from this frame on the content has the mixer's samplerate, if it moves
    uint64_t moves             # how: one of source_move
    uint64_t prebuffer_moved   # as prebuffer_frames, once it has moved
    char pad_0[128]
    # Written by the callback, read by the engine.
    uint64_t acknowledged
    uint64_t acknowledged_ns
    uint64_t first_tag         # generation + 1 whose first frame has left, at first_ns
    uint64_t first_ns
    uint64_t removed
    uint64_t consumed_frames
    uint64_t held_frames       # consumed, but still in the resampler
    uint64_t stream_start      # the frame that the resampler's stream began with
    uint64_t moved             # 1 once whoever writes resamples
    uint64_t flushed_frames
    uint64_t starvations
    uint64_t starved_frames
    sv_position_lock position  # in the current generation
    char pad_1[128]
    # The callback's own: what every block needs is together.
    sv_ring* ring
    uint32_t channels
    uint32_t fade_frames
    bint resamples
    bint pausing               # by a command
    bint yields                # to whom the mixer listens to
    bint held                  # paused as it yields
    bint leaving
    source_phase phase
    gain_ramp gain
    gain_ramp duck             # under the gain
    float duck_asked           # by a command; while the source yields, its gain may be lower
    gain_ramp envelope
    float hold[SOURCE_MAX_CHANNELS]
    uint64_t prebuffer_frames
    sv_histogram* flush_latency
    rate_converter converter
    double frame_ns            # one of the content
    double moved_frame_ns      # one of the mixer
    uint64_t base              # the first frame of the current generation
    uint64_t followed          # the tail when the position was published
    sv_position at             # as published
    sv_results* results
    uint32_t marks_first
    uint32_t marks_count
    source_mark marks[16]      # SV_MARKS

cdef void source_prefetch(const source_core* source) noexcept nogil
cdef void source_prefetch_content(const source_core* source, int64_t frames) noexcept nogil
cdef bint source_add(source_core* source, float* out, int64_t frames) noexcept nogil
cdef bint source_render(source_core* source, float* out, int64_t frames, uint64_t now_ns,
                        block_report* report) noexcept nogil
cdef void source_follow(source_core* source, uint64_t from_ns, uint64_t to_ns, uint64_t delay_ns) noexcept nogil
cdef void source_mark_at(source_core* source, uint64_t number, uint64_t frame, uint64_t generation,
                         uint64_t now_ns) noexcept nogil
cdef void source_drop_marks(source_core* source, uint64_t before, uint64_t now_ns) noexcept nogil
cdef void source_settle(source_core* source, uint64_t now_ns) noexcept nogil
cdef bint source_hold(source_core* source, uint64_t now_ns, block_report* report) noexcept nogil
cdef bint source_is_done(const source_core* source) noexcept nogil
