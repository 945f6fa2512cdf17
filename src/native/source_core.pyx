"""One playing input of the mixer, as the callback sees it: ring, resampler, envelope, generation.

What sounds is ``content * envelope * gain * duck``. The content comes from the ring, or is the last frame held when the
ring ran dry. The envelope is 1 while the source plays, and goes to 0 in 5 ms before anything stops the content: pause,
flush, removal, starvation. After a starvation it comes back from 0; a new utterance starts at once, as it was written.

Realtime: yes, all of it. Thread: callback.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libc.string cimport memcpy, memset

from .atomics cimport (
    sv_count,
    sv_load_acquire,
    sv_load_relaxed,
    sv_prefetch,
    sv_store_relaxed,
    sv_store_release,
)
from .gain cimport gain_apply, gain_move, gain_moves, gain_set, gain_skip
from .kernels cimport sv_kernels_active, sv_kernels_select_from_environment
from .position cimport sv_position_write
from .rate_converter cimport (
    converter_end,
    converter_feed,
    converter_held_frames,
    converter_in_frames,
    converter_reset,
    converter_take,
)
from .results cimport SV_FLUSHED, SV_MARKS, SV_PASSED, SV_REFUSED, sv_result, sv_result_kind, sv_results_push
from .ring cimport (
    sv_ring_prefetch,
    sv_ring_queued,
    sv_ring_read_done,
    sv_ring_read_span,
    sv_ring_ready,
    sv_ring_span,
)
from .telemetry cimport sv_histogram_record, sv_now_ns

# A longer gap between two blocks is a pause.
cdef int64_t _EVEN_NS = 50_000_000


cdef bint _is_flushing(const source_core* source) noexcept nogil:
    return sv_load_acquire(&source.generation) != source.acknowledged


cdef bint _ends_after(const source_core* source, uint64_t frames) noexcept nogil:
    """So many frames more are all that was written, and the writer said that this is all."""
    return (sv_ring_queued(source.ring) == frames
            and sv_load_acquire(&source.end_at) == sv_load_relaxed(&source.ring.tail) + frames)


cdef bint _has_ended(const source_core* source) noexcept nogil:
    """All that was written was played, and the writer said that this is all."""
    return _ends_after(source, 0)


cdef void _forget(source_core* source) noexcept nogil:
    """Nothing of what the resampler holds is heard any more: the next content begins a new stream."""
    cdef uint64_t tail = sv_load_relaxed(&source.ring.tail)
    if not source.resamples:
        return
    converter_reset(&source.converter)
    sv_store_relaxed(&source.held_frames, 0)
    sv_store_relaxed(&source.stream_start, tail)
    if sv_load_acquire(&source.moves) != SOURCE_STAYS and tail >= sv_load_relaxed(&source.move_at):
        _move(source)


cdef void _move(source_core* source) noexcept nogil:
    """From now on the content has the mixer's samplerate; what was held comes with it, and stays uncounted here."""
    source.resamples = False
    source.prebuffer_frames = sv_load_relaxed(&source.prebuffer_moved)
    sv_store_release(&source.moved, 1)


cdef bint _can_start(source_core* source) noexcept nogil:
    cdef uint64_t queued = sv_ring_queued(source.ring)
    if queued == 0:
        return False
    return (queued >= source.prebuffer_frames
            or sv_load_acquire(&source.end_at) == sv_load_relaxed(&source.ring.tail) + queued)


cdef void _apply_flush(source_core* source, uint64_t now_ns) noexcept nogil:
    """Drop what was flushed and say so; only here does the tail move without playing."""
    cdef uint64_t generation = sv_load_acquire(&source.generation)  # pairs with Source.flush
    cdef uint64_t flush_to = sv_load_relaxed(&source.flush_to)
    cdef uint64_t tail = sv_load_relaxed(&source.ring.tail)
    if flush_to > tail:
        sv_ring_ready(source.ring, flush_to - tail)  # take note of the head, so that it is never behind the tail
        sv_count(&source.flushed_frames, flush_to - tail)
        sv_ring_read_done(source.ring, flush_to - tail)
    _forget(source)
    source.phase = SOURCE_IDLE
    source.base = flush_to
    source.followed = UINT64_MAX
    memset(&source.at, 0, sizeof(source.at))
    source.at.generation = generation
    sv_position_write(&source.position, &source.at)
    source_drop_marks(source, generation, now_ns)
    sv_store_relaxed(&source.acknowledged_ns, now_ns)
    sv_store_release(&source.acknowledged, generation)
    sv_histogram_record(source.flush_latency, max(0, <int64_t> (now_ns - sv_load_relaxed(&source.flush_ns))))


