"""The mixer: several sources, each with its own ring, resampler, gain and generation, summed into one output."""

cimport cython
from cpython.buffer cimport Py_buffer, PyBuffer_Release

from .activity cimport Activity
from .atomics cimport sv_count, sv_load_acquire, sv_load_relaxed
from .buffers cimport acquire_frames, check_channels, check_samplerate
from .mixer_core cimport (
    MIXER_MAX_BLOCKSIZE,
    MIXER_MAX_SOURCES,
    SV_ADD,
    SV_FENCE,
    SV_MARK,
    SV_REMOVE,
    MixerCore,
    mixer_render,
)
from .results cimport SV_FLUSHED, SV_PASSED
from .ring cimport Ring
from .source cimport Source
from .source_core cimport block_report
from .telemetry cimport sv_now_ns

MAX_SOURCES = MIXER_MAX_SOURCES
MAX_BLOCKSIZE = MIXER_MAX_BLOCKSIZE
MAX_UNDRIVEN_S = 3600
globals()["Source"] = Source  # cimported names are not Python's; users look for it beside Mixer


@cython.final
cdef class Mixer:
    """Sums sources into one output of its own samplerate and channels.

    Parameters
    ----------
    samplerate : int
        In Hz, 1000..768000.
    channels : int
        1..64.
    max_sources : int
        1..32; how many may be there at once.
    undriven_s : float
        0..3600. If no block was rendered for so long, nobody listens: flushes and removals then take effect at once,
        without a fade, and commands do not pile up.
    tap : Ring, optional
        Of the mixer's channels: receives all that is rendered, silence included, after everything else was done to it.
        The mixer is its producer; what it has no room for is counted, and never waited for.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    One thread renders at a time: a callback, or :meth:`render_into`. A second one that comes meanwhile gets silence,
    which is counted as an overlap.
    """

    def __cinit__(self, samplerate, channels, max_sources=MIXER_MAX_SOURCES, undriven_s=0.5, Ring tap=None):
        cdef double undriven = undriven_s
        if not isinstance(max_sources, int) or not 1 <= max_sources <= MIXER_MAX_SOURCES:
            raise ValueError(f"max_sources is {max_sources!r}; it must be a whole number, 1..{MIXER_MAX_SOURCES}")
        check_samplerate(samplerate, "samplerate")
        check_channels(channels, "channels")
        if not 0.0 <= undriven <= MAX_UNDRIVEN_S:
            raise ValueError(f"undriven_s is {undriven_s!r}; it must be in seconds, 0..{MAX_UNDRIVEN_S}")
        if tap is not None and tap.channels != channels:
            raise ValueError(f"the tap has {tap.channels} channels; the mixer has {channels}")
        self.shared = MixerCore(samplerate, channels, int(undriven * 1e9), tap)
        self.core = self.shared.core
        self._max_sources = max_sources
        self._sources = []
        self._leaving = []

    @property
    def samplerate(self):
        """In Hz."""
        return self.core.samplerate

    @property
    def channels(self):
        """Samples per frame of the output."""
        return self.core.channels

    @property
    def max_sources(self):
        """How many sources may be there at once."""
        return self._max_sources

    @property
    def flush_latencies(self):
        """Histogram of the time from a flush to its acknowledgement."""
        return self.shared.flush_latencies

    @property
    def rendered_frames(self):
        """Frames rendered since the start, silent ones included."""
        return sv_load_acquire(&self.core.rendered_frames)

    cdef void _reclaim(self) noexcept:
        """Let go of the sources that the callback has let go of; under the lock."""
        cdef Source source
        kept = []
        for source in self._leaving:
            if not sv_load_acquire(&source.core.removed):
                kept.append(source)
        self._leaving = kept

    def add_source(self, samplerate, channels, capacity_frames, prebuffer_frames=0, quality="standard", yields=True):
        """Add a source.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        samplerate : int
            Of its content, in Hz, 1000..768000; if it is not the mixer's, the callback resamples.
        channels : int
            Of its content, 1..64.
        capacity_frames : int
            Least number of frames that it holds; rounded up to a power of two.
        prebuffer_frames : int
            Frames that must be queued before it starts, or starts again after a starvation, unless the end was said.
            Those that the resampler needs come on top.
        quality : str
            Of the resampler, one of ``sottovoce.native.rate_converter.QUALITIES``.
        yields : bool
            Whether it yields to somebody who speaks, see :meth:`yield_to`.

        Returns
        -------
        Source

        Raises
        ------
        ValueError
            If an argument is out of range.
        RuntimeError
            If there are ``max_sources`` already, or the queue of commands is full.
        MemoryError
            If there is no memory for its ring.
        """
        cdef Source source = Source(self.shared, samplerate, channels, capacity_frames, prebuffer_frames, quality)
        source.core.yields = bool(yields)
        with self.shared.lock:
            self._reclaim()
            if len(self._sources) + len(self._leaving) >= self._max_sources and self._leaving:
                self.shared.settle()
                self._reclaim()
            if len(self._sources) + len(self._leaving) >= self._max_sources:
                raise RuntimeError(f"the mixer has {len(self._sources)} sources and {len(self._leaving)} about"
                                   f" to leave; max_sources is {self._max_sources}")
            self.shared.send(SV_ADD, source.core, 0.0, 0)
            self._sources.append(source)
        return source

    def remove_source(self, Source source not None):
        """Remove a source: it fades out, and its memory is freed once the callback has let go of it. Never waits.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        source : Source
            From now on it refuses what is written to it; a second removal does nothing.

        Raises
        ------
        ValueError
            If it is another mixer's.
        RuntimeError
            If the queue of commands is full.
        """
        if source.shared is not self.shared:
            raise ValueError("source belongs to another mixer; it can be removed only from its own")
        with self.shared.lock:
            if not source._removed:
                self.shared.send(SV_REMOVE, source.core, 0.0, 0)
                source._removed = True
                self._sources.remove(source)
                self._leaving.append(source)
            self.shared.settle()
            self._reclaim()

    def yield_to(self, Activity activity, gain=None):
        """Let the sources yield to somebody who speaks, within a block and with no help of Python's.

        Realtime: no. Thread: engine. What follows from it is: ``mixer_render``, on the callback.

        Parameters
        ----------
        activity : Activity or None
            Of the microphone that is listened to; None to yield to nobody. The mixer keeps it.
        gain : float, optional
            Linear, 0..1: that of a source that yields, under its own gain; reached within 5 ms, left within 100 ms.
            Without it a source pauses, and goes on where it was.

        Raises
        ------
        ValueError
            If the gain is out of range.
        RuntimeError
            If the queue of commands is full.
        """
        cdef double value = -1.0 if gain is None else gain
        if gain is not None and not 0.0 <= value <= 1.0:
            raise ValueError(f"gain is {gain!r}; it must be linear, 0..1, or None to pause")
        with self.shared.lock:
            self.shared.heed(activity, <float> value)

    def mark(self, Source source not None):
        """Ask when all that was written to a source so far has left the mixer.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        source : Source
            Of this mixer.

        Returns
        -------
        int
            The mark, for :meth:`take_result`. At most 16 wait in a source; one more is refused.

        Raises
        ------
        ValueError
            If the source is another mixer's.
        RuntimeError
            If the source was removed, or the queue of commands is full.
        """
        if source.shared is not self.shared:
            raise ValueError("source belongs to another mixer; it can be marked only by its own")
        with source.lock, self.shared.lock:
            source._require_there()
            return self.shared.mark(SV_MARK, source.core, sv_load_relaxed(&source.core.ring.head),
                                    sv_load_relaxed(&source.core.generation))

    def fence(self):
        """Ask when all commands sent so far have taken effect: gains begin to move, pauses to fade.

        Realtime: no. Thread: engine.

        Returns
        -------
        int
            The mark, for :meth:`take_result`.

        Raises
        ------
        RuntimeError
            If the queue of commands is full.
        """
        with self.shared.lock:
            return self.shared.mark(SV_FENCE, NULL, 0, 0)

    def take_result(self, mark):
        """What became of a mark; told once.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        mark : int
            From :meth:`mark` or :meth:`fence`.

        Returns
        -------
        tuple of (str, int, int) or None
            "passed", "flushed" or "refused"; when that was, or when the last frame before it left the mixer, in ns of
            ``time.monotonic_ns``; how long after that it was heard, in ns, as the host says, 0 if it does not know.
            None as long as nothing has become of it.
        """
        with self.shared.lock:
            result = self.shared.take_result(mark)
        if result is None:
            return None
        kind, ns, delay_ns = result
        return "passed" if kind == SV_PASSED else "flushed" if kind == SV_FLUSHED else "refused", ns, delay_ns

    def render_into(self, out):
        """Render a block without a device.

        Realtime: yes (``mixer_render``). Thread: engine, in the place of a callback.

        Parameters
        ----------
        out : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            Any number of frames.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another, or ``out`` is read-only.
        """
        cdef Py_buffer view
        cdef block_report report
        acquire_frames(out, &view, "out", self.core.channels, True)
        try:
            with nogil:
                mixer_render(self.core, <float*> view.buf, view.shape[0], sv_now_ns(), &report)
            if report.overlapped:
                with self.shared.lock:
                    sv_count(&self.core.overlaps, 1)
        finally:
            PyBuffer_Release(&view)

    def counters(self):
        """Everything counted since the start.

        Realtime: no. Thread: engine.

        Returns
        -------
        dict of str to int
            ``blocks``, ``frames``, ``underruns`` (blocks in which a source had run dry in mid-utterance),
            ``starvations`` (how often one ran dry), ``idle_blocks`` (nothing to play, nothing missed),
            ``scrubbed_samples`` (NaN or Inf), ``resample_errors``, ``overlaps`` (of :meth:`render_into` with another),
            ``lost_results`` (of marks, for want of room), ``tap_lost_frames`` (nobody took them in time), ``yields``
            (how often the sources yielded to somebody who spoke) and ``yielded_blocks`` (for how long).
        """
        return {
            "blocks": sv_load_relaxed(&self.core.blocks),
            "frames": sv_load_relaxed(&self.core.rendered_frames),
            "underruns": sv_load_relaxed(&self.core.underruns),
            "starvations": sv_load_relaxed(&self.core.starvations),
            "idle_blocks": sv_load_relaxed(&self.core.idle_blocks),
            "scrubbed_samples": sv_load_relaxed(&self.core.scrubbed_samples),
            "resample_errors": sv_load_relaxed(&self.core.resample_errors),
            "overlaps": sv_load_relaxed(&self.core.overlaps),
            "lost_results": sv_load_relaxed(&self.core.results.lost),
            "tap_lost_frames": sv_load_relaxed(&self.core.tap_lost_frames),
            "yields": sv_load_relaxed(&self.core.yields),
            "yielded_blocks": sv_load_relaxed(&self.core.yielded_blocks),
        }
