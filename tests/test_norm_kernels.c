/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's batch normalisation, activations and optimiser against definitions written out here in double, and
 * bit for bit against scalar, NaN and infinities included; nothing outside the outputs changes. */
#include "kernel_support.h"
#include <math.h>

enum { INPUTS = 5, MOST = 9000, COLUMNS = 3000 };

/* What one call reads: matrices, a mask, coefficients a column. */
static float x[INPUTS][MOST], coefficient[4][COLUMNS];
static uint16_t mask[MOST / 16 + 1];

static float draw_special(void)
{
    static const float specials[] = {INFINITY, -INFINITY, NAN, 6, 0, -0.0f, 1e-40f, 3e38f};
    return specials[draw_below(sizeof specials / sizeof *specials)];
}

static void draw_inputs(bool special)
{
    for (int k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < MOST; i++)
            x[k][i] = special && draw_below(16) == 0 ? draw_special() : draw_real() * 8;
    for (int k = 0; k < 4; k++)
        for (size_t c = 0; c < COLUMNS; c++)
            coefficient[k][c] = draw_real();
    for (size_t i = 0; i < MOST / 16 + 1; i++)
        mask[i] = (uint16_t)draw();
}

/* A NaN equals every NaN. */
static void expect_same(const float *got, const float *expected, size_t count, const char *isa, const char *what)
{
    for (size_t i = 0; i < count; i++)
        cr_assert(memcmp(&got[i], &expected[i], sizeof *got) == 0 || (isnan(got[i]) && isnan(expected[i])),
                  "%s: %s at %zu of %zu: %a, scalar %a", isa, what, i, count, (double)got[i], (double)expected[i]);
}

static void expect_close(float got, double expected, double size, const char *what, size_t i)
{
    cr_assert(fabs((double)got - expected) <= 1e-5 * (size + 1), "%s at %zu: %g, not %g", what, i, (double)got, expected);
}

/* Outputs of one call between guards: what they held, what they hold, and what scalar left there. */
struct outputs { size_t count; struct guarded now; float expected[MOST]; };

static float *fresh(struct outputs *o, const float *before, size_t count)
{
    o->count = count;
    o->now = guarded_new(count * sizeof *before, 0);
    memcpy(o->now.data, before, count * sizeof *before);
    return (float *)(void *)o->now.data;
}

static void compare(struct outputs *o, const struct kernels *isa, const char *what)
{
    float *out = (float *)(void *)o->now.data;
    if (isa == kernels_at(0))
        memcpy(o->expected, out, o->count * sizeof *out);
    else
        expect_same(out, o->expected, o->count, isa->isa, what);
    guarded_free(&o->now, isa->isa);
}

static struct outputs first, second;
static struct { struct guarded now; uint16_t expected[MOST / 16 + 1]; } bits;

static uint16_t *fresh_bits(size_t count)
{
    bits.now = guarded_new(count / 16 * sizeof(uint16_t), 0);
    return (uint16_t *)(void *)bits.now.data;
}

static void compare_bits(size_t count, const struct kernels *isa)
{
    if (isa == kernels_at(0))
        memcpy(bits.expected, bits.now.data, count / 16 * sizeof(uint16_t));
    else
        cr_assert_arr_eq(bits.now.data, bits.expected, count / 16 * sizeof(uint16_t), "%s: mask", isa->isa);
    guarded_free(&bits.now, isa->isa);
}

static bool bit(const uint16_t *words, size_t at) { return words[at / 16] >> at % 16 & 1; }

/* Shapes: one vector a row, several, more than the kernels' blocks; few and many rows. */
static const struct shape { size_t rows, stride; } shapes[] = {
    {0, 16}, {1, 16}, {7, 16}, {8, 16}, {9, 16}, {500, 16}, {1, 32}, {33, 32}, {3, 48}, {20, 64}, {17, 80}, {5, 240},
    {3, 960}, {3, 2976},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };
#define EACH_SHAPE(s) const struct shape *s = shapes; s < shapes + SHAPES; s++

/* ---- channels ---- */

Test(norm, sums)
{
    for (EACH_SHAPE(s)) {
        draw_inputs(false);
        const float *shift = coefficient[0];
        for (EACH_ISA(isa)) {
            float *sum = fresh(&first, coefficient[1], s->stride), *square = fresh(&second, coefficient[2], s->stride);
            isa->norms->sums(x[0], s->rows, s->stride, shift, sum, square);
            compare(&first, isa, "sums");
            compare(&second, isa, "squares");
        }
        for (size_t c = 0; c < s->stride; c++) {
            double sum = (double)coefficient[1][c], square = (double)coefficient[2][c];
            for (size_t i = 0; i < s->rows; i++) {
                double v = (double)x[0][i * s->stride + c] - (double)shift[c];
                sum += v;
                square += v * v;
            }
            expect_close(first.expected[c], sum, (double)s->rows * 9, "sum", c);
            expect_close(second.expected[c], square, square, "square", c);
        }
    }
}

