"""A lock-free ring of audio frames between one producer and one consumer; either may be a realtime callback."""

cimport cython
from cpython.buffer cimport Py_buffer, PyBuffer_Release
from libc.stdint cimport uint64_t
from libc.stdlib cimport free

from .atomics cimport sv_load_acquire
from .buffers cimport acquire_frames, check_channels
from .memory cimport sv_new

cdef extern from "ring.h" nogil:
    void sv_ring_init(sv_ring* ring, float* data, uint64_t capacity, uint64_t channels) noexcept

cdef uint64_t _MAX_SAMPLES = 1 << 30  # 4 GiB


cdef sv_ring* ring_new(object capacity_frames, uint64_t channels) except NULL:
    """Memory for a ring of at least ``capacity_frames``."""
    cdef sv_ring* ring
    cdef float* data
    cdef uint64_t capacity = 2
    cdef uint64_t largest = _MAX_SAMPLES // channels
    if not isinstance(capacity_frames, int) or not 1 <= capacity_frames <= largest:
        raise ValueError(f"capacity_frames is {capacity_frames!r}; it must be a whole number,"
                         f" 1..{largest} for {channels} channels")
    while capacity < capacity_frames:
        capacity *= 2
    ring = <sv_ring*> sv_new(sizeof(sv_ring))
    data = <float*> sv_new(capacity * channels * sizeof(float))
    if ring == NULL or data == NULL:
        free(ring)
        free(data)
        raise MemoryError(f"no memory for a ring of {capacity} frames of {channels} channels")
    sv_ring_init(ring, data, capacity, channels)
    return ring


cdef void ring_free(sv_ring* ring) noexcept:
    if ring != NULL:
        free(ring.data)
        free(ring)


@cython.final
cdef class Ring:
    """A ring of float32 frames.

    One thread writes, one thread reads, neither ever waits for the other. Writers in Python exclude each other by a
    lock that the callbacks never touch; readers in Python likewise.

    Parameters
    ----------
    capacity_frames : int
        Least number of frames held; rounded up to a power of two.
    channels : int
        1..64.

    Raises
    ------
    ValueError
        If an argument is out of range.
    MemoryError
        If there is no memory for it.
    """

    def __cinit__(self, capacity_frames, channels):
        self.core = ring_new(capacity_frames, check_channels(channels, "channels"))

    def __dealloc__(self):
        ring_free(self.core)

    @property
    def capacity_frames(self):
        """Frames held at most; a power of two."""
        return self.core.capacity

    @property
    def channels(self):
        """Samples per frame."""
        return self.core.channels

    @property
    def readable_frames(self):
        """Frames written and not yet read."""
        return sv_ring_queued(self.core)

    @property
    def writable_frames(self):
        """Frames that can be written now."""
        return self.core.capacity - sv_ring_queued(self.core)

    @property
    def written_frames(self):
        """Frames written since the start."""
        return sv_load_acquire(&self.core.head)

    @property
    def read_frames(self):
        """Frames read since the start."""
        return sv_load_acquire(&self.core.tail)

    def write(self, x):
        """Write as many frames of ``x`` as there is room for; never waits.

        Realtime: yes (``sv_ring_write``). Thread: engine, or the capture callback; one producer at a time.

        Parameters
        ----------
        x : numpy.ndarray of float32, shape (frames, channels), C-contiguous

        Returns
        -------
        int
            Frames written, from the start of ``x``.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another.
        """
        cdef Py_buffer view
        acquire_frames(x, &view, "x", self.core.channels, False)
        try:
            with self.producer:
                return sv_ring_write(self.core, <const float*> view.buf, view.shape[0])
        finally:
            PyBuffer_Release(&view)

    def read_into(self, out):
        """Read as many frames as there are and as ``out`` holds; never waits.

        Realtime: yes (``sv_ring_read``). Thread: engine; one consumer at a time.

        Parameters
        ----------
        out : numpy.ndarray of float32, shape (frames, channels), C-contiguous
            Receives the frames from its start; what is beyond them is left as it was.

        Returns
        -------
        int
            Frames read.

        Raises
        ------
        TypeError, ValueError
            If dtype or shape is another, or ``out`` is read-only.
        """
        cdef Py_buffer view
        acquire_frames(out, &view, "out", self.core.channels, True)
        try:
            with self.consumer:
                return sv_ring_read(self.core, <float*> view.buf, view.shape[0])
        finally:
            PyBuffer_Release(&view)
