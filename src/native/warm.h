/* A device that sleeps while nothing sounds (Bluetooth, HDMI) swallows the beginning of what comes next. So after a
 * silence, and when a stream was opened, sound is held back for a while, which is filled with noise: many devices tell
 * sound from silence by the digital zero alone. One step of 16 bits to either side of it: about -89 dBFS.
 *
 * Realtime: yes. Thread: callback; the settings are written before the stream starts.
 */
#ifndef SOTTOVOCE_WARM_H
#define SOTTOVOCE_WARM_H

#include <stdint.h>

#define SV_WARM_PEAK 0x1p-14f /* 2^-14, two steps of 16 bits */

typedef struct {
    int64_t lead_in_frames;      /* 0: the device does not sleep */
    int64_t sleeps_after_frames; /* of silence */
    int32_t keeps_warm;          /* noise in every silence, so that it does not fall asleep at all */
    int32_t asleep;
    int64_t silent_frames;
    int64_t lead_left_frames; /* 0: not waking it */
    uint32_t random;
} sv_warm;

static inline void sv_warm_noise(sv_warm *warm, float *out, int64_t samples) {
    uint32_t random = warm->random;
    for (int64_t i = 0; i < samples; i++) {
        random = random * 1664525u + 1013904223u; /* Numerical Recipes, 7.1: good enough not to be heard as a tone */
        out[i] = (float)(int32_t)random * (SV_WARM_PEAK / 2147483648.0f);
    }
    warm->random = random;
}

/* After a block in which sound was held back; `waits`: there was some. What is kept warm is woken up
 * as soon as it is opened. */
static inline void sv_warm_held(sv_warm *warm, int waits, float *out, int64_t frames, uint32_t channels) {
    if ((waits || warm->keeps_warm) && warm->lead_left_frames <= 0) warm->lead_left_frames = warm->lead_in_frames;
    if (warm->lead_left_frames > 0 || warm->keeps_warm) sv_warm_noise(warm, out, frames * channels);
    if (warm->lead_left_frames <= 0) return;
    warm->lead_left_frames -= frames;
    if (warm->lead_left_frames > 0) return;
    warm->lead_left_frames = 0;
    warm->silent_frames = 0;
    warm->asleep = 0;
}

/* After a block in which sound was not held back. */
static inline void sv_warm_rendered(sv_warm *warm, int sounded, float *out, int64_t frames, uint32_t channels) {
    if (sounded) {
        warm->silent_frames = 0;
        return;
    }
    warm->silent_frames += frames;
    warm->asleep = warm->lead_in_frames > 0 && !warm->keeps_warm && warm->silent_frames >= warm->sleeps_after_frames;
    if (warm->keeps_warm) sv_warm_noise(warm, out, frames * channels);
}

#endif
