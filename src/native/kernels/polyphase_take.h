/* Copying in, as every compiler vectorises it by itself; included once by the file of each instruction set. */
#include "kernels/polyphase_kernels.h"

#include <float.h>
#include <math.h>

static void take(const float *x, void *to, size_t samples) {
    float *out = (float *)to;
    for (size_t i = 0; i < samples; i++) out[i] = fabsf(x[i]) <= FLT_MAX ? x[i] : 0.0f;
}

static void take_wide(const float *x, void *to, size_t samples) {
    double *out = (double *)to;
    for (size_t i = 0; i < samples; i++) out[i] = fabsf(x[i]) <= FLT_MAX ? (double)x[i] : 0.0;
}