cdef int64_t _fetch_plain(source_core* source, float* out, int64_t frames, bint flushing) noexcept nogil:
    """Content that has the mixer's samplerate."""
    cdef uint64_t tail = sv_load_relaxed(&source.ring.tail)
    cdef uint64_t take = min(<uint64_t> frames, sv_ring_ready(source.ring, frames))
    cdef sv_ring_span span
    cdef size_t first
    if flushing:
        take = min(take, max(sv_load_relaxed(&source.flush_to), tail) - tail)
    span = sv_ring_read_span(source.ring, take)
    first = span.first_frames * source.channels
    memcpy(out, span.first, first * sizeof(float))
    memcpy(out + first, span.second, span.second_frames * source.channels * sizeof(float))
    sv_ring_read_done(source.ring, take)
    sv_count(&source.consumed_frames, take)
    return take


cdef int64_t _convert(source_core* source, const sv_ring_span* span, bint ends, float* out,
                      int64_t frames) noexcept nogil:
    """Content through the resampler; what it holds back comes if a stream ends here."""
    cdef int64_t made
    converter_feed(&source.converter, span.first, span.first_frames)
    converter_feed(&source.converter, span.second, span.second_frames)
    made = converter_take(&source.converter, out, frames)
    if made < frames and ends:
        converter_end(&source.converter)
        made += converter_take(&source.converter, out + made * source.channels, frames - made)
        sv_store_relaxed(&source.stream_start,
                         sv_load_relaxed(&source.ring.tail) + span.first_frames + span.second_frames)
    sv_store_relaxed(&source.held_frames, converter_held_frames(&source.converter))
    return made


cdef int64_t _fetch_resampled(source_core* source, float* out, int64_t frames, bint flushing,
                              block_report* report) noexcept nogil:
    """Content that has a samplerate of its own, up to where it ends or has the mixer's."""
    cdef uint64_t tail = sv_load_relaxed(&source.ring.tail)
    cdef uint64_t wanted = converter_in_frames(&source.converter, frames)
    cdef uint64_t take = min(wanted, sv_ring_ready(source.ring, wanted)), started_ns = sv_now_ns()
    cdef uint64_t moves = sv_load_acquire(&source.moves)  # pairs with Source.move
    cdef uint64_t limit = UINT64_MAX
    cdef bint at_move, ends
    cdef sv_ring_span span
    cdef int64_t made
    if moves != SOURCE_STAYS:
        limit = sv_load_relaxed(&source.move_at) - tail
    if flushing:
        limit = min(limit, max(sv_load_relaxed(&source.flush_to), tail) - tail)
    take = min(take, limit)
    at_move = moves != SOURCE_STAYS and tail + take == sv_load_relaxed(&source.move_at)
    ends = moves == SOURCE_MOVES_ANEW if at_move else _ends_after(source, take)
    span = sv_ring_read_span(source.ring, take)
    made = _convert(source, &span, ends and not flushing, out, frames)
    report.resample_errors += take == wanted and made != frames
    sv_ring_read_done(source.ring, take)
    sv_count(&source.consumed_frames, take)
    report.resample_ns += sv_now_ns() - started_ns
    if at_move and made < frames:
        _move(source)
    return made


cdef int64_t _fetch(source_core* source, float* out, int64_t frames, bint flushing,
                    block_report* report) noexcept nogil:
    """Content from the ring, at the mixer's samplerate; fewer frames if it runs dry or reaches what was flushed."""
    cdef int64_t made = 0
    if source.resamples:
        made = _fetch_resampled(source, out, frames, flushing, report)
        if source.resamples:
            return made
    return made + _fetch_plain(source, out + made * source.channels, frames - made, flushing)


