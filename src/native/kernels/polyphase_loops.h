/* What every compiler vectorises by itself: copying in and out, and the prototypes; included once by the file of each
 * instruction set. */
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

/* By Clenshaw's recurrence. */
static void series(const double *a, size_t terms, const double *twice, double *value) {
    double last[SV_POINTS] = {0}, before[SV_POINTS] = {0};
    for (size_t k = terms - 1; k > 0; k--) {
        for (int i = 0; i < SV_POINTS; i++) {
            const double next = twice[i] * last[i] + (a[k] - before[i]);
            before[i] = last[i];
            last[i] = next;
        }
    }
    for (int i = 0; i < SV_POINTS; i++) value[i] = a[0] + 0.5 * twice[i] * last[i] - before[i];
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
