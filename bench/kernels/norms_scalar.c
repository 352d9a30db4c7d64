/* SPDX-License-Identifier: GPL-3.0-or-later
 * Batch normalisation, activations and the optimiser's step as kernels.h defines them, without vectors. */
#include "isa.h"

/* NaN stays NaN, so that divergence shows. */
static float activated(float v, enum activation activation)
{
    if (activation == ACTIVATION_NONE)
        return v;
    v = v < 0 ? 0 : v;
    return activation == ACTIVATION_RELU6 && v > 6 ? 6 : v;
}

static bool passes(float v, enum activation activation)
{
    return activation == ACTIVATION_NONE || (v > 0 && (activation == ACTIVATION_RELU || v < 6));
}

static void put_bit(uint16_t *mask, size_t at, bool bit)
{
    uint16_t word = at % 16 == 0 ? 0 : mask[at / 16];
    mask[at / 16] = (uint16_t)(word | (unsigned)bit << at % 16);
}

static bool get_bit(const uint16_t *mask, size_t at) { return mask[at / 16] >> at % 16 & 1; }

static void sums(const float *x, size_t rows, size_t stride, const float *shift, float *sum, float *square)
{
    for (size_t c = 0; c < stride; c++) {
        float s = 0, q = 0;
        for (size_t at = c; at < rows * stride; at += stride) {
            float v = x[at] - shift[c];
            s += v;
            q += v * v;
        }
        sum[c] += s;
        square[c] += q;
    }
}

static void apply(const float *x, size_t rows, size_t stride, const float *a, const float *b, const float *other,
                  enum activation activation, float *out, uint16_t *mask)
{
    for (size_t at = 0; at < rows * stride; at++) {
        float v = x[at] * a[at % stride] + b[at % stride];
        if (other)
            v += other[at];
        if (mask)
            put_bit(mask, at, passes(v, activation));
        out[at] = activated(v, activation);
    }
}

static void mask_gradient(float *g, const uint16_t *mask, size_t count)
{
    for (size_t i = 0; i < count; i++)
        g[i] = get_bit(mask, i) ? g[i] : 0;
}

static void gradient_sums(float *g, const uint16_t *mask, const float *x, size_t rows, size_t stride, const float *mean,
                          float *sum_g, float *sum_gx)
{
    if (mask)
        mask_gradient(g, mask, rows * stride);
    for (size_t c = 0; c < stride; c++) {
        float s = 0, q = 0;
        for (size_t at = c; at < rows * stride; at += stride) {
            s += g[at];
            q += g[at] * (x[at] - mean[c]);
        }
        sum_g[c] += s;
        sum_gx[c] += q;
    }
}

static void gradient_apply(const float *g, const float *x, size_t rows, size_t stride, const float *mean, const float *a,
                           const float *b, const float *d, float *dx)
{
    for (size_t at = 0; at < rows * stride; at++) {
        size_t c = at % stride;
        dx[at] = g[at] * a[c] + (x[at] - mean[c]) * b[c] + d[c];
    }
}

static void activate(float *x, size_t count, enum activation activation, uint16_t *mask)
{
    for (size_t i = 0; i < count; i++) {
        if (mask)
            put_bit(mask, i, passes(x[i], activation));
        x[i] = activated(x[i], activation);
    }
}

static void add(const float *x, size_t count, float *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] += x[i];
}

static void descend(float *w, float *velocity, const float *gradient, size_t count, float rate, float momentum, float decay)
{
    for (size_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] + (gradient[i] + decay * w[i]);
        w[i] -= rate * velocity[i];
    }
}

static double sum_of_squares(const float *x, size_t count)
{
    double sum = 0;
    for (size_t start = 0; start < count; start += RANGE_CHUNK) {
        size_t end = count - start < RANGE_CHUNK ? count : start + RANGE_CHUNK;
        float lanes[RANGE_LANES] = {0};
        for (size_t i = start; i < end; i++)
            lanes[i % RANGE_LANES] += x[i] * x[i];
        sum = add_range_lanes(lanes, sum);
    }
    return sum;
}

const struct norm_kernels norm_scalar = {
    .sums = sums,
    .apply = apply,
    .gradient_sums = gradient_sums,
    .gradient_apply = gradient_apply,
    .activate = activate,
    .mask = mask_gradient,
    .add = add,
    .descend = descend,
    .sum_of_squares = sum_of_squares,
};
