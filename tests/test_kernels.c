/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's quantisers against definitions written out here in double, and how the instruction set is
 * chosen. */
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

static int stochastic(float x, float inverse, int lo, int hi, double u)
{
    double v = (double)(float)((double)x * (double)inverse);
    v = isnan(v) ? 0 : v < lo ? lo : v > hi ? hi : v;
    v = floor((double)(float)(v + u));
    return (int)(v > hi ? hi : v);
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
                double u = (double)rounding_draw(key, first + i);
                uint8_t expected = (uint8_t)stochastic(x[from + i], inverse, lo, hi, u);
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

/* A copy without room behind it, for tools that see reads beyond it. */
static int16_t *draw_shorts(size_t n, int largest)
{
    int16_t *x = xmalloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw_below(16) ? (int16_t)((int)draw_below((size_t)largest * 2 + 1) - largest)
                              : (int16_t)(draw_below(2) ? INT16_MAX : INT16_MIN);
    return x;
}

Test(quantise, shorts_everywhere)
{
    static const float scales[] = {1e-40f, 1e-30f, 1.0f / 65536, 1.0f / 59999, 0.01f, 0.5f, 1, 3, 4681, 1e30f, INFINITY};
    for (int round = 0; round < 400; round++) {
        int lo, hi;
        draw_range(round & ~1, &lo, &hi);
        lo -= round % 3 == 0;
        size_t n = draw_below(300);
        int largest = 1 + (int)draw_below(round % 2 ? 32766 : 300);
        float scale = (float)largest / (float)hi * (0.5f + (float)draw_below(1000) / 1000);
        if (round % 4 == 0)
            scale = scales[round / 4 % (sizeof scales / sizeof *scales)];
        float inverse = 1 / scale;
        uint64_t key = draw() << 32 | draw(), first = round % 5 ? draw_below(100) : (draw() << 20) + draw_below(64);
        int16_t *x = draw_shorts(n, largest);
        for (EACH_ISA(k)) {
            struct guarded near = guarded_new(n, round % 3), random = guarded_new(n, round % 3);
            k->quantise_nearest_shorts(x, n, scale, lo, hi, (int8_t *)near.data);
            k->quantise_stochastic_shorts(x, n, scale, lo, hi, key, first, (int8_t *)random.data);
            for (size_t i = 0; i < n; i++) {
                int expected = nearest(x[i], scale, lo, hi);
                cr_assert_eq((int8_t)near.data[i], expected, "%s: %d / %a in %d..%d gives %d, not %d", k->isa, x[i],
                             (double)scale, lo, hi, (int8_t)near.data[i], expected);
                expected = stochastic(x[i], inverse, lo, hi, (double)rounding_draw(key, first + i));
                cr_assert_eq((int8_t)random.data[i], expected, "%s: element %zu, %d / %a in %d..%d, gives %d, not %d",
                             k->isa, i, x[i], (double)scale, lo, hi, (int8_t)random.data[i], expected);
            }
            guarded_free(&near, k->isa), guarded_free(&random, k->isa);
        }
        free(x);
    }
}

/* The largest power of two up to v >= 1/2. */
static int power_below(double v)
{
    double power = 0.5;
    while (power * 2 <= v)
        power *= 2;
    return (int)power;
}

static int logarithmic(float x, float alpha, int levels, double u)
{
    double a = (double)(float)(fabs((double)x) / (double)alpha), highest = 1 << (levels - 1);
    if (isnan(a))
        return 0;
    int code = u < a;
    if (a >= highest) {
        code = (int)highest; /* by the definition, as 2^n already is */
    } else if (a >= 1) {
        int power = power_below(a), other = power_below((double)(float)(4 * (double)(float)(a + (u - 0.5) * power) / 3));
        code = other > power ? other : power;
    }
    code = code < highest ? code : (int)highest;
    return x < 0 ? -code : code;
}

Test(quantise, logarithmic_everywhere)
{
    for (int round = 0; round < 200; round++) {
        int levels = 1 + round % 7;
        size_t n = draw_below(300);
        float *x = xmalloc(n * sizeof *x);
        float alpha = round % 3 ? fabsf(draw_real()) + 1e-3f : ldexpf(1, 4 - (int)draw_below(8));
        if (round % 20 == 3)
            alpha = 1e-41f;
        fill_reals(x, n, alpha * (float)(1 << levels), true);
        for (size_t i = 0; i < n; i++)
            if (draw_below(4) == 0)
                x[i] = ldexpf(draw() & 1 ? alpha : -alpha, (int)draw_below(9) - 2) * (float)(6 + draw_below(4)) / 6;
        uint64_t key = draw() << 32 | draw(), first = round % 4 ? draw_below(100) : (draw() << 20) + draw_below(64);
        for (EACH_ISA(k)) {
            struct guarded q = guarded_new(n, round % 3);
            k->quantise_logarithmic(x, n, alpha, levels, key, first, (int8_t *)q.data);
            for (size_t i = 0; i < n; i++) {
                int expected = logarithmic(x[i], alpha, levels, (double)rounding_draw(key, first + i));
                cr_assert_eq((int8_t)q.data[i], expected, "%s: %a / %a, %d levels, gives %d, not %d", k->isa, (double)x[i],
                             (double)alpha, levels, (int8_t)q.data[i], expected);
            }
            guarded_free(&q, k->isa);
        }
        free(x);
    }
}

/* The mean of many draws is the value, within five standard errors; only the two levels around it occur, and a level itself
 * stays what it is. */
Test(quantise, logarithmic_statistics)
{
    enum { N = 1 << 16, LEVELS = 7 };
    static const float values[] = {
        0.03f, 0.5f, 0.99f, 1, 1.01f, 1.5f, 1.9999999f, 2, 2.7f, 4, 5, 7.99f, 8, 13, 16, 21.5f, 32, 47, 63, 64,
    };
    float *x = xmalloc(N * sizeof *x), alpha = 0.37f;
    int8_t *q = xmalloc(N);
    for (size_t part = 0; part < sizeof values / sizeof *values; part++) {
        double value = (double)(values[part] * alpha / alpha), low = value < 1 ? 0 : power_below(value),
               high = value < 1 ? 1 : low * 2, sum = 0;
        float sign = part % 2 ? -1 : 1;
        for (size_t i = 0; i < N; i++)
            x[i] = sign * values[part] * alpha;
        kernels()->quantise_logarithmic(x, N, alpha, LEVELS, rng_key(1, STREAM_ROUNDING, part, 0), 0, q);
        for (size_t i = 0; i < N; i++) {
            double code = q[i] * (double)sign;
            cr_assert(code == low || (code == high && value > low), "%g becomes %g", value, code);
            sum += code;
        }
        double variance = (value - low) * (high - value);
        cr_assert_leq(fabs(sum / N - value), 5 * sqrt(variance / N), "the mean of %g is %g", value, sum / N);
    }
    free(x), free(q);
}
