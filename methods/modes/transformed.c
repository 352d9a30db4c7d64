/* SPDX-License-Identifier: GPL-3.0-or-later
 * The backward products in the Hadamard domain (HDQT, arXiv 2310.03675, section 3; METHODS 2). With H the block-diagonal
 * Sylvester matrix of block p, H·H = p·I, so
 *   dX = G·W = (G·H)(H·W) / p   over the outputs,   dW = Gᵀ·X = (Gᵀ·H)(H·X) / p   over the samples. */
#include "integer.h"
#include <math.h>
#include <string.h>

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

/* x (axis->padded × stride), its last rows zero, becomes H·D·x. */
static void transform_down(const struct integer_layer *layer, float *x, size_t cols, size_t stride,
                           const struct axis *axis, const float *signs)
{
    memset(x + axis->length * stride, 0, (axis->padded - axis->length) * stride * sizeof *x);
    if (layer->transform.identity)
        return;
    if (layer->transform.signs)
        flip_rows(x, axis->length, stride, signs);
    kernels()->hadamard_columns(x, axis->padded, cols, stride, axis->block);
}

/* G (m × n) becomes G·D·H in layer->transformed (m × row_stride(axis->padded)). */
static void transform_gradient_rows(const struct product *p, const struct axis *axis)
{
    struct integer_layer *layer = p->state;
    size_t from = row_stride(p->n), to = row_stride(axis->padded);
    for (size_t i = 0; i < p->m; i++) {
        float *row = layer->transformed + i * to;
        memcpy(row, p->g + i * from, p->n * sizeof *row);
        memset(row + p->n, 0, (to - p->n) * sizeof *row);
    }
    if (layer->transform.identity)
        return;
    if (layer->transform.signs)
        flip_columns(layer->transformed, p->m, p->n, to, layer->signs);
    kernels()->hadamard_rows(layer->transformed, p->m, axis->padded, to, axis->block);
}

static double operand_bits(const struct integer_layer *layer, const struct range *range)
{
    return layer->transform.requantise_at_gradient_width ? layer->gradient.bits : range->bits;
}

static void input_gradient(struct product *p)
{
    struct integer_layer *layer = p->state;
    struct axis axis = choose_axis(p->n, &layer->transform);
    size_t stride_g = row_stride(axis.padded), stride_k = row_stride(p->k);
    double bits = operand_bits(layer, p->w_range);
    bool per_sample = layer->gradient.per_sample;

    kernels()->dequantise(layer->w.data, !layer->w.is_signed, p->n * stride_k, 1, layer->transformed);
    transform_down(layer, layer->transformed, p->k, stride_k, &axis, layer->signs);
    float weight_scale = quantise_nearest_signed(layer->transformed, axis.padded * stride_k, bits, 1,
                                                 layer->operand_codes);
    transform_gradient_rows(p, &axis);
    float gradient_scale = 1;
    if (per_sample)
        quantise_gradient_rows(p, &layer->gradient, layer->transformed, p->m, stride_g, layer->gradient_codes,
                               layer->row_scales);
    else
        gradient_scale = quantise_gradient(p, &layer->gradient, ROUND_GRADIENT_ROWS, layer->transformed, p->m,
                                           stride_g, layer->gradient_codes);
    struct axis factor = layer->transform.identity ? choose_axis(p->n, &(struct transform_options){0}) : axis;
    struct scaled_product product = {
        .rows = p->m, .columns = p->k, .depth = axis.padded,
        .a = {layer->gradient_codes, stride_g, 1, false}, .b = {layer->operand_codes, 1, stride_k, false},
        .acc = accumulator_for(&layer->accumulators, INPUT_GRADIENT, layer->gradient.bits, bits),
        .out = p->dx, .ld = stride_k, .row_scale = per_sample ? layer->row_scales : NULL,
        .scale = gradient_scale * weight_scale * layer->w.scale / (float)factor.block,
        .workspace = layer->workspace,
    };
    multiply(p, INPUT_GRADIENT, &product);
}

static void weight_gradient(struct product *p)
{
    struct integer_layer *layer = p->state;
    struct axis axis = choose_axis(p->m, &layer->transform);
    size_t stride_n = row_stride(p->n), stride_k = row_stride(p->k);
    double bits = operand_bits(layer, p->x_range);
    const float *signs = layer->signs + choose_axis(p->n, &layer->transform).padded;

    kernels()->dequantise(layer->x.data, !layer->x.is_signed, p->m * stride_k, 1, layer->transformed);
    transform_down(layer, layer->transformed, p->k, stride_k, &axis, signs);
    float input_scale = layer->gradient.stochastic
        ? quantise_stochastic_signed(layer->transformed, axis.padded * stride_k, bits, rounding_key(p, ROUND_INPUT), 0,
                                     layer->operand_codes)
        : quantise_nearest_signed(layer->transformed, axis.padded * stride_k, bits, 1, layer->operand_codes);

    memcpy(layer->transformed, p->g, p->m * stride_n * sizeof(float));
    transform_down(layer, layer->transformed, p->n, stride_n, &axis, signs);
    float gradient_scale = quantise_gradient(p, &layer->gradient, ROUND_GRADIENT_COLUMNS, layer->transformed,
                                             axis.padded, stride_n, layer->gradient_codes);
    struct axis factor = layer->transform.identity ? choose_axis(p->m, &(struct transform_options){0}) : axis;
    struct scaled_product product = {
        .rows = p->n, .columns = p->k, .depth = axis.padded,
        .a = {layer->gradient_codes, 1, stride_n, false}, .b = {layer->operand_codes, 1, stride_k, false},
        .acc = accumulator_for(&layer->accumulators, WEIGHT_GRADIENT, layer->gradient.bits, bits),
        .out = p->dw, .ld = stride_k,
        .scale = gradient_scale * input_scale * layer->x.scale / (float)factor.block,
        .workspace = layer->workspace,
    };
    multiply(p, WEIGHT_GRADIENT, &product);
}

void transformed_backward(struct product *p)
{
    if (p->dx)
        input_gradient(p);
    if (p->dw)
        weight_gradient(p);
}

double transform_bops(const struct transform_options *options, size_t m, size_t n, size_t k, double w, double a,
                      double g)
{
    struct axis outputs = choose_axis(n, options), samples = choose_axis(m, options);
    double stages_n = log2((double)outputs.block), stages_m = log2((double)samples.block), batch = (double)m;
    double gradient = (double)n, input = (double)k, weight = (double)n * (double)k / batch;
    /* Additions at the width they grow to; a re-quantisation multiplies each value by a float32 scale. */
    double additions = gradient * (stages_n + stages_m) * 32 + input * stages_m * (a + stages_m)
                       + weight * stages_n * (w + stages_n);
    double requantised = 32 * (2 * gradient * 32 + input * (a + stages_m) + weight * (w + stages_n));
    return (double)n * (double)k * (g * w + g * a) + additions + requantised;
}
