/* A stream of the polyphase resampler: blocks of any size in, the same bits out however the input is cut.
 *
 * Frames are intervals: input frame i lasts from i to i + 1 input periods, output frame m likewise, and both streams
 * begin together. Output frame m, whose middle is at t = ((2m + 1) * down - up) / (2 * up) input frames, is the sum of
 * the input frames around it weighted by the tier's prototype; so nothing is shifted, and n input frames become
 * n * up / down frames, rounded to nearest, once the stream is flushed.
 *
 * Ratios of small periods use fixed panels (see polyphase_kernels.h); all others a table of cubics between the phases.
 * All positions are integers.
 *
 * Realtime: sv_polyphase_new and _free no, all else yes. Thread: one at a time.
 */
#ifndef SOTTOVOCE_POLYPHASE_H
#define SOTTOVOCE_POLYPHASE_H

#include <stdint.h>

typedef struct sv_polyphase sv_polyphase;

/* NULL if there is no memory. `tier` is an index below sv_polyphase_tiers; rates and channels are checked by the caller. */
sv_polyphase *sv_polyphase_new(int tier, uint32_t in_samplerate, uint32_t out_samplerate, uint32_t channels);
void sv_polyphase_free(sv_polyphase *stream);
void sv_polyphase_reset(sv_polyphase *stream);

int sv_polyphase_tiers(void);
const char *sv_polyphase_tier_name(int tier);

/* Output frames that so many more input frames give, exactly; the most by which output lags n * up / down. */
int64_t sv_polyphase_out_frames(const sv_polyphase *stream, int64_t in_frames);
double sv_polyphase_latency_frames(const sv_polyphase *stream);

/* Gives sv_polyphase_out_frames(in_frames) frames; `x` and `out` are interleaved. */
int64_t sv_polyphase_process(sv_polyphase *stream, const float *x, int64_t in_frames, float *out);
int64_t sv_polyphase_process_int16(sv_polyphase *stream, const int16_t *x, int64_t in_frames, int16_t *out);

/* What is still held back, as if silence followed; then the stream is as new. */
int64_t sv_polyphase_flush_frames(const sv_polyphase *stream);
int64_t sv_polyphase_flush(sv_polyphase *stream, float *out);
int64_t sv_polyphase_flush_int16(sv_polyphase *stream, int16_t *out);

/* For tests: as if so many whole periods had gone by already. */
void sv_polyphase_advance(sv_polyphase *stream, int64_t periods);
/* 1 if the ratio has fixed panels, 0 if it is interpolated; bytes of its tables. */
int sv_polyphase_is_fixed(const sv_polyphase *stream);
int64_t sv_polyphase_table_bytes(const sv_polyphase *stream);

#endif
