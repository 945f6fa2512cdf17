"""Resampling inside a callback: input as it comes, output by the number of frames that a block wants.

All memory is made with the converter, on the engine's side. Asked for at most ``CONVERTER_PIECE_FRAMES`` at a time, by
:func:`converter_in_frames` and then :func:`converter_feed`, the store never overflows: what one more input frame
gives beyond the number wanted is less than the latency and the ratio together.
"""

from libc.math cimport ceil
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove

from .kernels cimport sv_kernels_select_from_environment
from .memory cimport sv_new
from .filter cimport (
    sv_polyphase_flush,
    sv_polyphase_flush_frames,
    sv_polyphase_free,
    sv_polyphase_latency_frames,
    sv_polyphase_new,
    sv_polyphase_out_frames,
    sv_polyphase_process,
    sv_polyphase_reset,
    sv_polyphase_tier_name,
    sv_polyphase_tiers,
)
from .resample cimport (
    linear_flush,
    linear_flush_frames,
    linear_in_frames,
    linear_init,
    linear_out_frames,
    linear_process,
    linear_reset,
)

QUALITIES = ("linear", *(sv_polyphase_tier_name(tier).decode("ascii") for tier in range(sv_polyphase_tiers())))


cdef int converter_init(rate_converter* converter, object quality, uint32_t in_samplerate, uint32_t out_samplerate,
                        uint32_t channels) except -1:
    """Make the tables and all memory; the struct was zeroed. Realtime: no. Thread: engine."""
    cdef double latency_frames = 2.0
    if quality not in QUALITIES:
        raise ValueError(f"quality is {quality!r}; allowed: {', '.join(map(repr, QUALITIES))}")
    converter.in_samplerate = in_samplerate
    converter.out_samplerate = out_samplerate
    converter.channels = channels
    linear_init(&converter.line, in_samplerate, out_samplerate, channels)
    if in_samplerate == out_samplerate:
        return 0
    if quality != "linear":
        converter.filter = sv_polyphase_new(QUALITIES.index(quality) - 1, in_samplerate, out_samplerate, channels)
        if converter.filter == NULL:
            raise MemoryError("no memory for the tables of a resampler")
        latency_frames = sv_polyphase_latency_frames(converter.filter)
    # at most once beyond the piece, and once for what the end gives
    converter.capacity = CONVERTER_PIECE_FRAMES + 2 * (<int64_t> ceil(latency_frames) + out_samplerate // in_samplerate
                                                       + 2)
    converter.store = <float*> sv_new(converter.capacity * channels * sizeof(float))
    if converter.store == NULL:
        raise MemoryError("no memory for a resampler")
    return 0


cdef void converter_free(rate_converter* converter) noexcept:
    """Realtime: no. Thread: engine."""
    sv_polyphase_free(converter.filter)
    free(converter.store)
    converter.filter = NULL
    converter.store = NULL


cdef int64_t converter_lookahead(const rate_converter* converter) noexcept nogil:
    """Input frames that it may need before it gives the first one. Realtime: yes. Thread: callback|engine."""
    if converter.filter == NULL:
        return 0
    return <int64_t> ceil(sv_polyphase_latency_frames(converter.filter) * converter.in_samplerate
                          / <double> converter.out_samplerate) + 1


cdef void converter_reset(rate_converter* converter) noexcept nogil:
    """Forget all input. Realtime: yes. Thread: callback."""
    converter.first = 0
    converter.ready = 0
    if converter.filter != NULL:
        sv_polyphase_reset(converter.filter)
    else:
        linear_reset(&converter.line)


cdef int64_t converter_in_frames(const rate_converter* converter, int64_t out_frames) noexcept nogil:
    """Least input frames that give so many output frames, those in the store included. Realtime: yes.

    Thread: callback.
    """
    cdef int64_t need = out_frames - converter.ready, frames, given
    if need <= 0:
        return 0
    if converter.filter == NULL:
        return linear_in_frames(&converter.line, need)
    frames = need * converter.in_samplerate // converter.out_samplerate
    given = sv_polyphase_out_frames(converter.filter, frames)
    while given < need:  # two or three times: what is missing is what the filter holds back, then a frame at most
        frames += max(1, (need - given) * converter.in_samplerate // converter.out_samplerate)
        given = sv_polyphase_out_frames(converter.filter, frames)
    while frames > 0 and sv_polyphase_out_frames(converter.filter, frames - 1) >= need:
        frames -= 1
    return frames


cdef float* _room(rate_converter* converter) noexcept nogil:
    """Where the next output goes."""
    cdef size_t channels = converter.channels
    if converter.first > 0:
        memmove(converter.store, converter.store + converter.first * channels,
                converter.ready * channels * sizeof(float))
        converter.first = 0
    return converter.store + converter.ready * channels


cdef void converter_feed(rate_converter* converter, const float* x, int64_t in_frames) noexcept nogil:
    """Take input; at most converter_in_frames(CONVERTER_PIECE_FRAMES). Realtime: yes. Thread: callback."""
    cdef float* room = _room(converter)
    if in_frames <= 0:
        return
    if converter.filter != NULL:
        converter.ready += sv_polyphase_process(converter.filter, x, in_frames, room)
    else:
        converter.ready += linear_process(&converter.line, x, in_frames, room,
                                          linear_out_frames(&converter.line, in_frames))


cdef void converter_end(rate_converter* converter) noexcept nogil:
    """The input is over: what is held back joins the store, and the next input begins a new stream. Realtime: yes.

    Thread: callback.
    """
    cdef float* room = _room(converter)
    if converter.filter != NULL:
        converter.ready += sv_polyphase_flush(converter.filter, room)
    else:
        converter.ready += linear_flush(&converter.line, room, linear_flush_frames(&converter.line))


cdef int64_t converter_take(rate_converter* converter, float* out, int64_t frames) noexcept nogil:
    """Give at most so many frames; returns how many. Realtime: yes. Thread: callback."""
    cdef int64_t taken = min(frames, converter.ready)
    cdef size_t channels = converter.channels
    if taken <= 0:
        return 0
    memcpy(out, converter.store + converter.first * channels, taken * channels * sizeof(float))
    converter.first += taken
    converter.ready -= taken
    return taken


cdef int64_t converter_held_frames(const rate_converter* converter) noexcept nogil:
    """Input frames that were taken and are not heard yet. Realtime: yes. Thread: callback."""
    cdef int64_t held = converter.ready
    if converter.filter != NULL:
        held += sv_polyphase_flush_frames(converter.filter)
    else:
        held += linear_flush_frames(&converter.line)
    return (held * converter.in_samplerate + converter.out_samplerate // 2) // converter.out_samplerate


sv_kernels_select_from_environment()
