/* A log-linear histogram of durations in nanoseconds: 16 sub-buckets an octave, so at most 1/16 too high.
 *
 * One thread records, with plain loads and stores; any thread reads, at any time, without stopping it.
 * Realtime: yes. Thread: sv_histogram_record one writer, the rest any.
 */
#ifndef SOTTOVOCE_TELEMETRY_H
#define SOTTOVOCE_TELEMETRY_H

#include "atomics.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

enum {
    SV_SUB_BITS = 4,
    SV_SUB_BUCKETS = 1 << SV_SUB_BITS,
    SV_OCTAVES = 40, /* up to 2**43 ns, over two hours */
    SV_BUCKETS = SV_SUB_BUCKETS * SV_OCTAVES
};

typedef struct {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[SV_BUCKETS];
} sv_histogram;

static inline int sv_highest_bit(uint64_t value) {
#if defined(_MSC_VER)
    unsigned long bit;
    _BitScanReverse64(&bit, value);
    return (int)bit;
#else
    return 63 - __builtin_clzll(value);
#endif
}

static inline int sv_bucket_of(uint64_t value_ns) {
    if (value_ns < SV_SUB_BUCKETS) return (int)value_ns;
    const int octave = sv_highest_bit(value_ns) - SV_SUB_BITS; /* >= 0 */
    const int bucket = (octave + 1) * SV_SUB_BUCKETS + (int)((value_ns >> octave) - SV_SUB_BUCKETS);
    return bucket < SV_BUCKETS ? bucket : SV_BUCKETS - 1;
}

/* The largest value that falls into a bucket. */
static inline uint64_t sv_bucket_limit(int bucket) {
    if (bucket < SV_SUB_BUCKETS) return (uint64_t)bucket;
    const int octave = bucket / SV_SUB_BUCKETS - 1;
    return (((uint64_t)(bucket % SV_SUB_BUCKETS) + SV_SUB_BUCKETS + 1) << octave) - 1;
}

static inline void sv_histogram_record(sv_histogram *histogram, uint64_t value_ns) {
    sv_count(&histogram->buckets[sv_bucket_of(value_ns)], 1);
    sv_count(&histogram->sum_ns, value_ns);
    if (value_ns > sv_load_relaxed(&histogram->max_ns)) sv_store_relaxed(&histogram->max_ns, value_ns);
    sv_store_release(&histogram->count, sv_load_relaxed(&histogram->count) + 1);
}

#endif
