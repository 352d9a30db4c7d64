/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integer.h"
#include <math.h>

/* Codes of at most this width are kept two to a byte. */
#define PACKED_BITS 4

struct axis outputs_axis(const struct product *p, const struct integer_layer *layer)
{
    /* Each output of a depthwise layer has one input channel: there is no sum over outputs. */
    if (!layer->transforms || p->shape->depthwise)
        return (struct axis){.length = p->n, .block = 1, .padded = p->n};
    return choose_axis(p->n, &layer->transform);
}

struct axis positions_axis(const struct product *p, const struct integer_layer *layer, size_t samples)
{
    size_t length = p->dense ? samples : out_positions(p->shape);
    return layer->transforms ? choose_axis(length, &layer->transform) : (struct axis){length, 1, length};
}

double operand_bits(const struct integer_layer *layer, const struct range *range)
{
    return layer->transform.requantise_at_gradient_width ? layer->gradient.bits : range->bits;
}

/* ---- memory ---- */

/* Random signs are fixed for a run: one stream a layer. */
static float *draw_signs(const struct product *p, size_t count, struct arena *arena)
{
    float *signs = arena_alloc(arena, count * sizeof *signs);
    uint64_t key = rng_key(p->seed, STREAM_SIGNS, (uint64_t)p->layer, 0);
    for (size_t i = 0; i < count; i++)
        signs[i] = rng_bits(key, i) & 1 ? -1 : 1;
    return signs;
}

static void lay_out_dense(struct integer_layer *layer, const struct product *p, struct arena *arena)
{
    size_t positions = positions_axis(p, layer, p->samples_max).padded, outputs = outputs_axis(p, layer).padded;
    layer->x_row = plain_rows(p->samples_max, row_stride(p->k), arena);
    layer->x_unit = plain_units(p->k, arena);
    layer->g_row = plain_rows(p->samples_max, row_stride(outputs), arena);
    layer->g_unit = plain_units(outputs, arena);
    layer->columns_row = plain_rows(p->n, row_stride(positions), arena);
    layer->columns_unit = plain_units(positions, arena);
}

static void lay_out_convolution(struct integer_layer *layer, const struct product *p, struct arena *arena)
{
    struct axis outputs = outputs_axis(p, layer), positions = positions_axis(p, layer, 1);
    layer->tables = layer->gradient_tables = convolution_tables(p->shape, layer->accumulators.order, arena);
    if (outputs.padded != outputs.length) {
        struct geometry padded = *p->shape;
        padded.out_c = outputs.padded;
        layer->gradient_tables = convolution_tables(&padded, TAP_MAJOR, arena);
    }
    layer->gradient_panels = arena_alloc(arena, layer->gradient_tables->residue_count * sizeof *layer->gradient_panels);
    if (!layer->transforms)
        return;
    size_t stride = row_stride(p->n);
    bool depthwise = p->shape->depthwise;
    layer->unfolded_row = depthwise ? plain_rows(positions.padded, stride, arena)
                                    : plain_rows(p->k, transformed_stride(&positions), arena);
    layer->unfolded_unit = depthwise ? plain_rows(p->k, positions.padded * stride, arena)
                                     : plain_units(positions.padded, arena);
}

void lay_out_integer_layer(struct integer_layer *layer, const struct product *p, struct arena *arena)
{
    size_t positions = positions_axis(p, layer, p->samples_max).padded, outputs = outputs_axis(p, layer).padded;
    layer->x = (struct codes){.data = arena_alloc(arena, p->samples_max * in_size(p->shape)),
                              .stride = row_stride(p->shape->in_c)};
    layer->w = (struct codes){.data = arena_alloc(arena, p->n * row_stride(p->k)), .stride = row_stride(p->k)};
    if (layer->transform.signs)
        layer->signs = draw_signs(p, outputs + positions, arena);
    if (p->dense)
        lay_out_dense(layer, p, arena);
    else
        lay_out_convolution(layer, p, arena);
    size_t weights = layer->tables ? forward_weight_size(layer->tables) : 0;
    if (weights)
        layer->forward_weights = arena_alloc(arena, weights);
    if (!p->shape->depthwise)
        layer->forward_panel.memory = arena_alloc(arena, kernels()->ints->panel_size(p->n, p->k));
}

struct integer_layer *prepare_integer_layer(const struct settings *settings, const struct product *p, struct arena *arena,
                                            const struct gradient_options *gradient,
                                            const struct transform_options *transform)
{
    struct integer_layer *layer = arena_alloc(arena, sizeof *layer);
    layer->accumulators = read_accumulator_options(settings);
    layer->gradient = *gradient;
    layer->transforms = transform != NULL;
    if (transform)
        layer->transform = *transform;
    lay_out_integer_layer(layer, p, arena);
    return layer;
}

