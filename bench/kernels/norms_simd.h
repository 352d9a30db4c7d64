/* SPDX-License-Identifier: GPL-3.0-or-later
 * Batch normalisation, activations and the optimiser's step in vectors; included by one file per instruction set after its
 * lanes_*.h. All of it moves memory: what matters is that each vector is read once, and in order, which the CPU foresees. */
#ifndef BITSWEEP_NORMS_SIMD_H
#define BITSWEEP_NORMS_SIMD_H
#include "isa.h"
#include <math.h>
#include <string.h>

enum {
    COLUMNS = 2048, /* whose sums wait in L1; more are taken in turn */
    AHEAD = 128,    /* elements that are taken together, so that few rows' sums need not pass through memory */
    MASK = 16       /* elements to a word of a mask */
};

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* act(v) = min(max(v, low), high); NaN: no bound. */
struct bounds { reals low, high; unsigned always; };

static struct bounds bounds_of(enum activation activation)
{
    return (struct bounds){
        .low = reals_set(activation == ACTIVATION_NONE ? NAN : 0),
        .high = reals_set(activation == ACTIVATION_RELU6 ? 6 : NAN),
        .always = activation == ACTIVATION_NONE ? (1u << LANES) - 1 : 0,
    };
}

INLINE reals bounded(reals v, const struct bounds *b) { return reals_at_most(b->high, reals_at_least(b->low, v)); }

/* A bit a lane: whether gradients pass. */
INLINE unsigned within(reals v, const struct bounds *b) { return reals_within(v, b->low, b->high) | b->always; }

/* ---- channels ---- */

static size_t rows_together(size_t stride) { return stride < AHEAD ? AHEAD / stride : 1; }

/* Two chains for every one of a block of columns. */
struct sums { float first[COLUMNS], second[COLUMNS]; };

static void clear_sums(struct sums *s, size_t columns)
{
    memset(s->first, 0, columns * sizeof *s->first);
    memset(s->second, 0, columns * sizeof *s->second);
}

static void add_sums(const struct sums *s, size_t columns, float *first, float *second)
{
    for (size_t c = 0; c < columns; c++) {
        first[c] += s->first[c];
        second[c] += s->second[c];
    }
}

static void sums(const float *x, size_t rows, size_t stride, const float *shift, float *sum, float *square)
{
    for (size_t from = 0; from < stride; from += COLUMNS) {
        size_t columns = smaller(COLUMNS, stride - from), step = rows_together(stride);
        struct sums s;
        clear_sums(&s, columns);
        for (size_t i = 0; i < rows; i += step)
            for (size_t c = 0; c < columns; c += LANES) {
                const float *at = x + i * stride + from + c, *end = at + smaller(step, rows - i) * stride;
                reals first = reals_load(s.first + c), second = reals_load(s.second + c);
                reals origin = reals_load(shift + from + c);
                for (; at < end; at += stride) {
                    reals v = reals_subtract(reals_load(at), origin);
                    first = reals_add(first, v);
                    second = reals_add(second, reals_multiply(v, v));
                }
                reals_store(s.first + c, first);
                reals_store(s.second + c, second);
            }
        add_sums(&s, columns, sum + from, square + from);
    }
}

static void apply(const float *x, size_t rows, size_t stride, const float *a, const float *b, const float *other,
                  enum activation activation, float *out, uint16_t *mask)
{
    struct bounds bounds = bounds_of(activation);
    size_t count = rows * stride;
    for (size_t at = 0, c = 0; at < count; at += MASK, c = c + MASK < stride ? c + MASK : 0) {
        unsigned word = 0;
        for (size_t lane = 0; lane < MASK; lane += LANES) {
            reals v = reals_multiply(reals_load(x + at + lane), reals_load(a + c + lane));
            v = reals_add(v, reals_load(b + c + lane));
            if (other)
                v = reals_add(v, reals_load(other + at + lane));
            word |= within(v, &bounds) << lane;
            reals_store(out + at + lane, bounded(v, &bounds));
        }
        if (mask)
            mask[at / MASK] = (uint16_t)word;
    }
}

/* The lanes of g from g[at] on, masked. */
INLINE reals masked(const float *g, const uint16_t *mask, size_t at)
{
    return reals_keep(reals_load(g + at), mask[at / MASK] >> at % MASK);
}

static void gradient_sums(float *g, const uint16_t *mask, const float *x, size_t rows, size_t stride, const float *mean,
                          float *sum_g, float *sum_gx)
{
    for (size_t from = 0; from < stride; from += COLUMNS) {
        size_t columns = smaller(COLUMNS, stride - from), step = rows_together(stride);
        struct sums s;
        clear_sums(&s, columns);
        for (size_t i = 0; i < rows; i += step)
            for (size_t c = 0; c < columns; c += LANES) {
                size_t at = i * stride + from + c, end = at + smaller(step, rows - i) * stride;
                reals first = reals_load(s.first + c), second = reals_load(s.second + c);
                reals origin = reals_load(mean + from + c);
                for (; at < end; at += stride) {
                    reals v = mask ? masked(g, mask, at) : reals_load(g + at);
                    if (mask)
                        reals_store(g + at, v);
                    first = reals_add(first, v);
                    second = reals_add(second, reals_multiply(v, reals_subtract(reals_load(x + at), origin)));
                }
                reals_store(s.first + c, first);
                reals_store(s.second + c, second);
            }
        add_sums(&s, columns, sum_g + from, sum_gx + from);
    }
}

