/* What ALSA's library has to say of an underrun, it writes to stderr, across whatever is on the screen. This takes its
 * place: it counts, in whichever thread ALSA calls it, the realtime one included.
 */
#ifndef SOTTOVOCE_HOSTLOG_H
#define SOTTOVOCE_HOSTLOG_H

#include <stdarg.h>
#include <stdint.h>

#include "atomics.h"

static uint64_t sv_host_messages;

/* snd_lib_error_handler_t. Realtime: yes. Thread: any; several at once may lose a count, never more. */
static void sv_host_message(const char *file, int line, const char *function, int error, const char *format, ...) {
    (void)file, (void)line, (void)function, (void)error, (void)format;
    sv_count(&sv_host_messages, 1);
}

#endif
