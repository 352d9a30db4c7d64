/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "naive_convolution.h"
#include "../bench/nn/geometry.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- sums ---- */

struct sum { int bits; size_t tile, count; bool wrap, at_add; double part, total; };

static void add(struct sum *sum, double product)
{
    sum->part += product;
    if (sum->bits && sum->at_add)
        sum->part = naive_limit(sum->part, sum->bits, sum->wrap);
    if (++sum->count == sum->tile) {
        sum->total += sum->bits ? naive_limit(sum->part, sum->bits, sum->wrap) : sum->part;
        sum->part = 0, sum->count = 0;
    }
}

static double total(struct sum *sum)
{
    return sum->total + (sum->bits ? naive_limit(sum->part, sum->bits, sum->wrap) : sum->part);
}

static struct sum new_sum(const struct expected *e, int bits, size_t tile)
{
    return (struct sum){.bits = bits, .tile = tile, .wrap = e->limits.wrap, .at_add = e->limits.at_add};
}

/* ---- operands ---- */

static size_t block_of(size_t length, const struct expected *e)
{
    size_t block = 1, cap = e->cap ? e->cap : SIZE_MAX;
    while (block < cap && (e->pad ? block < length : length % (2 * block) == 0))
        block *= 2;
    return e->transforms ? block : 1;
}

static size_t round_up(size_t length, size_t block) { return (length + block - 1) / block * block; }

/* Code of the input under tap `t` of output position p. */
static double input_at(const struct operands *o, size_t s, size_t p, size_t t, size_t c)
{
    const struct geometry *g = o->shape;
    long y = (long)(p / g->out_w * g->stride + t / g->kernel_w) - (long)g->pad_h;
    long x = (long)(p % g->out_w * g->stride + t % g->kernel_w) - (long)g->pad_w;
    if (y < 0 || x < 0 || y >= (long)g->in_h || x >= (long)g->in_w)
        return 0;
    return o->x.q[((s * g->in_h + (size_t)y) * g->in_w + (size_t)x) * g->in_c + c];
}

/* Transformed down the rows and quantised to nearest; one sample after another when scales are the samples' own. */
static struct naive *quantise_samples(double **values, size_t samples, size_t rows, size_t cols, size_t block, double bits,
                                      float quantile, bool one_scale, bool transposed)
{
    struct naive *all = xcalloc(samples, sizeof *all);
    float *single = xcalloc(samples * rows * cols, sizeof *single);
    for (size_t s = 0; s < samples; s++) {
        double *h = naive_transform(values[s], rows, cols, block);
        for (size_t i = 0; i < rows * cols; i++)
            single[s * rows * cols + (transposed ? i % cols * rows + i / cols : i)] = (float)h[i];
        free(h), free(values[s]);
    }
    for (size_t s = 0; s < samples; s++) {
        struct naive whole = naive_quantise(single, samples * rows, cols, cols, bits, quantile, true);
        all[s] = naive_quantise(single + s * rows * cols, rows, cols, cols, bits, quantile, true);
        if (one_scale) {
            memcpy(all[s].q, whole.q + s * rows * cols, rows * cols * sizeof *whole.q);
            all[s].scale = whole.scale;
        }
        free(whole.q);
    }
    free(single), free(values);
    return all;
}

static double **make_values(size_t samples, size_t size)
{
    double **values = xcalloc(samples, sizeof *values);
    for (size_t s = 0; s < samples; s++)
        values[s] = xcalloc(size, sizeof **values);
    return values;
}

static void quantise_gradients(struct operands *o, const struct layer_test *t, const struct expected *e)
{
    double **rows = make_values(o->samples, o->padded_outputs * o->positions);
    double **columns = make_values(o->samples, o->padded_positions * o->outputs);
    for (size_t s = 0; s < o->samples; s++)
        for (size_t p = 0; p < o->positions; p++)
            for (size_t n = 0; n < o->outputs; n++) {
                double g = t->g[(s * o->positions + p) * row_stride(o->outputs) + n];
                rows[s][n * o->positions + p] = columns[s][p * o->outputs + n] = g;
            }
    o->g_rows = quantise_samples(rows, o->samples, o->padded_outputs, o->positions, o->block_n, e->grad_bits, 0.975f,
                                 e->tensor_scale, true);
    o->g_columns = quantise_samples(columns, o->samples, o->padded_positions, o->outputs, o->block_p, e->grad_bits, 0.975f,
                                    e->tensor_scale, false);
}

