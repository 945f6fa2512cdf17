/* The inner loops of the polyphase resampler, one object file per instruction set; no Python.h here.
 *
 * Every instruction set gives the same bits, because each output is the same chain of operations in all of them:
 * two chains of fused multiply-adds, from the outermost taps inward, and their sum. Outermost first: the partial sums
 * stay small until the last taps, which gains 8 dB over the order of time.
 *
 * Realtime: yes. Thread: any; nothing here keeps state.
 */
#ifndef SOTTOVOCE_POLYPHASE_KERNELS_H
#define SOTTOVOCE_POLYPHASE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Consecutive outputs that one panel gives, and the most columns of a tile in any instruction set. */
enum { SV_LANES = 16, SV_MAX_COLUMNS = 12 };
/* Points at which a prototype is evaluated together. */
enum { SV_POINTS = 32 };

/* Where columns go: frame 0 of the first one is at `start` of the output, the others follow `stride` frames apart; of each
 * only the frames from `low` on that lie within the output are wanted. */
typedef struct {
    int64_t start;
    int low, reversed;
} sv_place;

/* A piece of a matrix product: one panel of coefficients, [2 * half][SV_LANES], against some columns of input.
 *
 * Columns: `ahead_count` that walk the input forward, each `column` samples behind the one before, and `back_count` that
 * walk it backward; each is `width` adjacent channels. `ahead` and `back` are where the first row's input is. The rows
 * of the second half are stored outermost first, too.
 */
typedef struct {
    const void *panel;
    size_t half;
    size_t edge;       /* rows of each half, the outermost, that are zero in their inner eight lanes */
    const void *ahead;
    const void *back;
    ptrdiff_t step;    /* samples from one input frame to the next, in the walk of `ahead` */
    ptrdiff_t column;
    int ahead_count, back_count; /* they differ by at most 1 unless one is 0 */
    int width;                   /* 1 or 2 */

    /* Of a pair of tiles: the second's panel (it may be the same one), and in how many of the first's rows the input is
     * that of its own first row, 0..half. It has as many columns. */
    const void *second;
    size_t lag;

    /* Mono, for instruction sets that can store a part of a vector: the output itself, of `end` frames; else NULL. */
    float *out;
    int64_t end, stride;
    sv_place place[4]; /* ahead, back, and those of the second */
} sv_tile;

typedef struct {
    const char *name;
    int columns;       /* most columns of a tile */
    int columns_wide;  /* the same in double */

    int stores_parts;  /* columns of mono go to the output of the tile, if it has one, and not to `out` */

    /* out[column][channel][lane], forward columns first; panel and input are float, or double for the wide ones. */
    void (*tile)(const sv_tile *tile, float *out);
    void (*tile_wide)(const sv_tile *tile, float *out);

    /* Two tiles that share most of their input, the second's columns after the first's; at most columns / 2 each. The
     * bits are those of two tiles. NULL where it would not be faster. */
    void (*pair)(const sv_tile *tile, float *out);

    /* Columns of lanes to their places, `stride` samples apart: [1 or 2 channels][lanes in order, or reversed]. */
    void (*place[2][2])(const float *lanes, float *out, ptrdiff_t stride, int count);

    /* One output frame from a row of the interpolated table, whose blocks are [4][SV_LANES] (the coefficients of a
     * cubic in `weight`) for SV_LANES taps each; channel c of the input begins at x + c * plane. */
    void (*blend)(const void *row, size_t blocks, double weight, const void *x, ptrdiff_t plane, int channels,
                  float *out);
    void (*blend_wide)(const void *row, size_t blocks, double weight, const void *x, ptrdiff_t plane, int channels,
                       float *out);

    /* Copy samples in; NaN and infinity become 0. */
    void (*take)(const float *x, void *to, size_t samples);
    void (*take_wide)(const float *x, void *to, size_t samples);

    /* Sums of a[k] * cos(k * angle) at SV_POINTS points, each given by twice the cosine of its angle. */
    void (*series)(const double *a, size_t terms, const double *twice, double *value);
} sv_polyphase_kernels;

extern const sv_polyphase_kernels sv_polyphase_baseline;
#if defined(__x86_64__) || defined(_M_X64)
extern const sv_polyphase_kernels sv_polyphase_avx2;
extern const sv_polyphase_kernels sv_polyphase_avx512;
#endif

/* Those of the instruction set in use (see kernels.h). */
const sv_polyphase_kernels *sv_polyphase_active(void);

#if defined(_MSC_VER)
#define SV_INLINE static __forceinline
#define SV_ALIGNED __declspec(align(64))
#else
#define SV_ALIGNED __attribute__((aligned(64)))
#define SV_INLINE static inline __attribute__((always_inline))
#endif

/* Loads once what gcc 12 loads anew for each of up to three uses: half the time where few columns share a panel. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define SV_IN_REGISTER(vector) __asm__("" : "+v"(vector))
#else
#define SV_IN_REGISTER(vector) ((void)0)
#endif

/* Loops over constants, so that arrays of vectors become registers. */
#if defined(__clang__)
#define SV_UNROLL _Pragma("clang loop unroll(full)")
#define SV_UNROLL_TWICE _Pragma("clang loop unroll_count(2)")
#elif defined(__GNUC__)
#define SV_UNROLL _Pragma("GCC unroll 32")
#define SV_UNROLL_TWICE _Pragma("GCC unroll 2")
#else
#define SV_UNROLL
#define SV_UNROLL_TWICE
#endif

#endif