cdef void _mark_first(source_core* source, uint64_t now_ns) noexcept nogil:
    """Publish when the first frame of this generation left."""
    cdef uint64_t tag = source.acknowledged + 1
    if source.first_tag != tag:
        sv_store_relaxed(&source.first_ns, now_ns)
        sv_store_release(&source.first_tag, tag)  # pairs with Source.first_frame_ns


cdef int64_t _play(source_core* source, float* out, int64_t frames, bint flushing, bint stopping, uint64_t now_ns,
                   block_report* report) noexcept nogil:
    """Play up to so many frames; running dry ends the utterance or starts the decay."""
    cdef int64_t made = _fetch(source, out, frames, flushing, report)
    if made > 0:
        memcpy(source.hold, out + (made - 1) * source.channels, source.channels * sizeof(float))
        if not flushing:
            _mark_first(source, now_ns)
    if made < frames:
        if not flushing and _has_ended(source):
            _forget(source)
            source.phase = SOURCE_IDLE
        else:
            source.phase = SOURCE_DECAYING
            if not stopping:
                sv_count(&source.starvations, 1)
                report.starvations += 1
    gain_apply(&source.envelope, out, made, source.channels)
    return made


cdef void _hold(source_core* source, float* out, int64_t frames) noexcept nogil:
    """The last frame, held, under the envelope on its way to 0."""
    cdef int64_t frame
    for frame in range(frames):
        memcpy(out + frame * source.channels, source.hold, source.channels * sizeof(float))
    gain_apply(&source.envelope, out, frames, source.channels)
    sv_count(&source.starved_frames, frames)
    if not gain_moves(&source.envelope):
        source.phase = SOURCE_STARVED


cdef bint _is_silent(const source_core* source, bint stopping) noexcept nogil:
    if source.phase == SOURCE_PLAYING:
        return stopping and not gain_moves(&source.envelope) and source.envelope.target == 0.0
    return source.phase != SOURCE_DECAYING


cdef bint _leave_silence(source_core* source, bint flushing, uint64_t now_ns) noexcept nogil:
    """Act on what waited for silence; True if the source may sound now, or wants another look."""
    if flushing:
        _apply_flush(source, now_ns)
        return True
    if source.leaving or source.pausing or source.held:
        return False
    if not _can_start(source):
        if source.phase == SOURCE_STARVED and _has_ended(source):
            _forget(source)
            source.phase = SOURCE_IDLE
        return False
    gain_set(&source.envelope, 1.0 if source.phase == SOURCE_IDLE else 0.0)
    source.phase = SOURCE_PLAYING
    return True


cdef void source_prefetch(const source_core* source) noexcept nogil:
    """Ask for what a block needs of a source, beside its content. Realtime: yes. Thread: callback."""
    sv_prefetch(&source.generation)
    sv_prefetch(&source.acknowledged)
    sv_prefetch(&source.ring)
    sv_prefetch(&source.envelope)
    sv_prefetch(source.ring)
    sv_prefetch(&source.ring.head)
    sv_prefetch(&source.ring.tail)


cdef void source_prefetch_content(const source_core* source, int64_t frames) noexcept nogil:
    """Ask for the next frames of the content. Realtime: yes. Thread: callback."""
    if source.phase == SOURCE_PLAYING and not source.resamples:
        sv_ring_prefetch(source.ring, frames)


cdef void _add(const source_core* source, float* out, const float* x, uint64_t frames) noexcept nogil:
    cdef size_t samples = frames * source.channels
    if source.gain.target == 1.0:
        sv_kernels_active.add(out, x, samples)
    else:
        sv_kernels_active.add_scaled(out, x, source.gain.target, samples)


