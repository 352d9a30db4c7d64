/* SPDX-License-Identifier: GPL-3.0-or-later
 * The forward operands of a layer as codes, and integer products under the accumulator options: what fp's
 * fake quantisation, fqt and hfqt share. */
#ifndef BITSWEEP_OPERANDS_H
#define BITSWEEP_OPERANDS_H
#include "../../bench/kernels/kernels.h"

/* Which of a layer's products. */
enum which_product { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT };

struct codes {
    int8_t *data;       /* rows × stride; uint8_t where not is_signed */
    size_t stride;
    float scale;
    bool is_signed;
};

struct accumulator_options {
    int bits;           /* 0: auto */
    int tile;
    enum acc_overflow overflow;
    enum acc_at at;
    enum { BACKWARD_TILE, BACKWARD_WHOLE, BACKWARD_OFF } backward;
};
struct accumulator_options read_accumulator_options(const struct settings *);

/* Chooses this batch's ranges: fits both tensors, or recalls an activation's frozen range at evaluation; keeps the running
 * range. The weights' range is kept while weights_ready. */
void fit_ranges(struct product *);

/* Codes of x and, unless weights_ready, of w under the ranges just fitted. */
void quantise_forward(const struct product *, struct codes *x, struct codes *w);

/* The accumulator of one product whose operands have these widths. */
struct accumulator accumulator_for(const struct accumulator_options *, enum which_product, double bits_a, double bits_b);

/* out (rows × columns, row stride ld) = a · bᵀ * scale (* row_scale[i]) + bias. Fills counts when the product has them. */
struct scaled_product {
    size_t rows, columns, depth;
    struct int_matrix a, b;
    struct accumulator acc;
    float *out;
    size_t ld;
    float scale;
    const float *row_scale, *bias;
    void *workspace;
};
void multiply(const struct product *, enum which_product, const struct scaled_product *);

/* Bytes of workspace that any of the three products of a layer (batch m, n outputs, k inputs) needs. */
size_t product_workspace(size_t m, size_t n, size_t k);

/* Y = X·Wᵀ + bias on codes. */
void forward_on_codes(const struct product *, const struct accumulator_options *, const struct codes *x,
                      const struct codes *w, void *workspace);
#endif
