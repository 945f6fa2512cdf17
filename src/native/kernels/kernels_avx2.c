/* Compiled with AVX2 and FMA allowed. Empty where a universal build compiles this file for another architecture.
 *
 * By hand only what gcc 12 does badly: the conversions (no aligned stores: a quarter slower; no packs: four times),
 * the level (it does not keep the lanes in registers: seven times), and the linear resampler, whose permutes and gathers
 * it does not find. The rest is the plain loops with wider registers.
 */
#include "kernels/kernels_x86.h"

#if defined(SV_HAVE_AVX2)
#define SV_OWN_MEASURE_LANES
#include "kernels/loops.h"

#include <immintrin.h>

/* How many samples come before `out` is aligned to a cache line. */
static size_t samples_to_line(const void *out, size_t bytes_per_sample, size_t samples) {
    const size_t before = (size_t)(-(intptr_t)out & 63) / bytes_per_sample;
    return before < samples ? before : samples;
}

static void int16_to_float32_avx2(const int16_t *SV_RESTRICT x, float *SV_RESTRICT out, size_t samples) {
    const __m256 unit = _mm256_set1_ps(1.0f / SV_INT16_SCALE);
    size_t i = samples_to_line(out, sizeof(float), samples);
    int16_to_float32(x, out, i);
    for (; i + 32 <= samples; i += 32) {
        for (size_t part = 0; part < 32; part += 8) {
            const __m256i whole = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(x + i + part)));
            _mm256_storeu_ps(out + i + part, _mm256_mul_ps(_mm256_cvtepi32_ps(whole), unit));
        }
    }
    int16_to_float32(x + i, out + i, samples - i);
}

/* Scaling is exact, so clipping after it is the same; below, packs saturates at the int16 that -1 becomes. */
static inline __m256i to_int32(__m256 value) {
    const __m256 scaled = _mm256_mul_ps(value, _mm256_set1_ps(SV_INT16_SCALE));
    return _mm256_cvtps_epi32(_mm256_min_ps(scaled, _mm256_set1_ps(SV_INT16_SCALE - 1.0f)));
}

static inline void store_int16(int16_t *out, __m256 low, __m256 high) {
    const __m256i mixed = _mm256_packs_epi32(to_int32(low), to_int32(high));
    /* packs works within halves of 128 bits; put the quarters in order */
    _mm256_storeu_si256((__m256i *)out, _mm256_permute4x64_epi64(mixed, 0xd8));
}

static void float32_to_int16_avx2(const float *SV_RESTRICT x, int16_t *SV_RESTRICT out, size_t samples) {
    size_t i = samples_to_line(out, sizeof(int16_t), samples);
    float32_to_int16(x, out, i);
    for (; i + 32 <= samples; i += 32) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        const __m256 c = _mm256_loadu_ps(x + i + 16), d = _mm256_loadu_ps(x + i + 24);
        const __m256 nan = _mm256_or_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q), _mm256_cmp_ps(c, d, _CMP_UNORD_Q));
        if (_mm256_movemask_ps(nan) != 0) { /* rare: one comparison looks at two registers, the loop puts in the 0 */
            float32_to_int16(x + i, out + i, 32);
            continue;
        }
        store_int16(out + i, a, b);
        store_int16(out + i + 16, c, d);
    }
    float32_to_int16(x + i, out + i, samples - i);
}

static void measure_lanes(const float *SV_RESTRICT x, size_t samples, float *SV_RESTRICT peaks,
                          float *SV_RESTRICT squares) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 peak[2], sum[2];
    for (int part = 0; part < 2; part++) {
        peak[part] = _mm256_loadu_ps(peaks + 8 * part);
        sum[part] = _mm256_loadu_ps(squares + 8 * part);
    }
    for (size_t i = 0; i < samples; i += 8 * 2) {
        for (int part = 0; part < 2; part++) {
            const __m256 value = _mm256_loadu_ps(x + i + 8 * part);
            sum[part] = _mm256_add_ps(sum[part], _mm256_mul_ps(value, value));
            peak[part] = _mm256_max_ps(_mm256_andnot_ps(sign, value), peak[part]); /* of NaN and a number, the second */
        }
    }
    for (int part = 0; part < 2; part++) {
        _mm256_storeu_ps(peaks + 8 * part, peak[part]);
        _mm256_storeu_ps(squares + 8 * part, sum[part]);
    }
}

enum { LANES = 8 };

/* Positions of eight consecutive output frames, relative to that of the first. */
typedef struct {
    __m256i index, phase, step_index, step_phase, up;
} lanes;

static lanes lanes_at(const sv_linear_position *position) {
    int32_t index[LANES], phase[LANES];
    sv_linear_position next = *position;
    for (int i = 0; i < LANES; i++) {
        index[i] = (int32_t)(next.index - position->index);
        phase[i] = (int32_t)next.phase;
        linear_step(&next);
    }
    const uint64_t step = (uint64_t)LANES * position->down;
    lanes at;
    at.index = _mm256_loadu_si256((const __m256i *)index);
    at.phase = _mm256_loadu_si256((const __m256i *)phase);
    at.step_index = _mm256_set1_epi32((int32_t)(step / position->up));
    at.step_phase = _mm256_set1_epi32((int32_t)(step % position->up));
    at.up = _mm256_set1_epi32((int32_t)position->up);
    return at;
}

static inline void lanes_step(lanes *at) {
    at->index = _mm256_add_epi32(at->index, at->step_index);
    at->phase = _mm256_add_epi32(at->phase, at->step_phase);
    const __m256i whole = _mm256_cmpgt_epi32(at->up, at->phase); /* -1 where the phase stays below up */
    at->phase = _mm256_sub_epi32(at->phase, _mm256_andnot_si256(whole, at->up));
    at->index = _mm256_add_epi32(at->index, _mm256_add_epi32(whole, _mm256_set1_epi32(1)));
}

