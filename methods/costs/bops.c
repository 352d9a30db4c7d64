/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bit operations of one sample's forward pass: sum over layers of MAC x weight width x input width. Float32
 * counts 32 bits. */
#include "../../bench/bitsweep.h"

static double width(float bits) { return bits > 0 ? bits : 32; }

/* The width of a layer's input; float32 when it is not among the tensors. */
static double input_width(const struct tensor *tensors, int count, const float *bits, int layer)
{
    for (int i = 0; i < count; i++)
        if (tensors[i].kind == TENSOR_ACTIVATION && tensors[i].layer == layer)
            return width(bits[i]);
    return 32;
}

static double price(const struct tensor *tensors, int count, const float *bits)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        if (tensors[i].kind == TENSOR_WEIGHT)
            sum += tensors[i].macs * width(bits[i]) * input_width(tensors, count, bits, tensors[i].layer);
    return sum;
}

const struct cost_ops cost_bops = {
    .plug = {.name = "bops",
             .version = 1,
             .help = "Bit operations per sample: sum of MAC x weight width x input width."},
    .unit = "bit operation",
    .price = price,
};
