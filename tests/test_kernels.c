/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's quantisers and Hadamard transforms against definitions written out here in
 * double, and how the instruction set is chosen. */
#include "kernel_support.h"
#include <math.h>

/* ---- which instruction sets ---- */

static bool have(const char *isa)
{
    for (EACH_ISA(k))
        if (strcmp(k->isa, isa) == 0)
            return true;
    return false;
}

static void need(const char *isa)
{
    if (!have(isa))
        skip_test("this machine has no %s: its kernels are not tested", isa);
}

Test(kernels, scalar_first) { cr_assert_str_eq(kernels_at(0)->isa, "scalar"); }
Test(kernels, avx2_tested) { need("avx2"); }
Test(kernels, avx512vnni_tested) { need("avx512vnni"); }

Test(kernels, best_by_default)
{
    unsetenv("BITSWEEP_ISA");
    size_t last = 0;
    while (kernels_at(last + 1))
        last++;
    cr_assert_eq(kernels(), kernels_at(last));
}

Test(kernels, cap_scalar)
{
    setenv("BITSWEEP_ISA", "scalar", 1);
    cr_assert_str_eq(kernels()->isa, "scalar");
}

Test(kernels, cap_avx2)
{
    need("avx2");
    setenv("BITSWEEP_ISA", "avx2", 1);
    cr_assert_str_eq(kernels()->isa, "avx2");
    setenv("BITSWEEP_ISA", "scalar", 1);
    cr_assert_str_eq(kernels()->isa, "avx2", "the choice is made once");
}

Test(kernels, cap_above_the_machine)
{
    setenv("BITSWEEP_ISA", "avx512vnni", 1);
    cr_assert_str_eq(kernels()->isa, have("avx512vnni") ? "avx512vnni" : have("avx2") ? "avx2" : "scalar");
}

Test(kernels, cap_unknown, .exit_code = 2)
{
    setenv("BITSWEEP_ISA", "mmx", 1);
    kernels();
}

/* ---- quantisers ---- */

static const float specials[] = {
    0.0f,     -0.0f,  INFINITY, -INFINITY, NAN,    -NAN,        1e-45f,       -1e-45f,    1e-39f, 3.4e38f,
    -3.4e38f, 0.5f,   -0.5f,    1.5f,      -1.5f,  2.5f,        -2.5f,        6.5f,       7.5f,   -7.5f,
    126.5f,   127.5f, -127.5f,  254.5f,    255.5f, 0.49999997f, -0.49999997f, 8388609.0f, 3e9f,   -3e9f,
};
enum { SPECIALS = sizeof specials / sizeof *specials };

static void fill_reals(float *x, size_t n, float size, bool with_specials)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t kind = draw() % 8;
        x[i] = draw_real() * size;
        if (kind == 0)
            x[i] = (float)((int)draw_below(600) - 300) / 2; /* ties */
        else if (kind == 1 && with_specials)
            x[i] = specials[draw_below(SPECIALS)];
    }
}

/* Codes of 2 to 8 bits: even widths signed, odd ones unsigned. */
static void draw_range(int round, int *lo, int *hi)
{
    int bits = 2 + round / 2 % 7;
    *hi = round & 1 ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
    *lo = round & 1 ? 0 : -*hi;
}

static int nearest(float x, float scale, int lo, int hi)
{
    /* A double quotient of floats, rounded to float, is the float quotient. */
    double v = (double)(float)((double)x / (double)scale);
    if (isnan(v))
        return 0;
    v = v < lo ? lo : v > hi ? hi : v;
    double below = floor(v), rest = v - below;
    return (int)below + (rest > 0.5 || (rest == 0.5 && fmod(below, 2) != 0));
}

