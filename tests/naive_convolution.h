/* SPDX-License-Identifier: GPL-3.0-or-later
 * A convolution's three products in the integer modes by METHODS' formulas, on naively unfolded operands in double
 * precision, with every rounding to nearest. */
#ifndef BITSWEEP_TEST_NAIVE_CONVOLUTION_H
#define BITSWEEP_TEST_NAIVE_CONVOLUTION_H
#include "mode_support.h"

/* What is expected beside the shape and widths. */
struct expected {
    struct {
        int forward, input_gradient, weight_gradient;
        size_t tile, backward_tile;
        bool wrap, at_add;
    } limits; /* bits 0: none */
    bool channel_major, tensor_scale, transforms, pad;
    bool requantise_at_gradient_width;
    size_t cap;             /* of a block; 0: none */
    int grad_bits;
};

struct operands {
    const struct geometry *shape;
    size_t samples, positions, padded_positions, outputs, padded_outputs, taps, channels, block_n, block_p;
    struct naive x, w;              /* forward codes */
    struct naive w_hat;             /* padded_outputs × k */
    struct naive *g_rows, *g_columns; /* a sample: positions × padded_outputs; padded_positions × outputs */
    struct naive *x_hat;            /* a sample: padded_positions × taps × channels */
};

/* By the layer's values and ranges' widths; free_operands() them. */
struct operands make_operands(const struct layer_test *, const struct expected *);
void free_operands(struct operands *);

/* dX of a sample at (y, x, channel), and dW at (output, tap, channel). */
double input_gradient_at(const struct operands *, const struct expected *, size_t s, size_t y, size_t x, size_t c);
double weight_gradient_at(const struct operands *, const struct expected *, size_t n, size_t t, size_t c);

/* One step forward and back, all three results and their paddings. */
void check_products(struct layer_test *, const struct expected *);
#endif
