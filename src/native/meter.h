/* How loud a stream is, for whoever looks ten times a second and wants to miss nothing: the peak jumps up at once and
 * falls slowly, the mean square is smoothed. One thread writes, any thread reads.
 *
 * The peak falls 20 dB in 1.7 s, as that of a peak programme meter of type I (IEC 60268-10). The mean square is
 * weighted exponentially with 125 ms, time weighting F of a sound level meter (IEC 61672-1).
 *
 * Realtime: yes. Thread: sv_meter_note callback, sv_meter_read any.
 */
#ifndef SOTTOVOCE_METER_H
#define SOTTOVOCE_METER_H

#include <math.h>
#include <string.h>

#include "atomics.h"
#include "kernels/kernels.h"

#define SV_METER_FALL_DB_PER_S (20.0 / 1.7)
#define SV_METER_TIME_CONSTANT_S 0.125
#define SV_METER_FLOOR 1e-9 /* -180 dB: below it is silence, before slow denormal numbers begin */

typedef struct {
    float peak;
    float mean_square;
} sv_meter_reading;

typedef struct {
    uint64_t reading; /* both floats of sv_meter_reading, so that none is ever seen without the other */
    uint64_t frames;  /* that the factors are for */
    double samplerate;
    double peak_factor;
    double square_factor;
    double peak;
    double mean_square;
} sv_meter;

/* Takes note of a block: of so many frames, with so many samples that add up to the level. */
static inline void sv_meter_note(sv_meter *meter, uint64_t frames, uint64_t samples, const sv_level *level) {
    if (frames != meter->frames) { /* seldom: blocks are of one length */
        const double block_s = (double)frames / meter->samplerate;
        meter->frames = frames;
        meter->peak_factor = pow(10.0, -SV_METER_FALL_DB_PER_S / 20.0 * block_s);
        meter->square_factor = exp(-block_s / SV_METER_TIME_CONSTANT_S);
    }
    const double mean_square = samples ? level->squares / (double)samples : 0.0;
    meter->peak *= meter->peak_factor;
    if (meter->peak < SV_METER_FLOOR) meter->peak = 0.0;
    if ((double)level->peak > meter->peak) meter->peak = (double)level->peak;
    meter->mean_square = mean_square + (meter->mean_square - mean_square) * meter->square_factor;
    if (meter->mean_square < SV_METER_FLOOR * SV_METER_FLOOR) meter->mean_square = 0.0;
    const sv_meter_reading now = {(float)meter->peak, (float)meter->mean_square};
    uint64_t word;
    memcpy(&word, &now, sizeof(word));
    sv_store_relaxed(&meter->reading, word);
}

static inline sv_meter_reading sv_meter_read(const sv_meter *meter) {
    const uint64_t word = sv_load_relaxed(&meter->reading);
    sv_meter_reading reading;
    memcpy(&reading, &word, sizeof(reading));
    return reading;
}

#endif
