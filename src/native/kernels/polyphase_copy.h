/* Copying in and out, as every compiler vectorises it by itself; included once by the file of each instruction set. */
#include "kernels/kernels.h"
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

SV_INLINE void place(const float *SV_RESTRICT lanes, float *SV_RESTRICT out, ptrdiff_t stride, int count,
                     const int width, const int last) {
    for (; count > 0; count--, out += stride, lanes += width * SV_LANES)
        for (int j = 0; j < SV_LANES; j++)
            for (int c = 0; c < width; c++) out[j * width + c] = lanes[(j ^ last) + c * SV_LANES];
}

static void place_mono(const float *lanes, float *out, ptrdiff_t stride, int count) {
    place(lanes, out, stride, count, 1, 0);
}

static void place_mono_reversed(const float *lanes, float *out, ptrdiff_t stride, int count) {
    place(lanes, out, stride, count, 1, SV_LANES - 1);
}

static void place_stereo(const float *lanes, float *out, ptrdiff_t stride, int count) {
    place(lanes, out, stride, count, 2, 0);
}

static void place_stereo_reversed(const float *lanes, float *out, ptrdiff_t stride, int count) {
    place(lanes, out, stride, count, 2, SV_LANES - 1);
}

#define PLACE {{place_mono, place_mono_reversed}, {place_stereo, place_stereo_reversed}}
