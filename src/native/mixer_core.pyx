"""The mixer as the callback sees it, and the engine's end of its queue of commands.

The engine talks to the callback by three ways only, none of which waits: frames through each source's ring; generation,
flush and end through a few words stored with release; everything else through one queue of commands, which the callback
drains at the start of a block.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from .activity cimport Activity, sv_activity, sv_activity_lasts
from .atomics cimport (
    sv_count,
    sv_give_back,
    sv_load_acquire,
    sv_load_relaxed,
    sv_store_relaxed,
    sv_store_release,
    sv_try_take,
)
from .channels cimport channels_mix
from .gain cimport gain_move
from .kernels cimport sv_kernels_active, sv_kernels_select_from_environment
from .memory cimport sv_new
from .results cimport SV_PASSED, SV_RESULTS, sv_result, sv_results_pop, sv_results_push
from .ring cimport Ring, sv_ring_write
from .source_core cimport (
    SOURCE_MAX_CHANNELS,
    block_report,
    source_add,
    source_core,
    source_drop_marks,
    source_follow,
    source_hold,
    source_is_done,
    source_mark_at,
    source_prefetch,
    source_prefetch_content,
    source_render,
    source_settle,
)
from .telemetry cimport Histogram, sv_now_ns

# Sources are rendered in pieces that stay in the first-level cache.
cdef enum:
    _PIECE_FRAMES = 256


# A duck ends more slowly than it begins: what comes back at once sounds like a fault.
cdef double _RISE_S = 0.1


cdef void _duck(const mixer_core* mixer, source_core* source, uint32_t frames) noexcept nogil:
    """Move to the lower of what a command wants and what somebody who speaks makes it."""
    cdef float target = source.duck_asked
    if mixer.yielding and source.yields and mixer.yield_gain >= 0.0:
        target = min(target, mixer.yield_gain)
    if target != source.duck.target:
        gain_move(&source.duck, target, frames)


cdef void _set_yielding(mixer_core* mixer, bint yielding) noexcept nogil:
    """Let every source yield that does, or none."""
    cdef source_core* source
    cdef int place
    mixer.yielding = yielding
    for place in range(mixer.active):
        source = mixer.sources[place]
        source.held = yielding and source.yields and mixer.yield_gain < 0.0
        _duck(mixer, source, source.fade_frames if yielding else <uint32_t> (_RISE_S * mixer.samplerate))


cdef void _heed(mixer_core* mixer, uint64_t now_ns) noexcept nogil:
    """Yield to somebody who speaks into the microphone, as its callback says."""
    cdef bint yielding = mixer.activity != NULL and sv_activity_lasts(mixer.activity, now_ns)
    if yielding != mixer.yielding:
        _set_yielding(mixer, yielding)
        sv_count(&mixer.yields, yielding)
    if yielding:
        sv_count(&mixer.yielded_blocks, 1)


cdef void _add(mixer_core* mixer, source_core* source) noexcept nogil:
    mixer.sources[mixer.active] = source  # the engine sees to it that there is room
    mixer.active += 1
    source.held = mixer.yielding and source.yields and mixer.yield_gain < 0.0
    _duck(mixer, source, 0)


cdef void _apply(mixer_core* mixer, const sv_command* command, uint64_t now_ns) noexcept nogil:
    cdef source_core* source = <source_core*> command.subject
    cdef sv_result fence
    if command.kind == SV_ADD:
        _add(mixer, source)
    elif command.kind == SV_REMOVE:
        source.leaving = True
    elif command.kind == SV_GAIN:
        gain_move(&source.gain, command.value, command.frames)
    elif command.kind == SV_DUCK:
        source.duck_asked = command.value
        _duck(mixer, source, command.frames)
    elif command.kind == SV_PAUSE:
        source.pausing = True
    elif command.kind == SV_RESUME:
        source.pausing = False
    elif command.kind == SV_YIELD:
        _set_yielding(mixer, False)  # until the block has looked anew
        mixer.activity = <sv_activity*> command.subject
        mixer.yield_gain = command.value
        sv_store_release(&mixer.heeded, command.frames)  # pairs with MixerCore.heed
    elif command.kind == SV_MARK:
        source_mark_at(source, command.mark, command.frame, command.generation, now_ns)
    elif command.kind == SV_FENCE:
        memset(&fence, 0, sizeof(fence))
        fence.mark = command.mark
        fence.ns = now_ns
        fence.delay_ns = sv_load_relaxed(&mixer.delay_ns)
        fence.kind = SV_PASSED
        sv_results_push(&mixer.results, &fence)


cdef void _drain_commands(mixer_core* mixer, uint64_t now_ns) noexcept nogil:
    cdef sv_command command
    while sv_commands_pop(&mixer.commands, &command):
        _apply(mixer, &command, now_ns)


cdef void _drop(mixer_core* mixer, int place, uint64_t now_ns) noexcept nogil:
    """Forget a source; its memory is the engine's again from the store on."""
    cdef source_core* source = mixer.sources[place]
    mixer.active -= 1
    mixer.sources[place] = mixer.sources[mixer.active]
    source_drop_marks(source, <uint64_t> -1, now_ns)
    sv_store_release(&source.removed, 1)  # pairs with the load in Mixer