size_t integer_scratch_size(const struct product *p)
{
    if (p->dense)
        return dense_scratch_size(p);
    size_t forward = convolution_forward_scratch(p), backward = convolution_backward_scratch(p);
    return forward > backward ? forward : backward;
}

/* ---- forward ---- */

static void describe_codes(const struct range *range, struct codes *codes)
{
    codes->scale = range->scale;
    codes->is_signed = range->lo < 0;
    codes->largest = range->hi > -range->lo ? range->hi : -range->lo;
}

struct int_panel pack_panel(void *memory, size_t n, size_t k, struct int_matrix b, bool a_is_unsigned,
                            struct accumulator acc)
{
    struct int_panel panel = {memory, n, k, acc, a_is_unsigned, b.is_unsigned};
    kernels()->ints->pack(&panel, &b);
    return panel;
}

static bool same_accumulator(const struct accumulator *a, const struct accumulator *b)
{
    return a->bits == b->bits && a->tile == b->tile && a->overflow == b->overflow && a->at == b->at;
}

void prepare_forward_weights(const struct product *p)
{
    struct integer_layer *layer = p->state;
    struct int_panel *panel = &layer->forward_panel;
    struct accumulator acc = accumulator_for(&layer->accumulators, FORWARD, p->x_range->bits, p->w_range->bits);
    if (p->weights_ready && same_accumulator(&acc, &panel->acc) && panel->a_is_unsigned == !layer->x.is_signed)
        return;
    const void *w = layer->w.data;
    if (layer->tables)
        w = forward_weight_bytes(layer->tables, w, layer->forward_weights);
    if (p->shape->depthwise)
        *panel = (struct int_panel){.acc = acc, .a_is_unsigned = !layer->x.is_signed};
    else
        *panel = pack_panel(panel->memory, p->n, p->k, (struct int_matrix){w, layer->w.stride, 1, !layer->w.is_signed},
                            !layer->x.is_signed, acc);
}

void forward_on_codes(struct product *p)
{
    struct integer_layer *layer = p->state;
    describe_codes(p->x_range, &layer->x);
    layer->x.packed = !p->dense && p->x_range->bits <= PACKED_BITS;
    if (!p->weights_ready) {
        describe_codes(p->w_range, &layer->w);
        quantise_in_range(p->w_range, p->w, p->n * layer->w.stride, layer->w.data);
    }
    prepare_forward_weights(p);
    if (p->counts)
        mark_codes(p->counts->weight_codes, layer->w.data, p->n, p->k, layer->w.stride);
    if (p->dense)
        dense_forward(p);
    else
        convolution_forward(p);
}

void integer_forward(struct product *p)
{
    fit_ranges(p);
    forward_on_codes(p);
}

void integer_backward(struct product *p)
{
    struct integer_layer *layer = p->state;
    layer->gradient.bits = (int)p->g_range->bits;
    if (p->dense)
        dense_backward(p);
    else
        convolution_backward(p);
}

/* ---- costs ---- */

double integer_backward_bops(const struct product *p, double w, double a, double g)
{
    const struct integer_layer *layer = p->state;
    double positions = (double)out_positions(p->shape), batch = (double)p->samples_max;
    if (!layer->transforms)
        return positions * (double)p->n * (double)p->k * g * (w + a);
    struct axis over_n = outputs_axis(p, layer), over_m = positions_axis(p, layer, p->samples_max);
    bool at_g = layer->transform.requantise_at_gradient_width, transforms = !layer->transform.identity;
    double stages_n = transforms ? log2((double)over_n.block) : 0, stages_m = transforms ? log2((double)over_m.block) : 0;
    double larger_n = (double)over_n.padded / (double)over_n.length,
           larger_m = (double)over_m.padded / (double)over_m.length;
    /* Elements that are transformed and re-quantised, a sample; a depthwise layer's W is neither. */
    double inputs = positions * larger_m * (double)p->k * (p->shape->depthwise ? (double)p->n : 1);
    double weights = p->shape->depthwise ? 0 : (double)p->n * (double)p->k * larger_n / batch;
    double rows = positions * (double)p->n * larger_n, columns = positions * (double)p->n * larger_m;
    /* Additions at the width they grow to; a re-quantisation multiplies each value by a float32 scale. */
    double additions = 32 * (rows * stages_n + columns * stages_m) + inputs * stages_m * (a + stages_m)
                       + weights * stages_n * (w + stages_n);
    double requantised = 32 * (32 * (rows + columns) + inputs * (a + stages_m) + weights * (w + stages_n));
    return (double)p->k * g * (rows * (at_g ? g : w) + columns * (at_g ? g : a)) + additions + requantised;
}
