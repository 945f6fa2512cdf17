/* The loops as a compiler can vectorise them by itself; included once by the file of each instruction set. */
#include "kernels/kernels.h"

#include <float.h>
#include <math.h>

static void int16_to_float32(const int16_t *SV_RESTRICT x, float *SV_RESTRICT out, size_t samples) {
    for (size_t i = 0; i < samples; i++) out[i] = (float)x[i] * (1.0f / SV_INT16_SCALE);
}

/* Adding and taking away 1.5 * 2**23 rounds to nearest even as the processor does, and vectorises everywhere,
 * which lrintf does not; compilers keep it because fast-math is never on. */
static inline float round_to_nearest(float value) {
    const float shift = 12582912.0f;
    return (value + shift) - shift;
}

static void float32_to_int16(const float *SV_RESTRICT x, int16_t *SV_RESTRICT out, size_t samples) {
    for (size_t i = 0; i < samples; i++) {
        float value = x[i] == x[i] ? x[i] : 0.0f;
        value = value < -1.0f ? -1.0f : value;
        value = value > 1.0f - 1.0f / SV_INT16_SCALE ? 1.0f - 1.0f / SV_INT16_SCALE : value;
        out[i] = (int16_t)(int32_t)round_to_nearest(value * SV_INT16_SCALE);
    }
}

static void add(float *SV_RESTRICT out, const float *SV_RESTRICT x, size_t samples) {
    for (size_t i = 0; i < samples; i++) out[i] += x[i];
}

static void add_scaled(float *SV_RESTRICT out, const float *SV_RESTRICT x, float gain, size_t samples) {
    for (size_t i = 0; i < samples; i++) out[i] += x[i] * gain; /* never contracted: see -ffp-contract in CMakeLists.txt */
}

static void scale(float *x, float gain, size_t samples) {
    for (size_t i = 0; i < samples; i++) x[i] *= gain;
}

static void ramp(float *x, size_t frames, size_t channels, float start, float slope, uint32_t first) {
    if (channels == 1) {
        for (size_t i = 0; i < frames; i++) x[i] *= start + slope * (float)(int32_t)(first + (uint32_t)i);
        return;
    }
    if (channels == 2) { /* one flat loop vectorises, two nested ones do not */
        for (size_t i = 0; i < 2 * frames; i++) x[i] *= start + slope * (float)(int32_t)(first + (uint32_t)(i / 2));
        return;
    }
    for (size_t i = 0; i < frames; i++) {
        const float gain = start + slope * (float)(int32_t)(first + (uint32_t)i);
        for (size_t c = 0; c < channels; c++) x[i * channels + c] *= gain;
    }
}

/* So many sums at once, whatever the registers: the same order of additions on every machine. A piece is short enough
 * for sums in float. */
enum { LEVEL_LANES = 16, LEVEL_PIECE = 1024 };

static inline void measure_sample(float value, float *peak, float *squares) {
    const float magnitude = fabsf(value);
    *squares += value * value;
    *peak = magnitude > *peak ? magnitude : *peak;
}

/* As many samples as fill all lanes equally. */
static void measure_lanes(const float *SV_RESTRICT x, size_t samples, float *SV_RESTRICT peaks,
                          float *SV_RESTRICT squares);

#if !defined(SV_OWN_MEASURE_LANES)
static void measure_lanes(const float *SV_RESTRICT x, size_t samples, float *SV_RESTRICT peaks,
                          float *SV_RESTRICT squares) {
    for (size_t i = 0; i < samples; i += LEVEL_LANES) {
        for (size_t lane = 0; lane < LEVEL_LANES; lane++) measure_sample(x[i + lane], peaks + lane, squares + lane);
    }
}
#endif

/* The sum is NaN if a sample is. */
static sv_level measure(const float *x, size_t samples) {
    float peaks[LEVEL_LANES] = {0.0f};
    sv_level level = {0.0, 0.0f};
    for (size_t done = 0; done < samples; done += LEVEL_PIECE) {
        const size_t part = samples - done < LEVEL_PIECE ? samples - done : LEVEL_PIECE;
        const size_t rest = part % LEVEL_LANES;
        float squares[LEVEL_LANES] = {0.0f};
        measure_lanes(x + done, part - rest, peaks, squares);
        for (size_t lane = 0; lane < rest; lane++) {
            measure_sample(x[done + part - rest + lane], peaks + lane, squares + lane);
        }
        for (size_t lane = 0; lane < LEVEL_LANES; lane++) level.squares += (double)squares[lane];
    }
    for (size_t lane = 0; lane < LEVEL_LANES; lane++) level.peak = peaks[lane] > level.peak ? peaks[lane] : level.peak;
    return level;
}

static void add_level(sv_level *level, sv_level more) {
    level->squares += more.squares;
    if (more.peak > level->peak) level->peak = more.peak;
}

static size_t scrub(float *x, size_t samples, sv_level *level) {
    const sv_level found = measure(x, samples);
    if (found.peak <= 1.0f && found.squares == found.squares) { /* nearly always, and far cheaper than what follows */
        add_level(level, found);
        return 0;
    }
    size_t bad = 0;
    for (size_t i = 0; i < samples; i++) {
        float value = x[i];
        bad += !(fabsf(value) <= FLT_MAX);
        value = value == value ? value : 0.0f;
        value = value < -1.0f ? -1.0f : value;
        x[i] = value > 1.0f ? 1.0f : value;
    }
    add_level(level, measure(x, samples));
    return bad;
}

static void mono_to_stereo(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames) {
    for (size_t i = 0; i < frames; i++) {
        out[2 * i] = x[i];
        out[2 * i + 1] = x[i];
    }
}

static void stereo_to_mono(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames) {
    for (size_t i = 0; i < frames; i++) out[i] = (x[2 * i] + x[2 * i + 1]) * 0.5f;
}

/* One step of the position by integers: exact, so that no cutting into blocks can change a bit. */
static inline void linear_step(sv_linear_position *position) {
    position->index += position->whole;
    position->phase += position->part;
    if (position->phase >= position->up) {
        position->phase -= position->up;
        position->index += 1;
    }
}

static inline void linear_frames(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames, size_t channels,
                                 sv_linear_position *position) {
    const float scale_phase = 1.0f / (float)position->up;
    for (size_t i = 0; i < frames; i++) {
        const float *a = x + position->index * (int64_t)channels, *b = a + channels;
        const float weight = (float)(int32_t)position->phase * scale_phase;
        if (position->phase == 0) b = a; /* the frame after need not have come yet */
        for (size_t c = 0; c < channels; c++) out[i * channels + c] = a[c] + (b[c] - a[c]) * weight;
        linear_step(position);
    }
}

static void linear(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames, size_t channels,
                   sv_linear_position *position) {
    if (channels == 1) {
        linear_frames(x, out, frames, 1, position);
    } else if (channels == 2) {
        linear_frames(x, out, frames, 2, position);
    } else {
        linear_frames(x, out, frames, channels, position);
    }
}