static void transform_operands(struct operands *o, const struct layer_test *t, const struct expected *e)
{
    bool at_g = e->requantise_at_gradient_width;
    size_t inputs = o->taps * o->channels, k = t->p.k;
    double **x = make_values(o->samples, o->padded_positions * inputs), **w = make_values(1, o->padded_outputs * k);
    for (size_t s = 0; s < o->samples; s++)
        for (size_t p = 0; p < o->positions; p++)
            for (size_t i = 0; i < inputs; i++)
                x[s][p * inputs + i] = input_at(o, s, p, i / o->channels, i % o->channels);
    memcpy(w[0], o->w.q, o->outputs * k * sizeof **w);
    o->x_hat = quantise_samples(x, o->samples, o->padded_positions, inputs, o->block_p,
                                at_g ? e->grad_bits : t->x_range.bits, 1, false, false);
    struct naive *w_hat = quantise_samples(w, 1, o->padded_outputs, k, o->block_n, at_g ? e->grad_bits : t->w_range.bits, 1,
                                           false, false);
    o->w_hat = *w_hat;
    free(w_hat);
}

struct operands make_operands(const struct layer_test *t, const struct expected *e)
{
    const struct geometry *g = &t->shape;
    struct operands o = {.shape = g, .samples = t->p.samples, .positions = out_positions(g), .outputs = g->out_c,
                         .taps = kernel_positions(g), .channels = g->in_c};
    o.block_n = g->depthwise ? 1 : block_of(o.outputs, e);
    o.block_p = block_of(o.positions, e);
    o.padded_outputs = round_up(o.outputs, o.block_n);
    o.padded_positions = round_up(o.positions, o.block_p);
    o.x = naive_quantise(t->x, o.samples * in_positions(g), g->in_c, row_stride(g->in_c), t->x_range.bits, 0.975f, false);
    o.w = naive_quantise(t->w, o.outputs, t->p.k, row_stride(t->p.k), t->w_range.bits, 0.975f, false);
    quantise_gradients(&o, t, e);
    if (e->transforms)
        transform_operands(&o, t, e);
    return o;
}

void free_operands(struct operands *o)
{
    for (size_t s = 0; s < o->samples; s++) {
        free(o->g_rows[s].q), free(o->g_columns[s].q);
        if (o->x_hat)
            free(o->x_hat[s].q);
    }
    free(o->g_rows), free(o->g_columns), free(o->x_hat), free(o->x.q), free(o->w.q), free(o->w_hat.q);
}

/* ---- the three products ---- */

static double weight_at(const struct operands *o, const struct naive *w, size_t n, size_t t, size_t c)
{
    return o->shape->depthwise ? w->q[n * o->taps + t] : w->q[(n * o->taps + t) * o->channels + c];
}

static double forward_at(const struct operands *o, const struct expected *e, size_t s, size_t p, size_t n)
{
    struct sum sum = new_sum(e, e->limits.forward, e->limits.tile);
    size_t channels = o->shape->depthwise ? 1 : o->channels;
    for (size_t i = 0; i < o->taps * channels; i++) {
        size_t t = e->channel_major ? i % o->taps : i / channels, c = e->channel_major ? i / o->taps : i % channels;
        add(&sum, input_at(o, s, p, t, o->shape->depthwise ? n : c) * weight_at(o, &o->w, n, t, c));
    }
    return total(&sum) * o->x.scale * o->w.scale;
}