static void gradient_apply(const float *g, const float *x, size_t rows, size_t stride, const float *mean, const float *a,
                           const float *b, const float *d, float *dx)
{
    size_t count = rows * stride;
    for (size_t at = 0, c = 0; at < count; at += LANES, c = c + LANES < stride ? c + LANES : 0) {
        reals v = reals_multiply(reals_load(g + at), reals_load(a + c));
        reals difference = reals_subtract(reals_load(x + at), reals_load(mean + c));
        v = reals_add(v, reals_multiply(difference, reals_load(b + c)));
        reals_store(dx + at, reals_add(v, reals_load(d + c)));
    }
}

/* ---- element by element ---- */

static void activate(float *x, size_t count, enum activation activation, uint16_t *mask)
{
    struct bounds bounds = bounds_of(activation);
    for (size_t at = 0; at < count; at += MASK) {
        unsigned word = 0;
        for (size_t lane = 0; lane < MASK; lane += LANES) {
            reals v = reals_load(x + at + lane);
            word |= within(v, &bounds) << lane;
            reals_store(x + at + lane, bounded(v, &bounds));
        }
        if (mask)
            mask[at / MASK] = (uint16_t)word;
    }
}

static void mask_gradient(float *g, const uint16_t *mask, size_t count)
{
    size_t at = 0;
    for (; at + LANES <= count; at += LANES)
        reals_store(g + at, masked(g, mask, at));
    if (at < count) {
        reals v = reals_load_some(g + at, count - at);
        reals_store_some(g + at, count - at, reals_keep(v, mask[at / MASK] >> at % MASK));
    }
}

static void add(const float *x, size_t count, float *y)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        reals_store(y + i, reals_add(reals_load(y + i), reals_load(x + i)));
    if (i < count)
        reals_store_some(y + i, count - i, reals_add(reals_load_some(y + i, count - i), reals_load_some(x + i, count - i)));
}

struct rates { reals rate, momentum, decay; };

INLINE reals new_velocity(const struct rates *r, reals w, reals velocity, reals gradient)
{
    return reals_add(reals_multiply(r->momentum, velocity), reals_add(gradient, reals_multiply(r->decay, w)));
}

INLINE reals new_weight(const struct rates *r, reals w, reals velocity)
{
    return reals_subtract(w, reals_multiply(r->rate, velocity));
}

static void descend(float *w, float *velocity, const float *gradient, size_t count, float rate, float momentum, float decay)
{
    const struct rates r = {.rate = reals_set(rate), .momentum = reals_set(momentum), .decay = reals_set(decay)};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        reals weight = reals_load(w + i);
        reals v = new_velocity(&r, weight, reals_load(velocity + i), reals_load(gradient + i));
        reals_store(velocity + i, v);
        reals_store(w + i, new_weight(&r, weight, v));
    }
    if (i < count) {
        size_t left = count - i;
        reals weight = reals_load_some(w + i, left);
        reals v = new_velocity(&r, weight, reals_load_some(velocity + i, left), reals_load_some(gradient + i, left));
        reals_store_some(velocity + i, left, v);
        reals_store_some(w + i, left, new_weight(&r, weight, v));
    }
}

static double sum_of_squares(const float *x, size_t count)
{
    enum { VECTORS = RANGE_LANES / LANES };
    double sum = 0;
    for (size_t start = 0; start < count; start += RANGE_CHUNK) {
        size_t end = count - start < RANGE_CHUNK ? count : start + RANGE_CHUNK;
        reals squares[VECTORS];
        float lanes[RANGE_LANES];
        for (int k = 0; k < VECTORS; k++)
            squares[k] = reals_set(0);
        for (size_t i = start; i < end; i += RANGE_LANES)
            for (int k = 0; k < VECTORS; k++) {
                reals v = reals_load(x + i + k * LANES);
                squares[k] = reals_add(squares[k], reals_multiply(v, v));
            }
        for (int k = 0; k < VECTORS; k++)
            reals_store(lanes + k * LANES, squares[k]);
        sum = add_range_lanes(lanes, sum);
    }
    return sum;
}

#define NORM_KERNELS                      \
    {                                     \
        .sums = sums,                     \
        .apply = apply,                   \
        .gradient_sums = gradient_sums,   \
        .gradient_apply = gradient_apply, \
        .activate = activate,             \
        .mask = mask_gradient,            \
        .add = add,                       \
        .descend = descend,               \
        .sum_of_squares = sum_of_squares, \
    }
#endif
