/* SPDX-License-Identifier: GPL-3.0-or-later
 * A convolution's way back in the integer modes. A sample is a group: it has its own scales, and hfqt transforms over its
 * output positions:
 *   dX = G·W = (G·H)(H·W) / p  over the outputs,   dW = Gᵀ·X = (Gᵀ·H)(H·X) / p  over a sample's positions.
 * Within a sample the sums are integers; each chunk of samples adds its samples' dW up in float32. */
#include "integer.h"
#include "../../bench/parallel.h"
#include <math.h>
#include <string.h>

/* What the way back needs while it runs. The first group is shared: it lies in the first thread's scratch. */
struct space {
    int8_t *weights;            /* W by residues */
    char *panels;               /* the same packed, or nothing (depthwise) */
    float *weight_values;       /* hfqt: W transformed, and re-quantised */
    int8_t *requantised;

    int8_t *x;                  /* one sample's codes, if they are kept packed */
    uint8_t *planes;            /* the sample by channel; depthwise: with its border */
    float *g_values;            /* hfqt: G transformed */
    int8_t *g, *g_padded, *g_frame, *g_copy; /* codes of G, and what its product reads */
    float *rows;                /* of a residue */
    void *x_values;             /* hfqt: X unfolded and transformed, and re-quantised */
    int8_t *x_codes;
    void *panel;                /* G packed for dW */
    size_t used;
};

struct backward {
    struct product *p;
    const struct integer_layer *layer;
    struct axis outputs, positions;
    size_t sums;                /* offset of the sums of dW in scratch */
    float largest[2][CHUNKS];   /* one scale for all of G: its largest magnitude in each chunk, by rounded_operand, */
    float scale[2];             /* and the scale */
    const int8_t *weights;      /* of dX */
    float weight_scale;
    int largest_weight;
    struct product_counts counts[CHUNKS];
};

/* ---- memory ---- */

/* The panel of W for a residue, among the others in their memory. */
static void *take_panel(struct scratch *panels, size_t in_c, const struct residue *residue)
{
    return take(panels, kernels()->ints->panel_size(in_c, residue->g.k));
}

static size_t panels_size(const struct integer_layer *layer, size_t in_c)
{
    struct scratch measure = {0};
    for (size_t i = 0; i < layer->gradient_tables->residue_count; i++)
        take_panel(&measure, in_c, &layer->gradient_tables->residues[i]);
    return measure.used;
}

static void lay_out_transforms(const struct product *p, const struct axis *outputs, const struct axis *positions,
                               struct scratch *scratch, struct space *space)
{
    size_t weights = outputs->padded * row_stride(p->k), inputs = p->k * transformed_stride(positions);
    size_t width = fits_shorts(positions, UINT8_MAX) ? sizeof(int16_t) : sizeof(float);
    if (p->shape->depthwise) {
        inputs = p->k * positions->padded * row_stride(p->n);
        width = sizeof(float);
    } else {
        space->weight_values = take(scratch, weights * sizeof(float));
        space->requantised = take(scratch, weights);
    }
    space->g_values = take(scratch, larger(positions->length * row_stride(outputs->padded),
                                           positions->padded * row_stride(p->n)) * sizeof(float));
    space->x_values = take(scratch, inputs * width);
    space->x_codes = take(scratch, inputs);
}

static struct space lay_out(const struct product *p, char *base)
{
    const struct integer_layer *layer = p->state;
    const struct convolution *tables = layer->tables, *gradient = layer->gradient_tables;
    struct axis outputs = outputs_axis(p, layer), positions = positions_axis(p, layer, 1);
    struct scratch scratch = {.base = base};
    bool depthwise = p->shape->depthwise;
    struct space space = {.weights = take(&scratch, gradient_weight_size(gradient))};
    space.x = take(&scratch, in_size(p->shape));
    space.planes = take(&scratch, depthwise ? border_size(&tables->x_border) : tables->planes.size);
    space.g = take(&scratch, larger(positions.length * row_stride(outputs.padded), positions.padded * row_stride(p->n)));
    space.g_frame = take(&scratch, border_size(&gradient->g_border));
    space.g_copy = take(&scratch, gradient->residue_copy_size);
    space.rows = take(&scratch, gradient->residue_size * sizeof(float));
    if (!depthwise) {
        space.panels = take(&scratch, panels_size(layer, p->shape->in_c));
        space.panel = take(&scratch, kernels()->ints->panel_size(p->n, larger(positions.padded, tables->planes.k)));
        space.g_padded = take(&scratch, padded_gradient_size(tables));
    }
    if (layer->transforms)
        lay_out_transforms(p, &outputs, &positions, &scratch, &space);
    space.used = scratch.used;
    return space;
}

