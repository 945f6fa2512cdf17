/* Monotonic nanoseconds, on the clock of Python's time.monotonic_ns (on Windows: of Python 3.13 and later).
 *
 * Realtime: yes (read without a system call where the system can). Thread: any.
 */
#ifndef SOTTOVOCE_CLOCK_H
#define SOTTOVOCE_CLOCK_H

#include <stdint.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static inline uint64_t sv_now_ns(void) {
    LARGE_INTEGER ticks, per_s;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_s);
    const uint64_t whole_s = (uint64_t)ticks.QuadPart / (uint64_t)per_s.QuadPart;
    const uint64_t rest = (uint64_t)ticks.QuadPart % (uint64_t)per_s.QuadPart;
    return whole_s * 1000000000u + rest * 1000000000u / (uint64_t)per_s.QuadPart;
}

#elif defined(__APPLE__)
#include <time.h>

static inline uint64_t sv_now_ns(void) { return clock_gettime_nsec_np(CLOCK_UPTIME_RAW); }

#else
#include <time.h>

static inline uint64_t sv_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif

#endif