cdef void _render_piece(mixer_core* mixer, float* out, int64_t frames, uint64_t now_ns,
                        block_report* report) noexcept nogil:
    cdef source_core* source
    cdef int place
    for place in range(mixer.active):
        source = mixer.sources[place]
        if place + 1 < mixer.active:
            source_prefetch_content(mixer.sources[place + 1], frames)
        if place + 2 < mixer.active:
            source_prefetch(mixer.sources[place + 2])
        if source.channels == mixer.channels and source_add(source, out, frames):
            report.sounded = True
            continue
        if not source_render(source, mixer.content, frames, now_ns, report):
            continue
        report.sounded = True
        if source.channels == mixer.channels:
            sv_kernels_active.add(out, mixer.content, frames * mixer.channels)
        else:
            channels_mix(mixer.content, source.channels, mixer.mixed, mixer.channels, frames)
            sv_kernels_active.add(out, mixer.mixed, frames * mixer.channels)


cdef void _count_block(mixer_core* mixer, int64_t frames, const block_report* report) noexcept nogil:
    sv_count(&mixer.blocks, 1)
    if not report.sounded and not report.starved:
        sv_count(&mixer.idle_blocks, 1)
    if report.starved or report.starvations:
        sv_count(&mixer.underruns, report.starved)
        sv_count(&mixer.starvations, report.starvations)
    if report.scrubbed_samples or report.resample_errors:
        sv_count(&mixer.scrubbed_samples, report.scrubbed_samples)
        sv_count(&mixer.resample_errors, report.resample_errors)
    sv_store_release(&mixer.rendered_frames, sv_load_relaxed(&mixer.rendered_frames) + frames)


cdef void _tap(mixer_core* mixer, const float* out, int64_t frames) noexcept nogil:
    """Give what was rendered to whoever listens to it; what finds no room is counted."""
    cdef uint64_t lost = frames - sv_ring_write(mixer.tap, out, frames)
    if lost:
        sv_count(&mixer.tap_lost_frames, lost)


cdef void _tap_silence(mixer_core* mixer, int64_t frames) noexcept nogil:
    """The same of a block in which nothing sounded."""
    cdef int64_t part = min(<int64_t> _PIECE_FRAMES, frames)
    memset(mixer.mixed, 0, part * mixer.channels * sizeof(float))
    while frames > 0:
        part = min(<int64_t> _PIECE_FRAMES, frames)
        _tap(mixer, mixer.mixed, part)
        frames -= part


cdef void mixer_render(mixer_core* mixer, float* out, int64_t frames, uint64_t now_ns,
                       block_report* report) noexcept nogil:
    """Fill a block with the sum of the sources, within [-1, 1]; silence if somebody else is rendering.

    Realtime: yes. Thread: callback.
    """
    cdef int64_t done = 0, part
    cdef uint64_t to_ns
    cdef int place
    memset(report, 0, sizeof(report[0]))
    report.overlapped = not sv_try_take(&mixer.taken)
    if not report.overlapped and mixer.active > 0:  # only whoever has the mixer may look at its sources
        source_prefetch_content(mixer.sources[0], min(<int64_t> _PIECE_FRAMES, frames))
    memset(out, 0, frames * mixer.channels * sizeof(float))
    if report.overlapped:
        return
    sv_store_relaxed(&mixer.last_ns, now_ns)
    _drain_commands(mixer, now_ns)
    _heed(mixer, now_ns)
    while done < frames:
        part = min(<int64_t> _PIECE_FRAMES, frames - done)
        _render_piece(mixer, out + done * mixer.channels, part, now_ns, report)
        done += part
    to_ns = now_ns + <uint64_t> (1e9 * <double> frames / mixer.samplerate)
    for place in range(mixer.active):
        source_follow(mixer.sources[place], now_ns, to_ns, sv_load_relaxed(&mixer.delay_ns))
    for place in range(mixer.active - 1, -1, -1):
        if source_is_done(mixer.sources[place]):
            _drop(mixer, place, now_ns)
    report.samples = frames * mixer.channels
    if report.sounded:
        report.scrubbed_samples = sv_kernels_active.scrub(out, frames * mixer.channels, &report.level)
    if mixer.tap != NULL:
        _tap(mixer, out, frames)
    _count_block(mixer, frames, report)
    sv_give_back(&mixer.taken)


cdef bint mixer_hold(mixer_core* mixer, int64_t frames, uint64_t now_ns, block_report* report) noexcept nogil:
    """A block in which no source sounds, as the device wakes up first; True if a source waits for that.

    Flushes and removals take effect at once: nothing of it is heard. Realtime: yes. Thread: callback.
    """
    cdef bint waits = False
    cdef int place
    memset(report, 0, sizeof(report[0]))
    report.overlapped = not sv_try_take(&mixer.taken)
    if report.overlapped:
        return False
    sv_store_relaxed(&mixer.last_ns, now_ns)
    _drain_commands(mixer, now_ns)
    _heed(mixer, now_ns)
    for place in range(mixer.active - 1, -1, -1):
        waits |= source_hold(mixer.sources[place], now_ns, report)
        if mixer.sources[place].leaving:
            _drop(mixer, place, now_ns)
    report.samples = frames * mixer.channels
    if mixer.tap != NULL:
        _tap_silence(mixer, frames)
    _count_block(mixer, frames, report)
    sv_give_back(&mixer.taken)
    return waits


