/* Compiled with AVX-512F allowed: the linear resampler for mono, which permutes where AVX2 would gather or do twice the
 * work. The other loops are bounded by memory, so they are those of AVX2. Empty on other architectures. */
#include "kernels/kernels_x86.h"

#if defined(SV_HAVE_AVX2)
#include <immintrin.h>

/* Fewer frames than this take longer by vectors: one or two at the edge of each block. */
enum { LANES = 16, FEW = 4 };

/* Positions of sixteen consecutive output frames, relative to that of the first. */
typedef struct {
    __m512i index, phase, step_index, step_phase, up;
} lanes;

static inline void lanes_add(lanes *at, __mmask16 which, __m512i index, __m512i phase) {
    at->index = _mm512_mask_add_epi32(at->index, which, at->index, index);
    at->phase = _mm512_mask_add_epi32(at->phase, which, at->phase, phase);
    const __mmask16 over = _mm512_mask_cmp_epi32_mask(which, at->phase, at->up, _MM_CMPINT_NLT);
    at->index = _mm512_mask_add_epi32(at->index, over, at->index, _mm512_set1_epi32(1));
    at->phase = _mm512_mask_sub_epi32(at->phase, over, at->phase, at->up);
}

/* Steps of 1, 2, 4 and 8 frames, each in the lanes whose number has that bit: divisions would take longer. */
static inline lanes lanes_at(const sv_linear_position *position) {
    static const __mmask16 with_bit[] = {0xaaaa, 0xcccc, 0xf0f0, 0xff00};
    int32_t index = (int32_t)position->whole, phase = (int32_t)position->part;
    lanes at;
    at.index = _mm512_setzero_si512();
    at.phase = _mm512_set1_epi32((int32_t)position->phase);
    at.up = _mm512_set1_epi32((int32_t)position->up);
    for (int bit = 0; bit < 4; bit++) {
        lanes_add(&at, with_bit[bit], _mm512_set1_epi32(index), _mm512_set1_epi32(phase));
        const int over = 2 * phase >= (int32_t)position->up;
        index = 2 * index + over;
        phase = 2 * phase - (over ? (int32_t)position->up : 0);
    }
    at.step_index = _mm512_set1_epi32(index);
    at.step_phase = _mm512_set1_epi32(phase);
    return at;
}

static inline __mmask16 first_lanes(int64_t count) {
    return count >= LANES ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/* from[near]; only the first `count` samples are there. */
static inline __m512 pick(const float *from, int64_t count, __m512i near, const int far) {
    const __m512 low = _mm512_maskz_loadu_ps(first_lanes(count), from);
    if (!far) return _mm512_permutexvar_ps(near, low);
    return _mm512_permutex2var_ps(low, near, _mm512_maskz_loadu_ps(first_lanes(count - LANES), from + LANES));
}

/* The same where all of them are there. */
static inline __m512 pick_all(const float *from, __m512i near, const int far) {
    const __m512 low = _mm512_loadu_ps(from);
    return far ? _mm512_permutex2var_ps(low, near, _mm512_loadu_ps(from + LANES)) : _mm512_permutexvar_ps(near, low);
}

/* Between a and what is after it; the frame after an exact one need not have come yet. */
static inline __m512 between(__m512 a, __m512 after, __mmask16 exact, __m512 weight) {
    const __m512 b = _mm512_mask_mov_ps(after, exact, a);
    return _mm512_add_ps(a, _mm512_mul_ps(_mm512_sub_ps(b, a), weight));
}

/* Where the phases are the same every sixteen frames (out by in is 2, 4, 4/3 ...), nothing is left but to interpolate. */
static inline size_t linear_same(const float *x, float *out, size_t frames, int64_t last, lanes *at, __m512 unit,
                                 const int far) {
    const __mmask16 exact = _mm512_testn_epi32_mask(at->phase, at->phase);
    const __m512 weight = _mm512_mul_ps(_mm512_cvtepi32_ps(at->phase), unit);
    const __m512i near = at->index;
    const int64_t step = _mm_cvtsi128_si32(_mm512_castsi512_si128(at->step_index));
    size_t i = 0;
    int64_t first = 0;
    for (; i + LANES <= frames && first + (far ? 2 * LANES : LANES) <= last; i += LANES, first += step) {
        const __m512 a = pick_all(x + first, near, far), after = pick_all(x + first + 1, near, far);
        _mm512_storeu_ps(out + i, between(a, after, exact, weight));
    }
    at->index = _mm512_add_epi32(near, _mm512_set1_epi32((int32_t)first));
    return i;
}

/* Sixteen outputs need at most 17 neighbours, or 33 if `far`; the last of them all is x[last]. */
static inline void linear_mono(const float *x, float *out, size_t frames, int64_t last,
                               const sv_linear_position *position, const int far) {
    const __m512 unit = _mm512_set1_ps(1.0f / (float)position->up);
    const __mmask16 all = 0xffff;
    lanes at = lanes_at(position);
    const int same = _mm_cvtsi128_si32(_mm512_castsi512_si128(at.step_phase)) == 0;
    size_t i = same ? linear_same(x, out, frames, last, &at, unit, far) : 0;
    while (i < frames) {
        const int64_t first = _mm_cvtsi128_si32(_mm512_castsi512_si128(at.index)), count = last + 1 - first;
        const __m512i near = _mm512_sub_epi32(at.index, _mm512_set1_epi32((int32_t)first));
        const __mmask16 exact = _mm512_testn_epi32_mask(at.phase, at.phase);
        const __m512 weight = _mm512_mul_ps(_mm512_cvtepi32_ps(at.phase), unit);
        if (i + LANES <= frames && count > (far ? 2 * LANES : LANES)) {
            const __m512 a = pick_all(x + first, near, far), after = pick_all(x + first + 1, near, far);
            _mm512_storeu_ps(out + i, between(a, after, exact, weight));
        } else {
            const __m512 a = pick(x + first, count, near, far), after = pick(x + first + 1, count - 1, near, far);
            _mm512_mask_storeu_ps(out + i, first_lanes((int64_t)(frames - i)), between(a, after, exact, weight));
        }
        lanes_add(&at, all, at.step_index, at.step_phase);
        i += LANES;
    }
}

void sv_linear_avx512(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames, size_t channels,
                      sv_linear_position *position) {
    const uint64_t up = position->up, down = position->down;
    if (channels != 1 || down > 2 * up || frames < FEW) {
        sv_kernels_avx2.linear(x, out, frames, channels, position);
        return;
    }
    const float *from = x + position->index;
    const uint64_t exact = position->phase + (frames - 1) * down;
    uint64_t whole = exact / up, rest = exact % up;
    if (down <= up) {
        linear_mono(from, out, frames, (int64_t)(whole + (rest != 0)), position, 0);
    } else {
        linear_mono(from, out, frames, (int64_t)(whole + (rest != 0)), position, 1);
    }
    for (rest += down; rest >= up; rest -= up) whole++;
    position->index += (int64_t)whole;
    position->phase = (uint32_t)rest;
}
#endif
