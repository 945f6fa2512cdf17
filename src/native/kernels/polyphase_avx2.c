/* Compiled with AVX2 and FMA allowed. Sixteen registers hold one chain of six columns of two vectors: fewer loads for
 * each FMA than two chains of three columns. */
#include "kernels/polyphase_loops.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

SV_INLINE float float_total(__m256 *sum) {
    const __m256 half = _mm256_add_ps(sum[0], sum[1]);
    __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps(quarter, quarter, 1)));
}

SV_INLINE float double_total(__m256d *sum) {
    const __m256d half = _mm256_add_pd(_mm256_add_pd(sum[0], sum[2]), _mm256_add_pd(sum[1], sum[3]));
    const __m128d quarter = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
    return (float)_mm_cvtsd_f64(_mm_add_sd(quarter, _mm_unpackhi_pd(quarter, quarter)));
}

#define REAL float
#define VECTOR __m256
#define PER_VECTOR 8
#define LOAD(from) _mm256_load_ps(from)
#define LOAD_ANY(from) _mm256_loadu_ps(from)
#define STORE(to, v) _mm256_store_ps(to, v)
#define SPREAD(sample) _mm256_set1_ps(sample)
#define ADD(a, b) _mm256_add_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define BLEND(a, b, c) _mm256_fmadd_ps(a, b, c)
#define COLUMNS 6
#define ACCUMULATORS 12
#define NAME(x) float_##x
#include "kernels/polyphase_tiles.h"
#include "kernels/polyphase_undef.h"

#define REAL double
#define VECTOR __m256d
#define PER_VECTOR 4
#define LOAD(from) _mm256_load_pd(from)
#define LOAD_ANY(from) _mm256_loadu_pd(from)
#define STORE(to, v) _mm_store_ps(to, _mm256_cvtpd_ps(v))
#define SPREAD(sample) _mm256_set1_pd(sample)
#define ADD(a, b) _mm256_add_pd(a, b)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define BLEND(a, b, c) _mm256_add_pd(_mm256_mul_pd(a, b), c)
#define COLUMNS 3
#define ACCUMULATORS 12
#define NAME(x) double_##x
#include "kernels/polyphase_tiles.h"

const sv_polyphase_kernels sv_polyphase_avx2 = {
    "avx2", 6, 3, 0, float_tile, double_tile, NULL, PLACE, float_blend, double_blend, take, take_wide, series,
};
#endif
