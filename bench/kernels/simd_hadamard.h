/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Hadamard transforms in vectors; included by one file per instruction set after its words_*.h.
 * Up to RADIX vectors are in registers at a time, so that a pass over memory does three or four stages of butterflies, and
 * the first pass along rows those inside a vector besides. Long runs are finished piece by piece, so that all passes but
 * the last find their elements in the cache. */
#ifndef BITSWEEP_SIMD_HADAMARD_H
#define BITSWEEP_SIMD_HADAMARD_H
#include "kernels.h"
#include <string.h>

enum { RADIX = LANES };
/* gcc keeps an array in registers only where it unrolls loops early, which it must be told to; clang does it unasked, and
 * worse when told to. */
#ifdef __clang__
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* ---- floats: the stages in the order half = 1, 2, 4, ... ---- */

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

INLINE void stage(reals *v, const int count, const int half)
{
    UNROLL for (int i = 0; i < count / 2; i++) {
        reals *first = v + i / half * 2 * half + i % half, a = first[0], b = first[half];
        first[0] = reals_add(a, b);
        first[half] = reals_subtract(a, b);
    }
}

/* log2(count) stages between vectors. */
INLINE void butterflies_between(reals *v, const int count)
{
    if (count > 1)
        stage(v, count, 1);
    if (count > 2)
        stage(v, count, 2);
    if (count > 4)
        stage(v, count, 4);
    if (count > 8)
        stage(v, count, 8);
}

/* The first stages of every run of count * LANES elements from x to end. */
INLINE void pass_inside(float *x, const float *end, const int count)
{
    for (; x < end; x += count * LANES) {
        reals v[RADIX];
        UNROLL for (int i = 0; i < count; i++)
            v[i] = butterflies_inside(reals_load(x + i * LANES), LANES);
        butterflies_between(v, count);
        UNROLL for (int i = 0; i < count; i++)
            reals_store(x + i * LANES, v[i]);
    }
}

/* log2(count) stages between `count` groups of `lines` lines of `cols` elements each. */
INLINE void pass_between(float *x, size_t lines, size_t stride, size_t cols, const int count)
{
    reals v[RADIX];
    size_t step = lines * stride;
    if (stride == cols) { /* no gaps: one long line */
        cols *= lines;
        lines = 1;
    }
    for (size_t line = 0; line < lines; line++) {
        float *at = x + line * stride;
        const float *end = at + cols;
        for (; end - at >= LANES; at += LANES) {
            UNROLL for (int i = 0; i < count; i++)
                v[i] = reals_load(at + (size_t)i * step);
            butterflies_between(v, count);
            UNROLL for (int i = 0; i < count; i++)
                reals_store(at + (size_t)i * step, v[i]);
        }
        if (at < end) {
            size_t rest = (size_t)(end - at);
            UNROLL for (int i = 0; i < count; i++)
                v[i] = reals_load_some(at + (size_t)i * step, rest);
            butterflies_between(v, count);
            UNROLL for (int i = 0; i < count; i++)
                reals_store_some(at + (size_t)i * step, rest, v[i]);
        }
    }
}

/* All stages between `block` lines of `cols` elements, `stride` apart. */
static void transform_lines(float *x, size_t stride, size_t cols, size_t block)
{
    size_t piece = 1;
    while (piece * RADIX < block)
        piece *= RADIX;
    for (size_t line = 0; piece > 1 && line < block; line += piece)
        transform_lines(x + line * stride, stride, cols, piece);
    if (block == piece * 16 && RADIX >= 16)
        pass_between(x, piece, stride, cols, 16);
    else if (block == piece * 8)
        pass_between(x, piece, stride, cols, 8);
    else if (block == piece * 4)
        pass_between(x, piece, stride, cols, 4);
    else if (block == piece * 2)
        pass_between(x, piece, stride, cols, 2);
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
    size_t vectors = block / LANES < RADIX ? block / LANES : RADIX, piece = vectors * LANES;
    const float *end = x + count;
    for (size_t run = piece < block ? block : count; x < end; x += run) {
        if (vectors == 16 && RADIX >= 16)
            pass_inside(x, x + run, 16);
        else if (vectors == 8)
            pass_inside(x, x + run, 8);
        else if (vectors == 4)
            pass_inside(x, x + run, 4);
        else if (vectors == 2)
            pass_inside(x, x + run, 2);
        else
            pass_inside(x, x + run, 1);
        if (piece < block)
            transform_lines(x, piece, piece, block / piece);
    }
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
            transform_lines(x + row * stride + col, stride, count, block);
        }
}

/* ---- 16-bit integers: the stages in any order ---- */

INLINE void interleave(words *v, const int count, bool add)
{
    UNROLL for (int i = 0; i < count; i += 2) {
        words low = words_interleave_low(v[i], v[i + 1]), high = words_interleave_high(v[i], v[i + 1]);
        v[i] = add ? words_add(low, high) : low;
        v[i + 1] = add ? words_subtract(low, high) : high;
    }
}

