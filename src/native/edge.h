/* The two ends of a stream in mid-sound: it rises from silence when it takes over, and decays from its last frame when it
 * is given up, so that neither clicks.
 *
 * Realtime: yes. Thread: callback.
 */
#ifndef SOTTOVOCE_EDGE_H
#define SOTTOVOCE_EDGE_H

#include <stdint.h>
#include <string.h>

enum { SV_EDGE_CHANNELS = 64 };

typedef struct {
    float last[SV_EDGE_CHANNELS]; /* the last frame that was played */
    uint32_t frames;              /* length of either end */
    uint32_t risen;               /* frames of the rise that are behind it */
    uint32_t decayed;
} sv_edge;

/* About 5 ms, as a power of two: then no gain on the way is rounded above 1. */
static inline void sv_edge_init(sv_edge *edge, uint32_t samplerate) {
    memset(edge, 0, sizeof(*edge));
    edge->frames = 1;
    while (2 * edge->frames <= samplerate / 150)
        edge->frames *= 2;
    edge->risen = edge->frames;
}

/* Begin in silence. Only before the stream is started. */
static inline void sv_edge_rise(sv_edge *edge) { edge->risen = 0; }

/* Of each block in which sound is held back: what does not go on, but begins, needs no rise. */
static inline void sv_edge_held(sv_edge *edge, int resumes) {
    if (!resumes) edge->risen = edge->frames;
}

/* Of each block that is played, at least one frame long. */
static inline void sv_edge_played(sv_edge *edge, float *out, int64_t frames, uint32_t channels) {
    for (int64_t n = 0; n < frames && edge->risen < edge->frames; n++) {
        edge->risen++;
        for (uint32_t c = 0; c < channels; c++)
            out[n * channels + c] *= (float)edge->risen / (float)edge->frames;
    }
    memcpy(edge->last, out + (frames - 1) * channels, channels * sizeof(float));
}

/* Of each block once the stream is given up: the decay, and silence. */
static inline void sv_edge_decay(sv_edge *edge, float *out, int64_t frames, uint32_t channels) {
    memset(out, 0, (size_t)frames * channels * sizeof(float));
    for (int64_t n = 0; n < frames && edge->decayed < edge->frames; n++) {
        edge->decayed++;
        for (uint32_t c = 0; c < channels; c++)
            out[n * channels + c] = edge->last[c] * (float)(edge->frames - edge->decayed) / (float)edge->frames;
    }
}

#endif