double input_gradient_at(const struct operands *o, const struct expected *e, size_t s, size_t y, size_t x, size_t c)
{
    const struct geometry *g = o->shape;
    bool transformed = e->transforms && !g->depthwise;
    const struct naive *w = transformed ? &o->w_hat : &o->w, *gradient = &o->g_rows[s];
    struct sum sum = new_sum(e, e->limits.input_gradient, e->limits.backward_tile);
    for (size_t t = 0; t < o->taps; t++) {
        long from_y = (long)(y + g->pad_h) - (long)(t / g->kernel_w),
             from_x = (long)(x + g->pad_w) - (long)(t % g->kernel_w);
        long stride = (long)g->stride, out_y = from_y / stride, out_x = from_x / stride;
        if (from_y % stride || from_x % stride)
            continue;
        bool inside = from_y >= 0 && from_x >= 0 && out_y < (long)g->out_h && out_x < (long)g->out_w;
        for (size_t n = g->depthwise ? c : 0; n < (g->depthwise ? c + 1 : o->padded_outputs); n++) {
            size_t p = inside ? (size_t)out_y * g->out_w + (size_t)out_x : 0;
            add(&sum, inside ? gradient->q[p * o->padded_outputs + n] * weight_at(o, w, n, t, c) : 0);
        }
    }
    double scale = gradient->scale * o->w.scale;
    return total(&sum) * scale * (transformed ? o->w_hat.scale / (double)o->block_n : 1);
}

double weight_gradient_at(const struct operands *o, const struct expected *e, size_t n, size_t t, size_t c)
{
    const struct geometry *g = o->shape;
    size_t inputs = o->taps * o->channels;
    double result = 0;
    for (size_t s = 0; s < o->samples; s++) {
        struct sum sum = new_sum(e, e->limits.weight_gradient, e->limits.backward_tile);
        const double *gradient = o->g_columns[s].q;
        for (size_t p = 0; p < o->padded_positions; p++) {
            double x = e->transforms ? o->x_hat[s].q[p * inputs + t * o->channels + c] : input_at(o, s, p, t, c);
            add(&sum, gradient[p * o->outputs + n] * x);
            if (!e->transforms && !g->depthwise && (p + 1) % g->out_w == 0)
                for (size_t i = g->out_w; i % 4; i++)
                    add(&sum, 0);
        }
        result += total(&sum) * o->g_columns[s].scale * o->x.scale
                  * (e->transforms ? o->x_hat[s].scale / (double)o->block_p : 1);
    }
    return result;
}

static void expect_close(const float *ours, const double *expected, size_t rows, size_t cols, const char *what)
{
    double largest = 0;
    for (size_t i = 0; i < rows * cols; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < rows * cols; i++) {
        float value = ours[i / cols * row_stride(cols) + i % cols];
        cr_assert(fabs(value - expected[i]) <= 3e-6 * largest, "%s[%zu,%zu]: %g instead of %g", what, i / cols, i % cols,
                  value, expected[i]);
    }
    cr_assert_eq(padding_of(ours, rows, cols), 0, "%s: padding", what);
}

void check_products(struct layer_test *t, const struct expected *e)
{
    struct operands o = make_operands(t, e);
    size_t inputs = o.samples * in_positions(o.shape), m = o.samples * o.positions, n = o.outputs, k = t->p.k,
           c = o.channels;
    double *y = xcalloc(m * n, sizeof *y), *dx = xcalloc(inputs * c, sizeof *dx), *dw = xcalloc(n * k, sizeof *dw);
    for (size_t i = 0; i < m * n; i++)
        y[i] = forward_at(&o, e, i / n / o.positions, i / n % o.positions, i % n) + t->bias[i % n];
    for (size_t i = 0; i < inputs * c; i++) {
        size_t position = i / c % in_positions(o.shape);
        dx[i] = input_gradient_at(&o, e, i / c / in_positions(o.shape), position / o.shape->in_w, position % o.shape->in_w,
                                  i % c);
    }
    for (size_t i = 0; i < n * k; i++) {
        bool depthwise = o.shape->depthwise;
        dw[i] = weight_gradient_at(&o, e, i / k, depthwise ? i % k : i % k / c, depthwise ? i / k : i % c);
    }
    t->mode->forward(&t->p);
    t->p.x = NULL; /* the mode has kept it */
    t->mode->backward(&t->p);
    t->p.x = t->x;
    expect_close(t->p.y, y, m, n, "y");
    expect_close(t->p.dx, dx, inputs, c, "dx");
    expect_close(t->p.dw, dw, n, k, "dw");
    free(y), free(dx), free(dw);
    free_operands(&o);
}
