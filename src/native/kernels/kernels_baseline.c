/* SSE2 on x86-64, NEON on aarch64: what every machine of the architecture has. */
#if defined(__x86_64__) || defined(_M_X64)
#define SV_OWN_MEASURE_LANES
#endif
#include "kernels/loops.h"

#if defined(SV_OWN_MEASURE_LANES)
#include <emmintrin.h>

/* By hand: gcc 12 does not keep the lanes in registers. */
static void measure_lanes(const float *SV_RESTRICT x, size_t samples, float *SV_RESTRICT peaks,
                          float *SV_RESTRICT squares) {
    const __m128 sign = _mm_set1_ps(-0.0f);
    __m128 peak[4], sum[4];
    for (int part = 0; part < 4; part++) {
        peak[part] = _mm_loadu_ps(peaks + 4 * part);
        sum[part] = _mm_loadu_ps(squares + 4 * part);
    }
    for (size_t i = 0; i < samples; i += 4 * 4) {
        for (int part = 0; part < 4; part++) {
            const __m128 value = _mm_loadu_ps(x + i + 4 * part);
            sum[part] = _mm_add_ps(sum[part], _mm_mul_ps(value, value));
            peak[part] = _mm_max_ps(_mm_andnot_ps(sign, value), peak[part]); /* of NaN and a number, the second */
        }
    }
    for (int part = 0; part < 4; part++) {
        _mm_storeu_ps(peaks + 4 * part, peak[part]);
        _mm_storeu_ps(squares + 4 * part, sum[part]);
    }
}

/* By hand: gcc 12 packs int32 to int16 without the one instruction made for it, seven times slower. */
static void float32_to_int16_sse2(const float *SV_RESTRICT x, int16_t *SV_RESTRICT out, size_t samples) {
    const __m128 low = _mm_set1_ps(-1.0f), high = _mm_set1_ps(1.0f - 1.0f / SV_INT16_SCALE);
    const __m128 full = _mm_set1_ps(SV_INT16_SCALE);
    size_t i = 0;
    for (; i + 8 <= samples; i += 8) {
        __m128i whole[2];
        for (int half = 0; half < 2; half++) {
            __m128 value = _mm_loadu_ps(x + i + 4 * half);
            value = _mm_and_ps(value, _mm_cmpord_ps(value, value)); /* NaN to 0 */
            value = _mm_min_ps(_mm_max_ps(value, low), high);
            whole[half] = _mm_cvtps_epi32(_mm_mul_ps(value, full));
        }
        _mm_storeu_si128((__m128i *)(out + i), _mm_packs_epi32(whole[0], whole[1]));
    }
    float32_to_int16(x + i, out + i, samples - i);
}
#define FLOAT32_TO_INT16 float32_to_int16_sse2
#else
#define FLOAT32_TO_INT16 float32_to_int16
#endif

const sv_kernels sv_kernels_baseline = {
    "baseline", int16_to_float32, FLOAT32_TO_INT16, add, add_scaled, scale,
    ramp, scrub, mono_to_stereo, stereo_to_mono, linear,
};