/* One chain from 0 a call, whatever the sum holds already: 2^24 + (1 + 1) is not (2^24 + 1) + 1. */
Test(norm, sums_start_at_zero)
{
    float ones[2 * 16], zero[16] = {0};
    for (int i = 0; i < 2 * 16; i++)
        ones[i] = 1;
    for (EACH_ISA(isa)) {
        float sum[16], square[16], sum_g[16], sum_gx[16];
        for (int c = 0; c < 16; c++)
            sum[c] = square[c] = sum_g[c] = sum_gx[c] = 0x1p24f;
        isa->norms->sums(ones, 2, 16, zero, sum, square);
        isa->norms->gradient_sums(ones, NULL, ones, 2, 16, zero, sum_g, sum_gx);
        for (int c = 0; c < 16; c++) {
            cr_assert_eq(sum[c], 0x1p24f + 2, "%s", isa->isa);
            cr_assert_eq(square[c], 0x1p24f + 2, "%s", isa->isa);
            cr_assert_eq(sum_g[c], 0x1p24f + 2, "%s", isa->isa);
            cr_assert_eq(sum_gx[c], 0x1p24f + 2, "%s", isa->isa);
        }
    }
}

static double activated(double v, enum activation activation)
{
    if (activation == ACTIVATION_NONE || isnan(v))
        return v;
    return activation == ACTIVATION_RELU6 ? fmin(fmax(v, 0), 6) : fmax(v, 0);
}

static bool passes(double v, enum activation activation)
{
    return activation == ACTIVATION_NONE || (v > 0 && (activation == ACTIVATION_RELU || v < 6));
}

static void try_apply(const struct shape *s, enum activation activation, bool special)
{
    size_t count = s->rows * s->stride;
    const float *a = coefficient[0], *b = coefficient[1], *other = draw_below(2) ? x[1] : NULL;
    bool in_place = draw_below(2), masked = draw_below(4);
    draw_inputs(special);
    for (EACH_ISA(isa)) {
        float *out = fresh(&first, x[0], count);
        uint16_t *words = fresh_bits(count);
        memset(words, 0, count / 16 * sizeof *words);
        isa->norms->apply(in_place ? out : x[0], s->rows, s->stride, a, b, other, activation, out, masked ? words : NULL);
        compare(&first, isa, "apply");
        compare_bits(count, isa);
    }
    for (size_t at = 0; at < count; at++) {
        float v = x[0][at] * a[at % s->stride];
        v += b[at % s->stride];
        if (other)
            v += other[at];
        float expected = (float)activated((double)v, activation), got = first.expected[at];
        cr_assert(got == expected || (isnan(got) && isnan(expected)), "apply: %a, not %a", (double)got, (double)expected);
        cr_assert_eq(bit(bits.expected, at), masked && passes((double)v, activation), "mask at %a", (double)v);
    }
}

Test(norm, apply)
{
    for (EACH_SHAPE(s))
        for (enum activation activation = ACTIVATION_NONE; activation <= ACTIVATION_RELU6; activation++) {
            try_apply(s, activation, false);
            try_apply(s, activation, true);
        }
}

static void try_gradient_sums(const struct shape *s, bool masked, bool special)
{
    size_t count = s->rows * s->stride;
    const float *mean = coefficient[0];
    draw_inputs(special);
    for (EACH_ISA(isa)) {
        struct guarded g = guarded_new(count * sizeof(float), 0);
        float *gradient = (float *)(void *)g.data;
        memcpy(gradient, x[1], count * sizeof *gradient);
        float *sum_g = fresh(&first, coefficient[1], s->stride), *sum_gx = fresh(&second, coefficient[2], s->stride);
        isa->norms->gradient_sums(gradient, masked ? mask : NULL, x[0], s->rows, s->stride, mean, sum_g, sum_gx);
        compare(&first, isa, "sum of g");
        compare(&second, isa, "sum of g x");
        for (size_t at = 0; at < count; at++) {
            float expected = !masked || bit(mask, at) ? x[1][at] : 0;
            cr_assert(memcmp(&gradient[at], &expected, sizeof expected) == 0, "%s: gradient at %zu", isa->isa, at);
        }
        guarded_free(&g, isa->isa);
    }
    for (size_t c = 0; c < s->stride && !special; c++) {
        double sum = (double)coefficient[1][c], product = (double)coefficient[2][c];
        for (size_t at = c; at < count; at += s->stride)
            if (!masked || bit(mask, at)) {
                sum += (double)x[1][at];
                product += (double)x[1][at] * ((double)x[0][at] - (double)mean[c]);
            }
        expect_close(first.expected[c], sum, (double)s->rows * 8, "sum of g", c);
        expect_close(second.expected[c], product, (double)s->rows * 64, "sum of g x", c);
    }
}

