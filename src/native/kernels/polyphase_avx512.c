/* Compiled with AVX-512F allowed: twelve columns, both halves at once, inputs broadcast from memory by the FMA; or a pair
 * of tiles whose inputs are loaded once for both: then not the loads but the arithmetic is what takes the time. */
#include "kernels/polyphase_loops.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

SV_INLINE float float_total(__m512 *sum) {
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(sum[0]),
                                _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(sum[0]), 1)));
    __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps(quarter, quarter, 1)));
}

SV_INLINE float double_total(__m512d *sum) {
    const __m512d all = _mm512_add_pd(sum[0], sum[1]);
    const __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(all), _mm512_extractf64x4_pd(all, 1));
    const __m128d quarter = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
    return (float)_mm_cvtsd_f64(_mm_add_sd(quarter, _mm_unpackhi_pd(quarter, quarter)));
}

/* Without branches: whether a column is whole, cut or reversed is not to be foreseen. */
SV_INLINE void put(const sv_tile *tile, int which, int column, __m512 lanes) {
    static const int32_t orders[2][SV_LANES] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                                {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
    const sv_place *place = &tile->place[which];
    const int64_t at = place->start + column * tile->stride, room = tile->end - at;
    const int64_t low = -at > place->low ? -at : place->low, beyond = room < SV_LANES ? SV_LANES - room : 0;
    const __mmask16 wanted = (__mmask16)((0xffffull << low) & (0xffffull >> beyond));
    const __m512 frames = _mm512_permutexvar_ps(_mm512_loadu_si512(orders[place->reversed]), lanes);
    _mm512_mask_storeu_ps((float *)((uintptr_t)tile->out + (uintptr_t)at * sizeof(float)), wanted, frames);
}

#define REAL float
#define VECTOR __m512
#define PER_VECTOR 16
#define LOAD(from) _mm512_load_ps(from)
#define LOAD_ANY(from) _mm512_loadu_ps(from)
#define STORE(to, v) _mm512_store_ps(to, v)
#define SPREAD(sample) _mm512_set1_ps(sample)
#define ADD(a, b) _mm512_add_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define BLEND(a, b, c) _mm512_fmadd_ps(a, b, c)
#define COLUMNS 12
#define ACCUMULATORS 24
#define PUT(tile, which, k, v) put(tile, which, k, v)
#define NAME(x) float_##x
#include "kernels/polyphase_tiles.h"
#include "kernels/polyphase_pair.h"
#include "kernels/polyphase_undef.h"

#define REAL double
#define VECTOR __m512d
#define PER_VECTOR 8
#define LOAD(from) _mm512_load_pd(from)
#define LOAD_ANY(from) _mm512_loadu_pd(from)
#define STORE(to, v) _mm256_store_ps(to, _mm512_cvtpd_ps(v))
#define SPREAD(sample) _mm512_set1_pd(sample)
#define ADD(a, b) _mm512_add_pd(a, b)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define BLEND(a, b, c) _mm512_add_pd(_mm512_mul_pd(a, b), c)
#define COLUMNS 6
#define ACCUMULATORS 24
#define NAME(x) double_##x
#include "kernels/polyphase_tiles.h"

const sv_polyphase_kernels sv_polyphase_avx512 = {
    "avx512", 12, 6, 1, float_tile, double_tile, float_pair, PLACE, float_blend, double_blend, take, take_wide, series,
};
#endif
