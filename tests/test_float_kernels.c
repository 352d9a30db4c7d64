/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's float products against sums in double, and bit for bit against scalar: odd sizes, strides, rows
 * that overlap or lie before their base, NaN and infinities; nothing outside the outputs changes. */
#include "kernel_support.h"
#include <math.h>
#include <stdio.h>

static size_t round_up(size_t x, size_t step) { return (x + step - 1) / step * step; }

static float *reals_new(size_t count)
{
    float *x = xmalloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = draw_below(8) ? draw_real() : 0;
    return x;
}

/* Infinities, NaN and numbers whose products overflow or are subnormal. */
static void add_specials(float *x, size_t count)
{
    static const float specials[] = {INFINITY, -INFINITY, NAN, 3e38f, -1e20f, 1e-30f, -3e-39f, -0.0f};
    for (size_t i = 0; i < count; i++)
        if (draw_below(16) == 0)
            x[i] = specials[draw_below(sizeof specials / sizeof *specials)];
}

/* A NaN equals every NaN. */
static bool same(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* One product's memory. The rows of A lie anywhere in `around`, also before its middle, from which offsets count. */
struct operands {
    size_t count;               /* of out */
    float *around, *other, *bias, *before;
    int32_t *row, *col;
    struct guarded out;
};
enum { AROUND = 4096 };

static struct float_rows draw_rows(struct operands *o, size_t rows, size_t cols, size_t width, bool special)
{
    int32_t reach = AROUND / 4 - (int32_t)width, row = -reach + (int32_t)draw_below(64), step = (int32_t)draw_below(20);
    o->around = reals_new(AROUND);
    if (special)
        add_specials(o->around, AROUND);
    o->row = xmalloc((rows + 1) * sizeof *o->row);
    o->col = xmalloc((cols + 1) * sizeof *o->col);
    for (size_t i = 0; i < rows; i++, row += step) {
        if (row > reach || draw_below(8) == 0) /* elsewhere */
            row = (int32_t)draw_below((size_t)(2 * reach)) - reach;
        o->row[i] = row;
    }
    for (size_t k = 0; k < cols; k++)
        o->col[k] = (int32_t)draw_below((size_t)(2 * reach)) - reach;
    return (struct float_rows){.data = o->around + AROUND / 2, .row = o->row, .col = o->col};
}

static void draw_out(struct operands *o, size_t count)
{
    o->count = count;
    o->before = reals_new(count);
}

static float *fresh_out(struct operands *o)
{
    o->out = guarded_new(o->count * sizeof(float), 0);
    memcpy(o->out.data, o->before, o->count * sizeof(float));
    return (float *)(void *)o->out.data;
}

static void operands_free(struct operands *o)
{
    free(o->around);
    free(o->other);
    free(o->bias);
    free(o->before);
    free(o->row);
    free(o->col);
}

/* Compares out with `expected` (scalar's, NULL: there is none yet), and keeps scalar's. */
static float *compare_out(struct operands *o, const char *isa, float *expected, const char *what)
{
    float *out = (float *)(void *)o->out.data;
    if (!expected) {
        expected = xmalloc(o->count * sizeof *expected);
        memcpy(expected, out, o->count * sizeof *expected);
    } else {
        cr_assert(same(out, expected, o->count), "%s differs from scalar: %s", isa, what);
    }
    guarded_free(&o->out, isa);
    return expected;
}

static void expect_close(float got, double expected, double size, const char *what, size_t i, size_t j)
{
    cr_assert(fabs((double)got - expected) <= 1e-6 * (size + 1), "%s (%zu, %zu): %g, not %g", what, i, j, (double)got,
              expected);
}

static double a_at(const struct float_rows *a, size_t i, size_t k, size_t c)
{
    return (double)*(a->data + a->row[i] + a->col[k] + c);
}

/* ---- products ---- */

static void check_product(const struct float_product *p, const float *before, const float *out)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->ld; j++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < p->k && j < p->n; k++) {
                double term = a_at(&p->a, i, k, 0) * (double)p->b[k * p->ldb + j];
                sum += term;
                size += fabs(term);
            }
            if (j < p->n && p->bias)
                sum += (double)p->bias[j];
            if (j >= p->n || p->add)
                sum += (double)before[i * p->ld + j];
            expect_close(out[i * p->ld + j], sum, size, "product", i, j);
        }
}

