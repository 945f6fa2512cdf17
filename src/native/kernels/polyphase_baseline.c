/* What every machine of the architecture has: NEON on aarch64, SSE2 on x86-64, plain C elsewhere.
 *
 * SSE2 has no fused multiply-add; it is made here from doubles, exactly, so that the bits are those of every other
 * machine. That is some ten times slower, which machines without AVX2 (made before 2014) can still do in real time.
 */
#include "kernels/polyphase_loops.h"

#include <math.h>

#if defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>

SV_INLINE float float_total(float32x4_t *sum) {
    const float32x4_t all = vaddq_f32(vaddq_f32(sum[0], sum[2]), vaddq_f32(sum[1], sum[3]));
    const float32x2_t half = vadd_f32(vget_low_f32(all), vget_high_f32(all));
    return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}

SV_INLINE float double_total(float64x2_t *sum) {
    const float64x2_t a = vaddq_f64(vaddq_f64(sum[0], sum[4]), vaddq_f64(sum[2], sum[6]));
    const float64x2_t b = vaddq_f64(vaddq_f64(sum[1], sum[5]), vaddq_f64(sum[3], sum[7]));
    const float64x2_t all = vaddq_f64(a, b);
    return (float)(vgetq_lane_f64(all, 0) + vgetq_lane_f64(all, 1));
}

#define REAL float
#define VECTOR float32x4_t
#define PER_VECTOR 4
#define LOAD(from) vld1q_f32(from)
#define LOAD_ANY(from) vld1q_f32(from)
#define STORE(to, v) vst1q_f32(to, v)
#define SPREAD(sample) vdupq_n_f32(sample)
#define ADD(a, b) vaddq_f32(a, b)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define BLEND(a, b, c) vfmaq_f32(c, a, b)
#define COLUMNS 6
#define ACCUMULATORS 24
#define NAME(x) float_##x
#include "kernels/polyphase_tiles.h"
#include "kernels/polyphase_undef.h"

#define REAL double
#define VECTOR float64x2_t
#define PER_VECTOR 2
#define LOAD(from) vld1q_f64(from)
#define LOAD_ANY(from) vld1q_f64(from)
#define STORE(to, v) vst1_f32(to, vcvt_f32_f64(v))
#define SPREAD(sample) vdupq_n_f64(sample)
#define ADD(a, b) vaddq_f64(a, b)
#define FMA(a, b, c) vfmaq_f64(c, a, b)
#define BLEND(a, b, c) vaddq_f64(vmulq_f64(a, b), c)
#define COLUMNS 3
#define ACCUMULATORS 24
#define NAME(x) double_##x
#include "kernels/polyphase_tiles.h"

#define FLOAT_COLUMNS 6
#define DOUBLE_COLUMNS 3

#elif defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>

/* a * b + c for two pairs, rounded to odd in double: then rounding to float gives what one single rounding would
 * (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008). The product of two floats is exact. */
SV_INLINE __m128d fma_to_odd(__m128d a, __m128d b, __m128d c) {
    const __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c), away = _mm_sub_pd(sum, product);
    const __m128d error = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, away)), _mm_sub_pd(c, away));
    const __m128d below = _mm_cmplt_pd(error, _mm_setzero_pd()), above = _mm_cmpgt_pd(error, _mm_setzero_pd());
    const __m128i bits = _mm_castpd_si128(sum), even = _mm_andnot_si128(bits, _mm_set1_epi64x(1));
    /* Where the sum is even and not exact, one unit toward the error: outward if their signs agree, else inward. */
    const __m128i changed = _mm_castpd_si128(_mm_or_pd(below, above));
    const __m128i opposed = _mm_castpd_si128(_mm_xor_pd(below, _mm_cmplt_pd(sum, _mm_setzero_pd())));
    const __m128i unit = _mm_and_si128(even, changed);
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_sub_epi64(_mm_xor_si128(unit, opposed), opposed)));
}