cdef bint _settle_undriven(mixer_core* mixer, uint64_t now_ns) noexcept nogil:
    """In the callback's place, if there is none: take commands, flush and remove at once. False if there is one.

    Should a callback start just now, it finds the mixer taken and is silent for that block: it never waits.
    """
    cdef uint64_t last_ns = sv_load_relaxed(&mixer.last_ns)
    cdef int place
    if last_ns != 0 and <int64_t> (now_ns - last_ns) < <int64_t> mixer.undriven_ns:
        return False
    if not sv_try_take(&mixer.taken):
        return False
    _drain_commands(mixer, now_ns)
    for place in range(mixer.active - 1, -1, -1):
        source_settle(mixer.sources[place], now_ns)
        if mixer.sources[place].leaving:
            _drop(mixer, place, now_ns)
    sv_give_back(&mixer.taken)
    return True


@cython.final
cdef class MixerCore:
    """Owns the memory of a mixer."""

    def __cinit__(self, samplerate, channels, undriven_ns, Ring tap=None):
        cdef size_t piece_bytes = _PIECE_FRAMES * SOURCE_MAX_CHANNELS * sizeof(float)
        self.flush_latencies = Histogram()
        self.activities = []
        self.results = {}
        self.core = <mixer_core*> sv_new(sizeof(mixer_core))
        if self.core == NULL:
            raise MemoryError("no memory for a mixer")
        self.core.samplerate = samplerate
        self.core.channels = channels
        self.core.undriven_ns = undriven_ns
        self.tap = tap
        self.core.tap = NULL if tap is None else tap.core
        self.core.content = <float*> sv_new(piece_bytes)
        self.core.mixed = <float*> sv_new(piece_bytes)
        if self.core.content == NULL or self.core.mixed == NULL:
            raise MemoryError("no memory for a mixer")

    def __dealloc__(self):
        if self.core != NULL:
            free(self.core.content)
            free(self.core.mixed)
            free(self.core)

    cdef bint settle(self) noexcept:
        """Act in the callback's place if there is none. Realtime: yes. Thread: engine."""
        return _settle_undriven(self.core, sv_now_ns())

    cdef int send(self, sv_command_kind kind, void* subject, float value, uint32_t frames) except -1:
        """Queue a command; under the lock. Realtime: no. Thread: engine."""
        cdef sv_command command
        memset(&command, 0, sizeof(command))
        command.subject = subject
        command.value = value
        command.frames = frames
        command.kind = kind
        return self.push(&command)

    cdef int push(self, const sv_command* command) except -1:
        """Queue a command; under the lock. Realtime: no. Thread: engine."""
        if sv_commands_push(&self.core.commands, command):
            return 0
        if self.settle() and sv_commands_push(&self.core.commands, command):
            return 0
        raise RuntimeError(f"the mixer's queue of {SV_COMMANDS} commands is full: more were sent during one block than"
                           " it takes; send fewer, or wait for the next block")

    cdef object mark(self, sv_command_kind kind, source_core* source, uint64_t frame, uint64_t generation):
        """Ask for a result; under the lock. Realtime: no. Thread: engine."""
        cdef sv_command command
        memset(&command, 0, sizeof(command))
        self.marks += 1
        command.subject = source
        command.kind = kind
        command.mark = self.marks
        command.frame = frame
        command.generation = generation
        self.push(&command)
        return self.marks

    cdef object take_result(self, object mark):
        """What became of a mark, once; None as long as nothing has. Under the lock. Realtime: no. Thread: engine."""
        cdef sv_result result
        while sv_results_pop(&self.core.results, &result):
            self.results[result.mark] = (result.kind, result.ns, result.delay_ns)
            if len(self.results) > SV_RESULTS:  # nobody has asked for the oldest
                del self.results[next(iter(self.results))]
        return self.results.pop(mark, None)

    cdef int heed(self, Activity activity, float gain) except -1:
        """Let the sources yield to an activity, or to none; under the lock. Realtime: no. Thread: engine."""
        cdef uint64_t heeded
        self.heeds += 1
        self.activities.append((self.heeds, activity))
        self.send(SV_YIELD, NULL if activity is None else activity.core, gain, self.heeds)
        if self.activity is not None:
            self.activity.want(-1)
        if activity is not None:
            activity.want(1)
        self.activity = activity
        heeded = sv_load_acquire(&self.core.heeded)  # what came before it is nobody's any more
        self.activities = [(number, known) for number, known in self.activities if number >= heeded]
        return 0


sv_kernels_select_from_environment()
