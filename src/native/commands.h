/* A queue of commands of a fixed size from the engine (one sender at a time, by a lock of its own) to the callback.
 *
 * Realtime: yes. Thread: sv_commands_push engine, sv_commands_pop callback.
 */
#ifndef SOTTOVOCE_COMMANDS_H
#define SOTTOVOCE_COMMANDS_H

#include "atomics.h"

enum { SV_COMMANDS = 256 };

typedef enum { SV_ADD, SV_REMOVE, SV_GAIN, SV_DUCK, SV_PAUSE, SV_RESUME, SV_YIELD, SV_MARK, SV_FENCE } sv_command_kind;

typedef struct {
    void *subject;   /* a source; of SV_YIELD an activity, or NULL */
    float value;     /* of SV_GAIN and SV_DUCK: the gain to reach; of SV_YIELD: that of a source that yields,
                      * below 0 if it pauses */
    uint32_t frames; /* of SV_GAIN and SV_DUCK: the length of the ramp; of SV_YIELD: its serial number */
    sv_command_kind kind;
    uint64_t mark;       /* of SV_MARK and SV_FENCE: its number */
    uint64_t frame;      /* of SV_MARK: what comes before it is played when the mark is passed */
    uint64_t generation; /* of SV_MARK: of what comes before it */
} sv_command;

typedef struct {
    uint64_t head; /* written by the sender */
    char pad_0[SV_CACHE_LINE];
    uint64_t tail; /* written by the callback */
    char pad_1[SV_CACHE_LINE];
    sv_command slots[SV_COMMANDS];
} sv_commands;

/* Returns 0 if the queue is full. */
static inline int sv_commands_push(sv_commands *commands, const sv_command *command) {
    const uint64_t head = sv_load_relaxed(&commands->head);
    if (head - sv_load_acquire(&commands->tail) >= SV_COMMANDS) return 0;
    commands->slots[head % SV_COMMANDS] = *command;
    sv_store_release(&commands->head, head + 1); /* pairs with sv_commands_pop */
    return 1;
}

/* Returns 0 if the queue is empty. */
static inline int sv_commands_pop(sv_commands *commands, sv_command *command) {
    const uint64_t tail = sv_load_relaxed(&commands->tail);
    if (sv_load_acquire(&commands->head) == tail) return 0;
    *command = commands->slots[tail % SV_COMMANDS];
    sv_store_release(&commands->tail, tail + 1);
    return 1;
}

#endif