size_t convolution_backward_scratch(const struct product *p) { return lay_out(p, NULL).used + weight_sums_size(p); }

/* ---- G ---- */

/* The values of one sample that become codes; their number. */
static size_t gradient_values(const struct backward *b, const struct space *space, enum rounded_operand operand, size_t s,
                              const float **values)
{
    const struct product *p = b->p;
    const struct transform_options *options = &b->layer->transform;
    const float *g = p->g + s * out_size(p->shape), *signs = b->layer->signs;
    bool rows = operand == ROUND_GRADIENT_ROWS;
    *values = g;
    if (!b->layer->transforms || (rows && p->shape->depthwise))
        return out_size(p->shape);
    *values = space->g_values;
    if (rows) {
        transform_rows(options, &b->outputs, signs, g, b->positions.length, space->g_values);
        return b->positions.length * row_stride(b->outputs.padded);
    }
    size_t stride = row_stride(p->n);
    memcpy(space->g_values, g, out_size(p->shape) * sizeof *g);
    transform_columns(options, &b->positions, signs ? signs + b->outputs.padded : NULL, space->g_values, p->n, stride);
    return b->positions.padded * stride;
}

static float magnitude(const float *x, size_t count)
{
    bool negative;
    return kernels()->max_abs(x, count, &negative);
}

/* Leaves the codes in space->g; returns their scale. */
static float quantise_group(const struct backward *b, const struct space *space, enum rounded_operand operand, size_t s,
                            struct product_counts *counts)
{
    const struct gradient_options *options = &b->layer->gradient;
    const float *values;
    size_t count = gradient_values(b, space, operand, s, &values);
    float scale = options->per_sample ? gradient_scale(options, magnitude(values, count)) : b->scale[operand];
    quantise_gradient(options, rounding_key(b->p, operand), values, s * count, count, scale, space->g, counts);
    return scale;
}

/* ---- one scale for all of G ---- */

/* Without a transform both products take the same codes. */
static bool needs(const struct backward *b, enum rounded_operand operand)
{
    if (!b->layer->transforms)
        return operand == ROUND_GRADIENT_COLUMNS;
    return operand == ROUND_GRADIENT_COLUMNS ? b->p->dw != NULL : b->p->dx != NULL;
}

/* NaN stays. */
static float larger_magnitude(float a, float b) { return isnan(b) || b > a ? b : a; }

static void measure_chunk(void *context, size_t chunk, size_t thread)
{
    struct backward *b = context;
    struct space space = lay_out(b->p, b->p->scratch + thread * b->p->scratch_step);
    struct span span = chunk_span(chunk, b->p->samples);
    for (enum rounded_operand operand = ROUND_GRADIENT_ROWS; operand <= ROUND_GRADIENT_COLUMNS; operand++)
        for (size_t s = span.first; needs(b, operand) && s < span.end; s++) {
            const float *values;
            size_t count = gradient_values(b, &space, operand, s, &values);
            b->largest[operand][chunk] = larger_magnitude(b->largest[operand][chunk], magnitude(values, count));
        }
}

static void measure_gradient(struct backward *b)
{
    parallel_chunks(measure_chunk, b);
    for (int operand = ROUND_GRADIENT_ROWS; operand <= ROUND_GRADIENT_COLUMNS; operand++) {
        float largest = 0;
        for (size_t chunk = 0; chunk < CHUNKS; chunk++)
            largest = larger_magnitude(largest, b->largest[operand][chunk]);
        b->scale[operand] = gradient_scale(&b->layer->gradient, largest);
    }
}