static void try_product(size_t m, size_t n, size_t k, bool special)
{
    struct operands o = {0};
    size_t padded = round_up(n, 16);
    struct float_product p = {
        .m = m, .n = n, .k = k, .ld = n + draw_below(3) * 5, .ldb = padded + draw_below(2) * 16, .add = draw_below(2),
    };
    p.a = draw_rows(&o, m, k, 1, special);
    p.b = o.other = reals_new(k * p.ldb + 1);
    for (size_t i = 0; i < k * p.ldb; i++)
        if (i % p.ldb >= n)
            o.other[i] = NAN; /* read, but of no effect */
    if (special)
        add_specials(o.other, k * p.ldb);
    o.bias = reals_new(n);
    p.bias = draw_below(2) ? o.bias : NULL;
    draw_out(&o, m * p.ld);
    float *expected = NULL;
    for (EACH_ISA(isa)) {
        char what[80];
        snprintf(what, sizeof what, "%zu x %zu x %zu, ld %zu, add %d, bias %d", m, n, k, p.ld, p.add, p.bias != NULL);
        p.out = fresh_out(&o);
        isa->floats->multiply(&p);
        expected = compare_out(&o, isa->isa, expected, what);
    }
    if (!special)
        check_product(&p, o.before, expected);
    free(expected);
    operands_free(&o);
}

Test(float_multiply, odd_sizes)
{
    for (size_t m = 1; m <= 27; m++)
        try_product(m, 1 + draw_below(70), 1 + draw_below(50), false);
    for (size_t n = 1; n <= 50; n++)
        try_product(1 + draw_below(20), n, 1 + draw_below(20), false);
    for (int round = 0; round < 100; round++)
        try_product(1 + draw_below(60), 1 + draw_below(60), draw_below(100), false);
}

Test(float_multiply, long_chains) { try_product(9, 33, 3000, false); }

Test(float_multiply, specials)
{
    for (int round = 0; round < 100; round++)
        try_product(1 + draw_below(30), 1 + draw_below(40), 1 + draw_below(30), true);
}

/* 3×3 taps of a bordered image, forwards and for the weights, against loops over the image. */
Test(float_multiply, convolution)
{
    enum { SIDE = 6, CHANNELS = 4, OUT = 16, WIDE = SIDE + 2, TAPS = 9 * CHANNELS, PLACES = SIDE * SIDE };
    float *x = reals_new(WIDE * WIDE * CHANNELS), *w = reals_new(TAPS * OUT), *g = reals_new(PLACES * OUT);
    int32_t place[PLACES], tap[TAPS];
    for (int i = 0; i < PLACES; i++)
        place[i] = (i / SIDE * WIDE + i % SIDE) * CHANNELS;
    for (int t = 0; t < TAPS; t++)
        tap[t] = (t / CHANNELS / 3 * WIDE + t / CHANNELS % 3) * CHANNELS + t % CHANNELS;
    for (EACH_ISA(isa)) {
        float y[PLACES * OUT], dw[TAPS * OUT];
        isa->floats->multiply(&(struct float_product){
            .m = PLACES, .n = OUT, .k = TAPS, .ld = OUT, .ldb = OUT, .a = {x, place, tap}, .b = w, .out = y});
        isa->floats->multiply(&(struct float_product){
            .m = TAPS, .n = OUT, .k = PLACES, .ld = OUT, .ldb = OUT, .a = {x, tap, place}, .b = g, .out = dw});
        for (int o = 0; o < OUT; o++)
            for (int c = 0; c < CHANNELS; c++)
                for (int v = 0; v < 3; v++)
                    for (int u = 0; u < 3; u++) {
                        double sum = 0;
                        for (int i = 0; i < PLACES; i++)
                            sum += (double)x[((i / SIDE + v) * WIDE + i % SIDE + u) * CHANNELS + c] * (double)g[i * OUT + o];
                        int t = (v * 3 + u) * CHANNELS + c;
                        expect_close(dw[t * OUT + o], sum, PLACES, isa->isa, (size_t)t, (size_t)o);
                    }
        for (int i = 0; i < PLACES; i++)
            for (int o = 0; o < OUT; o++) {
                double sum = 0;
                for (int t = 0; t < TAPS; t++) {
                    int at = ((i / SIDE + t / CHANNELS / 3) * WIDE + i % SIDE + t / CHANNELS % 3) * CHANNELS + t % CHANNELS;
                    sum += (double)x[at] * (double)w[t * OUT + o];
                }
                expect_close(y[i * OUT + o], sum, TAPS, isa->isa, (size_t)i, (size_t)o);
            }
    }
    free(x);
    free(w);
    free(g);
}

/* One rounding a step: 1 + 2^-24 would round to 1 before the last term cancels it. */
Test(float_multiply, is_fused)
{
    float a[2] = {1.0f + 0x1p-12f, 1}, b[2 * 16] = {0}, out;
    int32_t row = 0, col[2] = {1, 0};
    b[0] = -1.0f - 0x1p-11f;
    b[16] = 1.0f + 0x1p-12f; /* its square is 1 + 2^-11 + 2^-24 */
    struct float_product p = {.m = 1, .n = 1, .k = 2, .ld = 1, .ldb = 16, .a = {a, &row, col}, .b = b, .out = &out};
    for (EACH_ISA(isa)) {
        isa->floats->multiply(&p);
        cr_assert_eq(out, 0x1p-24f, "%s gives %a", isa->isa, (double)out);
    }
}

