/* SPDX-License-Identifier: GPL-3.0-or-later
 * What prices are made of. */
#ifndef BITSWEEP_PRICE_H
#define BITSWEEP_PRICE_H
#include "../../bench/bitsweep.h"

struct cost_totals cost_totals(const struct tensor *, int count);
/* A layer none of whose tensors is there. */
static const struct layer_widths no_widths = {.w = 32, .a = 32, .g = 32};
/* Adds a tensor at a width (0: float32) to its layer's. */
void layer_take(struct layer_widths *, const struct tensor *, double bits);
#endif
