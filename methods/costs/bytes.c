/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bytes of weights and of activations (per sample), packed at their widths, without scales. Float32 counts 32
 * bits. */
#include "../../bench/bitsweep.h"
#include <math.h>

static double bytes_of(const struct tensor *tensor, enum tensor_kind kind, float bits)
{
    return tensor->kind == kind ? tensor->elements * (bits > 0 ? (double)bits : 32) / 8 : 0;
}

static double weight_share(const struct tensor *tensors, int count, int index, float bits)
{
    (void)count;
    return bytes_of(&tensors[index], TENSOR_WEIGHT, bits);
}

static double act_share(const struct tensor *tensors, int count, int index, float bits)
{
    (void)count;
    return bytes_of(&tensors[index], TENSOR_ACTIVATION, bits);
}

static double weight_price(const struct tensor *tensors, int count, const float *bits)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += weight_share(tensors, count, i, bits[i]);
    return sum;
}

static double act_sum_price(const struct tensor *tensors, int count, const float *bits)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += act_share(tensors, count, i, bits[i]);
    return sum;
}

static double act_max_price(const struct tensor *tensors, int count, const float *bits)
{
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, act_share(tensors, count, i, bits[i]));
    return largest;
}

const struct cost_ops cost_weight_bytes = {
    .plug = {.name = "weight_bytes", .version = 1, .help = "Bytes of all quantised layers' weights."},
    .unit = "byte",
    .price = weight_price,
    .share = weight_share,
};

const struct cost_ops cost_act_bytes_max = {
    .plug = {.name = "act_bytes_max", .version = 1, .help = "Bytes of the largest layer input, per sample."},
    .unit = "byte",
    .price = act_max_price,
};

const struct cost_ops cost_act_bytes_sum = {
    .plug = {.name = "act_bytes_sum",
             .version = 1,
             .help = "Bytes of all layer inputs together, per sample."},
    .unit = "byte",
    .price = act_sum_price,
    .share = act_share,
};
