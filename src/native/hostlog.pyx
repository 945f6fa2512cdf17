"""A place for the messages of the system's audio library that is not the terminal."""

from libc.stdint cimport uint64_t, uintptr_t

from .atomics cimport sv_load_relaxed


cdef extern from "hostlog.h" nogil:
    uint64_t sv_host_messages
    void sv_host_message(const char* file, int line, const char* function, int error, const char* format, ...)


def handler_address():
    """Address of a function that ALSA may call with a message (``snd_lib_error_handler_t``); it counts it.

    Realtime: no. Thread: engine.

    Returns
    -------
    int
    """
    return <uintptr_t> &sv_host_message


def messages():
    """How many messages there were since the start.

    Realtime: yes. Thread: engine.

    Returns
    -------
    int
    """
    return sv_load_relaxed(&sv_host_messages)
