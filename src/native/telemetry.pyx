"""Histograms of durations that a realtime callback records into and any thread reads; and the clock they use."""

cimport cython
from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from .atomics cimport sv_load_acquire, sv_load_relaxed
from .memory cimport sv_new


def now_ns():
    """Monotonic nanoseconds on the clock of all times of the native core.

    It is that of ``time.monotonic_ns`` (on Windows: from Python 3.13 on).

    Realtime: yes. Thread: callback|engine.

    Returns
    -------
    int
    """
    return sv_now_ns()


def judge_supply(starts_ns, block_ns, held_ns, patience_ns=0):
    """What a callback counts of a device's buffer if its blocks start at these times; for tests.

    Realtime: no. Thread: engine.

    Parameters
    ----------
    starts_ns : sequence of int
        When each block starts, rising, the first above 0.
    block_ns : int
        How long each of them lasts.
    held_ns : int
        What the device's buffer holds.
    patience_ns : int
        Of a capture, for how long frames may be missing before they are lost; 0 for playback.

    Returns
    -------
    late_blocks : int
    deepest_ns : int
        How far below its fullest the buffer has been.
    """
    cdef sv_supply supply
    memset(&supply, 0, sizeof(supply))
    supply.late_after_ns = held_ns
    supply.patience_ns = patience_ns
    for start_ns in starts_ns:
        sv_supply_block(&supply, start_ns, block_ns)
    return supply.late_blocks, sv_supply_take_deepest(&supply)


@cython.final
cdef class Histogram:
    """A log-linear histogram of durations in nanoseconds: 16 sub-buckets an octave, up to 2**43 ns.

    One thread records, any thread reads without stopping it. A histogram that belongs to a callback is recorded into
    by that callback alone.
    """

    def __cinit__(self):
        self.core = <sv_histogram*> sv_new(sizeof(sv_histogram))
        if self.core == NULL:
            raise MemoryError("no memory for a histogram")

    def __dealloc__(self):
        free(self.core)

    @property
    def count(self):
        """Values recorded."""
        return sv_load_acquire(&self.core.count)

    @property
    def max_ns(self):
        """Largest value recorded, exactly; 0 if there is none."""
        return sv_load_relaxed(&self.core.max_ns)

    @property
    def sum_ns(self):
        """Sum of all values recorded."""
        return sv_load_relaxed(&self.core.sum_ns)

    def record(self, value_ns):
        """Record one value.

        Realtime: yes (``sv_histogram_record``). Thread: the one that records into this histogram.

        Parameters
        ----------
        value_ns : int
            At least 0.

        Raises
        ------
        ValueError
            If it is negative or not a whole number of 64 bits.
        """
        if not isinstance(value_ns, int) or not 0 <= value_ns < 2**64:
            raise ValueError(f"value_ns is {value_ns!r}; it must be a whole number of nanoseconds, at least 0")
        sv_histogram_record(self.core, value_ns)

    def percentile_ns(self, percent):
        """The value that ``percent`` of all values do not exceed, at most 1/16 too high and never above the maximum.

        Realtime: no. Thread: engine.

        Parameters
        ----------
        percent : float
            0..100.

        Returns
        -------
        int
            0 if nothing was recorded.

        Raises
        ------
        ValueError
            If ``percent`` is out of range.
        """
        cdef double share = percent / 100.0
        cdef uint64_t seen = 0
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"percent is {percent!r}; it must be in 0..100")
        found = self.buckets()
        total = sum(count for _, count in found)
        for limit_ns, count in found:
            seen += count
            if seen >= share * total:
                return min(limit_ns, self.max_ns)
        return 0

    def buckets(self):
        """The buckets that are not empty, lowest first.

        Realtime: no. Thread: engine.

        Returns
        -------
        list of (int, int)
            The largest value in nanoseconds that falls into the bucket, and how many did.
        """
        cdef int bucket
        cdef uint64_t count
        found = []
        for bucket in range(SV_BUCKETS):
            count = sv_load_relaxed(&self.core.buckets[bucket])
            if count:
                found.append((sv_bucket_limit(bucket), count))
        return found
