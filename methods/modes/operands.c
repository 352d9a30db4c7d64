/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "operands.h"
#include "../quantisers/range.h"
#include <math.h>

#define RANGE_MOMENTUM 0.99

struct accumulator_options read_accumulator_options(const struct settings *settings)
{
    struct accumulator_options options = {.bits = 0};
    if (!setting_is(settings, "acc_bits", "auto"))
        options.bits = (int)setting_int(settings, "acc_bits");
    if (options.bits == 32)
        return options; /* no limit: the other options are not read */
    options.tile = (int)setting_int(settings, "acc_tile");
    options.overflow = setting_is(settings, "acc_overflow", "wrap") ? ACC_WRAP : ACC_SATURATE;
    options.at = setting_is(settings, "acc_at", "add") ? ACC_AT_ADD : ACC_AT_TILE;
    options.backward = setting_is(settings, "acc_backward", "whole") ? BACKWARD_WHOLE
                       : setting_is(settings, "acc_backward", "off") ? BACKWARD_OFF : BACKWARD_TILE;
    options.order = setting_is(settings, "acc_order", "channel") ? CHANNEL_MAJOR : TAP_MAJOR;
    return options;
}

struct accumulator accumulator_for(const struct accumulator_options *options, enum which_product which,
                                   double bits_a, double bits_b)
{
    struct accumulator acc = {.tile = options->tile, .overflow = options->overflow, .at = options->at};
    acc.bits = options->bits ? options->bits : (int)fmax(8, ceil(bits_a) + ceil(bits_b));
    if (which != FORWARD && options->backward == BACKWARD_OFF)
        acc.bits = 32;
    if (which != FORWARD && options->backward == BACKWARD_WHOLE)
        acc.tile = 0;
    return acc;
}

static void keep_running(struct range *range)
{
    range->average = RANGE_MOMENTUM * range->average + (1 - RANGE_MOMENTUM) * range->limit;
    range->weight = RANGE_MOMENTUM * range->weight + (1 - RANGE_MOMENTUM);
    range->ever_negative |= range->is_signed;
}

void fit_weight_range(const struct product *p)
{
    p->quantiser->fit(p->w_range, p->w, p->n * row_stride(p->k), p->n * p->k);
}

void fit_input_range(const struct product *p)
{
    const struct quantiser_ops *quantiser = p->quantiser;
    struct range *range = p->x_range;
    /* Learned ranges are parameters, frozen by nature. */
    bool recall = p->evaluating && !range->learned && range->weight > 0
                  && setting_is(p->settings, "act_range", "running");
    if (recall)
        range_set(range, (float)(range->average / range->weight), range->ever_negative);
    else
        quantiser->fit(range, p->x, p->samples * in_size(p->shape), p->samples * in_positions(p->shape) * p->shape->in_c);
    if (p->observing)
        keep_running(range);
}

void fit_ranges(const struct product *p)
{
    if (!p->weights_ready)
        fit_weight_range(p);
    fit_input_range(p);
}

void quantise_in_range(const struct range *range, const float *x, size_t count, void *q)
{
    kernels()->quantise_nearest(x, count, range->scale, range->lo, range->hi, q);
}

/* ---- products ---- */

/* A partial sum is one that is held against the limit: a finished tile's, or that after every addition. */
static void count_sums(struct product_counts *counts, enum which_product which, const struct accumulator *acc, size_t sums,
                       size_t k, uint64_t saturated)
{
    size_t tile = acc->at == ACC_AT_ADD ? 1 : acc->tile ? (size_t)acc->tile : k;
    counts->saturated[which] += saturated;
    counts->partial_sums[which] += sums * ((k + tile - 1) / tile);
}

/* Whatever an accumulator's limit, the tiles' unlimited sums are what must fit. */
static bool check_bound(size_t k, int largest_a, int largest_b)
{
    double largest = (double)k * largest_a * largest_b;
    if (largest > INT32_MAX)
        die("a sum of %zu products of codes up to %d and %d does not fit 32 bits; use fewer bits or a smaller layer", k,
            largest_a, largest_b);
    return true;
}

void multiply(struct product_counts *counts, enum which_product which, struct int_product *p, int largest_a, int largest_b)
{
    uint64_t saturated = 0;
    p->bounded = check_bound(p->b->k, largest_a, largest_b);
    p->saturated = counts ? &saturated : NULL;
    kernels()->ints->multiply(p);
    if (counts)
        count_sums(counts, which, &p->b->acc, p->m * p->b->n, p->b->k, saturated);
}

void multiply_depthwise(struct product_counts *counts, enum which_product which, struct int_depthwise *p)
{
    uint64_t saturated = 0;
    p->saturated = counts ? &saturated : NULL;
    kernels()->ints->depthwise(p);
    if (counts)
        count_sums(counts, which, &p->acc, p->m * p->channels, p->taps, saturated);
}

void multiply_depthwise_gradient(struct product_counts *counts, struct int_depthwise_gradient *p, int largest_x,
                                 int largest_g)
{
    uint64_t saturated = 0;
    p->bounded = check_bound(p->m, largest_x, largest_g);
    p->saturated = counts ? &saturated : NULL;
    kernels()->ints->depthwise_gradient(p);
    if (counts)
        count_sums(counts, WEIGHT_GRADIENT, &p->acc, p->taps * p->channels, p->m, saturated);
}

void add_bias(const struct product *p, float *y)
{
    for (size_t i = 0; p->bias && i < out_positions(p->shape); i++)
        for (size_t j = 0; j < p->n; j++)
            y[i * row_stride(p->n) + j] += p->bias[j];
}

void mark_codes(bool used[256], const void *codes, size_t rows, size_t cols, size_t stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            used[((const uint8_t *)codes)[i * stride + j]] = true;
}

void add_counts(struct product_counts *to, const struct product_counts *chunk)
{
    for (int which = 0; which < 3; which++) {
        to->saturated[which] += chunk->saturated[which];
        to->partial_sums[which] += chunk->partial_sums[which];
    }
    to->zero_gradients += chunk->zero_gradients;
    to->gradients += chunk->gradients;
    for (int code = 0; code < 256; code++) {
        to->weight_codes[code] |= chunk->weight_codes[code];
        to->input_codes[code] |= chunk->input_codes[code];
    }
}

void *take(struct scratch *scratch, size_t bytes)
{
    size_t at = scratch->used;
    scratch->used += (bytes + 63) / 64 * 64;
    return scratch->base ? scratch->base + at : NULL;
}
