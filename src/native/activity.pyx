"""Whether somebody speaks, as the capture callback has decided: the word between a microphone and what plays."""

cimport cython
from libc.math cimport pow
from libc.stdint cimport uint64_t
from libc.stdlib cimport free

from .atomics cimport sv_load_acquire, sv_load_relaxed, sv_store_relaxed
from .memory cimport sv_new
from .telemetry cimport sv_now_ns

MIN_THRESHOLD_DBFS, MAX_THRESHOLD_DBFS = -90.0, 0.0
MIN_MARGIN_DB, MAX_MARGIN_DB = 0.0, 60.0
MAX_HOLD_S = 60.0


@cython.final
cdef class Activity:
    """Somebody speaks, or does not: written by the capture callbacks of one recorder, read by any mixer.

    It outlives them all: a callback and a mixer each keep it while they use it, so that either side may be closed, or
    opened anew, first. Nothing is computed until a mixer wants to know.

    Notes
    -----
    A block counts as speech if its level is above a threshold and above the noise floor by a margin, and its spectrum
    is not flat: ``activity.h`` has the formulas and their sources. A voice from a loudspeaker is a voice, too: the
    engine's own is told from a person's only by an earpiece, which does not leak.
    """

    def __cinit__(self):
        self.core = <sv_activity*> sv_new(sizeof(sv_activity))
        if self.core == NULL:
            raise MemoryError("no memory for an activity")
        self.configure()

    def __dealloc__(self):
        free(self.core)

    cdef void want(self, int more) noexcept:
        """One more mixer wants to know, or one less."""
        with self.lock:
            sv_store_relaxed(&self.core.wanted, sv_load_relaxed(&self.core.wanted) + <uint64_t> more)

    def configure(self, threshold_dbfs=-45.0, margin_db=12.0, hold_s=0.4):
        """Set what counts as speech; takes effect within a block.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        threshold_dbfs : float
            Least level, root mean square, -90..0.
        margin_db : float
            Least distance to the noise floor, which follows the level between words, 0..60.
        hold_s : float
            How long it lasts after the last block of speech, 0..60.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        cdef double threshold = threshold_dbfs, margin = margin_db, hold = hold_s
        if not MIN_THRESHOLD_DBFS <= threshold <= MAX_THRESHOLD_DBFS:
            raise ValueError(f"threshold_dbfs is {threshold_dbfs!r}; it must be"
                             f" {MIN_THRESHOLD_DBFS:g}..{MAX_THRESHOLD_DBFS:g}")
        if not MIN_MARGIN_DB <= margin <= MAX_MARGIN_DB:
            raise ValueError(f"margin_db is {margin_db!r}; it must be {MIN_MARGIN_DB:g}..{MAX_MARGIN_DB:g}")
        if not 0.0 <= hold <= MAX_HOLD_S:
            raise ValueError(f"hold_s is {hold_s!r}; it must be in seconds, 0..{MAX_HOLD_S:g}")
        sv_store_double(&self.core.threshold, pow(10.0, threshold / 10.0))
        sv_store_double(&self.core.margin, pow(10.0, margin / 10.0))
        sv_store_relaxed(&self.core.hold_ns, <uint64_t> (hold * 1e9))

    @property
    def wanted(self):
        """True if a mixer wants to know; if not, nothing is computed."""
        return sv_load_relaxed(&self.core.wanted) != 0

    @property
    def active(self):
        """True while somebody speaks, or did within the hold."""
        return sv_activity_lasts(self.core, sv_now_ns())

    @property
    def until_ns(self):
        """When it ends, on the clock of ``time.monotonic_ns``, if nobody speaks on; 0 if nobody ever spoke."""
        return sv_load_acquire(&self.core.until_ns)

    def counters(self):
        """Everything counted since the start.

        Realtime: no. Thread: engine.

        Returns
        -------
        dict of str to int
            ``activations`` (how often somebody began to speak), ``active_blocks`` (in which somebody spoke).
        """
        return {
            "activations": sv_load_relaxed(&self.core.activations),
            "active_blocks": sv_load_relaxed(&self.core.active_blocks),
        }
