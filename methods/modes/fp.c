/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mode fp: products in float32. With an allocator the forward operands are quantised to their widths and dequantised
 * (quantisation-aware training); the backward products use the same values. METHODS 2. A quantiser whose values are no codes
 * gives them itself, of X whenever they are read.
 * Dense layers are whole batches in OpenBLAS; convolutions go sample by sample through the project's own kernels. */
#include "operands.h"
#include "../../bench/nn/nodes.h"
#include "../../bench/parallel.h"
#include <cblas.h>
#include <string.h>

struct codes { void *data; float scale; bool is_unsigned; };

struct state {
    struct convolution *convolution;  /* NULL: dense */
    struct codes x_codes, w_codes;    /* with a quantiser of codes: of the whole batch; of the weights */
    float *w;                         /* with a quantiser: its values, n × stride(k) */
    float *forward_w, *gradient_w;    /* convolutions: as the products take them */
};

/* A thread's scratch, in floats: one sample of X and of G with borders, the sample's values where the quantiser gives them,
 * rows of dX; then the sums of dW. */
struct layout { size_t x, g, values, rows, end; };

static bool makes_codes(const struct product *p) { return p->quantiser && !p->quantiser->quantise; }
static bool makes_values(const struct product *p) { return p->quantiser && p->quantiser->quantise; }

static size_t lines(size_t floats) { return (floats + 15) / 16 * 16; }

static struct layout layout_of(const struct product *p, const struct convolution *c)
{
    struct layout layout = {.x = 0};
    layout.g = lines(makes_codes(p) ? border_value_size(&c->x_border) : border_size(&c->x_border));
    layout.values = layout.g + lines(border_size(&c->g_border));
    layout.rows = layout.values + (makes_values(p) ? in_size(p->shape) : 0);
    layout.end = layout.rows + lines(c->residue_size);
    return layout;
}

static void *prepare(const struct settings *settings, const struct product *p, struct arena *arena)
{
    (void)settings;
    struct state *state = arena_alloc(arena, sizeof *state);
    size_t w_size = p->n * row_stride(p->k);
    if (makes_codes(p)) {
        state->x_codes.data = arena_alloc(arena, p->samples_max * in_size(p->shape));
        state->w_codes.data = arena_alloc(arena, w_size);
    }
    if (p->quantiser)
        state->w = arena_alloc(arena, w_size * sizeof(float));
    if (!p->dense) {
        state->convolution = convolution_tables(p->shape, TAP_MAJOR, arena);
        state->forward_w = arena_alloc(arena, p->k * row_stride(p->n) * sizeof(float));
        state->gradient_w = arena_alloc(arena, gradient_weight_size(state->convolution) * sizeof(float));
    }
    return state;
}

static size_t scratch_size(const struct product *p)
{
    const struct state *state = p->state;
    if (state->convolution)
        return layout_of(p, state->convolution).end * sizeof(float) + weight_sums_size(p);
    return p->quantiser ? p->samples_max * row_stride(p->k) * sizeof(float) : 0;
}

/* ---- quantisation ------------------------------------------------------------------------ */

static void quantise(const struct range *range, const float *x, size_t count, struct codes *codes)
{
    quantise_in_range(range, x, count, codes->data);
    codes->scale = range->scale;
    codes->is_unsigned = range->lo == 0;
}

static void dequantise(const struct codes *codes, size_t count, float *x)
{
    kernels()->dequantise(codes->data, codes->is_unsigned, count, codes->scale, x);
}

/* The quantiser's own values of a matrix; its padding stays zero. */
static void take_values(const struct product *p, const struct range *range, const float *x, size_t rows, size_t cols,
                        float *values)
{
    p->quantiser->quantise(range, x, values, rows * row_stride(cols));
    clear_padding(values, rows, cols);
}

static void quantise_operands(struct product *p)
{
    struct state *state = p->state;
    fit_ranges(p);
    if (makes_values(p)) {
        if (!p->weights_ready)
            take_values(p, p->w_range, p->w, p->n, p->k, state->w);
        return;
    }
    quantise(p->x_range, p->x, p->samples * in_size(p->shape), &state->x_codes);
    if (!p->weights_ready) {
        quantise(p->w_range, p->w, p->n * row_stride(p->k), &state->w_codes);
        dequantise(&state->w_codes, p->n * row_stride(p->k), state->w);
    }
    if (p->counts) {
        mark_codes(p->counts->weight_codes, state->w_codes.data, p->n, p->k, row_stride(p->k));
        mark_codes(p->counts->input_codes, state->x_codes.data, p->samples * in_positions(p->shape), p->shape->in_c,
                   row_stride(p->shape->in_c));
    }
}

