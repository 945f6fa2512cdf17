from cpython.buffer cimport Py_buffer

# What an argument must be; the format is that of the struct module.
cdef int acquire(object array, Py_buffer* view, str name, char kind, bint writable) except -1
cdef int acquire_frames(object array, Py_buffer* view, str name, Py_ssize_t channels, bint writable) except -1
cdef int check_samplerate(object samplerate, str name) except -1
cdef int check_channels(object channels, str name) except -1