cdef bint source_add(source_core* source, float* out, int64_t frames) noexcept nogil:
    """Add frames straight from the ring to what is in out, if the source simply plays on all through; else do nothing.

    Gives the bits that source_render and an addition give, in half the time: no copy is made. Realtime: yes.

    Thread: callback.
    """
    cdef sv_ring_span span
    cdef size_t last
    if (source.phase != SOURCE_PLAYING or source.resamples or source.pausing or source.held or source.leaving
            or source.envelope.target != 1.0 or gain_moves(&source.envelope) or gain_moves(&source.gain)
            or source.duck.target != 1.0 or gain_moves(&source.duck)
            or _is_flushing(source) or source.first_tag != source.acknowledged + 1
            or sv_ring_ready(source.ring, frames) < <uint64_t> frames):
        return False
    span = sv_ring_read_span(source.ring, frames)
    _add(source, out, span.first, span.first_frames)
    if span.second_frames:
        _add(source, out + span.first_frames * source.channels, span.second, span.second_frames)
        last = (span.second_frames - 1) * source.channels
        memcpy(source.hold, span.second + last, source.channels * sizeof(float))
    else:
        last = (span.first_frames - 1) * source.channels
        memcpy(source.hold, span.first + last, source.channels * sizeof(float))
    sv_ring_read_done(source.ring, frames)
    sv_count(&source.consumed_frames, frames)
    return True


cdef bint source_render(source_core* source, float* out, int64_t frames, uint64_t now_ns,
                        block_report* report) noexcept nogil:
    """Fill frames with what the source has to say; False, and nothing written, if it is silent all through.

    Realtime: yes. Thread: callback.
    """
    cdef int64_t filled = 0, part
    cdef bint flushing, stopping, sounded = False
    cdef float target
    while filled < frames:
        flushing = _is_flushing(source)
        stopping = flushing or source.pausing or source.held or source.leaving
        if _is_silent(source, stopping):
            if _leave_silence(source, flushing, now_ns):
                continue
            break
        target = 0.0 if stopping or source.phase == SOURCE_DECAYING else 1.0
        if source.envelope.target != target:
            gain_move(&source.envelope, target, source.fade_frames)
        part = frames - filled
        if gain_moves(&source.envelope):
            part = min(part, <int64_t> (source.envelope.length - source.envelope.position))
        if source.phase == SOURCE_DECAYING:
            _hold(source, out + filled * source.channels, part)
        else:
            part = _play(source, out + filled * source.channels, part, flushing, stopping, now_ns, report)
        filled += part
        sounded = sounded or part > 0
    if source.phase == SOURCE_DECAYING or (source.phase == SOURCE_STARVED and not source.pausing and not source.held):
        report.starved = True
        sv_count(&source.starved_frames, frames - filled)
    if sounded:
        memset(out + filled * source.channels, 0, (frames - filled) * source.channels * sizeof(float))
        gain_apply(&source.gain, out, frames, source.channels)
        gain_apply(&source.duck, out, frames, source.channels)
    else:
        gain_skip(&source.gain, frames)
        gain_skip(&source.duck, frames)
    return sounded


cdef void source_settle(source_core* source, uint64_t now_ns) noexcept nogil:
    """Do at once what would wait for a fade; for a source that nobody listens to. Realtime: yes.

    Thread: whoever holds the mixer.
    """
    if _is_flushing(source):
        _apply_flush(source, now_ns)


cdef bint source_hold(source_core* source, uint64_t now_ns, block_report* report) noexcept nogil:
    """Do not start, or go on, for a block in which the device wakes up; True if there is sound that waits for it.

    The report says if that is in the middle of it. Realtime: yes. Thread: callback.
    """
    source_settle(source, now_ns)
    if source.phase == SOURCE_STARVED and _has_ended(source):
        _forget(source)
        source.phase = SOURCE_IDLE
    if source.pausing or source.held or source.leaving:
        return False
    report.resumes = report.resumes or source.phase == SOURCE_PLAYING
    return source.phase == SOURCE_PLAYING or _can_start(source)


cdef void _say(source_core* source, const source_mark* mark, sv_result_kind kind, uint64_t ns,
               uint64_t delay_ns) noexcept nogil:
    cdef sv_result result
    result.mark = mark.number
    result.generation = mark.generation
    result.ns = ns
    result.delay_ns = delay_ns
    result.kind = kind
    sv_results_push(source.results, &result)