/* ---- dX ---- */

static struct accumulator gradient_accumulator(const struct backward *b, enum which_product which, const struct range *range,
                                               bool requantised)
{
    const struct integer_layer *layer = b->layer;
    return accumulator_for(&layer->accumulators, which, gradient_code_bits(&layer->gradient),
                           requantised ? operand_bits(layer, range) : range->bits);
}

static void prepare_weights(struct backward *b)
{
    const struct product *p = b->p;
    const struct integer_layer *layer = b->layer;
    const struct convolution *tables = layer->gradient_tables;
    struct space space = lay_out(p, p->scratch);
    bool requantised = layer->transforms && !p->shape->depthwise, is_unsigned = !requantised && !layer->w.is_signed;
    const void *w = layer->w.data;
    b->weight_scale = layer->w.scale;
    b->largest_weight = layer->w.largest;
    if (requantised) {
        double bits = operand_bits(layer, p->w_range);
        float scale = requantise_weights(&layer->transform, &b->outputs, layer->signs, w, !layer->w.is_signed, p->k,
                                         layer->w.stride, bits, space.weight_values, space.requantised);
        b->weight_scale *= scale / (float)b->outputs.block;
        b->largest_weight = (int)code_limit(bits, true);
        w = space.requantised;
    }
    gradient_weight_bytes(tables, w, space.weights);
    b->weights = space.weights;
    struct accumulator acc = gradient_accumulator(b, INPUT_GRADIENT, p->w_range, requantised);
    struct scratch panels = {.base = space.panels};
    for (size_t i = 0; !p->shape->depthwise && i < tables->residue_count; i++) {
        const struct residue *residue = &tables->residues[i];
        struct int_matrix matrix = {space.weights + residue->weights, 1, row_stride(p->shape->in_c), is_unsigned};
        layer->gradient_panels[i] = pack_panel(take_panel(&panels, p->shape->in_c, residue), p->shape->in_c, residue->g.k,
                                               matrix, false, acc);
    }
}

static void residue_product(const struct backward *b, size_t index, const void *g, float scale, float *out,
                            struct product_counts *counts)
{
    const struct product *p = b->p;
    const struct residue *residue = &b->layer->gradient_tables->residues[index];
    struct int_rows rows = {g, residue->g.byte_row, residue->g.unit, false};
    size_t ld = row_stride(p->shape->in_c);
    if (p->shape->depthwise) {
        struct int_depthwise product = {
            .m = residue->g.rows, .taps = residue->taps, .channels = p->shape->in_c, .ld = ld, .ldw = ld, .x = rows,
            .w = b->weights + residue->weights, .w_is_unsigned = !b->layer->w.is_signed,
            .acc = gradient_accumulator(b, INPUT_GRADIENT, p->w_range, false), .out = out, .scale = scale,
        };
        multiply_depthwise(counts, INPUT_GRADIENT, &product);
        return;
    }
    struct int_product product = {.m = residue->g.rows, .ld = ld, .a = rows, .b = &b->layer->gradient_panels[index],
                                  .out = out, .scale = scale};
    multiply(counts, INPUT_GRADIENT, &product, largest_gradient_code(&b->layer->gradient), b->largest_weight);
}

/* On G's codes in space->g. */
static void input_gradient(const struct backward *b, const struct space *space, size_t s, float scale,
                           struct product_counts *counts)
{
    const struct product *p = b->p;
    const struct convolution *tables = b->layer->gradient_tables;
    float *dx = p->dx + s * in_size(p->shape);
    const void *bordered = border_bytes(&tables->g_border, space->g, space->g_frame);
    if (tables->uncovered)
        memset(dx, 0, in_size(p->shape) * sizeof *dx);
    for (size_t i = 0; i < tables->residue_count; i++) {
        const struct residue *residue = &tables->residues[i];
        const void *g = unfold_bytes(&residue->g, bordered, space->g_copy);
        residue_product(b, i, g, scale * b->weight_scale, tables->scatters ? space->rows : dx, counts);
        if (tables->scatters)
            scatter_rows(tables, residue, space->rows, dx);
    }
}

