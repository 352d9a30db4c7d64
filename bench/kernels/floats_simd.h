/* SPDX-License-Identifier: GPL-3.0-or-later
 * Float products of convolutions in vectors; included by one file per instruction set after its lanes_*.h and the
 * ROWS of its register tiles, which are 16 columns wide.
 * A tile's sums stay in registers over all of k, one chain of fused multiply-adds each. A is read where it lies, an element
 * at a time for all columns, with the tile's row addresses in registers: its rows need no order, and nothing is packed. The
 * chains of the rows hide each other's latency; more rows would not be faster. */
#ifndef BITSWEEP_FLOATS_SIMD_H
#define BITSWEEP_FLOATS_SIMD_H
#include "isa.h"

enum { WIDTH = 16, VECTORS = WIDTH / LANES, FEW_ROWS = 4 };

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Lanes of vector v that are among `columns` columns. */
INLINE size_t lanes_of(size_t columns, int v)
{
    size_t before = (size_t)v * LANES;
    return columns < before ? 0 : smaller(columns - before, LANES);
}

INLINE reals load_part(const float *x, size_t columns, int v, const bool whole)
{
    return whole ? reals_load(x + v * LANES) : reals_load_some(x + v * LANES, lanes_of(columns, v));
}

INLINE void put_part(float *out, size_t columns, int v, const bool whole, reals value, bool add)
{
    if (add)
        value = reals_add(load_part(out, columns, v, whole), value);
    if (whole)
        reals_store(out + v * LANES, value);
    else
        reals_store_some(out + v * LANES, lanes_of(columns, v), value);
}

/* ---- products ---- */

/* Stops gcc from computing several addresses in one vector, which would wait in line behind the sums before it. */
INLINE const float *address(const float *x)
{
    __asm__("" : "+r"(x));
    return x;
}

/* Before a loop over rows: gcc keeps the sums in registers only if it unrolls early, clang only if not told to unroll. */
#ifdef __clang__
#define EACH_ROW
#else
#define EACH_ROW _Pragma("GCC unroll 8")
#endif

/* rows × WIDTH of the product, to out[i*ld + j]. */
struct tile {
    const int32_t *row;
    const float *b, *bias;
    float *out;
    size_t ld;
    bool add;
};

