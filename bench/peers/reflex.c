/* A microphone and an earpiece in plain threads, each at its own pace: how many blocks of playback begin from the capture
 * callback being given the first word to the block that is quieter for it.
 */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);

enum { MOST_FRAMES = 4096 };

typedef struct {
    callback *capture, *play;
    void *capture_userdata, *play_userdata;
    const float *quiet, *word; /* a block each, mono */
    uint64_t frames;
    uint64_t blocks_before; /* of quiet */
    uint64_t most_blocks;   /* of playback, after the word; then it is given up */
    uint64_t period_ns;
    uint64_t offset_ns; /* of playback against capture */
    float level;        /* of what is played, constant */
    /* Written by the threads. */
    uint64_t started_ns;
    uint64_t word_ns; /* when the word was given; 0 before */
    uint64_t blocks;
    uint64_t done;
} trial;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wait_until(uint64_t ns) {
    const struct timespec then = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, 0) != 0) continue;
}

static void *capture(void *argument) {
    trial *self = argument;
    for (uint64_t block = 0; !__atomic_load_n(&self->done, __ATOMIC_ACQUIRE); block++) {
        wait_until(self->started_ns + block * self->period_ns);
        const int speaks = block >= self->blocks_before;
        if (block == self->blocks_before) __atomic_store_n(&self->word_ns, now_ns(), __ATOMIC_RELEASE);
        self->capture(speaks ? self->word : self->quiet, 0, self->frames, 0, 0, self->capture_userdata);
    }
    return 0;
}

static void *play(void *argument) {
    trial *self = argument;
    float out[MOST_FRAMES];
    for (uint64_t block = 0; self->blocks <= self->most_blocks; block++) {
        wait_until(self->started_ns + self->offset_ns + block * self->period_ns);
        const uint64_t began_ns = now_ns();
        self->play(0, out, self->frames, 0, 0, self->play_userdata);
        const uint64_t word_ns = __atomic_load_n(&self->word_ns, __ATOMIC_ACQUIRE);
        if (word_ns != 0 && began_ns >= word_ns) self->blocks++;
        if (fabsf(out[self->frames - 1]) < 0.99f * self->level) break;
    }
    __atomic_store_n(&self->done, 1, __ATOMIC_RELEASE);
    return 0;
}

/* Returns the blocks, above most_blocks if it was given up, or -1 if there is no thread to be had. */
int run(trial *self) {
    pthread_t capturing, playing;
    self->started_ns = now_ns() + self->period_ns;
    if (pthread_create(&playing, 0, play, self) != 0) return -1;
    if (pthread_create(&capturing, 0, capture, self) != 0) return -1;
    pthread_join(playing, 0);
    pthread_join(capturing, 0);
    return (int)self->blocks;
}