/* ---- depthwise ---- */

static void try_depthwise(size_t m, size_t taps, size_t channels, bool special)
{
    struct operands o = {0};
    struct float_depthwise p = {
        .m = m, .taps = taps, .channels = channels, .ld = channels + draw_below(3) * 3, .ldw = channels + draw_below(3) * 7,
        .add = draw_below(2),
    };
    p.x = draw_rows(&o, m, taps, channels, special);
    p.w = o.other = reals_new(taps * p.ldw);
    draw_out(&o, m * p.ld);
    float *expected = NULL;
    for (EACH_ISA(isa)) {
        p.out = fresh_out(&o);
        isa->floats->depthwise(&p);
        expected = compare_out(&o, isa->isa, expected, "depthwise");
    }
    for (size_t i = 0; i < m && !special; i++)
        for (size_t c = 0; c < p.ld; c++) {
            double sum = p.add || c >= channels ? (double)o.before[i * p.ld + c] : 0;
            for (size_t t = 0; t < taps && c < channels; t++)
                sum += a_at(&p.x, i, t, c) * (double)p.w[t * p.ldw + c];
            expect_close(expected[i * p.ld + c], sum, (double)taps, "depthwise", i, c);
        }
    free(expected);
    operands_free(&o);
}

Test(float_depthwise, odd_sizes)
{
    for (size_t channels = 1; channels <= 70; channels++)
        try_depthwise(1 + draw_below(20), 1 + draw_below(12), channels, channels % 4 == 0);
    try_depthwise(64, 9, 160, false);
}

static void try_depthwise_gradient(size_t m, size_t taps, size_t channels, bool special)
{
    struct operands o = {0};
    struct float_depthwise_gradient p = {
        .m = m, .taps = taps, .channels = channels, .ld = channels + draw_below(3) * 3, .ldg = channels + draw_below(3) * 7,
        .add = draw_below(2),
    };
    p.x = draw_rows(&o, m, taps, channels, special);
    p.g = o.other = reals_new(m * p.ldg);
    draw_out(&o, taps * p.ld);
    float *expected = NULL;
    for (EACH_ISA(isa)) {
        p.out = fresh_out(&o);
        isa->floats->depthwise_gradient(&p);
        expected = compare_out(&o, isa->isa, expected, "gradient of depthwise");
    }
    for (size_t t = 0; t < taps && !special; t++)
        for (size_t c = 0; c < p.ld; c++) {
            double sum = p.add || c >= channels ? (double)o.before[t * p.ld + c] : 0;
            for (size_t i = 0; i < m && c < channels; i++)
                sum += a_at(&p.x, i, t, c) * (double)p.g[i * p.ldg + c];
            expect_close(expected[t * p.ld + c], sum, (double)m, "gradient of depthwise", t, c);
        }
    free(expected);
    operands_free(&o);
}

Test(float_depthwise, gradient_odd_sizes)
{
    for (size_t channels = 1; channels <= 70; channels++)
        try_depthwise_gradient(1 + draw_below(40), 1 + draw_below(26), channels, channels % 4 == 0);
    try_depthwise_gradient(64, 9, 160, false);
}

/* ---- transposition ---- */

Test(float_transpose, odd_sizes)
{
    for (int round = 0; round < 150; round++) {
        size_t rows = 1 + draw_below(40), cols = 1 + draw_below(40);
        size_t stride = cols + draw_below(3) * 5, out_stride = rows + draw_below(3) * 7;
        float *x = reals_new(rows * stride), *before = reals_new(cols * out_stride);
        add_specials(x, rows * stride);
        for (EACH_ISA(isa)) {
            size_t count = cols * out_stride;
            struct guarded g = guarded_new(count * sizeof(float), 0);
            float *out = (float *)(void *)g.data;
            memcpy(out, before, count * sizeof *out);
            isa->floats->transpose(x, rows, cols, stride, out, out_stride);
            for (size_t at = 0; at < count; at++) {
                size_t j = at / out_stride, i = at % out_stride;
                const float *expected = i < rows ? &x[i * stride + j] : &before[at];
                cr_assert(memcmp(&out[at], expected, sizeof *out) == 0, "%s: %zu x %zu, (%zu, %zu)", isa->isa, rows, cols, j,
                          i);
            }
            guarded_free(&g, isa->isa);
        }
        free(x);
        free(before);
    }
}
