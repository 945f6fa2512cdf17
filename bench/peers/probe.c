/* Stands between PortAudio and a callback, whoever wrote it, and measures it from outside: with the wait for the GIL, if
 * it waits for one. Each duration is kept, so that percentiles are exact.
 */
#include <math.h>
#include <stdint.h>
#include <time.h>

typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);
typedef void finished(void *);

enum { QUIET_FRAMES = 8 }; /* that end a block that ends in silence */

typedef struct {
    callback *called;
    finished *finished;
    void *userdata;
    uint64_t *durations_ns;
    uint64_t capacity;
    uint64_t channels;
    uint64_t blocks;        /* called so far; durations are there for all before it, up to the capacity */
    uint64_t silent_since;  /* when the block was done that ended in silence, in ns; 0 while it sounds */
    float largest_step;     /* between neighbouring frames of the first channel */
    float last;
} probe;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int ends_in_silence(const float *x, unsigned long frames, uint64_t channels) {
    const unsigned long quiet = frames < QUIET_FRAMES ? frames : QUIET_FRAMES;
    for (uint64_t i = (frames - quiet) * channels; i < frames * channels; i++)
        if (x[i] != 0.0f) return 0;
    return 1;
}

static void look(probe *self, const float *x, unsigned long frames, uint64_t done_ns) {
    for (unsigned long frame = 0; frame < frames; frame++) {
        const float step = fabsf(x[frame * self->channels] - self->last);
        if (step > self->largest_step) self->largest_step = step;
        self->last = x[frame * self->channels];
    }
    if (!ends_in_silence(x, frames, self->channels))
        __atomic_store_n(&self->silent_since, 0, __ATOMIC_RELEASE);
    else if (self->silent_since == 0)
        __atomic_store_n(&self->silent_since, done_ns, __ATOMIC_RELEASE);
}

int probe_callback(const void *input, void *output, unsigned long frames, const void *times, unsigned long flags,
                   void *userdata) {
    probe *self = userdata;
    const uint64_t started_ns = now_ns();
    const int result = self->called(input, output, frames, times, flags, self->userdata);
    const uint64_t done_ns = now_ns();
    if (self->blocks < self->capacity) self->durations_ns[self->blocks] = done_ns - started_ns;
    __atomic_store_n(&self->blocks, self->blocks + 1, __ATOMIC_RELEASE);
    look(self, output, frames, done_ns);
    return result;
}

/* PortAudio hands the same userdata to both callbacks of a stream. */
void probe_finished(void *userdata) {
    probe *self = userdata;
    if (self->finished) self->finished(self->userdata);
}
