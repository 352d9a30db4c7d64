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

void fit_ranges(struct product *p)
{
    const struct quantiser_ops *quantiser = p->quantiser;
    struct range *range = p->x_range;
    size_t stride = row_stride(p->k);
    if (!p->weights_ready)
        quantiser->fit(p->w_range, p->w, p->n * stride, p->n * p->k);
    /* Learned ranges are parameters, frozen by nature. */
    bool recall = p->evaluating && !quantiser->learns && range->weight > 0
                  && setting_is(p->settings, "act_range", "running");
    if (recall)
        range_set(range, (float)(range->average / range->weight), range->ever_negative);
    else
        quantiser->fit(range, p->x, p->m * stride, p->m * p->k);
    if (p->observing)
        keep_running(range);
}

static void quantise(const struct range *range, const float *x, size_t count, struct codes *codes)
{
    kernels()->quantise_nearest(x, count, range->scale, range->lo, range->hi, codes->data);
    codes->scale = range->scale;
    codes->is_signed = range->lo < 0;
}

void quantise_forward(const struct product *p, struct codes *x, struct codes *w)
{
    quantise(p->x_range, p->x, p->m * x->stride, x);
    if (!p->weights_ready)
        quantise(p->w_range, p->w, p->n * w->stride, w);
}

void multiply(const struct product *p, enum which_product which, const struct scaled_product *s)
{
    uint64_t saturated = 0;
    struct int_product product = {
        .m = s->rows, .n = s->columns, .k = s->depth, .ld = s->ld, .a = s->a, .b = s->b, .acc = s->acc,
        .out = s->out, .scale = s->scale, .row_scale = s->row_scale, .bias = s->bias,
        .saturated = p->counts ? &saturated : NULL, .workspace = s->workspace,
    };
    kernels()->int_product(&product);
    if (p->counts) {
        size_t tile = s->acc.tile ? (size_t)s->acc.tile : s->depth;
        p->counts->saturated[which] += saturated;
        p->counts->partial_sums[which] += s->rows * s->columns * ((s->depth + tile - 1) / tile);
    }
}

size_t product_workspace(size_t m, size_t n, size_t k)
{
    size_t (*size)(size_t, size_t, size_t) = kernels()->int_product_workspace;
    size_t forward = size(m, n, k), input_gradient = size(m, k, n), weight_gradient = size(n, k, m);
    size_t most = forward > input_gradient ? forward : input_gradient;
    return most > weight_gradient ? most : weight_gradient;
}

void forward_on_codes(const struct product *p, const struct accumulator_options *options, const struct codes *x,
                      const struct codes *w, void *workspace)
{
    struct scaled_product product = {
        .rows = p->m, .columns = p->n, .depth = p->k,
        .a = {x->data, x->stride, 1, !x->is_signed}, .b = {w->data, w->stride, 1, !w->is_signed},
        .acc = accumulator_for(options, FORWARD, p->x_range->bits, p->w_range->bits),
        .out = p->y, .ld = row_stride(p->n), .scale = x->scale * w->scale, .bias = p->bias, .workspace = workspace,
    };
    multiply(p, FORWARD, &product);
}
