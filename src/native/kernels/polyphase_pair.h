/* Two tiles at once, where a vector holds a whole row of a panel; included after polyphase_tiles.h, under its macros.
 *
 * A load of a sample serves both, which halves the loads. The chains of either are those of its own tile: in the first
 * half the second tile is `lag` rows behind, in the other half, which is walked from the last row, the first one is.
 */

/* Adds a row, times the inputs of all columns, to the sums of the tiles in `of`: 1, 2, or 3 for both. */
SV_INLINE void NAME(row_of_pair)(const int of, const REAL *panel, const REAL *panel2, const REAL *ahead,
                                 const REAL *back, ptrdiff_t column, const int n, const int m, const int width,
                                 VECTOR *sum, VECTOR *sum2) {
    VECTOR h = SPREAD(0), h2 = SPREAD(0);
    if (of & 1) h = LOAD(panel);
    if (of & 2) h2 = LOAD(panel2);
    SV_IN_REGISTER(h);
    SV_IN_REGISTER(h2);
    SV_UNROLL
    for (int k = 0; k < (n + m) * width; k++) {
        const REAL *from = k < n * width ? ahead + (k / width) * column : back + (k / width - n) * column;
        VECTOR x = SPREAD(from[k % width]);
        SV_IN_REGISTER(x);
        if (of & 1) sum[k] = FMA(h, x, sum[k]);
        if (of & 2) sum2[k] = FMA(h2, x, sum2[k]);
    }
}

/* `rows` rows of the tiles in `of` from the first row inward (`first`) and from the last one (`last`). */
SV_INLINE void NAME(rows_of_pair)(const int first, const int last, ptrdiff_t rows, const sv_tile *tile,
                                  const REAL **panel, const REAL **ahead, const REAL **back, const int n, const int m,
                                  const int width, VECTOR (*one)[COLUMNS / 2], VECTOR (*two)[COLUMNS / 2]) {
    const ptrdiff_t step = tile->step, column = tile->column;
    const REAL *h = panel[0], *g = panel[1], *h2 = panel[2], *g2 = panel[3];
    const REAL *a = ahead[0], *a2 = ahead[1], *b = back[0], *b2 = back[1];
    for (; rows > 0; rows--, a += step, b -= step, a2 -= step, b2 += step) {
        NAME(row_of_pair)(first, h, g, a, b, column, n, m, width, one[0], two[0]);
        NAME(row_of_pair)(last, h2, g2, a2, b2, column, n, m, width, one[1], two[1]);
        if (first & 1) h += SV_LANES;
        if (first & 2) g += SV_LANES;
        if (last & 1) h2 += SV_LANES;
        if (last & 2) g2 += SV_LANES;
    }
    panel[0] = h, panel[1] = g, panel[2] = h2, panel[3] = g2;
    ahead[0] = a, ahead[1] = a2, back[0] = b, back[1] = b2;
}

SV_INLINE void NAME(pair_of)(const sv_tile *tile, float *out, const int n, const int m, const int width) {
    const ptrdiff_t lag = (ptrdiff_t)tile->lag, half = (ptrdiff_t)tile->half, last = (2 * half - 1 + lag) * tile->step;
    const int columns = (n + m) * width;
    const REAL *h = (const REAL *)tile->panel, *g = (const REAL *)tile->second;
    const REAL *a = (const REAL *)tile->ahead, *b = m ? (const REAL *)tile->back : a;
    const REAL *panel[4] = {h, g, h + half * SV_LANES, g + half * SV_LANES}, *ahead[2] = {a, a + last};
    const REAL *back[2] = {b, b - last};
    VECTOR one[2][COLUMNS / 2], two[2][COLUMNS / 2];
    SV_UNROLL
    for (int k = 0; k < columns; k++) one[0][k] = one[1][k] = two[0][k] = two[1][k] = SPREAD(0);
    NAME(rows_of_pair)(1, 2, lag, tile, panel, ahead, back, n, m, width, one, two);
    NAME(rows_of_pair)(3, 3, half - lag, tile, panel, ahead, back, n, m, width, one, two);
    NAME(rows_of_pair)(2, 1, lag, tile, panel, ahead, back, n, m, width, one, two);
    if (width == 1 && tile->out != NULL) {
        SV_UNROLL
        for (int k = 0; k < n; k++) {
            PUT(tile, 0, k, ADD(one[0][k], one[1][k]));
            PUT(tile, 2, k, ADD(two[0][k], two[1][k]));
        }
        SV_UNROLL
        for (int k = 0; k < m; k++) {
            PUT(tile, 1, k, ADD(one[0][n + k], one[1][n + k]));
            PUT(tile, 3, k, ADD(two[0][n + k], two[1][n + k]));
        }
        return;
    }
    SV_UNROLL
    for (int k = 0; k < columns; k++) {
        STORE(out + k * SV_LANES, ADD(one[0][k], one[1][k]));
        STORE(out + (columns + k) * SV_LANES, ADD(two[0][k], two[1][k]));
    }
}

#define MONO(n, m) case 16 * n + m: NAME(pair_of)(tile, out, n, m, 1); return;
#define STEREO(n, m) case 256 + 16 * n + m: NAME(pair_of)(tile, out, n, m, 2); return;

static void NAME(pair)(const sv_tile *tile, float *out) {
    switch ((tile->width == 2 ? 256 : 0) + 16 * tile->ahead_count + tile->back_count) {
        MONO(1, 0) MONO(2, 0) MONO(3, 0) MONO(4, 0) MONO(5, 0) MONO(6, 0)
        MONO(1, 1) MONO(1, 2) MONO(2, 1) MONO(2, 2) MONO(2, 3) MONO(3, 2) MONO(3, 3)
        STEREO(1, 0) STEREO(2, 0) STEREO(3, 0) STEREO(1, 1) STEREO(1, 2) STEREO(2, 1)
    }
}

#undef MONO
#undef STEREO
