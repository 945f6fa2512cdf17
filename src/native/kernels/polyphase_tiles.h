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
 *   ACCUMULATORS              vectors of sums that the registers hold
 *   PUT(tile, which, k, v)    if defined: column k of one kind to its place in the tile's output
 *   NAME(x)                   name of a function; NAME(total) adds the lanes of a VECTOR[SV_LANES / PER_VECTOR]
 */

enum { NAME(PARTS) = SV_LANES / PER_VECTOR };

/* Adds a row of a panel, times the inputs of all columns, to their sums. */
SV_INLINE void NAME(row)(const REAL *panel, const REAL *ahead, const REAL *back, ptrdiff_t column, const int n,
                         const int m, const int width, VECTOR (*sum)[SV_LANES / PER_VECTOR]) {
    VECTOR h[SV_LANES / PER_VECTOR];
    SV_UNROLL
    for (int p = 0; p < NAME(PARTS); p++) {
        h[p] = LOAD(panel + p * PER_VECTOR);
        SV_IN_REGISTER(h[p]);
    }
    SV_UNROLL
    for (int k = 0; k < n * width; k++) {
        const VECTOR x = SPREAD(ahead[(k / width) * column + k % width]);
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[k][p] = FMA(h[p], x, sum[k][p]);
    }
    SV_UNROLL
    for (int k = 0; k < m * width; k++) {
        const VECTOR x = SPREAD(back[(k / width) * column + k % width]);
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[n * width + k][p] = FMA(h[p], x, sum[n * width + k][p]);
    }
}

/* Half `which` of the panel: 0 from the first input inward, 1 from the last; or both at once if it is 2. */
SV_INLINE void NAME(half)(const sv_tile *tile, const int n, const int m, const int width, const int which,
                          VECTOR (*sum)[SV_LANES / PER_VECTOR], VECTOR (*sum2)[SV_LANES / PER_VECTOR]) {
    const ptrdiff_t step = tile->step, column = tile->column, last = ((ptrdiff_t)tile->half * 2 - 1) * step;
    const REAL *h = (const REAL *)tile->panel, *h2 = h + tile->half * SV_LANES, *const end = h2;
    const REAL *a = (const REAL *)tile->ahead, *a2 = a + last, *b = m ? (const REAL *)tile->back : a, *b2 = b - last;
    if (m == 0 && which != 2) {
        const ptrdiff_t inward = which ? -step : step, edge = NAME(PARTS) == 2 ? (ptrdiff_t)tile->edge : 0;
        const REAL *rows = (which ? h2 : h) + edge * SV_LANES, *x = (which ? a2 : a) + edge * inward;
        SV_UNROLL_TWICE
        for (size_t i = tile->half - (size_t)edge; i > 0; i--, rows += SV_LANES, x += inward)
            NAME(row)(rows, x, x, column, n, 0, width, which ? sum2 : sum);
        return;
    }
    for (; h != end; h += SV_LANES, h2 += SV_LANES, a += step, a2 -= step, b -= step, b2 += step) {
        if (which != 1) NAME(row)(h, a, b, column, n, m, width, sum);
        if (which != 0) NAME(row)(h2, a2, b2, column, n, m, width, sum2);
    }
}

/* The outermost rows, in each of which one vector of two is zero, of both halves at once. */
SV_INLINE void NAME(edges)(const sv_tile *tile, const int n, const int width, VECTOR (*sum)[SV_LANES / PER_VECTOR],
                           VECTOR (*sum2)[SV_LANES / PER_VECTOR]) {
    const ptrdiff_t step = tile->step, last = ((ptrdiff_t)tile->half * 2 - 1) * step;
    const REAL *h = (const REAL *)tile->panel, *h2 = h + tile->half * SV_LANES + PER_VECTOR;
    const REAL *a = (const REAL *)tile->ahead, *a2 = a + last;
    for (size_t i = tile->edge; i > 0; i--, h += SV_LANES, h2 += SV_LANES, a += step, a2 -= step) {
        const VECTOR row = LOAD(h), row2 = LOAD(h2);
        SV_UNROLL
        for (int k = 0; k < n * width; k++) {
            const ptrdiff_t at = (k / width) * tile->column + k % width;
            sum[k][0] = FMA(row, SPREAD(a[at]), sum[k][0]);
            sum2[k][NAME(PARTS) - 1] = FMA(row2, SPREAD(a2[at]), sum2[k][NAME(PARTS) - 1]);
        }
    }
}