/* ---- dW ---- */

/* A sample's dW, of which the chunk makes the sum. */
struct share {
    size_t sample;
    float *sum, scale;
    bool first;
    struct product_counts *counts;
};

static const void *sample_codes(const struct backward *b, const struct space *space, size_t s)
{
    const struct codes *x = &b->layer->x;
    size_t size = in_size(b->p->shape);
    if (!x->packed)
        return x->data + s * size;
    kernels()->unpack_nibbles((const uint8_t *)x->data + s * (size / 2), !x->is_signed, size, space->x);
    return space->x;
}

/* sum (k × n) += X unfolded and transposed (x, over K positions) · G, whose codes are K × row_stride(n). */
static void add_product(const struct backward *b, const struct space *space, struct int_rows x, const int8_t *g,
                        size_t positions, int largest_x, const struct share *share)
{
    const struct product *p = b->p;
    struct accumulator acc = gradient_accumulator(b, WEIGHT_GRADIENT, p->x_range, b->layer->transforms);
    struct int_panel panel = pack_panel(space->panel, p->n, positions, (struct int_matrix){g, 1, row_stride(p->n), false},
                                        x.is_unsigned, acc);
    struct int_product product = {.m = p->k, .ld = row_stride(p->n), .a = x, .b = &panel, .out = share->sum,
                                  .add = !share->first, .scale = share->scale};
    multiply(share->counts, WEIGHT_GRADIENT, &product, largest_x, largest_gradient_code(&b->layer->gradient));
}

static void add_depthwise(const struct backward *b, const struct space *space, struct int_rows x, size_t positions,
                          int largest_x, const struct share *share)
{
    const struct product *p = b->p;
    size_t ld = row_stride(p->n);
    struct int_depthwise_gradient product = {
        .m = positions, .taps = p->k, .channels = p->n, .ld = ld, .ldg = ld, .x = x, .g = space->g,
        .acc = gradient_accumulator(b, WEIGHT_GRADIENT, p->x_range, b->layer->transforms), .out = share->sum,
        .add = !share->first, .scale = share->scale,
    };
    multiply_depthwise_gradient(share->counts, &product, largest_x, largest_gradient_code(&b->layer->gradient));
}

static void direct_weight_gradient(const struct backward *b, const struct space *space, struct share *share)
{
    const struct integer_layer *layer = b->layer;
    const struct convolution *tables = layer->tables;
    const void *codes = sample_codes(b, space, share->sample);
    share->scale *= layer->x.scale;
    if (b->p->shape->depthwise) {
        const void *bordered = border_bytes(&tables->x_border, codes, space->planes);
        struct int_rows x = {bordered, tables->forward.byte_row, tables->forward.unit, !layer->x.is_signed};
        add_depthwise(b, space, x, b->positions.length, layer->x.largest, share);
        return;
    }
    planes_fill(tables, codes, space->planes);
    struct int_rows x = {space->planes, tables->planes.row, tables->planes.unit, !layer->x.is_signed};
    add_product(b, space, x, padded_gradient(tables, space->g, space->g_padded), tables->planes.k, layer->x.largest, share);
}

/* X of a depthwise layer, tap by tap: positions × channels, transformed down the positions. */
static float requantise_taps(const struct backward *b, const struct space *space, const void *codes, const float *signs,
                             const struct rounding *rounding)
{
    const struct product *p = b->p;
    const struct unfolding *forward = &b->layer->tables->forward;
    const uint8_t *bordered = border_bytes(&b->layer->tables->x_border, codes, space->planes);
    size_t stride = row_stride(p->n), size = b->positions.padded * stride;
    for (size_t tap = 0; tap < p->k; tap++) {
        float *values = (float *)space->x_values + tap * size;
        for (size_t i = 0; i < b->positions.length; i++)
            kernels()->dequantise(bordered + forward->byte_row[i] + forward->unit[tap], !b->layer->x.is_signed, stride, 1,
                                  values + i * stride);
        transform_columns(&b->layer->transform, &b->positions, signs, values, p->n, stride);
    }
    return requantise_values(space->x_values, p->k * size, rounding, space->x_codes);
}

