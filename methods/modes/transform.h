/* SPDX-License-Identifier: GPL-3.0-or-later
 * Operands in the Hadamard domain (HDQT, METHODS 2): the axis that a product contracts over is cut into blocks of a power
 * of two p, and H·H = p·I, so that a product of two transformed operands is p times too large. What shares an axis is a
 * group: one sample's output positions in a convolution, the whole batch in a dense layer. */
#ifndef BITSWEEP_TRANSFORM_H
#define BITSWEEP_TRANSFORM_H
#include "gradient.h"

struct axis { size_t length, block, padded; };

struct transform_options {
    size_t largest_block;       /* cap; 0: none */
    bool pad, signs;
    bool identity;              /* published ablation: no transform, but its factors and re-quantisation */
    bool requantise_at_gradient_width;
};

/* The largest power of two that divides `length` and is at most the cap; with padding the cap itself (without a cap the
 * smallest power of two that holds the axis). */
struct axis choose_axis(size_t length, const struct transform_options *);

/* Elements between rows of X transformed, and whether 16 bits hold it for codes up to `largest`. */
size_t transformed_stride(const struct axis *);
bool fits_shorts(const struct axis *, int largest);

/* Below, signs holds ±1 for each place of the axis, and is read only with the option. */

/* g (rows × row_stride(axis->length)) into out (rows × row_stride(axis->padded)), transformed along the rows. */
void transform_rows(const struct transform_options *, const struct axis *, const float *signs, const float *g, size_t rows,
                    float *out);
/* x (axis->padded × stride) down the columns, in place; what stands past the axis becomes zero first. */
void transform_columns(const struct transform_options *, const struct axis *, const float *signs, float *x, size_t cols,
                       size_t stride);

/* W's codes (axis->length × stride) transformed down the columns, to nearest at `bits`: codes (axis->padded × stride);
 * returns the scale. values: axis->padded × stride. */
float requantise_weights(const struct transform_options *, const struct axis *, const float *signs, const void *w,
                         bool is_unsigned, size_t cols, size_t stride, double bits, float *values, int8_t *codes);

/* X transposed: rows of positions. From a convolution's planes, or (tables NULL) bytes `stride` apart. */
struct input_rows {
    const struct convolution *tables;
    const void *codes;
    size_t count, stride;
    int largest;                /* of the codes */
    bool is_unsigned;
};
struct rounding { double bits; bool stochastic; uint64_t key, first; };
/* The rows transformed and re-quantised with one scale, which is returned; codes and values (int16_t where these suffice,
 * else float) are count × transformed_stride(). */
float requantise_inputs(const struct transform_options *, const struct axis *, const float *signs, const struct input_rows *,
                        const struct rounding *, void *values, int8_t *codes);
/* The same for floats that are transformed already. */
float requantise_values(const float *values, size_t count, const struct rounding *, int8_t *codes);
#endif
