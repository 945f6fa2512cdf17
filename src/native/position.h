/* Where a source is, and when that is so, seen together or not at all: a sequence lock with one writer.
 *
 * The order is that of H.-J. Boehm, Can seqlocks get along with programming language memory models? (MSPC 2012), without
 * fences: whoever loads a figure with acquire that was stored with release after the number had become odd sees that.
 *
 * Realtime: yes. Thread: sv_position_write whoever has the mixer, sv_position_read any; a reader never stops the writer.
 */
#ifndef SOTTOVOCE_POSITION_H
#define SOTTOVOCE_POSITION_H

#include "atomics.h"

/* So much of the content of a generation has left, and when: between the two points it moved on evenly. */
typedef struct {
    uint64_t generation;
    uint64_t from_content_ns, from_ns;
    uint64_t to_content_ns, to_ns;
    uint64_t delay_ns; /* from leaving the mixer to being heard, as the host says; 0 if it does not know */
} sv_position;

typedef struct {
    uint64_t number; /* odd while it is written */
    sv_position at;
} sv_position_lock;

static inline void sv_position_write(sv_position_lock *lock, const sv_position *at) {
    const uint64_t number = sv_load_relaxed(&lock->number);
    sv_store_relaxed(&lock->number, number + 1);
    sv_store_release(&lock->at.generation, at->generation); /* pairs with the loads below: the number is odd by then */
    sv_store_release(&lock->at.from_content_ns, at->from_content_ns);
    sv_store_release(&lock->at.from_ns, at->from_ns);
    sv_store_release(&lock->at.to_content_ns, at->to_content_ns);
    sv_store_release(&lock->at.to_ns, at->to_ns);
    sv_store_release(&lock->at.delay_ns, at->delay_ns);
    sv_store_release(&lock->number, number + 2);
}

/* Returns 0 if it was written meanwhile: look again. */
static inline int sv_position_read(const sv_position_lock *lock, sv_position *at) {
    const uint64_t number = sv_load_acquire(&lock->number);
    at->generation = sv_load_acquire(&lock->at.generation);
    at->from_content_ns = sv_load_acquire(&lock->at.from_content_ns);
    at->from_ns = sv_load_acquire(&lock->at.from_ns);
    at->to_content_ns = sv_load_acquire(&lock->at.to_content_ns);
    at->to_ns = sv_load_acquire(&lock->at.to_ns);
    at->delay_ns = sv_load_acquire(&lock->at.delay_ns);
    return number % 2 == 0 && sv_load_relaxed(&lock->number) == number;
}

/* How much was heard by `now_ns`, `latency_ns` after it left the mixer if the host does not know better. */
static inline uint64_t sv_position_heard(const sv_position *at, uint64_t now_ns, uint64_t latency_ns) {
    const uint64_t left_ns = now_ns - (at->delay_ns ? at->delay_ns : latency_ns);
    if ((int64_t)(left_ns - at->to_ns) >= 0) return at->to_content_ns;
    const uint64_t missing_ns = at->to_ns - left_ns;
    return missing_ns < at->to_content_ns - at->from_content_ns ? at->to_content_ns - missing_ns : at->from_content_ns;
}

#endif
