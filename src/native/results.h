/* A queue of a fixed size from whoever renders a mixer to the engine: what became of marks.
 *
 * Realtime: yes. Thread: sv_results_push whoever has the mixer, sv_results_pop engine, one at a time.
 */
#ifndef SOTTOVOCE_RESULTS_H
#define SOTTOVOCE_RESULTS_H

#include "atomics.h"

enum { SV_RESULTS = 1024, SV_MARKS = 16 /* that wait in a source */ };

typedef enum { SV_PASSED, SV_FLUSHED, SV_REFUSED } sv_result_kind;

typedef struct {
    uint64_t mark;
    uint64_t generation;
    uint64_t ns;       /* when it left the mixer */
    uint64_t delay_ns; /* from then to its being heard, as the host says; 0 if it does not know */
    sv_result_kind kind;
} sv_result;

typedef struct {
    uint64_t head; /* written by the callback */
    uint64_t lost; /* likewise: for want of room */
    char pad_0[SV_CACHE_LINE];
    uint64_t tail; /* written by the engine */
    char pad_1[SV_CACHE_LINE];
    sv_result slots[SV_RESULTS];
} sv_results;

static inline void sv_results_push(sv_results *results, const sv_result *result) {
    const uint64_t head = sv_load_relaxed(&results->head);
    if (head - sv_load_acquire(&results->tail) >= SV_RESULTS) {
        sv_count(&results->lost, 1);
        return;
    }
    results->slots[head % SV_RESULTS] = *result;
    sv_store_release(&results->head, head + 1); /* pairs with sv_results_pop */
}

/* Returns 0 if the queue is empty. */
static inline int sv_results_pop(sv_results *results, sv_result *result) {
    const uint64_t tail = sv_load_relaxed(&results->tail);
    if (sv_load_acquire(&results->head) == tail) return 0;
    *result = results->slots[tail % SV_RESULTS];
    sv_store_release(&results->tail, tail + 1);
    return 1;
}

#endif
