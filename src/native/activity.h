/* Whether somebody speaks into a microphone, decided in the capture callback: a level over an absolute threshold and over
 * the noise, of a spectrum that is not flat. Voices are far from flat; noise of all kinds, and the click of a key, is not.
 *
 * It is fast before it is wise: what one block says counts at once. A hum or a knock that is louder than the noise about
 * it passes for a voice until the noise floor has risen to it. No Python.h: the callback that plays is told through one
 * word of memory, so that no thread of Python stands between a word spoken and a voice that yields.
 *
 * Realtime: yes. Thread: sv_detector_* capture callback, sv_activity_until any.
 */
#ifndef SOTTOVOCE_ACTIVITY_H
#define SOTTOVOCE_ACTIVITY_H

#include <math.h>
#include <string.h>

#include "atomics.h"

/* What the callbacks of both directions and the engine share; whoever uses it keeps it alive. */
typedef struct {
    /* Written by the engine. */
    uint64_t wanted;    /* by how many: at 0 nothing is computed */
    uint64_t threshold; /* mean square, the bits of a double, as the next */
    uint64_t margin;    /* how many times the noise floor */
    uint64_t hold_ns;
    char pad_0[SV_CACHE_LINE];
    /* Written by the capture callback. */
    uint64_t until_ns; /* somebody speaks, or did a moment ago, until then; so a stream that dies does not hold on to it */
    uint64_t activations;
    uint64_t active_blocks;
    uint64_t floor; /* of the noise, the bits of a double: where the next stream begins; 0 before the first block */
    char pad_1[SV_CACHE_LINE];
} sv_activity;