/* The stages half < block inside vectors. Interleaving two of them over and over brings every bit of an element's place in
 * its vector, the highest first, to tell the two apart, and at last all bits back to where they were. */
INLINE void short_butterflies_inside(words *v, const int count, size_t block)
{
    UNROLL for (size_t half = WORDS / 2; half > 0; half /= 2)
        interleave(v, count, half < block);
    interleave(v, count, false);
}

INLINE void short_stage(words *v, const int count, const int half)
{
    UNROLL for (int i = 0; i < count / 2; i++) {
        words *first = v + i / half * 2 * half + i % half, a = first[0], b = first[half];
        first[0] = words_add(a, b);
        first[half] = words_subtract(a, b);
    }
}

/* log2(run) stages between the vectors of every run of them. */
INLINE void short_butterflies_between(words *v, const int count, const int run)
{
    if (run > 1)
        short_stage(v, count, 1);
    if (run > 2)
        short_stage(v, count, 2);
    if (run > 4)
        short_stage(v, count, 4);
    if (run > 8)
        short_stage(v, count, 8);
}

/* All stages in runs of `run` vectors (below the size of a vector: of `block` elements), `count` vectors at a time. Returns
 * how many of the size elements were in whole groups of that many. */
INLINE size_t short_pass_inside(int16_t *x, size_t size, const int count, const int run, size_t block)
{
    words v[RADIX];
    size_t group = (size_t)count * WORDS, done = 0;
    for (; size - done >= group; done += group, x += group) {
        UNROLL for (int i = 0; i < count; i++)
            v[i] = words_load(x + i * WORDS);
        short_butterflies_inside(v, count, block);
        short_butterflies_between(v, count, run);
        UNROLL for (int i = 0; i < count; i++)
            words_store(x + i * WORDS, v[i]);
    }
    return done;
}

/* log2(count) stages between `count` neighbouring pieces of `piece` elements. */
INLINE void short_pass_between(int16_t *x, size_t piece, const int count)
{
    for (const int16_t *end = x + piece; x < end; x += WORDS) {
        words v[RADIX];
        UNROLL for (int i = 0; i < count; i++)
            v[i] = words_load(x + (size_t)i * piece);
        short_butterflies_between(v, count, count);
        UNROLL for (int i = 0; i < count; i++)
            words_store(x + (size_t)i * piece, v[i]);
    }
}

/* Runs of more than RADIX vectors. */
static void long_short_runs(int16_t *x, size_t size, size_t block)
{
    for (const int16_t *end = x + size; x < end; x += block) {
        size_t piece = RADIX * WORDS;
        short_pass_inside(x, block, RADIX, RADIX, WORDS);
        for (; piece * 4 <= block; piece *= 4)
            for (size_t at = 0; at < block; at += 4 * piece)
                short_pass_between(x + at, piece, 4);
        if (piece < block)
            short_pass_between(x, piece, 2);
    }
}

/* Runs of less than two vectors; what does not fill two is transformed aside. */
static void small_short_runs(int16_t *x, size_t size, size_t block)
{
    size_t done = short_pass_inside(x, size, RADIX, 1, block);
    done += short_pass_inside(x + done, size - done, 2, 1, block);
    if (done < size) {
        int16_t last[2 * WORDS] = {0};
        memcpy(last, x + done, (size - done) * sizeof *x);
        short_pass_inside(last, 2 * WORDS, 2, 1, block);
        memcpy(x + done, last, (size - done) * sizeof *x);
    }
}

static void short_runs(int16_t *x, size_t size, size_t block)
{
    size_t vectors = block / WORDS, done;
    if (vectors > RADIX) {
        long_short_runs(x, size, block);
    } else if (vectors == RADIX) {
        short_pass_inside(x, size, RADIX, RADIX, WORDS);
    } else if (vectors == 8) {
        done = short_pass_inside(x, size, RADIX, 8, WORDS);
        short_pass_inside(x + done, size - done, 8, 8, WORDS);
    } else if (vectors == 4) {
        done = short_pass_inside(x, size, RADIX, 4, WORDS);
        short_pass_inside(x + done, size - done, 4, 4, WORDS);
    } else if (vectors == 2) {
        done = short_pass_inside(x, size, RADIX, 2, WORDS);
        short_pass_inside(x + done, size - done, 2, 2, WORDS);
    } else if (block > 1) {
        small_short_runs(x, size, block);
    }
}

static void hadamard_shorts(int16_t *x, size_t rows, size_t cols, size_t stride, size_t block)
{
    if (stride == cols) { /* no gaps: one long row */
        cols *= rows;
        rows = cols > 0;
    }
    for (size_t row = 0; row < rows; row++)
        short_runs(x + row * stride, cols, block);
}
#endif