INLINE void multiply_tile(const struct float_product *p, const struct tile *t, const int rows)
{
    const float *a[ROWS], *b = t->b;
    const int32_t *col = p->a.col, *end = col + p->k;
    size_t ldb = p->ldb;
    reals sum[ROWS][VECTORS];
    EACH_ROW
    for (int i = 0; i < rows; i++) {
        a[i] = address(p->a.data + t->row[i]);
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = reals_set(0);
    }
    for (; col < end; col++, b += ldb) {
        reals right[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            right[v] = reals_load(b + v * LANES);
        EACH_ROW
        for (int i = 0; i < rows; i++) {
            reals left = reals_set(a[i][*col]);
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] = reals_fused_multiply_add(left, right[v], sum[i][v]);
        }
    }
    float *out = t->out;
    size_t ld = t->ld;
    bool add = t->add;
    reals bias[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        bias[v] = t->bias ? reals_load(t->bias + v * LANES) : reals_set(0);
    EACH_ROW
    for (int i = 0; i < rows; i++, out += ld)
        for (int v = 0; v < VECTORS; v++)
            put_part(out, WIDTH, v, true, reals_add(sum[i][v], bias[v]), add);
}

/* Functions of their own, so that what their loops need finds room in registers. */
__attribute__((noinline)) static void multiply_rows(const struct float_product *p, const struct tile *t)
{
    multiply_tile(p, t, ROWS);
}
__attribute__((noinline)) static void multiply_few_rows(const struct float_product *p, const struct tile *t)
{
    multiply_tile(p, t, FEW_ROWS);
}

/* A tile of tile_rows that is not all there, through one that is: its last row is repeated. */
static void multiply_edge(const struct float_product *p, const struct tile *t, size_t tile_rows, size_t rows, size_t columns)
{
    int32_t row[ROWS];
    float sums[ROWS * WIDTH], bias[WIDTH] = {0};
    struct tile whole = {.row = row, .b = t->b, .bias = bias, .out = sums, .ld = WIDTH};
    for (size_t i = 0; i < tile_rows; i++)
        row[i] = t->row[smaller(i, rows - 1)];
    for (size_t j = 0; t->bias && j < columns; j++)
        bias[j] = t->bias[j];
    (tile_rows == ROWS ? multiply_rows : multiply_few_rows)(p, &whole);
    for (size_t i = 0; i < rows; i++)
        for (int v = 0; v < VECTORS; v++)
            put_part(t->out + i * t->ld, columns, v, false, reals_load(sums + i * WIDTH + v * LANES), t->add);
}

static void multiply(const struct float_product *p)
{
    for (size_t j = 0; j < p->n; j += WIDTH) {
        size_t columns = smaller(WIDTH, p->n - j);
        for (size_t i = 0, rows; i < p->m; i += rows) {
            size_t left = p->m - i, tile_rows = left > FEW_ROWS ? ROWS : FEW_ROWS;
            struct tile t = {
                .row = p->a.row + i, .b = p->b + j, .bias = p->bias ? p->bias + j : NULL,
                .out = p->out + i * p->ld + j, .ld = p->ld, .add = p->add,
            };
            rows = smaller(tile_rows, left);
            if (rows < tile_rows || columns < WIDTH)
                multiply_edge(p, &t, tile_rows, rows, columns);
            else if (tile_rows == ROWS)
                multiply_rows(p, &t);
            else
                multiply_few_rows(p, &t);
        }
    }
}

/* ---- depthwise: WIDTH channels at a time ---- */

enum { POSITIONS = 8 / VECTORS, TAPS = 9 };

/* POSITIONS positions, so that a weight is loaded once for all of them. */
INLINE void depthwise_tile(const struct float_depthwise *p, size_t i, size_t c, size_t columns, const bool whole)
{
    size_t live = smaller(POSITIONS, p->m - i);
    const float *x[POSITIONS];
    reals sum[POSITIONS][VECTORS];
    for (size_t r = 0; r < POSITIONS; r++) {
        x[r] = p->x.data + p->x.row[i + smaller(r, live - 1)] + c;
        for (int v = 0; v < VECTORS; v++)
            sum[r][v] = reals_set(0);
    }
    for (size_t t = 0; t < p->taps; t++)
        for (int v = 0; v < VECTORS; v++) {
            reals w = load_part(p->w + t * p->ldw + c, columns, v, whole);
            for (size_t r = 0; r < POSITIONS; r++)
                sum[r][v] = reals_fused_multiply_add(load_part(x[r] + p->x.col[t], columns, v, whole), w, sum[r][v]);
        }
    for (size_t r = 0; r < POSITIONS && r < live; r++)
        for (int v = 0; v < VECTORS; v++)
            put_part(p->out + (i + r) * p->ld + c, columns, v, whole, sum[r][v], p->add);
}

static void depthwise(const struct float_depthwise *p)
{
    for (size_t c = 0; c < p->channels; c += WIDTH) {
        size_t columns = smaller(WIDTH, p->channels - c);
        for (size_t i = 0; i < p->m; i += POSITIONS)
            if (columns == WIDTH)
                depthwise_tile(p, i, c, columns, true);
            else
                depthwise_tile(p, i, c, columns, false);
    }
}

/* Taps t .. t+taps-1, LANES channels. */
INLINE void gradient_tile(const struct float_depthwise_gradient *p, size_t t, const size_t taps, size_t c, size_t columns,
                          const bool whole)
{
    const float *x[TAPS], *g = p->g + c;
    reals sum[TAPS];
    for (size_t tap = 0; tap < taps; tap++) {
        x[tap] = p->x.data + p->x.col[t + tap] + c;
        sum[tap] = reals_set(0);
    }
    for (const int32_t *row = p->x.row, *end = row + p->m; row < end; row++, g += p->ldg) {
        reals gradient = load_part(g, columns, 0, whole);
        for (size_t tap = 0; tap < taps; tap++)
            sum[tap] = reals_fused_multiply_add(load_part(x[tap] + *row, columns, 0, whole), gradient, sum[tap]);
    }
    for (size_t tap = 0; tap < taps; tap++)
        put_part(p->out + (t + tap) * p->ld + c, columns, 0, whole, sum[tap], p->add);
}

static void gradient_taps(const struct float_depthwise_gradient *p, size_t c, size_t columns, const bool whole)
{
    size_t t = 0;
    for (; t + TAPS <= p->taps; t += TAPS)
        gradient_tile(p, t, TAPS, c, columns, whole);
    for (; t < p->taps; t++)
        gradient_tile(p, t, 1, c, columns, whole);
}

static void depthwise_gradient(const struct float_depthwise_gradient *p)
{
    for (size_t c = 0; c < p->channels; c += LANES) {
        size_t columns = smaller(LANES, p->channels - c);
        if (columns == LANES)
            gradient_taps(p, c, columns, true);
        else
            gradient_taps(p, c, columns, false);
    }
}

/* ---- transposition: LANES × LANES at a time ---- */

INLINE void transpose_block(const float *x, size_t rows, size_t cols, size_t stride, float *out, size_t out_stride,
                            const bool whole)
{
    ints r[LANES];
    for (size_t i = 0; i < LANES; i++)
        r[i] = whole || i < rows ? reals_bits(load_part(x + i * stride, cols, 0, whole)) : ints_set(0);
    ints_transpose(r);
    for (size_t j = 0; j < LANES; j++)
        if (whole)
            ints_store(out + j * out_stride, r[j]);
        else if (j < cols)
            ints_store_some((int32_t *)(out + j * out_stride), rows, r[j]);
}

static void transpose(const float *x, size_t rows, size_t cols, size_t stride, float *out, size_t out_stride)
{
    for (size_t j = 0; j < cols; j += LANES)
        for (size_t i = 0; i < rows; i += LANES) {
            size_t part_rows = smaller(LANES, rows - i), part_cols = smaller(LANES, cols - j);
            const float *from = x + i * stride + j;
            float *to = out + j * out_stride + i;
            if (part_rows == LANES && part_cols == LANES)
                transpose_block(from, LANES, LANES, stride, to, out_stride, true);
            else
                transpose_block(from, part_rows, part_cols, stride, to, out_stride, false);
        }
}

#define FLOAT_KERNELS                             \
    {                                             \
        .multiply = multiply,                     \
        .depthwise = depthwise,                   \
        .depthwise_gradient = depthwise_gradient, \
        .transpose = transpose,                   \
    }
#endif
