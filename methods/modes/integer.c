/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integer.h"

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

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

/* Random signs are fixed for a run: one stream a layer. */
static float *draw_signs(const struct product *p, size_t count, struct arena *arena)
{
    float *signs = arena_alloc(arena, count * sizeof *signs);
    uint64_t key = rng_key(p->seed, STREAM_SIGNS, (uint64_t)p->layer, 0);
    for (size_t i = 0; i < count; i++)
        signs[i] = rng_bits(key, i) & 1 ? -1 : 1;
    return signs;
}

void allocate_transformed(struct integer_layer *layer, const struct product *p, struct arena *arena)
{
    size_t stride_k = row_stride(p->k), stride_n = row_stride(p->n), m = p->m_max;
    size_t n_padded = choose_axis(p->n, &layer->transform).padded, m_padded = choose_axis(m, &layer->transform).padded;
    size_t gradient_size = most(m_padded * stride_n, m * row_stride(n_padded));
    size_t operand_size = most(m_padded, n_padded) * stride_k;
    layer->row_scales = arena_alloc(arena, m * sizeof(float));
    layer->gradient_codes = arena_alloc(arena, gradient_size);
    layer->transformed = arena_alloc(arena, most(gradient_size, operand_size) * sizeof(float));
    layer->operand_codes = arena_alloc(arena, operand_size);
    layer->signs = draw_signs(p, n_padded + m_padded, arena);
    layer->workspace = arena_alloc(arena, product_workspace(m_padded, n_padded, p->k));
}

struct integer_layer *prepare_integer_layer(const struct settings *settings, const struct product *p,
                                            struct arena *arena, const struct transform_options *transform)
{
    struct integer_layer *layer = arena_alloc(arena, sizeof *layer);
    size_t stride_k = row_stride(p->k), m = p->m_max, n = p->n;
    layer->accumulators = read_accumulator_options(settings);
    layer->gradient = read_gradient_options(settings);
    layer->x = (struct codes){.data = arena_alloc(arena, m * stride_k), .stride = stride_k};
    layer->w = (struct codes){.data = arena_alloc(arena, n * stride_k), .stride = stride_k};
    if (transform) {
        layer->transform = *transform;
        allocate_transformed(layer, p, arena);
    } else {
        layer->row_scales = arena_alloc(arena, m * sizeof(float));
        layer->gradient_codes = arena_alloc(arena, m * row_stride(n));
        layer->workspace = arena_alloc(arena, product_workspace(m, n, p->k));
    }
    return layer;
}

void integer_forward(struct product *p)
{
    struct integer_layer *layer = p->state;
    fit_ranges(p);
    quantise_forward(p, &layer->x, &layer->w);
    forward_on_codes(p, &layer->accumulators, &layer->x, &layer->w, layer->workspace);
}

/* Both products on G's codes and the forward codes; nothing is re-quantised. G is quantised once, and again with a scale
 * a sample where the input gradient asks for that. */
void direct_backward(struct product *p)
{
    struct integer_layer *layer = p->state;
    size_t stride_n = row_stride(p->n), stride_k = row_stride(p->k);
    bool per_sample = layer->gradient.per_sample;
    const int8_t *g = layer->gradient_codes;
    float scale = 1;
    if (p->dw || !per_sample)
        scale = quantise_gradient(p, &layer->gradient, ROUND_GRADIENT_COLUMNS, p->g, p->m, stride_n,
                                  layer->gradient_codes);
    if (p->dw) {
        struct scaled_product product = {
            .rows = p->n, .columns = p->k, .depth = p->m,
            .a = {g, 1, stride_n, false}, .b = {layer->x.data, 1, stride_k, !layer->x.is_signed},
            .acc = accumulator_for(&layer->accumulators, WEIGHT_GRADIENT, layer->gradient.bits, p->x_range->bits),
            .out = p->dw, .ld = stride_k, .scale = scale * layer->x.scale, .workspace = layer->workspace,
        };
        multiply(p, WEIGHT_GRADIENT, &product);
    }
    if (p->dx) {
        if (per_sample)
            quantise_gradient_rows(p, &layer->gradient, p->g, p->m, stride_n, layer->gradient_codes,
                                   layer->row_scales);
        struct scaled_product product = {
            .rows = p->m, .columns = p->k, .depth = p->n,
            .a = {g, stride_n, 1, false}, .b = {layer->w.data, 1, stride_k, !layer->w.is_signed},
            .acc = accumulator_for(&layer->accumulators, INPUT_GRADIENT, layer->gradient.bits, p->w_range->bits),
            .out = p->dx, .ld = stride_k, .scale = per_sample ? layer->w.scale : scale * layer->w.scale,
            .row_scale = per_sample ? layer->row_scales : NULL, .workspace = layer->workspace,
        };
        multiply(p, INPUT_GRADIENT, &product);
    }
}