Test(norm, gradient_sums)
{
    for (EACH_SHAPE(s)) {
        try_gradient_sums(s, true, false);
        try_gradient_sums(s, false, false);
        try_gradient_sums(s, true, true);
    }
}

Test(norm, gradient_apply)
{
    for (EACH_SHAPE(s))
        for (int in_place = 0; in_place < 2; in_place++) {
            size_t count = s->rows * s->stride;
            const float *mean = coefficient[0], *a = coefficient[1], *b = coefficient[2], *d = coefficient[3];
            draw_inputs(in_place);
            for (EACH_ISA(isa)) {
                float *dx = fresh(&first, x[1], count);
                isa->norms->gradient_apply(in_place ? dx : x[1], x[0], s->rows, s->stride, mean, a, b, d, dx);
                compare(&first, isa, "gradient_apply");
            }
            for (size_t at = 0; at < count; at++) {
                size_t c = at % s->stride;
                float left = x[1][at] * a[c], right = x[0][at] - mean[c];
                right *= b[c];
                left += right;
                left += d[c];
                expect_same(&first.expected[at], &left, 1, "scalar", "gradient_apply");
            }
        }
}

/* ---- element by element ---- */

Test(norm, activate)
{
    for (size_t count = 0; count <= 160; count += 16)
        for (enum activation activation = ACTIVATION_NONE; activation <= ACTIVATION_RELU6; activation++)
            for (int masked = 0; masked < 2; masked++) {
                draw_inputs(true);
                for (EACH_ISA(isa)) {
                    float *out = fresh(&first, x[0], count);
                    uint16_t *words = fresh_bits(count);
                    memset(words, 0, count / 16 * sizeof *words);
                    isa->norms->activate(out, count, activation, masked ? words : NULL);
                    compare(&first, isa, "activate");
                    compare_bits(count, isa);
                }
                for (size_t i = 0; i < count; i++) {
                    double v = (double)x[0][i], got = (double)first.expected[i], expected = activated(v, activation);
                    cr_assert(got == expected || (isnan(got) && isnan(expected)), "%a becomes %a", v, got);
                    cr_assert_eq(bit(bits.expected, i), masked && passes(v, activation), "mask at %a", v);
                }
            }
}

Test(norm, mask)
{
    for (size_t count = 0; count < 70; count++) {
        draw_inputs(true);
        for (EACH_ISA(isa)) {
            float *g = fresh(&first, x[0], count);
            isa->norms->mask(g, mask, count);
            for (size_t i = 0; i < count; i++)
                expect_same(&g[i], bit(mask, i) ? &x[0][i] : &(float){0}, 1, isa->isa, "mask");
            compare(&first, isa, "mask");
        }
    }
}

Test(norm, add)
{
    for (size_t count = 0; count < 70; count++) {
        draw_inputs(true);
        for (EACH_ISA(isa)) {
            float *y = fresh(&first, x[0], count);
            isa->norms->add(x[1], count, y);
            for (size_t i = 0; i < count; i++)
                expect_same(&y[i], &(float){x[0][i] + x[1][i]}, 1, isa->isa, "add");
            compare(&first, isa, "add");
        }
    }
}

Test(norm, descend)
{
    const float rate = 0.1f, momentum = 0.9f, decay = 0.01f;
    for (size_t count = 0; count < 70; count++) {
        draw_inputs(count % 2);
        for (EACH_ISA(isa)) {
            float *w = fresh(&first, x[0], count), *velocity = fresh(&second, x[1], count);
            isa->norms->descend(w, velocity, x[2], count, rate, momentum, decay);
            compare(&first, isa, "weights");
            compare(&second, isa, "velocity");
        }
        for (size_t i = 0; i < count && count % 2 == 0; i++) {
            double w = (double)x[0][i], v = 0.9 * (double)x[1][i] + ((double)x[2][i] + 0.01 * w);
            expect_close(second.expected[i], v, 16, "velocity", i);
            expect_close(first.expected[i], w - 0.1 * v, 16, "weight", i);
        }
    }
}

Test(norm, sum_of_squares)
{
    static const size_t counts[] = {0, 16, 32, 1008, 1024, 1040, 2048, 4000, 8992};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        draw_inputs(false);
        double exact = 0, scalar = kernels_at(0)->norms->sum_of_squares(x[0], counts[k]);
        for (size_t i = 0; i < counts[k]; i++)
            exact += (double)x[0][i] * (double)x[0][i];
        cr_assert(fabs(scalar - exact) <= 1e-5 * exact, "%zu: %g, not %g", counts[k], scalar, exact);
        for (EACH_ISA(isa))
            cr_assert_eq(isa->norms->sum_of_squares(x[0], counts[k]), scalar, "%s: %zu", isa->isa, counts[k]);
    }
}
