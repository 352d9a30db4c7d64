/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Hadamard transforms in vectors; included by one file per instruction set after its lanes_*.h.
 * Up to RADIX vectors are in registers at a time, so that a pass over memory does three stages of
 * butterflies, and the first pass along rows those inside a vector besides. */
#ifndef BITSWEEP_SIMD_HADAMARD_H
#define BITSWEEP_SIMD_HADAMARD_H
#include "kernels.h"

enum { RADIX = 8 };

/* The stages inside vectors: half = 1, 2, ... below `block`. */
INLINE reals butterflies_inside(reals v, size_t block)
{
    if (block > 1)
        v = butterfly_1(v);
    if (block > 2)
        v = butterfly_2(v);
    if (block > 4)
        v = butterfly_4(v);
    if (block > 8 && LANES > 8)
        v = butterfly_8(v);
    return v;
}

/* log2(count) stages between vectors. */
INLINE void butterflies_between(reals *v, const int count)
{
    for (int half = 1; half < count; half *= 2)
        for (int i = 0; i < count; i++)
            if (!(i & half)) {
                reals a = v[i], b = v[i + half];
                v[i] = reals_add(a, b);
                v[i + half] = reals_subtract(a, b);
            }
}

/* The first stages of every run of count * LANES elements from x to end. */
INLINE void pass_inside(float *x, const float *end, const int count)
{
    for (; x < end; x += count * LANES) {
        reals v[RADIX];
        for (int i = 0; i < count; i++)
            v[i] = butterflies_inside(reals_load(x + i * LANES), LANES);
        butterflies_between(v, count);
        for (int i = 0; i < count; i++)
            reals_store(x + i * LANES, v[i]);
    }
}

/* log2(count) stages between count lines, `step` apart, of `cols` elements each. */
INLINE void pass_between(float *x, size_t step, size_t cols, const int count)
{
    reals v[RADIX];
    for (; cols >= LANES; cols -= LANES, x += LANES) {
        for (int i = 0; i < count; i++)
            v[i] = reals_load(x + (size_t)i * step);
        butterflies_between(v, count);
        for (int i = 0; i < count; i++)
            reals_store(x + (size_t)i * step, v[i]);
    }
    if (cols > 0) {
        for (int i = 0; i < count; i++)
            v[i] = reals_load_some(x + (size_t)i * step, cols);
        butterflies_between(v, count);
        for (int i = 0; i < count; i++)
            reals_store_some(x + (size_t)i * step, cols, v[i]);
    }
}

/* The stages half = from, 2 * from, ... of a run of `block` lines of `cols` elements, `step` apart. */
static void passes_between(float *x, size_t step, size_t cols, size_t from, size_t block)
{
    for (size_t half = from; half < block;) {
        size_t count = block / half < RADIX ? block / half : RADIX;
        for (size_t run = 0; run < block; run += half * count)
            for (size_t line = run; line < run + half; line++) {
                float *first = x + line * step;
                if (count == 8)
                    pass_between(first, half * step, cols, 8);
                else if (count == 4)
                    pass_between(first, half * step, cols, 4);
                else
                    pass_between(first, half * step, cols, 2);
            }
        half *= count;
    }
}

static void short_blocks(float *x, size_t count, size_t block)
{
    for (; count >= LANES; count -= LANES, x += LANES)
        reals_store(x, butterflies_inside(reals_load(x), block));
    if (count > 0)
        reals_store_some(x, count, butterflies_inside(reals_load_some(x, count), block));
}

static void long_blocks(float *x, size_t count, size_t block)
{
    size_t vectors = block / LANES < RADIX ? block / LANES : RADIX, inside = vectors * LANES;
    const float *end = x + count;
    if (vectors == 8)
        pass_inside(x, end, 8);
    else if (vectors == 4)
        pass_inside(x, end, 4);
    else if (vectors == 2)
        pass_inside(x, end, 2);
    else
        pass_inside(x, end, 1);
    if (inside < block)
        for (; x < end; x += block)
            passes_between(x, inside, inside, 1, block / inside);
}

static void hadamard_rows(float *x, size_t rows, size_t cols, size_t stride, size_t block)
{
    if (block == 1)
        return;
    if (stride == cols) { /* no gaps: one long row */
        cols *= rows;
        rows = cols > 0;
    }
    for (size_t row = 0; row < rows; row++)
        (block < LANES ? short_blocks : long_blocks)(x + row * stride, cols, block);
}

static void hadamard_columns(float *x, size_t rows, size_t cols, size_t stride, size_t block)
{
    enum { STRIP_COLUMNS = 64 }; /* a run of that many columns stays in the cache through all of its passes */
    for (size_t row = 0; row < rows; row += block)
        for (size_t col = 0; col < cols; col += STRIP_COLUMNS) {
            size_t count = cols - col < STRIP_COLUMNS ? cols - col : STRIP_COLUMNS;
            passes_between(x + row * stride + col, stride, count, 1, block);
        }
}
#endif
