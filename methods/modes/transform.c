/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transform.h"
#include <string.h>

/* Rows of X that are unfolded, transformed and measured at a time: as many as stay in the first cache. */
#define BLOCK_ELEMENTS 8192

struct axis choose_axis(size_t length, const struct transform_options *options)
{
    size_t cap = options->largest_block ? options->largest_block : SIZE_MAX;
    struct axis axis = {.length = length, .block = 1};
    if (options->pad)
        while (axis.block < length && axis.block < cap)
            axis.block *= 2;
    else
        while (length % (axis.block * 2) == 0 && axis.block < cap)
            axis.block *= 2;
    axis.padded = (length + axis.block - 1) / axis.block * axis.block;
    return axis;
}

size_t transformed_stride(const struct axis *axis) { return (axis->padded + 31) / 32 * 32; }

bool fits_shorts(const struct axis *axis, int largest) { return axis->block * (size_t)largest <= INT16_MAX; }

static void flip_rows(float *x, size_t rows, size_t stride, const float *signs)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; signs[i] < 0 && j < stride; j++)
            x[i * stride + j] = -x[i * stride + j];
}

static void flip_columns(float *x, size_t rows, size_t cols, size_t stride, const float *signs)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            x[i * stride + j] *= signs[j];
}

void transform_rows(const struct transform_options *options, const struct axis *axis, const float *signs, const float *g,
                    size_t rows, float *out)
{
    size_t from = row_stride(axis->length), to = row_stride(axis->padded);
    if (from == to)
        memcpy(out, g, rows * to * sizeof *out);
    for (size_t i = 0; from != to && i < rows; i++) {
        memcpy(out + i * to, g + i * from, axis->length * sizeof *out);
        memset(out + i * to + axis->length, 0, (to - axis->length) * sizeof *out);
    }
    if (options->identity)
        return;
    if (options->signs)
        flip_columns(out, rows, axis->length, to, signs);
    kernels()->hadamard_rows(out, rows, axis->padded, to, axis->block);
}

void transform_columns(const struct transform_options *options, const struct axis *axis, const float *signs, float *x,
                       size_t cols, size_t stride)
{
    memset(x + axis->length * stride, 0, (axis->padded - axis->length) * stride * sizeof *x);
    if (options->identity)
        return;
    if (options->signs)
        flip_rows(x, axis->length, stride, signs);
    kernels()->hadamard_columns(x, axis->padded, cols, stride, axis->block);
}

float requantise_values(const float *values, size_t count, const struct rounding *rounding, int8_t *codes)
{
    bool negative;
    int largest = (int)code_limit(rounding->bits, true);
    float scale = requantised_scale(kernels()->max_abs(values, count, &negative), rounding->bits);
    if (rounding->stochastic)
        kernels()->quantise_stochastic(values, count, scale, -largest, largest, rounding->key, rounding->first, codes);
    else
        kernels()->quantise_nearest(values, count, scale, -largest, largest, codes);
    return scale;
}

float requantise_weights(const struct transform_options *options, const struct axis *axis, const float *signs, const void *w,
                         bool is_unsigned, size_t cols, size_t stride, double bits, float *values, int8_t *codes)
{
    kernels()->dequantise(w, is_unsigned, axis->length * stride, 1, values);
    transform_columns(options, axis, signs, values, cols, stride);
    return requantise_values(values, axis->padded * stride, &(struct rounding){.bits = bits}, codes);
}

/* ---- X: rows of positions ---- */

static float requantise_as_shorts(const struct transform_options *options, const struct axis *axis, const float *signs,
                                  const struct input_rows *x, const struct rounding *rounding, int16_t *values,
                                  int8_t *codes)
{
    size_t stride = transformed_stride(axis), step = BLOCK_ELEMENTS / stride + 1;
    int largest = (int)code_limit(rounding->bits, true), most = 0;
    for (size_t first = 0; first < x->count; first += step) {
        size_t count = step < x->count - first ? step : x->count - first;
        int16_t *rows = values + first * stride;
        if (x->tables)
            unfold_shorts(x->tables, x->codes, x->is_unsigned, first, count, rows, stride);
        else
            kernels()->widen((const char *)x->codes + first * x->stride, x->is_unsigned, count, axis->length, x->stride,
                             rows, stride);
        for (size_t i = 0; axis->length < stride && i < count; i++)
            memset(rows + i * stride + axis->length, 0, (stride - axis->length) * sizeof *rows);
        for (size_t i = 0; options->signs && !options->identity && i < count * axis->length; i++)
            rows[i / axis->length * stride + i % axis->length] *= (int16_t)signs[i % axis->length];
        if (!options->identity)
            kernels()->hadamard_shorts(rows, count, axis->padded, stride, axis->block);
        int here = kernels()->max_abs_shorts(rows, count * stride);
        most = here > most ? here : most;
    }
    float scale = requantised_scale((float)most, rounding->bits);
    if (rounding->stochastic)
        kernels()->quantise_stochastic_shorts(values, x->count * stride, scale, -largest, largest, rounding->key,
                                              rounding->first, codes);
    else
        kernels()->quantise_nearest_shorts(values, x->count * stride, scale, -largest, largest, codes);
    return scale;
}

/* Where 16 bits could overflow: exact as well, up to 2^24. */
static float requantise_as_floats(const struct transform_options *options, const struct axis *axis, const float *signs,
                                  const struct input_rows *x, const struct rounding *rounding, float *values, int8_t *codes)
{
    size_t stride = transformed_stride(axis);
    if (x->tables)
        unfold_floats(x->tables, x->codes, x->is_unsigned, 0, x->count, values, stride);
    for (size_t i = 0; i < x->count; i++) {
        float *row = values + i * stride;
        if (!x->tables)
            kernels()->dequantise((const char *)x->codes + i * x->stride, x->is_unsigned, axis->length, 1, row);
        memset(row + axis->length, 0, (stride - axis->length) * sizeof *row);
    }
    if (options->signs && !options->identity)
        flip_columns(values, x->count, axis->length, stride, signs);
    if (!options->identity)
        kernels()->hadamard_rows(values, x->count, axis->padded, stride, axis->block);
    return requantise_values(values, x->count * stride, rounding, codes);
}

float requantise_inputs(const struct transform_options *options, const struct axis *axis, const float *signs,
                        const struct input_rows *x, const struct rounding *rounding, void *values, int8_t *codes)
{
    return fits_shorts(axis, x->largest) ? requantise_as_shorts(options, axis, signs, x, rounding, values, codes)
                                         : requantise_as_floats(options, axis, signs, x, rounding, values, codes);
}