/* The index of the frame after, or of the frame itself where the phase is 0: that frame need not have come yet. */
static inline __m256i lanes_next(const lanes *at) {
    const __m256i none = _mm256_cmpeq_epi32(at->phase, _mm256_setzero_si256());
    return _mm256_add_epi32(at->index, _mm256_add_epi32(none, _mm256_set1_epi32(1)));
}

static inline __m256 interpolate(__m256 a, __m256 b, __m256 weight) {
    return _mm256_add_ps(a, _mm256_mul_ps(_mm256_sub_ps(b, a), weight));
}

/* Samples from[near], of which there are 8, or 16 if `far`. */
static inline __m256 pick(const float *from, __m256i near, const int far) {
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), near);
    if (!far) return low;
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from + LANES), near);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_cmpgt_epi32(near, _mm256_set1_epi32(LANES - 1))));
}

/* Permutes in the place of gathers, three times as fast, while all that is loaded is at or before x[last]; `far` unless
 * down <= up, then down <= 2 * up. */
static inline size_t linear_mono_near(const float *x, float *out, size_t frames, int64_t last, lanes *at, __m256 unit,
                                      const int far) {
    size_t i = 0;
    for (; i + LANES <= frames; i += LANES) {
        const int32_t first = _mm256_cvtsi256_si32(at->index);
        if (first + (far ? 2 * LANES : LANES) > last) break;
        const __m256i near = _mm256_sub_epi32(at->index, _mm256_set1_epi32(first));
        const __m256i exact = _mm256_cmpeq_epi32(at->phase, _mm256_setzero_si256());
        const __m256 a = pick(x + first, near, far), after = pick(x + first + 1, near, far);
        const __m256 b = _mm256_blendv_ps(after, a, _mm256_castsi256_ps(exact));
        _mm256_storeu_ps(out + i, interpolate(a, b, _mm256_mul_ps(_mm256_cvtepi32_ps(at->phase), unit)));
        lanes_step(at);
    }
    return i;
}

static size_t linear_mono(const float *x, float *out, size_t frames, const sv_linear_position *position, lanes *at,
                          __m256 unit) {
    const uint64_t exact = position->phase + (uint64_t)(frames - 1) * position->down;
    const int64_t last = (int64_t)(exact / position->up) + (exact % position->up != 0);
    size_t i = 0;
    if (position->down <= position->up) {
        i = linear_mono_near(x, out, frames, last, at, unit, 0);
    } else if (position->down <= 2 * (uint64_t)position->up) {
        i = linear_mono_near(x, out, frames, last, at, unit, 1);
    }
    for (; i + LANES <= frames; i += LANES) {
        const __m256 a = _mm256_i32gather_ps(x, at->index, 4), b = _mm256_i32gather_ps(x, lanes_next(at), 4);
        _mm256_storeu_ps(out + i, interpolate(a, b, _mm256_mul_ps(_mm256_cvtepi32_ps(at->phase), unit)));
        lanes_step(at);
    }
    return i;
}

/* Four stereo frames (a pair of floats is gathered as one double). */
static inline __m256 stereo_part(const float *x, __m128i index, __m128i next, __m128 weight) {
    const __m256 a = _mm256_castpd_ps(_mm256_i32gather_pd((const double *)x, index, 8));
    const __m256 b = _mm256_castpd_ps(_mm256_i32gather_pd((const double *)x, next, 8));
    const __m256 both = _mm256_set_m128(_mm_unpackhi_ps(weight, weight), _mm_unpacklo_ps(weight, weight));
    return interpolate(a, b, both);
}

static size_t linear_stereo(const float *x, float *out, size_t frames, lanes *at, __m256 unit) {
    size_t i = 0;
    for (; i + LANES <= frames; i += LANES) {
        const __m256 weight = _mm256_mul_ps(_mm256_cvtepi32_ps(at->phase), unit);
        const __m256i next = lanes_next(at);
        _mm256_storeu_ps(out + 2 * i, stereo_part(x, _mm256_castsi256_si128(at->index), _mm256_castsi256_si128(next),
                                                  _mm256_castps256_ps128(weight)));
        _mm256_storeu_ps(out + 2 * i + 8,
                         stereo_part(x, _mm256_extracti128_si256(at->index, 1), _mm256_extracti128_si256(next, 1),
                                     _mm256_extractf128_ps(weight, 1)));
        lanes_step(at);
    }
    return i;
}

static void linear_avx2(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames, size_t channels,
                        sv_linear_position *position) {
    if (channels <= 2 && frames >= LANES) {
        const float *from = x + position->index * (int64_t)channels;
        const __m256 unit = _mm256_set1_ps(1.0f / (float)position->up);
        lanes at = lanes_at(position);
        const size_t done = channels == 1 ? linear_mono(from, out, frames, position, &at, unit)
                                          : linear_stereo(from, out, frames, &at, unit);
        const uint64_t exact = position->phase + (uint64_t)done * position->down;
        position->index += (int64_t)(exact / position->up);
        position->phase = (uint32_t)(exact % position->up);
        out += done * channels;
        frames -= done;
    }
    linear(x, out, frames, channels, position);
}

const sv_kernels sv_kernels_avx2 = {
    "avx2", int16_to_float32_avx2, float32_to_int16_avx2, add, add_scaled, scale,
    ramp, scrub, mono_to_stereo, stereo_to_mono, linear_avx2,
};

const sv_kernels sv_kernels_avx512 = {
    "avx512", int16_to_float32_avx2, float32_to_int16_avx2, add, add_scaled, scale,
    ramp, scrub, mono_to_stereo, stereo_to_mono, sv_linear_avx512,
};
#endif
