/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mean widths over the tensors that are counted (pinned ones are not). Gradients have a mean of their own. Float32 counts 32
 * bits. METHODS 5. */
#include "../../bench/bitsweep.h"

static double of_tensor(const struct tensor *tensor, double bits, double total)
{
    return tensor && tensor->counted ? bits / total : 0;
}

static double mean_bits(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context;
    double total = totals->tensors[TENSOR_WEIGHT] + totals->tensors[TENSOR_ACTIVATION];
    return of_tensor(layer->weight, layer->w, total) + of_tensor(layer->input, layer->a, total);
}

static double mean_bits_w(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context;
    return of_tensor(layer->weight, layer->w, totals->tensors[TENSOR_WEIGHT]);
}

static double mean_bits_a(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context;
    return of_tensor(layer->input, layer->a, totals->tensors[TENSOR_ACTIVATION]);
}

static double mean_bits_g(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context;
    return of_tensor(layer->gradient, layer->g, totals->tensors[TENSOR_GRADIENT]);
}

static double numel_bits_w(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context;
    double elements = layer->weight ? (double)layer->weight->elements : 0;
    return of_tensor(layer->weight, layer->w * elements, totals->elements[TENSOR_WEIGHT]);
}

#define MEAN_COST(mean, text)                                                                          \
    const struct cost_ops cost_##mean = {                                                              \
        .plug = {.name = #mean, .version = 1, .help = text}, .unit = "bit", .layer = mean,             \
    };

MEAN_COST(mean_bits, "Mean width over all weights and activations, unweighted.")
MEAN_COST(mean_bits_w, "Mean width over the weights, unweighted.")
MEAN_COST(mean_bits_a, "Mean width over the activations, unweighted.")
MEAN_COST(mean_bits_g, "Mean width over the output gradients, unweighted.")
MEAN_COST(numel_bits_w, "Mean width over the weights, weighted by their numbers of elements.")
