/* SPDX-License-Identifier: GPL-3.0-or-later
 * From the shares of layers to the price of an allocation. */
#include "price.h"
#include <math.h>
#include <stdlib.h>

const char *const tensor_kind_names[TENSOR_KINDS] = {
    [TENSOR_WEIGHT] = "weight", [TENSOR_ACTIVATION] = "activation", [TENSOR_GRADIENT] = "gradient",
};

int tensor_least(const struct tensor *t) { return t->choices ? __builtin_ctzll(t->choices) : 0; }
int tensor_most(const struct tensor *t) { return t->choices ? 63 - __builtin_clzll(t->choices) : 0; }

struct cost_totals cost_totals(const struct tensor *tensors, int count)
{
    struct cost_totals totals = {0};
    for (int i = 0; i < count; i++)
        if (tensors[i].counted) {
            totals.tensors[tensors[i].kind]++;
            totals.elements[tensors[i].kind] += (double)tensors[i].elements;
        }
    return totals;
}

void layer_take(struct layer_widths *layer, const struct tensor *tensor, double bits)
{
    const struct tensor **tensors[] = {&layer->weight, &layer->input, &layer->gradient};
    double *widths[] = {&layer->w, &layer->a, &layer->g};
    *tensors[tensor->kind] = tensor;
    *widths[tensor->kind] = bits > 0 ? bits : 32;
}

double cost_price(const struct cost_ops *cost, const void *context, const struct tensor *tensors, int count,
                  const float *bits)
{
    struct cost_totals totals = cost_totals(tensors, count);
    int layers = 0;
    for (int i = 0; i < count; i++)
        layers = tensors[i].layer >= layers ? tensors[i].layer + 1 : layers;
    struct layer_widths *widths = xmalloc(((size_t)layers + 1) * sizeof *widths);
    for (int i = 0; i < layers; i++)
        widths[i] = no_widths;
    for (int i = 0; i < count; i++)
        layer_take(&widths[tensors[i].layer], &tensors[i], bits[i]);
    double price = 0;
    for (int i = 0; i < layers; i++) {
        double share = cost->layer(context, &totals, &widths[i]);
        price = cost->largest ? fmax(price, share) : price + share;
    }
    free(widths);
    return price + (cost->constant ? cost->constant(context) : 0);
}
