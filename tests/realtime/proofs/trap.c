/* Preloaded into a Python, counts what the thread that is in an armed call asks of the C library: memory, locks, waits
 * and system calls, none of which a realtime callback may ask for. Everything is passed on, so the program goes on.
 *
 *     LD_PRELOAD=trap.so python scenario.py
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);

static __thread int armed __attribute__((tls_model("initial-exec")));

/* Each trapped function: its type, its name, its parameters, and how they are handed on. */
#define TRAPPED(X)                                                                                                     \
    X(int, pthread_mutex_lock, (pthread_mutex_t * m), (m))                                                             \
    X(int, pthread_mutex_trylock, (pthread_mutex_t * m), (m))                                                          \
    X(int, pthread_mutex_unlock, (pthread_mutex_t * m), (m))                                                           \
    X(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))                                                         \
    X(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l))                                                         \
    X(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t * m), (c, m))                                       \
    X(int, pthread_cond_timedwait, (pthread_cond_t * c, pthread_mutex_t * m, const struct timespec *t), (c, m, t))     \
    X(int, pthread_cond_signal, (pthread_cond_t * c), (c))                                                             \
    X(int, pthread_cond_broadcast, (pthread_cond_t * c), (c))                                                          \
    X(int, sem_wait, (sem_t * s), (s))                                                                                 \
    X(int, sem_trywait, (sem_t * s), (s))                                                                              \
    X(int, sem_timedwait, (sem_t * s, const struct timespec *t), (s, t))                                               \
    X(int, sem_clockwait, (sem_t * s, clockid_t c, const struct timespec *t), (s, c, t))                               \
    X(int, sem_post, (sem_t * s), (s))                                                                                 \
    X(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left))                                    \
    X(int, clock_nanosleep, (clockid_t c, int f, const struct timespec *t, struct timespec *left), (c, f, t, left))    \
    X(int, usleep, (useconds_t us), (us))                                                                              \
    X(int, sched_yield, (void), ())                                                                                    \
    X(ssize_t, read, (int fd, void *data, size_t bytes), (fd, data, bytes))                                            \
    X(ssize_t, write, (int fd, const void *data, size_t bytes), (fd, data, bytes))                                     \
    X(int, close, (int fd), (fd))                                                                                      \
    X(void *, mmap, (void *at, size_t n, int p, int f, int fd, off_t o), (at, n, p, f, fd, o))                         \
    X(int, munmap, (void *at, size_t n), (at, n))

/* The C library's own, under the names that need no look-up: looking one up may itself allocate. */
#define ALLOCATING(X)                                                                                                  \
    X(void *, malloc, (size_t bytes), (bytes))                                                                         \
    X(void *, calloc, (size_t count, size_t bytes), (count, bytes))                                                    \
    X(void *, realloc, (void *at, size_t bytes), (at, bytes))                                                          \
    X(void *, memalign, (size_t alignment, size_t bytes), (alignment, bytes))                                          \
    X(void, free, (void *at), (at))

#define COUNTER(type, name, parameters, arguments) COUNT_##name,
enum { TRAPPED(COUNTER) ALLOCATING(COUNTER) COUNTERS };
static uint64_t counts[COUNTERS]; /* one thread is armed at a time */

#define NAME(type, name, parameters, arguments) #name,
static const char *const names[] = {TRAPPED(NAME) ALLOCATING(NAME)};

static void *next(const char *name) {
    /* of the condition variables, an unversioned look-up finds the ones of 2002 */
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found ? found : dlsym(RTLD_NEXT, name);
}

#define POINTER(type, name, parameters, arguments) static type(*real_##name) parameters;
TRAPPED(POINTER)

#define RESOLVE(type, name, parameters, arguments) real_##name = (type(*) parameters)next(#name);
__attribute__((constructor)) static void resolve(void) { TRAPPED(RESOLVE) }

#define TRAP(type, name, parameters, arguments)                                                                        \
    EXPORT type name parameters {                                                                                      \
        counts[COUNT_##name] += armed;                                                                                 \
        if (!real_##name) real_##name = (type(*) parameters)next(#name);                                               \
        return real_##name arguments;                                                                                  \
    }
TRAPPED(TRAP)

#define TRAP_ALLOCATING(type, name, parameters, arguments)                                                             \
    extern type __libc_##name parameters;                                                                              \
    EXPORT type name parameters {                                                                                      \
        counts[COUNT_##name] += armed;                                                                                 \
        return __libc_##name arguments;                                                                                \
    }
ALLOCATING(TRAP_ALLOCATING)

/* Calls a callback as PortAudio would, armed. */
EXPORT int armed_call(callback *called, const void *input, void *output, unsigned long frames, void *userdata) {
    armed = 1;
    const int result = called(input, output, frames, 0, 0, userdata);
    armed = 0;
    return result;
}

EXPORT uint64_t trapped_count(int index) { return index < COUNTERS ? counts[index] : 0; }
EXPORT const char *trapped_name(int index) { return index < COUNTERS ? names[index] : 0; }
