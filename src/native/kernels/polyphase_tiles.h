/* A tile of the matrix product, and one blended output, for one kind of vector; included by the file of an instruction
 * set once for float and once for double, after these macros:
 *
 *   REAL, VECTOR              sample and vector types
 *   PER_VECTOR                samples in a vector
 *   LOAD, LOAD_ANY            load aligned to a vector, load from anywhere
 *   STORE(to, v)              store as float
 *   SPREAD                    one sample in all lanes
 *   FMA(a, b, c), ADD(a, b)   a * b + c in one rounding
 *   BLEND(a, b, c)            the same for float; in double two roundings, which every machine can do
 *   COLUMNS                   most columns of a tile
 *   CHAINS                    2: both halves at once (enough registers); 1: one after the other
 *   NAME(x)                   name of a function; NAME(total) adds the lanes of a VECTOR[SV_LANES / PER_VECTOR]
 */

enum { NAME(PARTS) = SV_LANES / PER_VECTOR };

/* Adds rows of `panel` times the inputs, `columns` of them, into `sum`: row by row, each in its own chain. */
SV_INLINE void NAME(row)(const REAL *panel, const REAL *ahead, const REAL *back, ptrdiff_t column, const int n,
                         const int pairs, const int width, VECTOR (*sum)[SV_LANES / PER_VECTOR]) {
    VECTOR h[SV_LANES / PER_VECTOR];
    SV_UNROLL
    for (int p = 0; p < NAME(PARTS); p++) h[p] = LOAD(panel + p * PER_VECTOR);
    SV_UNROLL
    for (int k = 0; k < n * width; k++) {
        const VECTOR x = SPREAD(ahead[(k / width) * column + k % width]);
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[k][p] = FMA(h[p], x, sum[k][p]);
    }
    if (!pairs) return;
    SV_UNROLL
    for (int k = 0; k < n * width; k++) {
        const VECTOR x = SPREAD(back[(k / width) * column + k % width]);
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[n * width + k][p] = FMA(h[p], x, sum[n * width + k][p]);
    }
}

SV_INLINE void NAME(tile_of)(const sv_tile *tile, float *out, const int n, const int pairs, const int width) {
    const int columns = n * width * (1 + pairs);
    const ptrdiff_t step = tile->step, column = tile->column, last = ((ptrdiff_t)tile->half * 2 - 1) * step;
    const REAL *h = (const REAL *)tile->panel, *h2 = h + tile->half * SV_LANES, *const end = h2;
    const REAL *a = (const REAL *)tile->ahead, *a2 = a + last;
    const REAL *b = pairs ? (const REAL *)tile->back : a, *b2 = b - last;
    VECTOR sum[COLUMNS][SV_LANES / PER_VECTOR], sum2[COLUMNS][SV_LANES / PER_VECTOR];
    SV_UNROLL
    for (int k = 0; k < columns; k++) {
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[k][p] = sum2[k][p] = SPREAD(0);
    }
#if CHAINS == 2
    for (; h != end; h += SV_LANES, h2 += SV_LANES, a += step, a2 -= step, b -= step, b2 += step) {
        NAME(row)(h, a, b, column, n, pairs, width, sum);
        NAME(row)(h2, a2, b2, column, n, pairs, width, sum2);
    }
#else
    for (; h != end; h += SV_LANES, a += step, b -= step) NAME(row)(h, a, b, column, n, pairs, width, sum);
    for (size_t i = 0; i < tile->half; i++, h2 += SV_LANES, a2 -= step, b2 += step)
        NAME(row)(h2, a2, b2, column, n, pairs, width, sum2);
#endif
    SV_UNROLL
    for (int k = 0; k < columns; k++) {
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++)
            STORE(out + k * SV_LANES + p * PER_VECTOR, ADD(sum[k][p], sum2[k][p]));
    }
}

#define ONE_WAY(n) case n: NAME(tile_of)(tile, out, n, 0, 1); return;
#define BOTH_WAYS(n) case n: NAME(tile_of)(tile, out, n, 1, 1); return;
#define ONE_WAY_STEREO(n) case n: NAME(tile_of)(tile, out, n, 0, 2); return;
#define BOTH_WAYS_STEREO(n) case n: NAME(tile_of)(tile, out, n, 1, 2); return;

static void NAME(tile)(const sv_tile *tile, float *out) {
    const int n = tile->occurrences;
    if (tile->width == 1 && tile->back == NULL) {
        switch (n) {
            ONE_WAY(1) ONE_WAY(2) ONE_WAY(3)
#if COLUMNS >= 6
            ONE_WAY(4) ONE_WAY(5) ONE_WAY(6)
#endif
#if COLUMNS >= 12
            ONE_WAY(7) ONE_WAY(8) ONE_WAY(9) ONE_WAY(10) ONE_WAY(11) ONE_WAY(12)
#endif
        }
    } else if (tile->width == 1) {
        switch (n) {
            BOTH_WAYS(1)
#if COLUMNS >= 6
            BOTH_WAYS(2) BOTH_WAYS(3)
#endif
#if COLUMNS >= 12
            BOTH_WAYS(4) BOTH_WAYS(5) BOTH_WAYS(6)
#endif
        }
    } else if (tile->back == NULL) {
        switch (n) {
            ONE_WAY_STEREO(1)
#if COLUMNS >= 6
            ONE_WAY_STEREO(2) ONE_WAY_STEREO(3)
#endif
#if COLUMNS >= 12
            ONE_WAY_STEREO(4) ONE_WAY_STEREO(5) ONE_WAY_STEREO(6)
#endif
        }
    } else {
        switch (n) {
#if COLUMNS >= 6
            BOTH_WAYS_STEREO(1)
#endif
#if COLUMNS >= 12
            BOTH_WAYS_STEREO(2) BOTH_WAYS_STEREO(3)
#endif
        }
    }
}

#undef ONE_WAY
#undef BOTH_WAYS
#undef ONE_WAY_STEREO
#undef BOTH_WAYS_STEREO

/* Lanes are taps here: each lane sums every sixteenth tap, then the lanes are added by halves. */
static void NAME(blend)(const void *row, size_t blocks, double weight, const void *x, ptrdiff_t plane, int channels,
                        float *out) {
    const VECTOR w = SPREAD((REAL)weight);
    for (int c = 0; c < channels; c++) {
        const REAL *h = (const REAL *)row, *from = (const REAL *)x + c * plane;
        VECTOR sum[SV_LANES / PER_VECTOR];
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[p] = SPREAD(0);
        for (size_t i = 0; i < blocks; i++, h += 4 * SV_LANES, from += SV_LANES) {
            SV_UNROLL
            for (int p = 0; p < NAME(PARTS); p++) {
                const REAL *at = h + p * PER_VECTOR;
                VECTOR tap = BLEND(LOAD(at + 3 * SV_LANES), w, LOAD(at + 2 * SV_LANES));
                tap = BLEND(tap, w, LOAD(at + SV_LANES));
                tap = BLEND(tap, w, LOAD(at));
                sum[p] = BLEND(tap, LOAD_ANY(from + p * PER_VECTOR), sum[p]);
            }
        }
        out[c] = NAME(total)(sum);
    }
}