Test(quantise, nearest_everywhere)
{
    float x[303];
    for (int round = 0; round < 200; round++) {
        int lo, hi;
        draw_range(round, &lo, &hi);
        size_t n = draw_below(300), from = draw_below(3);
        float scale = round % 5 ? fabsf(draw_real()) : 1e-40f;
        if (round % 3)
            scale = ldexpf(1, (int)draw_below(5) - 2);
        fill_reals(x, 303, (float)hi * scale * 1.2f, true);
        for (EACH_ISA(k)) {
            struct guarded q = guarded_new(n, from);
            k->quantise_nearest(x + from, n, scale, lo, hi, q.data);
            for (size_t i = 0; i < n; i++) {
                int expected = nearest(x[from + i], scale, lo, hi);
                int got = lo < 0 ? (int8_t)q.data[i] : q.data[i];
                cr_assert_eq(got, expected, "%s: %a / %a in %d..%d gives %d, not %d", k->isa,
                             (double)x[from + i], (double)scale, lo, hi, got, expected);
            }
            guarded_free(&q, k->isa);
        }
    }
}

Test(quantise, stochastic_everywhere)
{
    float x[303];
    for (int round = 0; round < 200; round++) {
        int lo, hi;
        draw_range(round, &lo, &hi);
        size_t n = draw_below(300), from = draw_below(3);
        float scale = fabsf(draw_real()) + 1e-3f, inverse = (float)(1 / (double)scale);
        uint64_t key = draw() << 32 | draw();
        uint64_t first = round % 4 ? draw_below(100) : (draw() << 20) + draw_below(64);
        fill_reals(x, 303, (float)hi * scale * 1.2f, true);
        for (EACH_ISA(k)) {
            struct guarded q = guarded_new(n, from);
            k->quantise_stochastic(x + from, n, scale, lo, hi, key, first, (int8_t *)q.data);
            for (size_t i = 0; i < n; i++) {
                double v = (double)(float)((double)x[from + i] * (double)inverse);
                v = isnan(v) ? 0 : v < lo ? lo : v > hi ? hi : v;
                v = floor((double)(float)(v + (double)rounding_draw(key, first + i)));
                uint8_t expected = (uint8_t)(int)(v > hi ? hi : v);
                cr_assert_eq(q.data[i], expected,
                             "%s: element %zu from %zu, %a / %a in %d..%d gives %d, not %d", k->isa, i,
                             (size_t)first, (double)x[from + i], (double)scale, lo, hi, q.data[i], expected);
            }
            guarded_free(&q, k->isa);
        }
    }
}

/* Sums over many draws of one fraction f: the mean within five standard errors, the variance f(1-f), and no
 * correlation between neighbours, between the two halves of a hash, or between keys. */
Test(quantise, stochastic_statistics)
{
    enum { N = 1 << 18 };
    float *x = xmalloc(N * sizeof *x);
    int8_t *q = xmalloc(N), *other = xmalloc(N);
    for (int part = 1; part < 16; part++) {
        double f = part / 16.0, variance = f * (1 - f), error = 5 / sqrt(N);
        for (size_t i = 0; i < N; i++)
            x[i] = (float)(-3 + f);
        kernels()->quantise_stochastic(x, N, 1, -7, 7, rng_key(1, STREAM_ROUNDING, (uint64_t)part, 0), 0, q);
        kernels()->quantise_stochastic(x, N, 1, -7, 7, rng_key(1, STREAM_ROUNDING, (uint64_t)part, 1), 0,
                                       other);
        double sum = 0, squares = 0, with_next = 0, with_half = 0, with_other = 0;
        for (size_t i = 0; i < N; i++) {
            double d = q[i] + 3 - f;
            cr_assert(q[i] == -3 || q[i] == -2);
            sum += d;
            squares += d * d;
            with_next += d * (q[(i + 1) % N] + 3 - f);
            with_half += d * (q[(i + 16) % N] + 3 - f);
            with_other += d * (other[i] + 3 - f);
        }
        cr_assert_lt(fabs(sum / N), error * sqrt(variance), "mean of fraction %g off by %g", f, sum / N);
        cr_assert_lt(fabs(squares / N - variance), error * sqrt(variance) * fabs(1 - 2 * f) + 1e-4,
                     "variance at %g", f);
        cr_assert_lt(fabs(with_next / N), error * variance, "neighbours correlate at %g", f);
        cr_assert_lt(fabs(with_half / N), error * variance, "elements 16 apart correlate at %g", f);
        cr_assert_lt(fabs(with_other / N), error * variance, "keys correlate at %g", f);
    }
    free(x), free(q), free(other);
}

