/* The tables of a ratio: fixed panels, or cubics between the phases; made once for a stream, then only read. */
#ifndef SOTTOVOCE_POLYPHASE_PLAN_H
#define SOTTOVOCE_POLYPHASE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/prototypes.h"

/* Outputs start .. start + 15 of a period come from one panel; a mirrored group walks its input backward and gives
 * them in reverse. Lanes outside low .. high belong to a neighbour that overlaps. */
typedef struct {
    int32_t start, low, high;
    int64_t input;   /* where the first row's input is, from the first input of the period */
    int mirrored;
} sv_group;

typedef struct {
    uint32_t up, down;       /* the ratio, reduced */
    int wide;                /* double, not float */
    int64_t reach;           /* half the filter's length: this many input frames / (2 * up) */
    int64_t ahead;           /* n input frames allow (2 * up * n - ahead) / (2 * down) outputs */

    /* fixed panels; `panels` is 0 if the ratio is interpolated */
    uint32_t panels, groups; /* group g uses panel g, or groups - 1 - g beyond the last panel */
    uint32_t outs, ins;      /* frames of a period */
    int64_t lead;            /* the grid of groups begins so many frames before output 0 */
    size_t half;             /* rows of a half panel */
    size_t edge;             /* the outermost of them that are zero in the eight lanes further in, in all panels */
    sv_group *group;

    /* interpolated */
    uint32_t rows;           /* of the table, from phase 0 to 1 */
    size_t blocks;           /* of SV_LANES taps in a row */

    int64_t before, after;   /* frames that are read before the newest ones and beyond them */
    size_t bytes;
    void *table;             /* aligned to 64 */
} sv_plan;

/* 0, or -1 if there is no memory; what `plan` holds is to be given to sv_plan_free either way. */
int sv_plan_make(sv_plan *plan, const sv_prototype *prototype, uint32_t in_samplerate, uint32_t out_samplerate);
/* The same, interpolated whatever the ratio: for ratios that change. */
int sv_plan_make_blended(sv_plan *plan, const sv_prototype *prototype, uint32_t in_samplerate,
                         uint32_t out_samplerate);
void sv_plan_free(sv_plan *plan);

/* Memory aligned to 64 bytes, zeroed and mapped; NULL if there is none. */
void *sv_new_aligned(size_t bytes);
void sv_free_aligned(void *memory);

#endif