static inline double sv_load_double(const uint64_t *p) {
    const uint64_t bits = sv_load_relaxed(p);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline void sv_store_double(uint64_t *p, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    sv_store_relaxed(p, bits);
}

enum {
    SV_DETECTOR_HZ = 16000,   /* about: it looks at the mean of as many frames as come nearest; white noise stays white */
    SV_DETECTOR_WINDOW = 256, /* 16 ms: two periods of a low voice */
    SV_DETECTOR_ORDER = 8
};

#define SV_DETECTOR_HIGH_PASS_HZ 120.0
#define SV_DETECTOR_FLATNESS 0.35     /* at most; of white noise 0.97, of vowels below 0.1 */
#define SV_DETECTOR_NEIGHBOURS 0.5    /* at least; of vowels above 0.8, of what rings at 3 kHz 0.4 */
#define SV_DETECTOR_LEAST_FLOOR 1e-9  /* -90 dBFS: a digital silence is no measure of noise */
#define SV_DETECTOR_FIRST_FLOOR 1e-6  /* -60 dBFS: somebody may be speaking when a stream begins */
#define SV_DETECTOR_FALL_S 0.05       /* time constant of a floor that was too high: a breath is enough */
#define SV_DETECTOR_RISE_DB_PER_S 20.0
#define SV_DETECTOR_RISE_ACTIVE_DB_PER_S 3.0 /* slower than speech pauses, faster than a person waits for a hum to end */

typedef struct {
    uint32_t decimation; /* frames of the stream to one sample here */
    uint32_t collected;
    double mean;
    double b0, b1, b2, a1, a2, z1, z2; /* the high-pass */
    double sample_s;
    double floor; /* mean square */
    uint32_t place;
    uint32_t fresh; /* samples since the last decision */
    float window[SV_DETECTOR_WINDOW];
} sv_detector;

/* The high-pass: R. Bristow-Johnson, Cookbook formulae for audio EQ biquad filter coefficients; Q of Butterworth. */
static inline void sv_detector_init(sv_detector *detector, double samplerate) {
    memset(detector, 0, sizeof(*detector));
    detector->decimation = (uint32_t)(samplerate / SV_DETECTOR_HZ + 0.5);
    if (detector->decimation == 0) detector->decimation = 1;
    detector->sample_s = (double)detector->decimation / samplerate;
    detector->floor = SV_DETECTOR_FIRST_FLOOR;
    const double w = 2.0 * 3.14159265358979323846 * SV_DETECTOR_HIGH_PASS_HZ * detector->sample_s;
    const double c = cos(w), alpha = sin(w) / (2.0 * 0.70710678118654752), a0 = 1.0 + alpha;
    detector->b0 = detector->b2 = (1.0 + c) / 2.0 / a0;
    detector->b1 = -(1.0 + c) / a0;
    detector->a1 = -2.0 * c / a0;
    detector->a2 = (1.0 - alpha) / a0;
}

static inline void sv_detector_push(sv_detector *detector, double value) {
    const double y = detector->b0 * value + detector->z1; /* transposed direct form II */
    detector->z1 = detector->b1 * value - detector->a1 * y + detector->z2;
    detector->z2 = detector->b2 * value - detector->a2 * y;
    detector->window[detector->place] = (float)y;
    detector->place = (detector->place + 1) % SV_DETECTOR_WINDOW;
    detector->fresh++;
}

static inline double sv_detector_mean_square(const sv_detector *detector) {
    double sum = 0.0;
    for (int i = 0; i < SV_DETECTOR_WINDOW; i++) sum += (double)detector->window[i] * (double)detector->window[i];
    return sum / SV_DETECTOR_WINDOW;
}

/* What a voiced sound has: its neighbouring samples are alike, and it can be predicted. Both features are those of
 * B. Atal, L. Rabiner, A pattern recognition approach to voiced-unvoiced-silence classification, IEEE Trans. ASSP 24
 * (1976).
 *
 * Spectral flatness as the normalised error of linear prediction, which is the ratio of the geometric to the arithmetic
 * mean of the power spectrum as the order grows: J. Makhoul, Linear prediction: a tutorial review, Proc. IEEE 63 (1975);
 * by autocorrelation and the recursion of Levinson and Durbin given there. The window is not tapered: the newest samples
 * decide. 1 is flat. */
static inline int sv_detector_is_voiced(const sv_detector *detector) {
    float x[SV_DETECTOR_WINDOW];
    double r[SV_DETECTOR_ORDER + 1] = {0.0}, a[SV_DETECTOR_ORDER + 1] = {0.0}, before[SV_DETECTOR_ORDER + 1];
    const uint32_t place = detector->place;
    memcpy(x, detector->window + place, (SV_DETECTOR_WINDOW - place) * sizeof(float));
    memcpy(x + SV_DETECTOR_WINDOW - place, detector->window, place * sizeof(float));
    for (int lag = 0; lag <= SV_DETECTOR_ORDER; lag++) {
        for (int i = lag; i < SV_DETECTOR_WINDOW; i++) r[lag] += (double)x[i] * (double)x[i - lag];
    }
    if (!(r[1] > SV_DETECTOR_NEIGHBOURS * r[0])) return 0;
    double error = r[0];
    for (int order = 1; order <= SV_DETECTOR_ORDER && error > 1e-9 * r[0]; order++) {
        double reflection = r[order];
        for (int i = 1; i < order; i++) reflection -= a[i] * r[order - i];
        reflection /= error;
        memcpy(before, a, sizeof(a));
        for (int i = 1; i < order; i++) a[i] = before[i] - reflection * before[order - i];
        a[order] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    return error < SV_DETECTOR_FLATNESS * r[0];
}

/* The floor follows what is below it soon, and what is above it slowly: it is the level between words. */
static inline void sv_detector_follow(sv_detector *detector, double power, int active, double passed_s) {
    double *floor_power = &detector->floor;
    if (power < *floor_power) {
        const double part = passed_s / SV_DETECTOR_FALL_S;
        *floor_power += (power - *floor_power) * (part < 1.0 ? part : 1.0);
    } else {
        const double db_per_s = active ? SV_DETECTOR_RISE_ACTIVE_DB_PER_S : SV_DETECTOR_RISE_DB_PER_S;
        *floor_power *= 1.0 + 0.23025850929940457 * db_per_s * passed_s; /* ln(10) / 10: a step is a few ms */
        if (*floor_power > power) *floor_power = power;
    }
    if (*floor_power < SV_DETECTOR_LEAST_FLOOR) *floor_power = SV_DETECTOR_LEAST_FLOOR;
}

/* Listens to frames, at most a window of them at its own rate; says whether they are a voice's. */
static inline int sv_detector_hear(sv_detector *detector, const float *x, int64_t frames, uint32_t channels,
                                   double threshold, double margin) {
    for (int64_t frame = 0; frame < frames; frame++) {
        double sum = 0.0;
        for (uint32_t channel = 0; channel < channels; channel++) sum += (double)x[frame * channels + channel];
        detector->mean += sum;
        if (++detector->collected < detector->decimation) continue;
        sv_detector_push(detector, detector->mean / ((double)detector->decimation * channels));
        detector->mean = 0.0;
        detector->collected = 0;
    }
    if (detector->fresh == 0) return 0;
    if (fabs(detector->z1) + fabs(detector->z2) < 1e-30) detector->z1 = detector->z2 = 0.0; /* denormals are slow */
    const double power = sv_detector_mean_square(detector);
    const int active = power > threshold && power > margin * detector->floor &&
                       sv_detector_is_voiced(detector);
    sv_detector_follow(detector, power, active, detector->fresh * detector->sample_s);
    detector->fresh = 0;
    return active;
}

/* Begin where the stream before has left off: a hum that was known as noise is not taken for a voice again. */
static inline void sv_detector_go_on(sv_detector *detector, const sv_activity *activity) {
    const double floor = sv_load_double(&activity->floor);
    if (floor > 0.0) detector->floor = floor;
}

/* Takes note of how loud the noise is, and of a block of speech. */
static inline void sv_activity_note(sv_activity *activity, const sv_detector *detector, int active, uint64_t now_ns) {
    sv_store_double(&activity->floor, detector->floor);
    if (!active) return;
    if (now_ns >= sv_load_relaxed(&activity->until_ns)) sv_count(&activity->activations, 1);
    sv_count(&activity->active_blocks, 1);
    sv_store_release(&activity->until_ns, now_ns + sv_load_relaxed(&activity->hold_ns));
}

/* True while somebody speaks, or did within the hold. */
static inline int sv_activity_lasts(const sv_activity *activity, uint64_t now_ns) {
    return now_ns < sv_load_acquire(&activity->until_ns);
}

#endif
