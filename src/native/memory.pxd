from libc.stddef cimport size_t


cdef extern from "memory.h":
    void* sv_new(size_t bytes) noexcept
