/* Plain loops over samples, one object file per instruction set; no Python.h here.
 *
 * Every instruction set gives the same bits: one rounding per operation (no contraction), the same order.
 * Realtime: yes. Thread: any; nothing here keeps state.
 */
#ifndef SOTTOVOCE_KERNELS_H
#define SOTTOVOCE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER)
#define SV_RESTRICT __restrict
#else
#define SV_RESTRICT restrict
#endif

/* The full scale of int16: the one place in the native core where this figure is written. */
#define SV_INT16_SCALE 32768.0f

/* How loud samples are; one block's parts add up. */
typedef struct {
    double squares; /* their sum */
    float peak;     /* the largest magnitude */
} sv_level;

/* Where a linear resampler stands: output frame i is read at input frame index + phase / up. */
typedef struct {
    int64_t index;
    uint32_t phase;  /* < up */
    uint32_t up;     /* out samplerate, reduced by the common divisor */
    uint32_t down;   /* in samplerate, reduced likewise */
    uint32_t whole;  /* down / up: a division takes as long as interpolating ten frames */
    uint32_t part;   /* down % up */
} sv_linear_position;

typedef struct {
    const char *name;

    void (*int16_to_float32)(const int16_t *SV_RESTRICT x, float *SV_RESTRICT out, size_t samples);

    /* Clips to [-1, 1 - 1/32768], scales, rounds to nearest (ties to even); NaN becomes 0. */
    void (*float32_to_int16)(const float *SV_RESTRICT x, int16_t *SV_RESTRICT out, size_t samples);

    /* out += x */
    void (*add)(float *SV_RESTRICT out, const float *SV_RESTRICT x, size_t samples);

    /* out += x * gain; the product is rounded before the sum, as by `scale` and `add` one after the other */
    void (*add_scaled)(float *SV_RESTRICT out, const float *SV_RESTRICT x, float gain, size_t samples);

    /* x *= gain */
    void (*scale)(float *x, float gain, size_t samples);

    /* x[i, c] *= start + slope * (first + i); first + frames stays below 2**24, so that it is exact as a float. */
    void (*ramp)(float *x, size_t frames, size_t channels, float start, float slope, uint32_t first);

    /* Clips to [-1, 1], replaces NaN by 0, returns how many samples were NaN or Inf; adds what is left to the level. */
    size_t (*scrub)(float *x, size_t samples, sv_level *level);

    void (*mono_to_stereo)(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames);
    void (*stereo_to_mono)(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames);

    /* Interpolates `frames` output frames and moves the position on by as many. */
    void (*linear)(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames, size_t channels,
                   sv_linear_position *position);
} sv_kernels;

extern const sv_kernels sv_kernels_baseline;
#if defined(__x86_64__) || defined(_M_X64)
#define SV_HAVE_AVX2 1
extern const sv_kernels sv_kernels_avx2;
/* The loops of avx2, which memory bounds and wider registers do not help, but for the resamplers. */
extern const sv_kernels sv_kernels_avx512;
#endif

/* The set in use; the baseline until sv_kernels_select has run. */
extern const sv_kernels *sv_kernels_active;

/* Chooses the set named, or the best of this machine if name is NULL or empty; called once, at module import.
 * Returns 0, or -1 (the name is unknown or the machine cannot run it) and changes nothing. */
int sv_kernels_select(const char *name);

/* The same by the environment variable SOTTOVOCE_ISA, which is read here and nowhere else. */
int sv_kernels_select_from_environment(void);

/* Names that sv_kernels_select accepts on this machine, best last, NULL after the end. */
const char *const *sv_kernels_available(void);

#endif
