/* SPDX-License-Identifier: GPL-3.0-or-later
 * Quantising the output gradient and re-quantising transformed operands: always signed, METHODS 1 "max, backward". */
#ifndef BITSWEEP_GRADIENT_H
#define BITSWEEP_GRADIENT_H
#include "operands.h"

struct gradient_options {
    int bits;           /* of G */
    bool stochastic;    /* else to nearest */
    float quantile;     /* of G's maximum, when rounded to nearest */
    bool per_sample;    /* in the input gradient */
};
struct gradient_options read_gradient_options(const struct settings *);

/* Operands that are rounded stochastically within one layer and step; each draws from its own stream. */
enum rounded_operand { ROUND_GRADIENT_ROWS, ROUND_GRADIENT_COLUMNS, ROUND_INPUT };
uint64_t rounding_key(const struct product *, enum rounded_operand);

/* Signed codes of x (count values) at `bits` with range quantile × max|x|; returns the scale, 1 for all zeros. */
float quantise_nearest_signed(const float *x, size_t count, double bits, float quantile, int8_t *q);
float quantise_stochastic_signed(const float *x, size_t count, double bits, uint64_t key, uint64_t first, int8_t *q);

/* Codes of G, or of G transformed (rows × stride), with one scale, which is returned. */
float quantise_gradient(const struct product *, const struct gradient_options *, enum rounded_operand,
                        const float *g, size_t rows, size_t stride, int8_t *q);
/* The same with one scale a row, into scales (rows). */
void quantise_gradient_rows(const struct product *, const struct gradient_options *, const float *g,
                            size_t rows, size_t stride, int8_t *q, float *scales);
#endif