static void transformed_weight_gradient(const struct backward *b, const struct space *space, struct share *share)
{
    const struct product *p = b->p;
    const struct integer_layer *layer = b->layer;
    bool depthwise = p->shape->depthwise;
    const void *codes = sample_codes(b, space, share->sample);
    const float *signs = layer->signs ? layer->signs + b->outputs.padded : NULL;
    size_t size = p->k * (depthwise ? b->positions.padded * row_stride(p->n) : transformed_stride(&b->positions));
    struct rounding rounding = {operand_bits(layer, p->x_range), layer->gradient.stochastic, rounding_key(p, ROUND_INPUT),
                                share->sample * size};
    int largest = (int)code_limit(rounding.bits, true);
    struct int_rows rows = {space->x_codes, layer->unfolded_row, layer->unfolded_unit, false};
    share->scale *= layer->x.scale / (float)b->positions.block;
    if (depthwise) {
        share->scale *= requantise_taps(b, space, codes, signs, &rounding);
        add_depthwise(b, space, rows, b->positions.padded, largest, share);
        return;
    }
    planes_fill(layer->tables, codes, space->planes);
    struct input_rows x = {layer->tables, space->planes, p->k, 0, layer->x.largest, !layer->x.is_signed};
    share->scale *= requantise_inputs(&layer->transform, &b->positions, signs, &x, &rounding, space->x_values,
                                      space->x_codes);
    add_product(b, space, rows, space->g, b->positions.padded, largest, share);
}

/* ---- the batch ---- */

static void backward_sample(const struct backward *b, const struct space *space, struct share *share)
{
    const struct product *p = b->p;
    size_t s = share->sample;
    float scale = 0;
    if (p->dw || !b->layer->transforms)
        scale = share->scale = quantise_group(b, space, ROUND_GRADIENT_COLUMNS, s, share->counts);
    if (p->dw && b->layer->transforms)
        transformed_weight_gradient(b, space, share);
    else if (p->dw)
        direct_weight_gradient(b, space, share);
    if (p->dx && b->layer->transforms)
        scale = quantise_group(b, space, ROUND_GRADIENT_ROWS, s, share->counts);
    if (p->dx)
        input_gradient(b, space, s, scale, share->counts);
}

static void backward_chunk(void *context, size_t chunk, size_t thread)
{
    struct backward *b = context;
    const struct product *p = b->p;
    struct space space = lay_out(p, p->scratch + thread * p->scratch_step);
    if (p->shape->depthwise)
        border_clear(&b->layer->tables->x_border, 1, space.planes);
    else
        planes_clear(b->layer->tables, space.planes);
    border_clear(&b->layer->gradient_tables->g_border, 1, space.g_frame);
    struct span span = chunk_span(chunk, p->samples);
    for (size_t s = span.first; s < span.end; s++) {
        struct share share = {.sample = s, .sum = weight_sums(p, b->sums, chunk), .first = s == span.first,
                              .counts = p->counts ? &b->counts[chunk] : NULL};
        backward_sample(b, &space, &share);
    }
}

void convolution_backward(struct product *p)
{
    const struct integer_layer *layer = p->state;
    struct backward b = {.p = p, .layer = layer, .outputs = outputs_axis(p, layer), .positions = positions_axis(p, layer, 1),
                         .sums = lay_out(p, NULL).used};
    if (p->dx)
        prepare_weights(&b);
    if (!layer->gradient.per_sample)
        measure_gradient(&b);
    parallel_chunks(backward_chunk, &b);
    if (p->dw)
        add_weight_sums(p, b.sums);
    for (size_t chunk = 0; p->counts && chunk < CHUNKS; chunk++)
        add_counts(p->counts, &b.counts[chunk]);
}