/* Both halves at once if the registers hold their sums: few columns would wait for each other's, many have no room. */
SV_INLINE void NAME(tile_of)(const sv_tile *tile, float *out, const int n, const int m, const int width) {
    const int columns = (n + m) * width;
    VECTOR sum[COLUMNS][SV_LANES / PER_VECTOR], sum2[COLUMNS][SV_LANES / PER_VECTOR];
    SV_UNROLL
    for (int k = 0; k < columns; k++) {
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++) sum[k][p] = sum2[k][p] = SPREAD(0);
    }
    if (2 * columns * NAME(PARTS) <= ACCUMULATORS) {
        NAME(half)(tile, n, m, width, 2, sum, sum2);
    } else {
        if (NAME(PARTS) == 2 && m == 0) NAME(edges)(tile, n, width, sum, sum2);
        NAME(half)(tile, n, m, width, 0, sum, sum2);
        NAME(half)(tile, n, m, width, 1, sum, sum2);
    }
#if defined(PUT)
    if (width == 1 && tile->out != NULL) {
        SV_UNROLL
        for (int k = 0; k < n; k++) PUT(tile, 0, k, ADD(sum[k][0], sum2[k][0]));
        SV_UNROLL
        for (int k = 0; k < m; k++) PUT(tile, 1, k, ADD(sum[n + k][0], sum2[n + k][0]));
        return;
    }
#endif
    SV_UNROLL
    for (int k = 0; k < columns; k++) {
        SV_UNROLL
        for (int p = 0; p < NAME(PARTS); p++)
            STORE(out + k * SV_LANES + p * PER_VECTOR, ADD(sum[k][p], sum2[k][p]));
    }
}

/* `n` columns ahead and `m` back, one or two channels each. */
#define MONO(n, m) case 16 * n + m: NAME(tile_of)(tile, out, n, m, 1); return;
#define STEREO(n, m) case 256 + 16 * n + m: NAME(tile_of)(tile, out, n, m, 2); return;

static void NAME(tile)(const sv_tile *tile, float *out) {
    switch ((tile->width == 2 ? 256 : 0) + 16 * tile->ahead_count + tile->back_count) {
        MONO(1, 0) MONO(2, 0) MONO(3, 0) MONO(1, 1) MONO(1, 2) MONO(2, 1)
        STEREO(1, 0)
#if COLUMNS >= 6
        MONO(4, 0) MONO(5, 0) MONO(6, 0) MONO(2, 2) MONO(2, 3) MONO(3, 2) MONO(3, 3)
        STEREO(2, 0) STEREO(3, 0) STEREO(1, 1) STEREO(1, 2) STEREO(2, 1)
#endif
#if COLUMNS >= 12
        MONO(7, 0) MONO(8, 0) MONO(9, 0) MONO(10, 0) MONO(11, 0) MONO(12, 0)
        MONO(3, 4) MONO(4, 3) MONO(4, 4) MONO(4, 5) MONO(5, 4) MONO(5, 5) MONO(5, 6) MONO(6, 5) MONO(6, 6)
        STEREO(4, 0) STEREO(5, 0) STEREO(6, 0) STEREO(2, 2) STEREO(2, 3) STEREO(3, 2) STEREO(3, 3)
#endif
    }
}

#undef MONO
#undef STEREO

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