Test(quantise, dequantise_all_codes)
{
    uint8_t codes[256 + 7];
    for (int i = 0; i < 256 + 7; i++)
        codes[i] = (uint8_t)i;
    for (EACH_ISA(k))
        for (size_t n = 240; n <= 256; n++)
            for (int is_unsigned = 0; is_unsigned < 2; is_unsigned++) {
                struct guarded x = guarded_new(n * 4, 4);
                k->dequantise(codes + 7, is_unsigned, n, 0.37f, (float *)x.data);
                for (size_t i = 0; i < n; i++) {
                    int v = is_unsigned ? codes[i + 7] : (int8_t)codes[i + 7];
                    cr_assert_eq(((float *)x.data)[i], (float)v * 0.37f, "%s: code %d", k->isa, v);
                }
                guarded_free(&x, k->isa);
            }
}

Test(quantise, learned_range_everywhere)
{
    for (int round = 0; round < 60; round++) {
        size_t n = 16 * (1 + draw_below(200));
        float *x = xmalloc(n * sizeof *x), *grad = xmalloc(n * sizeof *grad), *given = xmalloc(n * sizeof *given),
              scale = 0.03f + (float)draw_below(100) / 100;
        int hi = 1 + (int)draw_below(255), lo = round % 2 ? -(int)draw_below(129) : 0;
        double inside = 0, above = 0, below = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = draw_below(8) ? scale * (float)(hi + 2) * draw_real() : scale * (float)(draw_below(2) ? hi : lo);
            given[i] = draw_real();
            float v = x[i] / scale;
            above += v >= (float)hi ? given[i] : 0;
            below += v <= (float)lo ? given[i] : 0;
            inside += v > (float)lo && v < (float)hi ? given[i] * (nearbyint((double)v) - (double)v) : 0;
            size += fabs(given[i]);
        }
        struct learned_range_sums first = {0}, sums;
        for (EACH_ISA(k)) {
            memcpy(grad, given, n * sizeof *grad);
            k->learned_range(x, grad, n, scale, lo, hi, &sums);
            cr_assert(fabs(sums.inside - inside) < 1e-5 * size && fabs(sums.above - above) < 1e-5 * size &&
                          fabs(sums.below - below) < 1e-5 * size, "%s", k->isa);
            if (k == kernels_at(0))
                first = sums;
            cr_assert(memcmp(&first, &sums, sizeof sums) == 0, "%s differs from scalar", k->isa);
            for (size_t i = 0; i < n; i++) {
                float v = x[i] / scale;
                cr_assert_eq(grad[i], v > (float)lo && v < (float)hi ? given[i] : 0, "%s", k->isa);
            }
        }
        free(x), free(grad), free(given);
    }
}

Test(quantise, max_abs_everywhere)
{
    float x[303];
    for (int round = 0; round < 300; round++) {
        size_t n = draw_below(300), from = draw_below(3);
        fill_reals(x, 303, 1e-3f, round % 3 == 0);
        for (size_t i = 0; i < 303; i++)
            x[i] = round & 1 ? fabsf(x[i]) : round % 4 == 0 && x[i] < 0 ? -0.0f : x[i];
        float largest = 0;
        bool negative = false, nan = false;
        for (size_t i = from; i < from + n; i++) {
            nan |= isnan(x[i]);
            negative |= x[i] < 0;
            largest = fmaxf(largest, fabsf(x[i]));
        }
        for (EACH_ISA(k)) {
            bool below = !negative;
            float got = k->max_abs(x + from, n, &below);
            cr_assert_eq(isnan(got), nan, "%s misses a NaN", k->isa);
            cr_assert(nan || got == largest, "%s: %a, not %a", k->isa, (double)got, (double)largest);
            cr_assert_eq(below, negative, "%s: sign among %zu", k->isa, n);
        }
    }
}

/* ---- Hadamard ---- */

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
