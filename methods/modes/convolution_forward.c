/* SPDX-License-Identifier: GPL-3.0-or-later
 * A convolution's forward product in the integer modes, sample by sample, so that what a sample needs stays in cache. */
#include "integer.h"
#include "../../bench/parallel.h"

struct forward {
    const struct product *p;
    struct product_counts counts[CHUNKS];
};

struct space { uint8_t *sample, *frame, *copy; };

static struct space lay_out(const struct product *p, struct scratch *scratch)
{
    const struct convolution *tables = ((const struct integer_layer *)p->state)->tables;
    struct space space;
    space.sample = take(scratch, in_size(p->shape));
    space.frame = take(scratch, border_size(&tables->x_border));
    space.copy = take(scratch, tables->forward.copy_size);
    return space;
}

/* Codes of one sample, kept for the way back unless there is none. */
static const void *quantise_sample(const struct product *p, size_t s, void *memory)
{
    struct integer_layer *layer = p->state;
    size_t size = in_size(p->shape);
    bool in_place = !p->evaluating && !layer->x.packed;
    int8_t *codes = in_place ? layer->x.data + s * size : memory;
    quantise_in_range(p->x_range, p->x + s * size, size, codes);
    if (layer->x.packed && !p->evaluating)
        kernels()->pack_nibbles(codes, size, (uint8_t *)layer->x.data + s * (size / 2));
    return codes;
}

static void forward_sample(const struct product *p, const struct space *space, size_t s, struct product_counts *counts)
{
    struct integer_layer *layer = p->state;
    const struct convolution *tables = layer->tables;
    const struct unfolding *forward = &tables->forward;
    const void *codes = quantise_sample(p, s, space->sample);
    if (counts)
        mark_codes(counts->input_codes, codes, in_positions(p->shape), p->shape->in_c, layer->x.stride);
    const void *bordered = border_bytes(&tables->x_border, codes, space->frame);
    float *y = p->y + s * out_size(p->shape), scale = layer->x.scale * layer->w.scale;
    size_t ld = row_stride(p->n);
    struct int_rows x = {unfold_bytes(forward, bordered, space->copy), forward->byte_row, forward->unit,
                         !layer->x.is_signed};
    if (!p->shape->depthwise) {
        struct int_product product = {.m = forward->rows, .ld = ld, .a = x, .b = &layer->forward_panel, .out = y,
                                      .scale = scale, .bias = p->bias};
        multiply(counts, FORWARD, &product, layer->x.largest, layer->w.largest);
        return;
    }
    struct int_depthwise product = {
        .m = forward->rows, .taps = p->k, .channels = p->n, .ld = ld, .ldw = ld, .x = x, .w = layer->forward_weights,
        .w_is_unsigned = !layer->w.is_signed, .acc = layer->forward_panel.acc, .out = y, .scale = scale,
    };
    multiply_depthwise(counts, FORWARD, &product);
    add_bias(p, y);
}

size_t convolution_forward_scratch(const struct product *p)
{
    struct scratch measure = {0};
    lay_out(p, &measure);
    return measure.used;
}

static void forward_chunk(void *context, size_t chunk, size_t thread)
{
    struct forward *f = context;
    const struct product *p = f->p;
    const struct integer_layer *layer = p->state;
    struct span span = chunk_span(chunk, p->samples);
    struct space space = lay_out(p, &(struct scratch){.base = p->scratch + thread * p->scratch_step});
    border_clear(&layer->tables->x_border, 1, space.frame);
    for (size_t s = span.first; s < span.end; s++)
        forward_sample(p, &space, s, p->counts ? &f->counts[chunk] : NULL);
}

void convolution_forward(struct product *p)
{
    struct forward f = {.p = p};
    parallel_chunks(forward_chunk, &f);
    for (size_t chunk = 0; p->counts && chunk < CHUNKS; chunk++)
        add_counts(p->counts, &f.counts[chunk]);
}
