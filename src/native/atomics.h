/* Loads and stores with an order, on plain integers, for C11 compilers and MSVC (whose C has no <stdatomic.h> by
 * default). A release store makes all that was written before it visible to whoever loads it with acquire.
 *
 * Realtime: yes (no locks: every type here is lock-free on the 64-bit machines that are supported). Thread: any.
 */
#ifndef SOTTOVOCE_ATOMICS_H
#define SOTTOVOCE_ATOMICS_H

#include <stdint.h>

/* Twice the line of x86-64, the line of Apple's processors: indices this far apart never share one. */
#define SV_CACHE_LINE 128

#if defined(_MSC_VER)
#include <intrin.h>

static inline uint64_t sv_load_acquire(const uint64_t *p) {
#if defined(_M_ARM64)
    return __ldar64((unsigned __int64 volatile *)p);
#else
    const uint64_t value = *(const volatile uint64_t *)p; /* x86-64 loads acquire by themselves */
    _ReadWriteBarrier();
    return value;
#endif
}

static inline void sv_store_release(uint64_t *p, uint64_t value) {
#if defined(_M_ARM64)
    __stlr64((unsigned __int64 volatile *)p, value);
#else
    _ReadWriteBarrier();
    *(volatile uint64_t *)p = value; /* x86-64 stores release by themselves */
#endif
}

static inline uint64_t sv_load_relaxed(const uint64_t *p) { return *(const volatile uint64_t *)p; }
static inline void sv_store_relaxed(uint64_t *p, uint64_t value) { *(volatile uint64_t *)p = value; }

static inline int sv_try_take(uint64_t *flag) { return _InterlockedExchange64((volatile __int64 *)flag, 1) == 0; }

#else

static inline uint64_t sv_load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void sv_store_release(uint64_t *p, uint64_t value) { __atomic_store_n(p, value, __ATOMIC_RELEASE); }
static inline uint64_t sv_load_relaxed(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void sv_store_relaxed(uint64_t *p, uint64_t value) { __atomic_store_n(p, value, __ATOMIC_RELAXED); }

static inline int sv_try_take(uint64_t *flag) { return __atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE) == 0; }

#endif

/* The cache line of p is read soon. */
#if defined(_MSC_VER)
#if defined(_M_ARM64)
static inline void sv_prefetch(const void *p) { __prefetch(p); }
#else
#include <xmmintrin.h>
static inline void sv_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
#endif
#else
static inline void sv_prefetch(const void *p) { __builtin_prefetch(p); }
#endif

/* Gives back what sv_try_take took; a flag is never waited for. */
static inline void sv_give_back(uint64_t *flag) { sv_store_release(flag, 0); }

/* A counter that one thread writes and any thread reads: no read-modify-write needed. */
static inline void sv_count(uint64_t *counter, uint64_t more) {
    sv_store_relaxed(counter, sv_load_relaxed(counter) + more);
}

#endif
