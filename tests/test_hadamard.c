/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's Hadamard transforms against the definition. */
#include "kernel_support.h"
#include <math.h>

static double sylvester(size_t i, size_t j) { return __builtin_popcountll(i & j) % 2 ? -1 : 1; }

/* rows × cols of small integers, whose transform is exact; along rows or columns, against the definition. */
static void check_hadamard(const struct kernels *k, bool columns, size_t rows, size_t cols, size_t stride,
                           size_t block)
{
    struct guarded m = guarded_new(((rows - 1) * stride + cols) * 4, 4 * draw_below(16));
    size_t count = m.size / 4;
    float *x = (float *)m.data, *before = xmalloc(m.size);
    void (*transform)(float *, size_t, size_t, size_t, size_t) =
        columns ? k->hadamard_columns : k->hadamard_rows;
    for (size_t i = 0; i < count; i++)
        before[i] = x[i] = (float)((int)draw_below(511) - 255);
    transform(x, rows, cols, stride, block);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < stride && i * stride + j < count; j++) {
            double expected = j < cols ? 0 : (double)before[i * stride + j];
            size_t at = columns ? i % block : j % block;
            for (size_t l = 0; j < cols && l < block; l++)
                expected += sylvester(at, l)
                            * (double)before[columns ? (i - at + l) * stride + j : i * stride + j - at + l];
            cr_assert_eq((double)x[i * stride + j], expected,
                         "%s: %s of %zu x %zu (stride %zu), block %zu, at %zu,%zu", k->isa,
                         columns ? "columns" : "rows", rows, cols, stride, block, i, j);
        }
    transform(x, rows, cols, stride, block);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            cr_assert_eq(x[i * stride + j], (float)block * before[i * stride + j], "%s: H H is not %zu I",
                         k->isa, block);
    free(before);
    guarded_free(&m, k->isa);
}

Test(hadamard, definition)
{
    for (EACH_ISA(k))
        for (size_t block = 1; block <= 512; block *= 2) {
            size_t runs = 1 + draw_below(block > 64 ? 2 : 9), other = 1 + draw_below(5);
            check_hadamard(k, false, other, runs * block, runs * block + draw_below(2) * draw_below(20),
                           block);
            size_t cols = draw() & 1 ? 1 + draw_below(20) : 60 + draw_below(20);
            check_hadamard(k, true, runs * block, cols, cols + draw_below(5), block);
        }
}

Test(hadamard, small_blocks_of_all_sizes)
{
    for (EACH_ISA(k))
        for (size_t block = 2; block <= 32; block *= 2)
            for (size_t runs = 1; runs < 20; runs++) {
                check_hadamard(k, false, 3, runs * block, runs * block + 1, block);
                check_hadamard(k, true, block, runs, runs, block);
            }
}

Test(hadamard, one_long_block)
{
    for (EACH_ISA(k)) {
        check_hadamard(k, false, 1, 2048, 2048, 2048);
        check_hadamard(k, true, 1024, 3, 3, 1024);
    }
}

/* Real input, tiny and huge values among it: the butterflies of the definition, in order, bit for bit. */
Test(hadamard, same_bits_everywhere)
{
    enum { N = 1024 };
    float x[N], expected[N], got[N];
    for (int round = 0; round < 40; round++) {
        size_t block = (size_t)1 << draw_below(11);
        for (size_t i = 0; i < N; i++)
            x[i] = expected[i] = ldexpf(draw_real(), (int)draw_below(40) - (round & 1 ? 160 : 20));
        if (round == 7)
            expected[5] = x[5] = INFINITY;
        for (size_t half = 1; half < block; half *= 2)
            for (size_t i = 0; i < N; i++)
                if (i / half % 2 == 0) {
                    float a = expected[i], b = expected[i + half];
                    expected[i] = a + b;
                    expected[i + half] = a - b;
                }
        for (EACH_ISA(k))
            for (int columns = 0; columns < 2; columns++) {
                memcpy(got, x, sizeof x);
                if (columns)
                    k->hadamard_columns(got, N, 1, 1, block);
                else
                    k->hadamard_rows(got, 1, N, N, block);
                for (size_t i = 0; i < N; i++)
                    cr_assert(memcmp(&got[i], &expected[i], 4) == 0 || (isnan(got[i]) && isnan(expected[i])),
                              "%s: block %zu, element %zu: %a, not %a", k->isa, block, i, (double)got[i],
                              (double)expected[i]);
            }
    }
}

/* ---- 16-bit integers ---- */

/* Up to the documented limit: block * largest = 32,767 or just below. Some runs are rows of the matrix themselves, whose
 * transform reaches the limit. Of large blocks only some sums are checked. */
static void check_shorts(const struct kernels *k, size_t rows, size_t cols, size_t stride, size_t block)
{
    size_t count = rows ? (rows - 1) * stride + cols : 0, step = block > 512 ? block / 64 - 1 : 1;
    struct guarded m = guarded_new(count * 2, 2 * draw_below(32));
    int16_t *x = (int16_t *)m.data, *before = xmalloc(m.size);
    int largest = 32767 / (int)block;
    size_t pattern = draw_below(block);
    bool extreme = draw() & 1;
    for (size_t i = 0; i < count; i++) {
        int value = extreme ? largest * (sylvester(pattern, i % stride % block) > 0 ? 1 : -1)
                            : (int)draw_below((size_t)largest * 2 + 1) - largest;
        before[i] = x[i] = (int16_t)value;
    }
    k->hadamard_shorts(x, rows, cols, stride, block);
    for (size_t i = 0; i < count; i++) {
        size_t row = i / stride, col = i % stride, at = col % block;
        if (col >= cols) {
            cr_assert_eq(x[i], before[i], "%s: %zu x %zu, block %zu: wrote between rows", k->isa, rows, cols, block);
        } else if (i % step == 0) {
            int expected = 0;
            for (size_t l = 0; l < block; l++)
                expected += (int)sylvester(at, l) * before[row * stride + col - at + l];
            cr_assert_eq(x[i], expected, "%s: %zu x %zu (stride %zu), block %zu, at %zu,%zu: %d, not %d", k->isa, rows, cols,
                         stride, block, row, col, x[i], expected);
        }
    }
    free(before);
    guarded_free(&m, k->isa);
}

Test(hadamard, shorts)
{
    for (EACH_ISA(k))
        for (size_t block = 1; block <= 16384; block *= 2)
            for (int round = 0; round < (block > 512 ? 2 : 6); round++) {
                size_t runs = 1 + draw_below(block > 64 ? 3 : 40), rows = block > 64 ? 1 + draw_below(2) : draw_below(6);
                check_shorts(k, rows, runs * block, runs * block + draw_below(2) * draw_below(40), block);
            }
}
