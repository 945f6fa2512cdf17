/* Which thread a callback runs on, and how the system schedules it.
 *
 * The callback publishes who it is, which costs no system call; anybody else asks the system, while the stream is
 * open: the number is no thread's once the host has joined it.
 */
#ifndef SOTTOVOCE_THREAD_H
#define SOTTOVOCE_THREAD_H

#include <stdint.h>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>

/* Never 0. Realtime: yes. Thread: callback. */
static inline uint64_t sv_thread_self(void) { return (uint64_t)pthread_self(); }

/* 1 to 99 if it is scheduled in realtime, 0 if it is not, -1 if the system does not say. Realtime: no. Thread: engine. */
static inline int sv_thread_priority(uint64_t thread) {
    int policy;
    struct sched_param parameters;
    if (thread == 0 || pthread_getschedparam((pthread_t)thread, &policy, &parameters) != 0)
        return -1;
    return policy == SCHED_FIFO || policy == SCHED_RR ? parameters.sched_priority : 0;
}

/* Schedules a thread that is scheduled in realtime already at `most` (1 to 99), or as near to it as the system lets it;
 * never lower than it is. Realtime: no. Thread: engine. */
static inline void sv_thread_raise(uint64_t thread, int most) {
    int policy;
    struct sched_param parameters;
    if (thread == 0 || pthread_getschedparam((pthread_t)thread, &policy, &parameters) != 0)
        return;
    if (policy != SCHED_FIFO && policy != SCHED_RR)
        return;
    const int now = parameters.sched_priority;
    for (int priority = most; priority > now; priority--) {
        parameters.sched_priority = priority;
        if (pthread_setschedparam((pthread_t)thread, policy, &parameters) == 0)
            return;
    }
}

#else /* systems whose audio threads have a class of their own, which these figures do not tell */

static inline uint64_t sv_thread_self(void) { return 1; }

static inline int sv_thread_priority(uint64_t thread) {
    (void)thread;
    return -1;
}

static inline void sv_thread_raise(uint64_t thread, int most) {
    (void)thread;
    (void)most;
}

#endif

#endif
