/* Prints a digest of what every tier makes of the same noise: to compare machines that this one is not. */
#include "kernels/kernels.h"
#include "kernels/polyphase.h"
#include "kernels/polyphase_kernels.h"
#include "kernels/polyphase_variable.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FRAMES = 3000, ROOM = 12000 };

static uint64_t digest = 1469598103934665603u; /* FNV-1a */

static void eat(const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ ((const unsigned char *)data)[i]) * 1099511628211u;
}

static float noise(void) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(int32_t)state * (0.5f / 2147483648.0f);
}

int main(void) {
    static const uint32_t rates[][2] = {{24000, 48000}, {22050, 48000}, {16000, 48000}, {44100, 48000},
                                        {48000, 44100}, {48000, 16000}, {44100, 48001}};
    static float x[FRAMES * 3], y[ROOM * 3];
    if (sv_kernels_select_from_environment()) return 1;
    for (int tier = 0; tier < sv_polyphase_tiers(); tier++) {
        for (size_t pair = 0; pair < sizeof(rates) / sizeof(rates[0]); pair++) {
            for (uint32_t channels = 1; channels <= 3; channels++) {
                for (uint32_t i = 0; i < FRAMES * channels; i++) x[i] = noise();
                x[100] = 1e-41f;
                x[200] = 3e38f;
                x[300] = NAN;
                sv_polyphase *stream = sv_polyphase_new(tier, rates[pair][0], rates[pair][1], channels);
                sv_variable *variable = sv_variable_new(tier, rates[pair][0], rates[pair][1], channels);
                if (stream == NULL || variable == NULL) return 1;
                for (uint32_t at = 0, frames = 1; at < FRAMES; at += frames, frames = frames * 3 + 1) {
                    if (at + frames > FRAMES) frames = FRAMES - at;
                    int64_t given = sv_polyphase_process(stream, x + at * channels, frames, y);
                    eat(y, (size_t)given * channels * sizeof(float));
                    given = sv_variable_process(variable, x + at * channels, frames, y);
                    eat(y, (size_t)given * channels * sizeof(float));
                }
                eat(y, (size_t)sv_polyphase_flush(stream, y) * channels * sizeof(float));
                eat(y, (size_t)sv_variable_flush(variable, y) * channels * sizeof(float));
                sv_polyphase_free(stream);
                sv_variable_free(variable);
            }
        }
    }
    printf("%s %016llx\n", sv_polyphase_active()->name, (unsigned long long)digest);
    return 0;
}
