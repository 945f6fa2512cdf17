/* A ring of float32 frames between one producer thread and one consumer thread. No Python.h: sanitizers build it alone.
 *
 * head and tail count frames since the start and never wrap in practice (2**64 frames); the place of a frame in memory
 * is its count modulo the capacity, a power of two. Each side owns one index, stores it with release after it has
 * touched the frames, and keeps a copy of the other's, which it refreshes only when the copy says there is not enough.
 *
 * Realtime: yes. Thread: sv_ring_*write* and sv_ring_space producer, sv_ring_*read* consumer, the rest any.
 */
#ifndef SOTTOVOCE_RING_H
#define SOTTOVOCE_RING_H

#include <stddef.h>
#include <string.h>

#include "atomics.h"

/* What sv_ring_prefetch asks for at a time: the samples of one cache line of x86-64. */
enum { SV_PREFETCH_SAMPLES = 64 / sizeof(float) };

typedef struct {
    float *data;
    uint64_t capacity; /* frames, a power of two */
    uint64_t channels;
    char pad_0[SV_CACHE_LINE];
    uint64_t head;        /* written by the producer */
    uint64_t cached_tail; /* the producer's copy of tail */
    char pad_1[SV_CACHE_LINE];
    uint64_t tail;        /* written by the consumer */
    uint64_t cached_head; /* the consumer's copy of head */
    char pad_2[SV_CACHE_LINE];
} sv_ring;

/* Up to two stretches of memory that together are the oldest frames of a ring, or its free room. */
typedef struct {
    float *first, *second;
    uint64_t first_frames, second_frames;
} sv_ring_span;

static inline void sv_ring_init(sv_ring *ring, float *data, uint64_t capacity, uint64_t channels) {
    memset(ring, 0, sizeof(*ring));
    ring->data = data;
    ring->capacity = capacity;
    ring->channels = channels;
}

static inline sv_ring_span sv_ring_span_at(const sv_ring *ring, uint64_t index, uint64_t frames) {
    const uint64_t place = index & (ring->capacity - 1);
    const uint64_t to_end = ring->capacity - place;
    sv_ring_span span;
    span.first = ring->data + place * ring->channels;
    span.first_frames = frames < to_end ? frames : to_end;
    span.second = ring->data;
    span.second_frames = frames - span.first_frames;
    return span;
}

/* Frames that can be written now; `enough` spares a look at the consumer's cache line. */
static inline uint64_t sv_ring_space(sv_ring *ring, uint64_t enough) {
    const uint64_t head = sv_load_relaxed(&ring->head);
    uint64_t space = ring->capacity - (head - ring->cached_tail);
    if (space < enough) {
        ring->cached_tail = sv_load_acquire(&ring->tail); /* pairs with sv_ring_read_done */
        space = ring->capacity - (head - ring->cached_tail);
    }
    return space;
}

/* Writes as many of the frames as there is room for, and returns how many. */
static inline uint64_t sv_ring_write(sv_ring *ring, const float *x, uint64_t frames) {
    const uint64_t space = sv_ring_space(ring, frames);
    if (frames > space) frames = space;
    const uint64_t head = sv_load_relaxed(&ring->head);
    const sv_ring_span span = sv_ring_span_at(ring, head, frames);
    const size_t first = (size_t)(span.first_frames * ring->channels);
    memcpy(span.first, x, first * sizeof(float));
    memcpy(span.second, x + first, (size_t)(span.second_frames * ring->channels) * sizeof(float));
    sv_store_release(&ring->head, head + frames); /* pairs with sv_ring_ready */
    return frames;
}

/* Frames that can be read now; `enough` spares a look at the producer's cache line. */
static inline uint64_t sv_ring_ready(sv_ring *ring, uint64_t enough) {
    const uint64_t tail = sv_load_relaxed(&ring->tail);
    uint64_t ready = ring->cached_head - tail;
    if (ready < enough) {
        ring->cached_head = sv_load_acquire(&ring->head); /* pairs with sv_ring_write */
        ready = ring->cached_head - tail;
    }
    return ready;
}

/* The oldest frames, in place; at most sv_ring_ready of them. */
static inline sv_ring_span sv_ring_read_span(const sv_ring *ring, uint64_t frames) {
    return sv_ring_span_at(ring, sv_load_relaxed(&ring->tail), frames);
}

/* The oldest frames are read soon: asking for their cache lines ahead hides most of the time that they take to come. */
static inline void sv_ring_prefetch(const sv_ring *ring, uint64_t frames) {
    const sv_ring_span span = sv_ring_read_span(ring, frames < ring->capacity ? frames : ring->capacity);
    const uint64_t first = span.first_frames * ring->channels, second = span.second_frames * ring->channels;
    for (uint64_t i = 0; i < first; i += SV_PREFETCH_SAMPLES) sv_prefetch(span.first + i);
    for (uint64_t i = 0; i < second; i += SV_PREFETCH_SAMPLES) sv_prefetch(span.second + i);
}

/* Gives the room of the oldest frames back to the producer. */
static inline void sv_ring_read_done(sv_ring *ring, uint64_t frames) {
    sv_store_release(&ring->tail, sv_load_relaxed(&ring->tail) + frames);
}

/* Reads as many frames as there are, at most `frames`, and returns how many. */
static inline uint64_t sv_ring_read(sv_ring *ring, float *out, uint64_t frames) {
    const uint64_t ready = sv_ring_ready(ring, frames);
    if (frames > ready) frames = ready;
    const sv_ring_span span = sv_ring_read_span(ring, frames);
    const size_t first = (size_t)(span.first_frames * ring->channels);
    memcpy(out, span.first, first * sizeof(float));
    memcpy(out + first, span.second, (size_t)(span.second_frames * ring->channels) * sizeof(float));
    sv_ring_read_done(ring, frames);
    return frames;
}

/* From any thread; the tail is loaded first, so that it is never seen ahead of the head. */
static inline uint64_t sv_ring_queued(const sv_ring *ring) {
    const uint64_t tail = sv_load_acquire(&ring->tail);
    const uint64_t queued = sv_load_acquire(&ring->head) - tail;
    return queued < ring->capacity ? queued : ring->capacity; /* both may have moved in between */
}

#endif