cdef void source_mark_at(source_core* source, uint64_t number, uint64_t frame, uint64_t generation,
                         uint64_t now_ns) noexcept nogil:
    """Say when the content before a frame has left. Realtime: yes. Thread: whoever has the mixer."""
    cdef source_mark mark
    mark.number = number
    mark.frame = frame
    mark.generation = generation
    if generation < source.acknowledged:
        _say(source, &mark, SV_FLUSHED, now_ns, 0)
    elif source.marks_count == SV_MARKS or source.leaving:
        _say(source, &mark, SV_REFUSED, now_ns, 0)
    else:
        source.marks[(source.marks_first + source.marks_count) % SV_MARKS] = mark
        source.marks_count += 1


cdef void source_drop_marks(source_core* source, uint64_t before, uint64_t now_ns) noexcept nogil:
    """Of generations before one: what comes before them is never heard. Realtime: yes. Thread: as above."""
    while source.marks_count and source.marks[source.marks_first].generation < before:
        _say(source, &source.marks[source.marks_first], SV_FLUSHED, now_ns, 0)
        source.marks_first = (source.marks_first + 1) % SV_MARKS
        source.marks_count -= 1


cdef void _pass_marks(source_core* source, uint64_t left, uint64_t from_ns, uint64_t to_ns,
                      uint64_t delay_ns) noexcept nogil:
    """Of what has left by the end of a block."""
    cdef source_mark* mark
    cdef uint64_t ns
    while source.marks_count and source.marks[source.marks_first].frame <= left:
        mark = &source.marks[source.marks_first]
        ns = to_ns - <uint64_t> (<double> (left - mark.frame) * source.frame_ns)
        _say(source, mark, SV_PASSED, max(ns, from_ns), delay_ns)
        source.marks_first = (source.marks_first + 1) % SV_MARKS
        source.marks_count -= 1


cdef uint64_t _content_ns(const source_core* source, uint64_t tail) noexcept nogil:
    """How long that is what has left of the current generation, at one samplerate or at two: as Source.played_s."""
    cdef bint moves = sv_load_acquire(&source.moves) != SOURCE_STAYS
    cdef uint64_t move_at = sv_load_relaxed(&source.move_at) if moves else tail
    cdef uint64_t held = sv_load_relaxed(&source.held_frames)
    cdef uint64_t middle = min(max(source.base, move_at), max(source.base, tail))
    cdef double ns
    if moves and source.base >= move_at:
        held = 0
    ns = (<double> (middle - source.base) - <double> held) * source.frame_ns
    ns += <double> (max(tail, middle) - middle) * source.moved_frame_ns
    return <uint64_t> (ns + 0.5) if ns > 0.0 else 0


cdef void source_follow(source_core* source, uint64_t from_ns, uint64_t to_ns, uint64_t delay_ns) noexcept nogil:
    """Publish where a source is at the end of a block, and which marks it has passed. Realtime: yes.

    Thread: callback.
    """
    cdef uint64_t tail = sv_load_relaxed(&source.ring.tail), held = sv_load_relaxed(&source.held_frames), content_ns
    if tail - held == source.followed and not source.marks_count:
        return
    content_ns = _content_ns(source, tail)
    source.followed = tail - held
    if content_ns != source.at.to_content_ns:
        if source.at.to_content_ns == 0 or <int64_t> (from_ns - source.at.to_ns) > _EVEN_NS:
            source.at.from_content_ns = source.at.to_content_ns
            source.at.from_ns = from_ns
        source.at.to_content_ns = content_ns
        source.at.to_ns = to_ns
        source.at.delay_ns = delay_ns
        sv_position_write(&source.position, &source.at)
    if source.marks_count:
        _pass_marks(source, tail - held if source.resamples else tail, from_ns, to_ns, delay_ns)


cdef bint source_is_done(const source_core* source) noexcept nogil:
    """True once a source that is to leave no longer sounds. Realtime: yes. Thread: callback."""
    return source.leaving and _is_silent(source, True)


sv_kernels_select_from_environment()
