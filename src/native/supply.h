/* Whether a block came too late for what the device's buffer held, judged by time alone: the host's own flags are
 * unreliable (gaps without a flag, flags without a gap).
 *
 * A bucket that time empties and blocks fill: `depth_ns` is how far the buffer is below the fullest that it has been,
 * just before a block. Hosts that ask for several blocks at once (PulseAudio) make it deep by what one burst holds, and
 * fill it up again at once; only a block that comes after the buffer has run dry is late, however the others are spread.
 *
 * What is captured may wait elsewhere, too (in a sound server), and come late and whole. So there, a block is late if
 * for `patience_ns` nothing has made up for what is missing: it is lost.
 *
 * Realtime: yes. Thread: sv_supply_block callback, sv_supply_take_deepest engine (one thread).
 */
#ifndef SOTTOVOCE_SUPPLY_H
#define SOTTOVOCE_SUPPLY_H

#include "atomics.h"

/* The clocks of a device and of the machine part by at most so much (1 / 2048, about 490 ppm). */
enum { SV_SUPPLY_DRIFT_SHIFT = 11 };

typedef struct {
    uint64_t late_after_ns; /* what the buffer holds, written by the engine; 0: not known, nothing is judged */
    uint64_t looks;         /* written by the engine: how often it has taken the deepest */
    uint64_t patience_ns;   /* of a capture; 0 for playback */
    char pad[SV_CACHE_LINE];
    uint64_t late_blocks; /* this and all below: the callback's */
    uint64_t deepest_ns;
    uint64_t looks_seen;
    uint64_t last_ns;
    uint64_t missing_since_ns; /* 0: nothing is missing */
    int64_t depth_ns;
} sv_supply;

/* Whether something is missing by now; `left_ns` is what the newest block has not made up for. */
static inline int sv_supply_is_late(sv_supply *supply, uint64_t late_after_ns, int64_t left_ns, uint64_t block_ns) {
    if (!supply->patience_ns) return left_ns + (int64_t)block_ns > (int64_t)late_after_ns;
    if (left_ns < (int64_t)block_ns) {
        supply->missing_since_ns = 0;
        return 0;
    }
    if (!supply->missing_since_ns) supply->missing_since_ns = supply->last_ns;
    if (supply->last_ns - supply->missing_since_ns < supply->patience_ns) return 0;
    supply->missing_since_ns = 0;
    return 1;
}

static inline void sv_supply_block(sv_supply *supply, uint64_t now_ns, uint64_t block_ns) {
    const uint64_t late_after_ns = sv_load_relaxed(&supply->late_after_ns);
    const uint64_t looks = sv_load_relaxed(&supply->looks);
    const int64_t interval_ns = supply->last_ns ? (int64_t)(now_ns - supply->last_ns) : 0;
    int64_t depth_ns = supply->depth_ns + interval_ns - (interval_ns >> SV_SUPPLY_DRIFT_SHIFT);
    supply->last_ns = now_ns;
    if (looks != sv_load_relaxed(&supply->looks_seen)) {
        sv_store_relaxed(&supply->deepest_ns, 0);
        sv_store_relaxed(&supply->looks_seen, looks);
    }
    if (depth_ns > (int64_t)sv_load_relaxed(&supply->deepest_ns))
        sv_store_relaxed(&supply->deepest_ns, (uint64_t)depth_ns);
    depth_ns -= (int64_t)block_ns;
    if (late_after_ns && sv_supply_is_late(supply, late_after_ns, depth_ns, block_ns)) {
        sv_count(&supply->late_blocks, 1);
        depth_ns = 0; /* the device starts afresh */
    }
    supply->depth_ns = depth_ns > 0 ? depth_ns : 0;
}

/* The deepest since the last call. A block at the same moment may be missed; the next one is not. */
static inline uint64_t sv_supply_take_deepest(sv_supply *supply) {
    const uint64_t looks = sv_load_relaxed(&supply->looks);
    if (sv_load_relaxed(&supply->looks_seen) != looks) return 0; /* no block since then */
    const uint64_t deepest_ns = sv_load_relaxed(&supply->deepest_ns);
    sv_store_relaxed(&supply->looks, looks + 1);
    return deepest_ns;
}

#endif