/* ---- dense layers ------------------------------------------------------------------------ */

/* The batch that the products take: X, or its quantised values. */
static const float *dense_input(const struct product *p)
{
    const struct state *state = p->state;
    float *values = (float *)p->scratch;
    if (!p->quantiser)
        return p->x;
    if (makes_values(p))
        take_values(p, p->x_range, p->x, p->m, p->k, values);
    else
        dequantise(&state->x_codes, p->m * row_stride(p->k), values);
    return values;
}

static void dense_forward(const struct product *p, const float *w)
{
    int n = (int)p->n, k = (int)p->k, m = (int)p->m;
    int stride_k = (int)row_stride(p->k), stride_n = (int)row_stride(p->n);
    for (size_t i = 0; p->bias && i < p->m; i++)
        memcpy(p->y + i * row_stride(p->n), p->bias, p->n * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, dense_input(p), stride_k, w, stride_k,
                p->bias ? 1 : 0, p->y, stride_n);
}

static void dense_backward(const struct product *p, const float *w)
{
    int n = (int)p->n, k = (int)p->k, m = (int)p->m;
    int stride_k = (int)row_stride(p->k), stride_n = (int)row_stride(p->n);
    if (p->dx)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 1, p->g, stride_n, w, stride_k,
                    0, p->dx, stride_k);
    if (p->dw)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1, p->g, stride_n, dense_input(p), stride_k,
                    0, p->dw, stride_k);
}

/* ---- convolutions ------------------------------------------------------------------------ */

/* What one chunk of samples works with. */
struct chunk {
    const struct product *p;
    const struct state *state;
    const struct convolution *c;
    float *x, *g, *values, *rows; /* the thread's scratch */
    float *sums;           /* of this chunk */
    struct span samples;
};

static struct chunk begin_chunk(const struct product *p, size_t index, size_t thread)
{
    const struct state *state = p->state;
    struct layout layout = layout_of(p, state->convolution);
    float *scratch = (float *)(p->scratch + thread * p->scratch_step);
    return (struct chunk){.p = p, .state = state, .c = state->convolution,
                          .x = scratch + layout.x, .g = scratch + layout.g, .values = scratch + layout.values,
                          .rows = scratch + layout.rows,
                          .sums = weight_sums(p, layout.end * sizeof(float), index),
                          .samples = chunk_span(index, p->samples)};
}

static const float *bordered_input(const struct chunk *chunk, size_t sample)
{
    const struct product *p = chunk->p;
    const struct codes *codes = &chunk->state->x_codes;
    size_t start = sample * in_size(p->shape);
    if (makes_codes(p))
        return border_values(&chunk->c->x_border, (const uint8_t *)codes->data + start, codes->is_unsigned, codes->scale,
                             chunk->x);
    if (!p->quantiser)
        return border_floats(&chunk->c->x_border, p->x + start, chunk->x);
    take_values(p, p->x_range, p->x + start, in_positions(p->shape), p->shape->in_c, chunk->values);
    return border_floats(&chunk->c->x_border, chunk->values, chunk->x);
}

static void forward_chunk(void *context, size_t index, size_t thread)
{
    const struct product *p = context;
    struct chunk chunk = begin_chunk(p, index, thread);
    const struct unfolding *u = &chunk.c->forward;
    size_t stride = row_stride(p->n);
    border_clear(&chunk.c->x_border, sizeof(float), chunk.x);
    for (size_t sample = chunk.samples.first; sample < chunk.samples.end; sample++) {
        struct float_rows x = {bordered_input(&chunk, sample), u->row, u->col};
        float *y = p->y + sample * out_size(p->shape);
        if (p->shape->depthwise) {
            kernels()->floats->depthwise(&(struct float_depthwise){
                .m = u->rows, .taps = u->k, .channels = p->n, .ld = stride, .ldw = stride, .x = x,
                .w = chunk.state->forward_w, .out = y});
            add_bias(p, y);
        } else {
            kernels()->floats->multiply(&(struct float_product){
                .m = u->rows, .n = p->n, .k = u->k, .ld = stride, .ldb = stride, .a = x, .b = chunk.state->forward_w,
                .bias = p->bias, .out = y});
        }
    }
}

