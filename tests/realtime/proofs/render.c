/* Calls callbacks in plain threads, as PortAudio does, for ThreadSanitizer to watch: one plays, one captures. */
#include <pthread.h>
#include <stdint.h>

typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);

enum { FRAMES = 64, CHANNELS = 2 };

typedef struct {
    callback *called;
    void *userdata;
    pthread_t thread;
    int stop;
    uint64_t blocks;
} caller;

static void *call_until_stopped(void *argument) {
    caller *self = argument;
    float input[FRAMES * CHANNELS], output[FRAMES * CHANNELS];
    for (int i = 0; i < FRAMES * CHANNELS; i++) input[i] = (float)(i / 32 % 2) - 0.5f; /* loud, and not flat */
    while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
        self->called(input, output, FRAMES, 0, 0, self->userdata);
        __atomic_fetch_add(&self->blocks, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

int start(caller *self) { return pthread_create(&self->thread, 0, call_until_stopped, self); }

uint64_t stop(caller *self) {
    __atomic_store_n(&self->stop, 1, __ATOMIC_RELAXED);
    pthread_join(self->thread, 0);
    return self->blocks;
}
