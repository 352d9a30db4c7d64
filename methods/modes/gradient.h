/* SPDX-License-Identifier: GPL-3.0-or-later
 * Quantising the output gradient and re-quantising transformed operands: always signed, METHODS 1 "max, backward". */
#ifndef BITSWEEP_GRADIENT_H
#define BITSWEEP_GRADIENT_H
#include "operands.h"

struct gradient_options {
    int bits;           /* of G, at the moment: product.g_range says it at every backward pass */
    bool stochastic;    /* else to nearest */
    bool logarithmic;   /* luq: stochastic, to powers of two */
    float quantile;     /* of G's maximum, when rounded to nearest */
    bool per_sample;    /* else one scale for all of G; a dense layer has scales a sample in the input gradient only */
};
struct gradient_options read_gradient_options(const struct settings *, const struct product *);
/* luq's G; valid for 2 .. 4 bits. */
struct gradient_options read_logarithmic_options(const struct settings *, const struct product *);

int largest_gradient_code(const struct gradient_options *);
/* Width of G's codes as the accumulators see them. */
int gradient_code_bits(const struct gradient_options *);

/* Operands that are rounded stochastically within one layer and step; each draws from its own stream, by its elements'
 * places in the whole batch. */
enum rounded_operand { ROUND_GRADIENT_ROWS, ROUND_GRADIENT_COLUMNS, ROUND_INPUT };
uint64_t rounding_key(const struct product *, enum rounded_operand);

/* The scale of G whose largest magnitude this is; 1 for all zeros. */
float gradient_scale(const struct gradient_options *, float largest);
/* Codes of a part of G, or of G transformed, from element `first` of the whole on; counts zeroed gradients. */
void quantise_gradient(const struct gradient_options *, uint64_t key, const float *g, size_t first, size_t count,
                       float scale, int8_t *q, struct product_counts *counts);

/* The scale of an operand that is re-quantised at `bits`, with c = 1; 1 for all zeros. */
float requantised_scale(float largest, double bits);
#endif
