/* SPDX-License-Identifier: GPL-3.0-or-later
 * The forward operands of a layer as codes, and integer products under the accumulator options: what fp's
 * fake quantisation and the integer modes share. */
#ifndef BITSWEEP_OPERANDS_H
#define BITSWEEP_OPERANDS_H
#include "../../bench/kernels/kernels.h"
#include "../../bench/nn/geometry.h"

/* Which of a layer's products. */
enum which_product { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT };

struct accumulator_options {
    int bits;           /* 0: auto */
    int tile;
    enum acc_overflow overflow;
    enum acc_at at;
    enum { BACKWARD_TILE, BACKWARD_WHOLE, BACKWARD_OFF } backward;
    enum k_order order; /* of the forward product; the backward ones keep the kernels' own */
};
struct accumulator_options read_accumulator_options(const struct settings *);

/* The accumulator of one product whose operands have these widths. */
struct accumulator accumulator_for(const struct accumulator_options *, enum which_product, double bits_a, double bits_b);

/* Chooses this batch's ranges: fits both tensors, or recalls an activation's frozen range at evaluation; keeps the running
 * range. The weights' range is kept while weights_ready. */
void fit_ranges(const struct product *);
/* The same for one of the two. */
void fit_weight_range(const struct product *);
void fit_input_range(const struct product *);

/* Codes of x under its range; int8_t, or uint8_t where range->lo is 0. */
void quantise_in_range(const struct range *, const float *x, size_t count, void *q);

/* The products, counted into counts (NULL: not counted). They end the program where 32 bits could overflow. */
void multiply(struct product_counts *counts, enum which_product, struct int_product *, int largest_a, int largest_b);
void multiply_depthwise(struct product_counts *counts, enum which_product, struct int_depthwise *);
void multiply_depthwise_gradient(struct product_counts *counts, struct int_depthwise_gradient *, int largest_x,
                                 int largest_g);

/* Adds the bias, if there is one, to one sample's outputs. */
void add_bias(const struct product *, float *y);

/* Marks the codes of a rows × cols matrix (rows `stride` apart) as used. */
void mark_codes(bool used[256], const void *codes, size_t rows, size_t cols, size_t stride);
/* Adds what one chunk of samples has counted. */
void add_counts(struct product_counts *to, const struct product_counts *chunk);

/* Memory handed out piece by piece, in whole cache lines; without a base it only measures. */
struct scratch { char *base; size_t used; };
void *take(struct scratch *, size_t bytes);
#endif
