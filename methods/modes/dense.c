/* SPDX-License-Identifier: GPL-3.0-or-later
 * A dense layer's products in the integer modes. The batch is one group: with hfqt's transform
 *   dX = G·W = (G·H)(H·W) / p  over the outputs,   dW = Gᵀ·X = (Gᵀ·H)(H·X) / p  over the samples. */
#include "integer.h"
#include <string.h>

/* Scratch: G's codes by rows and transposed, W or X as operand, and what transforms work on. */
struct space {
    int8_t *g, *g_transposed;   /* padded samples × row_stride(outputs), or transformed; n × row_stride(padded samples) */
    float *row_scales;          /* samples */
    int8_t *operand;            /* W or X re-quantised */
    int8_t *x_transposed;       /* k × transformed_stride */
    void *values;               /* of what is transformed */
    void *panel;
};

static struct space lay_out(const struct product *p, struct scratch *scratch)
{
    const struct integer_layer *layer = p->state;
    struct axis outputs = outputs_axis(p, layer), positions = positions_axis(p, layer, p->samples_max);
    size_t stride_x = transformed_stride(&positions);
    size_t g = larger(p->samples_max * row_stride(outputs.padded), positions.padded * row_stride(p->n));
    size_t operand = larger(outputs.padded * row_stride(p->k), p->k * stride_x);
    size_t (*panel_size)(size_t, size_t) = kernels()->ints->panel_size;
    struct space space = {.g = take(scratch, g)};
    space.g_transposed = take(scratch, p->n * row_stride(positions.padded));
    space.row_scales = take(scratch, p->samples_max * sizeof(float));
    space.panel = take(scratch, larger(panel_size(p->k, outputs.padded), panel_size(p->k, positions.padded)));
    if (layer->transforms) {
        space.operand = take(scratch, operand);
        space.x_transposed = take(scratch, p->k * stride_x);
        space.values = take(scratch, larger(g, operand) * sizeof(float));
    }
    return space;
}

size_t dense_scratch_size(const struct product *p)
{
    struct scratch measure = {0};
    lay_out(p, &measure);
    return measure.used;
}

void dense_forward(struct product *p)
{
    struct integer_layer *layer = p->state;
    quantise_in_range(p->x_range, p->x, p->samples * layer->x.stride, layer->x.data);
    if (p->counts)
        mark_codes(p->counts->input_codes, layer->x.data, p->samples, p->k, layer->x.stride);
    struct int_product product = {
        .m = p->samples, .ld = row_stride(p->n), .a = {layer->x.data, layer->x_row, layer->x_unit, !layer->x.is_signed},
        .b = &layer->forward_panel, .out = p->y, .scale = layer->x.scale * layer->w.scale, .bias = p->bias,
    };
    multiply(p->counts, FORWARD, &product, layer->x.largest, layer->w.largest);
}

/* G's codes (rows × stride) under one scale, which is returned. */
static float quantise_whole(const struct product *p, enum rounded_operand operand, const float *g, size_t count, int8_t *q)
{
    const struct integer_layer *layer = p->state;
    bool negative;
    float scale = gradient_scale(&layer->gradient, kernels()->max_abs(g, count, &negative));
    quantise_gradient(&layer->gradient, rounding_key(p, operand), g, 0, count, scale, q, p->counts);
    return scale;
}

static void quantise_rows(const struct product *p, const float *g, size_t stride, int8_t *q, float *scales)
{
    const struct integer_layer *layer = p->state;
    uint64_t key = rounding_key(p, ROUND_GRADIENT_ROWS);
    for (size_t i = 0; i < p->samples; i++) {
        bool negative;
        scales[i] = gradient_scale(&layer->gradient, kernels()->max_abs(g + i * stride, stride, &negative));
        quantise_gradient(&layer->gradient, key, g + i * stride, i * stride, stride, scales[i], q + i * stride, p->counts);
    }
}

/* ---- dX = G·W ---- */

/* On W's codes (or re-quantised) and G's in space->g, with their scales. */
static void input_gradient(struct product *p, const struct space *space, const struct axis *axis, const void *w,
                           bool w_is_unsigned, int largest_w, double bits, float scale, const float *row_scales)
{
    struct integer_layer *layer = p->state;
    struct accumulator acc = accumulator_for(&layer->accumulators, INPUT_GRADIENT, gradient_code_bits(&layer->gradient),
                                             bits);
    struct int_panel panel = pack_panel(space->panel, p->k, axis->padded,
                                        (struct int_matrix){w, 1, row_stride(p->k), w_is_unsigned}, false, acc);
    struct int_product product = {
        .m = p->samples, .ld = row_stride(p->k), .a = {space->g, layer->g_row, layer->g_unit, false}, .b = &panel,
        .out = p->dx, .scale = scale, .row_scale = row_scales,
    };
    multiply(p->counts, INPUT_GRADIENT, &product, largest_gradient_code(&layer->gradient), largest_w);
}

