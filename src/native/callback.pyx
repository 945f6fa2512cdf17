"""The two callbacks that PortAudio calls, playback and capture; they never need the GIL.

Forbidden in the functions marked ``Realtime: yes`` and in all that they call: Python in any form, allocation and
freeing, locks and waiting, system calls, logging, asserts, device queries. They count, and go on. A test reads the
generated C and fails if one of them could reach Python.

The object of a callback must stay alive until its stream is closed: PortAudio holds a bare address.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .activity cimport Activity, sv_activity_note, sv_detector_go_on, sv_detector_hear, sv_detector_init, sv_load_double
from .atomics cimport sv_count, sv_load_acquire, sv_load_relaxed, sv_store_relaxed
from .buffers cimport check_channels, check_samplerate
from .channels cimport channels_mix
from .kernels cimport sv_kernels_active, sv_level, sv_kernels_select_from_environment
from .memory cimport sv_new
from .meter cimport sv_meter_note
from .mixer cimport Mixer
from .mixer_core cimport MIXER_MAX_BLOCKSIZE, mixer_hold, mixer_render
from .rate_converter cimport (
    CONVERTER_PIECE_FRAMES,
    converter_feed,
    converter_free,
    converter_in_frames,
    converter_init,
    converter_lookahead,
    converter_take,
)
from .resample cimport RESAMPLE_MAX_CHANNELS
from .ring cimport Ring, sv_ring_write
from .source_core cimport block_report
from .stream_core cimport PaStreamCallbackFlags, StreamCallback, shared_counters, stream_begin
from .stream_core cimport stream_finish, stream_state
from .telemetry cimport sv_now_ns

cdef enum:
    _CONTINUE = 0  # paContinue
    _PIECE_FRAMES = CONVERTER_PIECE_FRAMES

cdef uint64_t _PATIENCE_NS = 500_000_000  # see supply.h
cdef double _MAX_DAC_DELAY_S = 10.0


cdef void _note_dac_delay(playback_state* state, const PaStreamCallbackTimeInfo* times) noexcept nogil:
    """How long until this block is heard, as PortAudio says; 0 where that is nonsense (PortAudio 498)."""
    cdef double delay_s = times.outputBufferDacTime - times.currentTime if times != NULL else 0.0
    cdef uint64_t delay_ns = <uint64_t> (delay_s * 1e9) if 0.0 < delay_s < _MAX_DAC_DELAY_S else 0
    delay_ns = delay_ns + state.converter_delay_ns if delay_ns else 0
    sv_store_relaxed(&state.stream.dac_delay_ns, delay_ns)
    sv_store_relaxed(&state.mixer.delay_ns, delay_ns)


cdef void _count_report(stream_state* stream, const block_report* report) noexcept nogil:
    """Count what is not as in most blocks: what stays as it was is not touched."""
    if not report.sounded and not report.starved and not report.overlapped:
        sv_count(&stream.idle_blocks, 1)
    if report.starved or report.starvations or report.overlapped:
        sv_count(&stream.underruns, report.starved)
        sv_count(&stream.starvations, report.starvations)
        sv_count(&stream.overlaps, report.overlapped)
    if report.scrubbed_samples or report.resample_errors:
        sv_count(&stream.scrubbed_samples, report.scrubbed_samples)
        sv_count(&stream.resample_errors, report.resample_errors)


cdef void _add_report(block_report* total, const block_report* part) noexcept nogil:
    total.sounded = total.sounded or part.sounded
    total.starved = total.starved or part.starved
    total.overlapped = total.overlapped or part.overlapped
    total.starvations += part.starvations
    total.scrubbed_samples += part.scrubbed_samples
    total.resample_errors += part.resample_errors
    total.resample_ns += part.resample_ns
    total.samples += part.samples
    total.level.squares += part.level.squares
    total.level.peak = max(total.level.peak, part.level.peak)


cdef int64_t _convert_piece(playback_state* state, float* out, int64_t frames, uint64_t now_ns,
                            block_report* report) noexcept nogil:
    """Up to so many frames at the stream's format, from at most one piece of the mixer's; returns how many."""
    cdef int64_t take = frames, made = frames
    cdef uint64_t started_ns
    cdef block_report part
    cdef float* content = state.content
    if state.resamples:
        take = min(converter_in_frames(&state.converter, frames), <int64_t> _PIECE_FRAMES)
    mixer_render(state.mixer, content, take, now_ns, &part)
    _add_report(report, &part)
    if state.resamples:
        started_ns = sv_now_ns()
        converter_feed(&state.converter, content, take)
        made = converter_take(&state.converter, state.resampled, frames)
        report.resample_ns += sv_now_ns() - started_ns
        content = state.resampled
    channels_mix(content, state.mixer.channels, out, state.channels, made)
    return made


cdef void _render_converted(playback_state* state, float* out, int64_t frames, uint64_t now_ns,
                            block_report* report) noexcept nogil:
    """Render the mixer for a stream of another format, in pieces that the scratch memory holds."""
    cdef int64_t made
    memset(report, 0, sizeof(report[0]))
    while frames > 0:
        made = _convert_piece(state, out, min(frames, <int64_t> _PIECE_FRAMES), now_ns, report)
        out += made * state.channels
        frames -= made


cdef void _hold_back(playback_state* state, float* out, int64_t frames, uint64_t now_ns,
                     block_report* report) noexcept nogil:
    """A block of a device that sleeps, or wakes up: no sound yet, so that it swallows none."""
    cdef int64_t content_frames = frames * state.mixer.samplerate // <int64_t> state.stream.samplerate
    cdef bint waits = mixer_hold(state.mixer, content_frames, now_ns, report)
    memset(out, 0, frames * state.channels * sizeof(float))
    sv_warm_held(&state.warm, waits, out, frames, state.channels)
    sv_edge_held(&state.edge, report.resumes)


cdef int playback_callback(const void* input, void* output, unsigned long frames,
                           const PaStreamCallbackTimeInfo* times, PaStreamCallbackFlags flags,
                           void* userdata) noexcept nogil:
    """Render the mixer into the output. Forbidden here: see the top of this file. Realtime: yes. Thread: callback."""
    cdef playback_state* state = <playback_state*> userdata
    cdef stream_state* stream = &state.stream
    cdef uint64_t now_ns
    cdef bint sleeps
    cdef block_report report
    if output == NULL:
        sv_count(&stream.errors, 1)
        return _CONTINUE
    if sv_load_acquire(&stream.retired):
        sv_edge_decay(&state.edge, <float*> output, frames, state.channels)
        sv_count(&stream.generation_mismatches, 1)
        return _CONTINUE
    if frames == 0 or frames > MIXER_MAX_BLOCKSIZE:
        memset(output, 0, frames * state.channels * sizeof(float))
        sv_count(&stream.shape_mismatches, 1)
        return _CONTINUE
    now_ns = sv_now_ns()
    stream_begin(stream, now_ns, frames, flags)
    _note_dac_delay(state, times)
    if sv_load_acquire(&stream.held):
        memset(output, 0, frames * state.channels * sizeof(float))
        sv_count(&stream.held_blocks, 1)
        stream_finish(stream, now_ns, frames, 0)
        return _CONTINUE
    sleeps = state.warm.asleep
    if sleeps:
        _hold_back(state, <float*> output, frames, now_ns, &report)
    elif state.converts:
        _render_converted(state, <float*> output, frames, now_ns, &report)
    else:
        mixer_render(state.mixer, <float*> output, frames, now_ns, &report)
    if state.may_sleep and not sleeps:
        sv_warm_rendered(&state.warm, report.sounded, <float*> output, frames, state.channels)
    if not sleeps:
        sv_edge_played(&state.edge, <float*> output, frames, state.channels)
    _count_report(stream, &report)
    sv_meter_note(&stream.meter, frames, report.samples, &report.level)
    stream_finish(stream, now_ns, frames, report.resample_ns)
    return _CONTINUE


cdef void _write_ring(capture_state* state, const float* x, int64_t frames) noexcept nogil:
    cdef uint64_t lost = frames - sv_ring_write(state.ring, x, frames)
    if lost:
        sv_count(&state.stream.overruns, 1)
        sv_count(&state.stream.overrun_frames, lost)


cdef uint64_t _write_resampled(capture_state* state, const float* x, int64_t frames) noexcept nogil:
    """Resample into the ring, in parts that the scratch memory holds; returns how long the resampling took."""
    cdef uint64_t spent_ns = 0, started_ns
    cdef int64_t part, made
    while frames > 0:
        started_ns = sv_now_ns()
        part = min(frames, converter_in_frames(&state.converter, _PIECE_FRAMES))
        converter_feed(&state.converter, x, part)
        made = converter_take(&state.converter, state.resampled, _PIECE_FRAMES)
        spent_ns += sv_now_ns() - started_ns
        _write_ring(state, state.resampled, made)
        x += part * state.ring.channels
        frames -= part
    return spent_ns


cdef bint _hear(capture_state* state, int64_t frames) noexcept nogil:
    """Whether a piece of the content is speech."""
    return sv_detector_hear(&state.detector, state.content, frames, state.channels,
                            sv_load_double(&state.activity.threshold), sv_load_double(&state.activity.margin))


cdef int capture_callback(const void* input, void* output, unsigned long frames,
                          const PaStreamCallbackTimeInfo* times, PaStreamCallbackFlags flags,
                          void* userdata) noexcept nogil:
    """Bring the input to the ring's channels and samplerate. Forbidden here: see the top of this file. Realtime: yes.

    Thread: callback.
    """
    cdef capture_state* state = <capture_state*> userdata
    cdef stream_state* stream = &state.stream
    cdef const float* x = <const float*> input
    cdef uint64_t now_ns, resample_ns = 0
    cdef int64_t left = frames, part
    cdef bint listens = state.activity != NULL and sv_load_relaxed(&state.activity.wanted), active = False
    cdef sv_level level
    if sv_load_acquire(&stream.retired):
        sv_count(&stream.generation_mismatches, 1)
        return _CONTINUE
    if input == NULL or frames > MIXER_MAX_BLOCKSIZE:
        sv_count(&stream.errors if input == NULL else &stream.shape_mismatches, 1)
        return _CONTINUE
    now_ns = sv_now_ns()
    stream_begin(stream, now_ns, frames, flags)
    memset(&level, 0, sizeof(level))
    while left > 0:
        part = min(left, <int64_t> _PIECE_FRAMES)
        memcpy(state.content, x, part * state.channels * sizeof(float))
        sv_count(&stream.scrubbed_samples, sv_kernels_active.scrub(state.content, part * state.channels, &level))
        if listens and _hear(state, part):
            active = True
        channels_mix(state.content, state.channels, state.mixed, state.ring.channels, part)
        if state.resamples:
            resample_ns += _write_resampled(state, state.mixed, part)
        else:
            _write_ring(state, state.mixed, part)
        x += part * state.channels
        left -= part
    if listens:
        sv_activity_note(state.activity, &state.detector, active, now_ns)
    sv_meter_note(&stream.meter, frames, frames * state.channels, &level)
    stream_finish(stream, now_ns, frames, resample_ns)
    return _CONTINUE


@cython.final
cdef class PlaybackCallback(StreamCallback):
    """What one playback stream's callback touches; made anew for every stream that is opened.

    Keep it until the stream is closed; it keeps its mixer.

    Parameters
    ----------
    mixer : Mixer
        What is rendered.
    generation : int
        Of the stream, at least 0; for whoever reads the counters.
    samplerate, channels : int
        That the stream was opened with; 0 means the mixer's own. Where they differ, the callback resamples and maps
        the channels, so that speed and pitch stay right.
    quality : str
        Of the resampler, one of ``sottovoce.native.rate_converter.QUALITIES``.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __cinit__(self, Mixer mixer not None, generation, samplerate=0, channels=0, quality="standard"):
        cdef size_t piece_bytes = _PIECE_FRAMES * RESAMPLE_MAX_CHANNELS * sizeof(float)
        self.samplerate = check_samplerate(samplerate or mixer.samplerate, "samplerate")
        self.channels = check_channels(channels or mixer.channels, "channels")
        self.mixer = mixer
        self.state = <playback_state*> sv_new(sizeof(playback_state))
        if self.state == NULL:
            raise MemoryError("no memory for a callback")
        self.state.content = <float*> sv_new(piece_bytes)
        self.state.resampled = <float*> sv_new(piece_bytes)
        if self.state.content == NULL or self.state.resampled == NULL:
            raise MemoryError("no memory for a callback")
        self.state.mixer = mixer.core
        self.state.channels = self.channels
        sv_edge_init(&self.state.edge, self.samplerate)
        self.state.resamples = self.samplerate != mixer.samplerate
        self.state.converts = self.state.resamples or self.channels != mixer.channels
        converter_init(&self.state.converter, quality, mixer.core.samplerate, self.samplerate, mixer.core.channels)
        self.state.converter_delay_ns = converter_lookahead(&self.state.converter) * 1000000000 // mixer.core.samplerate
        self.connect(&self.state.stream, generation, self.samplerate)

    def __dealloc__(self):
        if self.state != NULL:
            free(self.state.content)
            free(self.state.resampled)
            converter_free(&self.state.converter)
            free(self.state)

    def fade_in(self):
        """Let the first 5 ms rise from silence; only before the stream is started.

        Realtime: no. Thread: engine.
        """
        sv_edge_rise(&self.state.edge)

    @property
    def address(self):
        """Of the ``PaStreamCallback``."""
        return <uintptr_t> &playback_callback

    def keep_awake(self, lead_in_s, sleeps_after_s, keeps_warm):
        """Prepare for a device that sleeps and swallows what comes first; before the stream starts.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        lead_in_s : float
            Seconds, 0..60, for which sound is held back after the start and after each long silence.
        sleeps_after_s : float
            How long, in seconds up to a day, such a silence is.
        keeps_warm : bool
            Whether there is noise of -89 dBFS in place of each silence, so that it does not fall asleep.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        if not 0.0 <= lead_in_s <= 60.0:
            raise ValueError(f"lead_in_s is {lead_in_s!r}; it must be seconds, 0..60")
        if not 0.0 <= sleeps_after_s <= 86400.0:
            raise ValueError(f"sleeps_after_s is {sleeps_after_s!r}; it must be seconds, 0..86400")
        self.state.warm.lead_in_frames = round(lead_in_s * self.samplerate)
        self.state.warm.sleeps_after_frames = round(sleeps_after_s * self.samplerate)
        self.state.warm.keeps_warm = bool(keeps_warm)
        self.state.warm.asleep = self.state.warm.lead_in_frames > 0
        self.state.may_sleep = self.state.warm.asleep or self.state.warm.keeps_warm

    @property
    def dac_delay_ns(self):
        """From the start of the newest block to its being heard; 0 if PortAudio does not know.

        What the callback's own resampler holds back is in it.
        """
        return sv_load_relaxed(&self.stream.dac_delay_ns)

    def counters(self):
        """Everything that this callback has counted.

        Realtime: no. Thread: engine.

        Returns
        -------
        dict of str to int
            ``blocks``, ``frames``, ``underruns`` (blocks in which a source had run dry in mid-utterance),
            ``starvations`` (how often one ran dry), ``idle_blocks``, ``held_blocks`` (silent on trial), ``late_blocks``
            (the device's buffer ran dry first: :meth:`expect_within`), ``overlaps`` (another was rendering the mixer),
            ``generation_mismatches`` (called after :meth:`retire`), ``shape_mismatches`` (more frames than
            ``MAX_BLOCKSIZE``), ``errors`` (no buffer), ``resample_errors``, ``scrubbed_samples`` (NaN or Inf), and
            PortAudio's flags by name.
        """
        cdef const stream_state* stream = self.stream
        counted = shared_counters(stream)
        counted["underruns"] = sv_load_relaxed(&stream.underruns)
        counted["starvations"] = sv_load_relaxed(&stream.starvations)
        counted["held_blocks"] = sv_load_relaxed(&stream.held_blocks)
        counted["idle_blocks"] = sv_load_relaxed(&stream.idle_blocks)
        counted["overlaps"] = sv_load_relaxed(&stream.overlaps)
        return counted

    def drive(self, blocksize, blocks):
        """Call the callback in a loop, as PortAudio would, without the GIL; for tests and benchmarks.

        Realtime: no. Thread: engine, in the place of PortAudio's.

        Parameters
        ----------
        blocksize : int
            Frames a block, 1..1048576; above ``MAX_BLOCKSIZE`` the callback refuses.
        blocks : int
            At least 1.

        Returns
        -------
        float
            Nanoseconds per block.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        if not isinstance(blocksize, int) or not 1 <= blocksize <= 1 << 20:
            raise ValueError(f"blocksize is {blocksize!r}; it must be a whole number of frames, 1..{1 << 20}")
        if not isinstance(blocks, int) or not 1 <= blocks < 1 << 62:
            raise ValueError(f"blocks is {blocks!r}; it must be a whole number, at least 1")
        cdef unsigned long frames = blocksize
        cdef int64_t count = blocks, _block
        cdef uint64_t started_ns, spent_ns
        cdef void* output = malloc(frames * self.state.channels * sizeof(float))
        if output == NULL:
            raise MemoryError(f"no memory for a block of {blocksize} frames")
        with nogil:
            started_ns = sv_now_ns()
            for _block in range(count):
                playback_callback(NULL, output, frames, NULL, 0, self.state)
            spent_ns = sv_now_ns() - started_ns
        free(output)
        return <double> spent_ns / <double> count


@cython.final
cdef class CaptureCallback(StreamCallback):
    """What one capture stream's callback touches: mixes to the ring's channels, resamples, writes the ring.

    Keep it until the stream is closed; it keeps its ring. Nothing else may write to that ring meanwhile.

    Parameters
    ----------
    ring : Ring
        Receives the frames.
    samplerate, channels : int
        Of the stream, 1000..768000 Hz and 1..64.
    ring_samplerate : int
        That the frames in the ring have, 1000..768000 Hz.
    generation : int
        Of the stream, at least 0; for whoever reads the counters.
    quality : str
        Of the resampler, one of ``sottovoce.native.rate_converter.QUALITIES``.
    activity : Activity, optional
        Is told when somebody speaks, if a mixer wants to know; the callback keeps it.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __cinit__(self, Ring ring not None, samplerate, channels, ring_samplerate, generation,
                  quality="standard", Activity activity=None):
        self.samplerate = check_samplerate(samplerate, "samplerate")
        self.channels = check_channels(channels, "channels")
        self.ring_samplerate = check_samplerate(ring_samplerate, "ring_samplerate")
        self.ring = ring
        cdef size_t piece_bytes = _PIECE_FRAMES * RESAMPLE_MAX_CHANNELS * sizeof(float)
        self.state = <capture_state*> sv_new(sizeof(capture_state))
        if self.state == NULL:
            raise MemoryError("no memory for a callback")
        self.state.content = <float*> sv_new(piece_bytes)
        self.state.mixed = <float*> sv_new(piece_bytes)
        self.state.resampled = <float*> sv_new(piece_bytes)
        if self.state.content == NULL or self.state.mixed == NULL or self.state.resampled == NULL:
            raise MemoryError("no memory for a callback")
        self.state.ring = ring.core
        self.activity = activity
        self.state.activity = NULL if activity is None else activity.core
        sv_detector_init(&self.state.detector, self.samplerate)
        if activity is not None:
            sv_detector_go_on(&self.state.detector, activity.core)
        self.state.stream.supply.patience_ns = _PATIENCE_NS
        self.state.channels = self.channels
        self.state.resamples = self.samplerate != self.ring_samplerate
        converter_init(&self.state.converter, quality, self.samplerate, self.ring_samplerate,
                       <uint32_t> ring.core.channels)
        self.connect(&self.state.stream, generation, self.samplerate)

    def __dealloc__(self):
        if self.state != NULL:
            free(self.state.content)
            free(self.state.mixed)
            free(self.state.resampled)
            converter_free(&self.state.converter)
            free(self.state)

    @property
    def address(self):
        """Of the ``PaStreamCallback``."""
        return <uintptr_t> &capture_callback

    def counters(self):
        """Everything that this callback has counted.

        Realtime: no. Thread: engine.

        Returns
        -------
        dict of str to int
            ``blocks``, ``frames`` (of the stream), ``overruns`` and ``overrun_frames`` (lost as the ring was full),
            ``late_blocks`` (the device's buffer ran over first: :meth:`expect_within`),
            ``generation_mismatches`` (called after :meth:`retire`), ``shape_mismatches`` (more frames than
            ``MAX_BLOCKSIZE``), ``errors`` (no buffer), ``resample_errors``, ``scrubbed_samples`` (NaN or Inf), and
            PortAudio's flags by name.
        """
        cdef const stream_state* stream = self.stream
        counted = shared_counters(stream)
        counted["overruns"] = sv_load_relaxed(&stream.overruns)
        counted["overrun_frames"] = sv_load_relaxed(&stream.overrun_frames)
        return counted


sv_kernels_select_from_environment()
