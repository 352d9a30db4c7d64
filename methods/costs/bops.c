/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bit operations of one sample's forward pass: sum over layers of MAC x weight width x input width. Float32
 * counts 32 bits. */
#include "../../bench/bitsweep.h"

static double layer(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context, (void)totals;
    const struct tensor *tensor = layer->weight ? layer->weight : layer->input;
    return tensor ? tensor->macs * layer->w * layer->a : 0;
}

const struct cost_ops cost_bops = {
    .plug = {.name = "bops", .version = 1, .help = "Bit operations per sample: sum of MAC x weight width x input width."},
    .unit = "bit operation", .joint = true, .layer = layer,
};