SV_INLINE __m128 fma_float(__m128 a, __m128 b, __m128 c) {
    const __m128d low = fma_to_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
    const __m128d high = fma_to_odd(_mm_cvtps_pd(_mm_movehl_ps(a, a)), _mm_cvtps_pd(_mm_movehl_ps(b, b)),
                                    _mm_cvtps_pd(_mm_movehl_ps(c, c)));
    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

SV_INLINE float float_total(__m128 *sum) {
    __m128 all = _mm_add_ps(_mm_add_ps(sum[0], sum[2]), _mm_add_ps(sum[1], sum[3]));
    all = _mm_add_ps(all, _mm_movehl_ps(all, all));
    return _mm_cvtss_f32(_mm_add_ss(all, _mm_shuffle_ps(all, all, 1)));
}

SV_INLINE float double_total(__m128d *sum) {
    const __m128d a = _mm_add_pd(_mm_add_pd(sum[0], sum[4]), _mm_add_pd(sum[2], sum[6]));
    const __m128d b = _mm_add_pd(_mm_add_pd(sum[1], sum[5]), _mm_add_pd(sum[3], sum[7]));
    const __m128d all = _mm_add_pd(a, b);
    return (float)_mm_cvtsd_f64(_mm_add_sd(all, _mm_unpackhi_pd(all, all)));
}

#define REAL float
#define VECTOR __m128
#define PER_VECTOR 4
#define LOAD(from) _mm_load_ps(from)
#define LOAD_ANY(from) _mm_loadu_ps(from)
#define STORE(to, v) _mm_store_ps(to, v)
#define SPREAD(sample) _mm_set1_ps(sample)
#define ADD(a, b) _mm_add_ps(a, b)
#define FMA(a, b, c) fma_float(a, b, c)
#define BLEND(a, b, c) fma_float(a, b, c)
#define COLUMNS 3
#define ACCUMULATORS 12
#define NAME(x) float_##x
#include "kernels/polyphase_tiles.h"
#include "kernels/polyphase_undef.h"

/* In double no FMA is needed: the coefficients have 29 bits, so that their product with a float is exact. */
#define REAL double
#define VECTOR __m128d
#define PER_VECTOR 2
#define LOAD(from) _mm_load_pd(from)
#define LOAD_ANY(from) _mm_loadu_pd(from)
#define STORE(to, v) _mm_storel_pi((__m64 *)(to), _mm_cvtpd_ps(v))
#define SPREAD(sample) _mm_set1_pd(sample)
#define ADD(a, b) _mm_add_pd(a, b)
#define FMA(a, b, c) _mm_add_pd(_mm_mul_pd(a, b), c)
#define BLEND(a, b, c) _mm_add_pd(_mm_mul_pd(a, b), c)
#define COLUMNS 3
#define ACCUMULATORS 12
#define NAME(x) double_##x
#include "kernels/polyphase_tiles.h"

#define FLOAT_COLUMNS 3
#define DOUBLE_COLUMNS 3

#else

SV_INLINE float float_total(float *sum) {
    for (int half = SV_LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) sum[i] += sum[i + half];
    return sum[0];
}

SV_INLINE float double_total(double *sum) {
    for (int half = SV_LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) sum[i] += sum[i + half];
    return (float)sum[0];
}

#define REAL float
#define VECTOR float
#define PER_VECTOR 1
#define LOAD(from) (*(from))
#define LOAD_ANY(from) (*(from))
#define STORE(to, v) (*(to) = (v))
#define SPREAD(sample) (sample)
#define ADD(a, b) ((a) + (b))
#define FMA(a, b, c) fmaf(a, b, c)
#define BLEND(a, b, c) fmaf(a, b, c)
#define COLUMNS 3
#define ACCUMULATORS 12
#define NAME(x) float_##x
#include "kernels/polyphase_tiles.h"
#include "kernels/polyphase_undef.h"

#define REAL double
#define VECTOR double
#define PER_VECTOR 1
#define LOAD(from) (*(from))
#define LOAD_ANY(from) (*(from))
#define STORE(to, v) (*(to) = (float)(v))
#define SPREAD(sample) (sample)
#define ADD(a, b) ((a) + (b))
#define FMA(a, b, c) ((a) * (b) + (c))
#define BLEND(a, b, c) ((a) * (b) + (c))
#define COLUMNS 3
#define ACCUMULATORS 12
#define NAME(x) double_##x
#include "kernels/polyphase_tiles.h"

#define FLOAT_COLUMNS 3
#define DOUBLE_COLUMNS 3
#endif

const sv_polyphase_kernels sv_polyphase_baseline = {
    "baseline", FLOAT_COLUMNS, DOUBLE_COLUMNS, 0, float_tile, double_tile, NULL, PLACE, float_blend, double_blend,
    take, take_wide, series,
};
