/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bytes of weights and of activations (per sample), packed at their widths, without scales. Float32 counts 32
 * bits. */
#include "../../bench/bitsweep.h"

static double weights(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context, (void)totals;
    return layer->weight ? (double)layer->weight->elements * layer->w / 8 : 0;
}

static double inputs(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context, (void)totals;
    return layer->input ? (double)layer->input->elements * layer->a / 8 : 0;
}

const struct cost_ops cost_weight_bytes = {
    .plug = {.name = "weight_bytes", .version = 1, .help = "Bytes of all quantised layers' weights."},
    .unit = "byte", .layer = weights,
};

const struct cost_ops cost_act_bytes_max = {
    .plug = {.name = "act_bytes_max", .version = 1, .help = "Bytes of the largest layer input, per sample."},
    .unit = "byte", .largest = true, .layer = inputs,
};

const struct cost_ops cost_act_bytes_sum = {
    .plug = {.name = "act_bytes_sum", .version = 1, .help = "Bytes of all layer inputs together, per sample."},
    .unit = "byte", .layer = inputs,
};
