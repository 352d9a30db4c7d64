/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mean widths over the allocatable weights and activations; gradients are not among them. Float32 counts 32
 * bits. */
#include "../../bench/bitsweep.h"

static bool is_weight(const struct tensor *tensor) { return tensor->kind == TENSOR_WEIGHT; }
static bool is_activation(const struct tensor *tensor) { return tensor->kind == TENSOR_ACTIVATION; }
static bool is_either(const struct tensor *tensor) { return tensor->kind != TENSOR_GRADIENT; }

static double one(const struct tensor *tensor)
{
    (void)tensor;
    return 1;
}

static double elements(const struct tensor *tensor) { return tensor->elements; }

/* A weighted mean over the tensors of one kind. */
struct mean { bool (*member)(const struct tensor *); double (*weight)(const struct tensor *); };

static double share(struct mean mean, const struct tensor *tensors, int count, int index, float bits)
{
    double total = 0;
    if (!mean.member(&tensors[index]))
        return 0;
    for (int i = 0; i < count; i++)
        total += mean.member(&tensors[i]) ? mean.weight(&tensors[i]) : 0;
    return mean.weight(&tensors[index]) * (bits > 0 ? bits : 32) / total;
}

static double price(struct mean mean, const struct tensor *tensors, int count, const float *bits)
{
    double sum = 0, total = 0;
    for (int i = 0; i < count; i++)
        if (mean.member(&tensors[i])) {
            sum += mean.weight(&tensors[i]) * (bits[i] > 0 ? bits[i] : 32);
            total += mean.weight(&tensors[i]);
        }
    return total > 0 ? sum / total : 0;
}

static const struct mean mean_bits = {is_either, one}, mean_bits_w = {is_weight, one},
                         mean_bits_a = {is_activation, one}, numel_bits_w = {is_weight, elements};

#define MEAN_COST(mean, text)                                                                 \
    static double price_##mean(const struct tensor *tensors, int count, const float *bits)    \
    {                                                                                         \
        return price(mean, tensors, count, bits);                                             \
    }                                                                                         \
    static double share_##mean(const struct tensor *tensors, int count, int index, float bits)\
    {                                                                                         \
        return share(mean, tensors, count, index, bits);                                      \
    }                                                                                         \
    const struct cost_ops cost_##mean = {                                                     \
        .plug = {.name = #mean, .version = 1, .help = text},                                  \
        .unit = "bit",                                                                        \
        .price = price_##mean,                                                                \
        .share = share_##mean,                                                                \
    };

MEAN_COST(mean_bits, "Mean width over all weights and activations, unweighted.")
MEAN_COST(mean_bits_w, "Mean width over the weights, unweighted.")
MEAN_COST(mean_bits_a, "Mean width over the activations, unweighted.")
MEAN_COST(numel_bits_w, "Mean width over the weights, weighted by their numbers of elements.")