static void input_gradient(const struct chunk *chunk, size_t sample)
{
    const struct product *p = chunk->p;
    const struct convolution *c = chunk->c;
    const float *g = border_floats(&c->g_border, p->g + sample * out_size(p->shape), chunk->g);
    float *dx = p->dx + sample * in_size(p->shape);
    size_t stride = row_stride(p->shape->in_c);
    if (c->uncovered)
        memset(dx, 0, in_size(p->shape) * sizeof *dx);
    for (size_t i = 0; i < c->residue_count; i++) {
        const struct residue *r = &c->residues[i];
        struct float_rows rows = {g, r->g.row, r->g.col};
        const float *w = chunk->state->gradient_w + r->weights;
        float *out = c->scatters ? chunk->rows : dx;
        if (p->shape->depthwise)
            kernels()->floats->depthwise(&(struct float_depthwise){
                .m = r->g.rows, .taps = r->taps, .channels = p->n, .ld = stride, .ldw = stride, .x = rows, .w = w,
                .out = out});
        else
            kernels()->floats->multiply(&(struct float_product){
                .m = r->g.rows, .n = p->shape->in_c, .k = r->g.k, .ld = stride, .ldb = stride, .a = rows, .b = w,
                .out = out});
        if (c->scatters)
            scatter_rows(c, r, out, dx);
    }
}

/* The forward tables with rows and columns exchanged. */
static void weight_gradient(const struct chunk *chunk, size_t sample)
{
    const struct product *p = chunk->p;
    const struct unfolding *u = &chunk->c->forward;
    const float *x = bordered_input(chunk, sample), *g = p->g + sample * out_size(p->shape);
    size_t stride = row_stride(p->n);
    bool add = sample > chunk->samples.first;
    if (p->shape->depthwise)
        kernels()->floats->depthwise_gradient(&(struct float_depthwise_gradient){
            .m = u->rows, .taps = u->k, .channels = p->n, .ld = stride, .ldg = stride, .x = {x, u->row, u->col}, .g = g,
            .out = chunk->sums, .add = add});
    else
        kernels()->floats->multiply(&(struct float_product){
            .m = u->k, .n = p->n, .k = u->rows, .ld = stride, .ldb = stride, .a = {x, u->col, u->row}, .b = g,
            .out = chunk->sums, .add = add});
}

static void backward_chunk(void *context, size_t index, size_t thread)
{
    const struct product *p = context;
    struct chunk chunk = begin_chunk(p, index, thread);
    border_clear(&chunk.c->x_border, sizeof(float), chunk.x);
    border_clear(&chunk.c->g_border, sizeof(float), chunk.g);
    for (size_t sample = chunk.samples.first; sample < chunk.samples.end; sample++) {
        if (p->dw)
            weight_gradient(&chunk, sample);
        if (p->dx)
            input_gradient(&chunk, sample);
    }
}

static void convolution_backward(struct product *p, const float *w)
{
    const struct state *state = p->state;
    if (p->dx)
        gradient_weight_floats(state->convolution, w, state->gradient_w);
    parallel_chunks(backward_chunk, p);
    if (p->dw)
        add_weight_sums(p, layout_of(p, state->convolution).end * sizeof(float));
}

/* ---- both -------------------------------------------------------------------------------- */

static const float *weights_in_use(const struct product *p)
{
    const struct state *state = p->state;
    return p->quantiser ? state->w : p->w;
}

static void forward(struct product *p)
{
    const struct state *state = p->state;
    if (p->quantiser)
        quantise_operands(p);
    if (!state->convolution) {
        dense_forward(p, weights_in_use(p));
        return;
    }
    if (!p->weights_ready)
        forward_weight_floats(state->convolution, weights_in_use(p), state->forward_w);
    parallel_chunks(forward_chunk, p);
}

static void backward(struct product *p)
{
    const struct state *state = p->state;
    if (state->convolution)
        convolution_backward(p, weights_in_use(p));
    else
        dense_backward(p, weights_in_use(p));
}

static double backward_bops(const struct product *p, double w, double a, double g)
{
    (void)w, (void)a, (void)g;
    return 2.0 * (double)out_positions(p->shape) * (double)p->n * (double)p->k * 32 * 32; /* float32 operands */
}

const struct mode_ops mode_fp = {
    .plug = {.name = "fp", .version = 1,
             .help = "Products in float32; with an allocator the forward operands are quantised "
                     "(quantisation-aware training)."},
    .integer = false,
    .prepare = prepare, .scratch_size = scratch_size, .forward = forward, .backward = backward,
    .backward_bops = backward_bops,
};