/* direct_scale: of the codes that space->g holds already; 0: it holds none that serve here. */
static void direct_input_gradient(struct product *p, const struct space *space, float direct_scale)
{
    const struct integer_layer *layer = p->state;
    struct axis axis = outputs_axis(p, layer);
    bool per_sample = layer->gradient.per_sample;
    if (per_sample)
        quantise_rows(p, p->g, row_stride(p->n), space->g, space->row_scales);
    else if (direct_scale == 0)
        direct_scale = quantise_whole(p, ROUND_GRADIENT_COLUMNS, p->g, p->samples * row_stride(p->n), space->g);
    input_gradient(p, space, &axis, layer->w.data, !layer->w.is_signed, layer->w.largest, p->w_range->bits,
                   (per_sample ? 1 : direct_scale) * layer->w.scale, per_sample ? space->row_scales : NULL);
}

static void transformed_input_gradient(struct product *p, const struct space *space)
{
    const struct integer_layer *layer = p->state;
    const struct transform_options *options = &layer->transform;
    struct axis axis = outputs_axis(p, layer);
    double bits = operand_bits(layer, p->w_range);
    size_t stride = row_stride(axis.padded);
    float scale = layer->w.scale / (float)axis.block;
    scale *= requantise_weights(options, &axis, layer->signs, layer->w.data, !layer->w.is_signed, p->k, layer->w.stride,
                                bits, space->values, space->operand);
    transform_rows(options, &axis, layer->signs, p->g, p->samples, space->values);
    bool per_sample = layer->gradient.per_sample;
    if (per_sample)
        quantise_rows(p, space->values, stride, space->g, space->row_scales);
    else
        scale *= quantise_whole(p, ROUND_GRADIENT_ROWS, space->values, p->samples * stride, space->g);
    input_gradient(p, space, &axis, space->operand, false, (int)code_limit(bits, true), bits, scale,
                   per_sample ? space->row_scales : NULL);
}

/* ---- dW = Gᵀ·X ---- */

/* On G's codes in space->g (axis->padded × row_stride(n)). */
static void weight_gradient(struct product *p, const struct space *space, const struct axis *axis, struct int_matrix x,
                            int largest_x, double bits, float scale)
{
    struct integer_layer *layer = p->state;
    /* columns_row is for the largest batch: so are the strides. */
    size_t stride = row_stride(positions_axis(p, layer, p->samples_max).padded);
    kernels()->ints->transpose(space->g, axis->padded, p->n, row_stride(p->n), space->g_transposed, stride);
    struct accumulator acc = accumulator_for(&layer->accumulators, WEIGHT_GRADIENT, gradient_code_bits(&layer->gradient),
                                             bits);
    struct int_panel panel = pack_panel(space->panel, p->k, axis->padded, x, false, acc);
    struct int_product product = {
        .m = p->n, .ld = row_stride(p->k),
        .a = {space->g_transposed, layer->columns_row, layer->columns_unit, false},
        .b = &panel, .out = p->dw, .scale = scale,
    };
    multiply(p->counts, WEIGHT_GRADIENT, &product, largest_gradient_code(&layer->gradient), largest_x);
}

/* Leaves G's codes in space->g; returns their scale. */
static float direct_weight_gradient(struct product *p, const struct space *space)
{
    const struct integer_layer *layer = p->state;
    struct axis axis = positions_axis(p, layer, p->samples);
    float scale = quantise_whole(p, ROUND_GRADIENT_COLUMNS, p->g, p->samples * row_stride(p->n), space->g);
    weight_gradient(p, space, &axis, (struct int_matrix){layer->x.data, 1, layer->x.stride, !layer->x.is_signed},
                    layer->x.largest, p->x_range->bits, scale * layer->x.scale);
    return scale;
}

static void transformed_weight_gradient(struct product *p, const struct space *space)
{
    const struct integer_layer *layer = p->state;
    const struct transform_options *options = &layer->transform;
    struct axis axis = positions_axis(p, layer, p->samples);
    size_t stride = transformed_stride(&axis), stride_n = row_stride(p->n);
    const float *signs = options->signs ? layer->signs + outputs_axis(p, layer).padded : NULL;
    struct rounding rounding = {operand_bits(layer, p->x_range), layer->gradient.stochastic, rounding_key(p, ROUND_INPUT),
                                0};
    float scale = layer->x.scale / (float)axis.block;

    kernels()->ints->transpose(layer->x.data, p->samples, p->k, layer->x.stride, space->x_transposed, stride);
    struct input_rows x = {NULL, space->x_transposed, p->k, stride, layer->x.largest, !layer->x.is_signed};
    scale *= requantise_inputs(options, &axis, signs, &x, &rounding, space->values, space->operand);
    memcpy(space->values, p->g, axis.length * stride_n * sizeof(float));
    transform_columns(options, &axis, signs, space->values, p->n, stride_n);
    scale *= quantise_whole(p, ROUND_GRADIENT_COLUMNS, space->values, axis.padded * stride_n, space->g);
    weight_gradient(p, space, &axis, (struct int_matrix){space->operand, stride, 1, false},
                    (int)code_limit(rounding.bits, true), rounding.bits, scale);
}

void dense_backward(struct product *p)
{
    const struct integer_layer *layer = p->state;
    struct space space = lay_out(p, &(struct scratch){.base = p->scratch});
    if (layer->transforms) {
        if (p->dw)
            transformed_weight_gradient(p, &space);
        if (p->dx)
            transformed_input_gradient(p, &space);
        return;
    }
    float scale = p->dw ? direct_weight_gradient(p, &space) : 0;
    if (p->dx)
        direct_input_gradient(p, &space, scale);
}
