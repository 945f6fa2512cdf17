/* A stream whose ratio may change while it runs: between two clocks that drift, one of them is followed.
 *
 * The filter is that of the nominal ratio, as a table of cubics between the phases (see polyphase_plan.h). The position is
 * a whole input frame and a fraction of 2**-48, the step likewise; it changes by a fixed amount in every output frame
 * until it is what was asked for. Integers all, so that no cutting into blocks can change a bit.
 *
 * Realtime: sv_variable_new and _free no, all else yes. Thread: one at a time.
 */
#ifndef SOTTOVOCE_POLYPHASE_VARIABLE_H
#define SOTTOVOCE_POLYPHASE_VARIABLE_H

#include <stdint.h>

typedef struct sv_variable sv_variable;

/* NULL if there is no memory. */
sv_variable *sv_variable_new(int tier, uint32_t in_samplerate, uint32_t out_samplerate, uint32_t channels);
void sv_variable_free(sv_variable *stream);
/* Forgets all input; the ratio stays what it is to become. */
void sv_variable_reset(sv_variable *stream);

/* Input frames for each output frame, reached after so many output frames. */
void sv_variable_set_step(sv_variable *stream, double step, int64_t slew_frames);
double sv_variable_step(const sv_variable *stream);
/* Input frames that the newest output is behind the newest input, at most. */
double sv_variable_latency(const sv_variable *stream);

int64_t sv_variable_out_frames(const sv_variable *stream, int64_t in_frames);
int64_t sv_variable_process(sv_variable *stream, const float *x, int64_t in_frames, float *out);
/* Frames whose middle is within the input so far, and giving them, as if silence followed; then the stream is as new. */
int64_t sv_variable_flush_frames(const sv_variable *stream);
int64_t sv_variable_flush(sv_variable *stream, float *out);

#endif
