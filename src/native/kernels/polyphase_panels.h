/* Output frames from fixed panels: which columns share a panel, in what tiles they are made, and where they go.
 *
 * Realtime: yes. Thread: any; nothing here keeps state.
 */
#ifndef SOTTOVOCE_POLYPHASE_PANELS_H
#define SOTTOVOCE_POLYPHASE_PANELS_H

#include <stdint.h>

#include "kernels/polyphase_plan.h"

typedef struct {
    const char *buffer; /* interleaved: float, or double if the plan is wide */
    int64_t first;      /* which input frame it begins with */
    uint32_t channels;
} sv_panels_input;

/* Frames emitted .. emitted + count - 1 of the stream, at least one; the buffer holds what the plan reads
 * `before` and `after`. */
void sv_panels_give(const sv_plan *plan, const sv_panels_input *input, int64_t emitted, int64_t count, float *out);

#endif
