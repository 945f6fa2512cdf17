/* Memory that a callback will touch: zeroed, and every page written once, so that no page fault waits in it.
 *
 * Realtime: no. Thread: engine.
 */
#ifndef SOTTOVOCE_MEMORY_H
#define SOTTOVOCE_MEMORY_H

#include <stdlib.h>

/* Returns NULL if there is none; free() frees it. */
static inline void *sv_new(size_t bytes) {
    char *memory = (char *)calloc(1, bytes);
    if (memory == NULL) return NULL;
    for (size_t i = 0; i < bytes; i += 1024) ((volatile char *)memory)[i] = 0; /* calloc maps on the first write */
    return memory;
}

#endif
