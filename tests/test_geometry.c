/* SPDX-License-Identifier: GPL-3.0-or-later
 * The forms of a convolution against its definition: all three products, in floats and on codes, for many shapes. Buffers
 * have exactly the sizes that the tables ask for, so that the address sanitizer sees what is read or written outside. */
#include "definition.h"
#include "../bench/kernels/kernels.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 2 }; /* one after another through the same frames */

/* One layer's operands as doubles, floats and codes, all the same small integers, and what the definition makes of them. */
struct layer_data {
    struct geometry g;
    size_t x_size, w_size, y_size;
    double *x, *w, *gradient, *y, *dx, *dw; /* SAMPLES samples */
    bool x_unsigned;
};

static double *random_codes(size_t rows, size_t cols, uint64_t stream, int lo, int hi)
{
    double *codes = xcalloc(rows * row_stride(cols), sizeof *codes);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            codes[i * row_stride(cols) + j]
                = lo + floor(rng_uniform(rng_key(5, STREAM_DATA, stream, 0), i * cols + j) * (hi - lo + 1));
    return codes;
}

static struct layer_data make_data(const struct geometry *g, int largest, bool x_unsigned)
{
    struct layer_data d = {.g = *g, .x_size = in_size(g), .w_size = g->out_c * row_stride(kernel_inputs(g)),
                           .y_size = out_size(g), .x_unsigned = x_unsigned};
    d.x = random_codes(SAMPLES * in_positions(g), g->in_c, 1, x_unsigned ? 0 : -largest,
                       x_unsigned ? 2 * largest + 1 : largest);
    d.w = random_codes(g->out_c, kernel_inputs(g), 2, -largest, largest);
    d.gradient = random_codes(SAMPLES * out_positions(g), g->out_c, 3, -largest, largest);
    d.y = xcalloc(SAMPLES * d.y_size, sizeof *d.y);
    d.dx = xcalloc(SAMPLES * d.x_size, sizeof *d.dx);
    d.dw = xcalloc(d.w_size, sizeof *d.dw);
    for (size_t i = 0; i < SAMPLES; i++)
        naive_products(g, d.x + i * d.x_size, d.w, d.gradient + i * d.y_size, d.y + i * d.y_size, d.dx + i * d.x_size, d.dw);
    return d;
}

static void free_data(struct layer_data *d)
{
    free(d->x), free(d->w), free(d->gradient), free(d->y), free(d->dx), free(d->dw);
}

static uint8_t *as_bytes(const double *x, size_t size)
{
    uint8_t *bytes = xmalloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(int)x[i];
    return bytes;
}

static float *as_floats(const double *x, size_t size)
{
    float *floats = xmalloc(size * sizeof *floats);
    for (size_t i = 0; i < size; i++)
        floats[i] = (float)x[i];
    return floats;
}

/* Memory in which nothing may be taken for zero. */
static void *dirty(size_t size) { return memset(xmalloc(size), 0x5a, size); }

static void *aligned(size_t size) { return aligned_alloc(64, (size + 64) / 64 * 64); }

/* Exactly: the sums are small integers. */
static void expect_floats(const float *found, const double *expected, size_t rows, size_t cols, const char *what,
                          size_t index)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < row_stride(cols); j++) {
            size_t at = i * row_stride(cols) + j;
            cr_assert((double)found[at] == expected[at], "%s of geometry %zu, row %zu, column %zu: %g, not %g", what,
                      index, i, j, (double)found[at], expected[at]);
        }
}

/* ---- floats ---- */

static void float_product(const struct geometry *g, size_t m, size_t n, size_t k, struct float_rows a, const float *b,
                          float *out, bool add)
{
    size_t stride = row_stride(n);
    if (g->depthwise)
        kernels()->floats->depthwise(&(struct float_depthwise){.m = m, .taps = k, .channels = n, .ld = stride, .ldw = stride,
                                                               .x = a, .w = b, .out = out, .add = add});
    else
        kernels()->floats->multiply(&(struct float_product){.m = m, .n = n, .k = k, .ld = stride, .ldb = stride, .a = a,
                                                            .b = b, .out = out, .add = add});
}

static void forward_floats(const struct layer_data *d, const struct convolution *c, size_t index)
{
    const struct geometry *g = &d->g;
    float *w = as_floats(d->w, d->w_size), *by_input = xcalloc(kernel_inputs(g) * row_stride(g->out_c), sizeof *by_input);
    float *frame = dirty(border_size(&c->x_border) * sizeof *frame), *y = xcalloc(d->y_size, sizeof *y);
    forward_weight_floats(c, w, by_input);
    border_clear(&c->x_border, sizeof *frame, frame);
    for (size_t i = 0; i < SAMPLES; i++) {
        float *x = as_floats(d->x + i * d->x_size, d->x_size);
        struct float_rows a = {border_floats(&c->x_border, x, frame), c->forward.row, c->forward.col};
        float_product(g, c->forward.rows, g->out_c, c->forward.k, a, by_input, y, false);
        expect_floats(y, d->y + i * d->y_size, out_positions(g), g->out_c, "y", index);
        free(x);
    }
    free(w), free(by_input), free(frame), free(y);
}

static void input_gradient_floats(const struct layer_data *d, const struct convolution *c, size_t index)
{
    const struct geometry *g = &d->g;
    float *w = as_floats(d->w, d->w_size), *by_tap = xcalloc(gradient_weight_size(c), sizeof *by_tap);
    float *frame = dirty(border_size(&c->g_border) * sizeof *frame), *rows = dirty(c->residue_size * sizeof *rows);
    gradient_weight_floats(c, w, by_tap);
    border_clear(&c->g_border, sizeof *frame, frame);
    for (size_t i = 0; i < SAMPLES; i++) {
        float *gradient = as_floats(d->gradient + i * d->y_size, d->y_size), *dx = xcalloc(d->x_size, sizeof *dx);
        const float *bordered = border_floats(&c->g_border, gradient, frame);
        for (size_t at = 0; !c->uncovered && at < d->x_size; at++)
            dx[at] = at % row_stride(g->in_c) < g->in_c ? 7 : 0; /* all of it is overwritten */
        for (size_t r = 0; r < c->residue_count; r++) {
            const struct residue *residue = &c->residues[r];
            struct float_rows a = {bordered, residue->g.row, residue->g.col};
            float *out = c->scatters ? rows : dx;
            float_product(g, residue->g.rows, g->in_c, residue->g.k, a, by_tap + residue->weights, out, false);
            if (c->scatters)
                scatter_rows(c, residue, rows, dx);
        }
        expect_floats(dx, d->dx + i * d->x_size, in_positions(g), g->in_c, "dx", index);
        free(gradient), free(dx);
    }
    free(w), free(by_tap), free(frame), free(rows);
}

static void weight_gradient_floats(const struct layer_data *d, const struct convolution *c, size_t index)
{
    const struct geometry *g = &d->g;
    size_t k = kernel_inputs(g), stride = row_stride(g->out_c);
    float *frame = dirty(border_size(&c->x_border) * sizeof *frame), *sums = xcalloc(k * stride, sizeof *sums);
    float *dw = xcalloc(d->w_size, sizeof *dw);
    border_clear(&c->x_border, sizeof *frame, frame);
    for (size_t i = 0; i < SAMPLES; i++) {
        float *x = as_floats(d->x + i * d->x_size, d->x_size), *gradient = as_floats(d->gradient + i * d->y_size, d->y_size);
        const float *bordered = border_floats(&c->x_border, x, frame);
        if (g->depthwise)
            kernels()->floats->depthwise_gradient(&(struct float_depthwise_gradient){
                .m = c->forward.rows, .taps = k, .channels = g->out_c, .ld = stride, .ldg = stride,
                .x = {bordered, c->forward.row, c->forward.col}, .g = gradient, .out = sums, .add = true});
        else
            float_product(g, k, g->out_c, out_positions(g),
                          (struct float_rows){bordered, c->forward.col, c->forward.row}, gradient, sums, true);
        free(x), free(gradient);
    }
    kernels()->floats->transpose(sums, k, g->out_c, stride, dw, row_stride(k));
    expect_floats(dw, d->dw, g->out_c, k, "dw", index);
    free(frame), free(sums), free(dw);
}

Test(geometry, floats)
{
    struct geometry g;
    for (size_t index = 0; geometry_to_try(index, &g); index++) {
        struct arena arena = {0};
        struct layer_data d = make_data(&g, 15, false);
        struct convolution *c = convolution_tables(&g, TAP_MAJOR, &arena);
        forward_floats(&d, c, index);
        input_gradient_floats(&d, c, index);
        weight_gradient_floats(&d, c, index);
        free_data(&d);
        arena_free(&arena);
    }
}

/* A frame of the values of codes is the frame of their values. */
Test(geometry, values)
{
    struct geometry g;
    for (size_t index = 0; geometry_to_try(index, &g); index++) {
        struct arena arena = {0};
        struct layer_data d = make_data(&g, 127, index % 2);
        const struct convolution *c = convolution_tables(&g, TAP_MAJOR, &arena);
        size_t size = border_value_size(&c->x_border);
        uint8_t *codes = as_bytes(d.x, d.x_size);
        float *x = as_floats(d.x, d.x_size), *values = xcalloc(size, sizeof *values), *frame = xcalloc(size, sizeof *frame);
        border_values(&c->x_border, codes, d.x_unsigned, 0.5f, values);
        const float *expected = border_floats(&c->x_border, x, frame);
        for (size_t i = 0; i < size; i++)
            cr_assert(values[i] == expected[i] * 0.5f, "geometry %zu, element %zu", index, i);
        free(codes), free(x), free(values), free(frame);
        free_data(&d);
        arena_free(&arena);
    }
}

/* ---- codes ---- */

static const struct accumulator no_limit = {.bits = 32};

static void expect_sums(const int32_t *found, const double *expected, size_t rows, size_t cols, const char *what,
                        size_t index)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            cr_assert(found[i * row_stride(cols) + j] == expected[i * row_stride(cols) + j],
                      "%s of geometry %zu, row %zu, column %zu: %d, not %g", what, index, i, j,
                      (int)found[i * row_stride(cols) + j], expected[i * row_stride(cols) + j]);
}

/* sums = a · b, exactly. */
static void int_product(size_t m, size_t n, size_t k, struct int_rows a, struct int_matrix b, int32_t *sums)
{
    struct int_panel panel = {.memory = aligned(kernels()->ints->panel_size(n, k)), .n = n, .k = k, .acc = no_limit,
                              .a_is_unsigned = a.is_unsigned, .is_unsigned = b.is_unsigned};
    kernels()->ints->pack(&panel, &b);
    kernels()->ints->multiply(&(struct int_product){.m = m, .ld = row_stride(n), .a = a, .b = &panel, .sums = sums});
    free(panel.memory);
}

static void int_depthwise(size_t m, size_t taps, size_t channels, struct int_rows x, const void *w, int32_t *sums)
{
    size_t stride = row_stride(channels);
    float *out = xcalloc(m * stride, sizeof *out);
    kernels()->ints->depthwise(&(struct int_depthwise){.m = m, .taps = taps, .channels = channels, .ld = stride,
                                                       .ldw = stride, .x = x, .w = w, .acc = no_limit, .out = out,
                                                       .scale = 1});
    for (size_t i = 0; i < m * stride; i++)
        sums[i] = (int32_t)out[i];
    free(out);
}

/* Every element of the unfolded matrix in the K order asked for. */
static void expect_unfolded(const struct layer_data *d, const struct convolution *c, const double *x, struct int_rows a,
                            enum k_order order, size_t index)
{
    const struct geometry *g = &d->g;
    for (size_t i = 0; i < c->forward.rows; i++)
        for (size_t k = 0; k < c->forward.k; k++) {
            size_t tap = order == TAP_MAJOR ? k / g->in_c : k % kernel_positions(g);
            size_t channel = order == TAP_MAJOR ? k % g->in_c : k / kernel_positions(g);
            long from = naive_input(g, i, tap, channel);
            uint8_t found = ((const uint8_t *)a.data)[(ptrdiff_t)a.row[i] + a.unit[k / 4] + (ptrdiff_t)(k % 4)];
            cr_assert(found == (uint8_t)(from < 0 ? 0 : (int)x[from]), "geometry %zu, row %zu, k %zu", index, i, k);
        }
}

static void forward_codes(const struct layer_data *d, const struct convolution *c, enum k_order order, size_t index)
{
    const struct geometry *g = &d->g;
    size_t w_stride = g->depthwise ? row_stride(g->out_c) : row_stride(kernel_inputs(g));
    uint8_t *codes = as_bytes(d->w, d->w_size), *memory = xmalloc(forward_weight_size(c));
    uint8_t *frame = dirty(border_size(&c->x_border)), *copy = dirty(c->forward.copy_size);
    int32_t *sums = xcalloc(d->y_size, sizeof *sums);
    const void *w = forward_weight_bytes(c, codes, memory);
    border_clear(&c->x_border, 1, frame);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t *x = as_bytes(d->x + i * d->x_size, d->x_size);
        const void *data = unfold_bytes(&c->forward, border_bytes(&c->x_border, x, frame), copy);
        struct int_rows a = {data, c->forward.byte_row, c->forward.unit, d->x_unsigned};
        if (g->depthwise) {
            int_depthwise(c->forward.rows, c->forward.k, g->out_c, a, w, sums);
        } else {
            expect_unfolded(d, c, d->x + i * d->x_size, a, order, index);
            int_product(c->forward.rows, g->out_c, c->forward.k, a, (struct int_matrix){w, w_stride, 1, false}, sums);
        }
        expect_sums(sums, d->y + i * d->y_size, out_positions(g), g->out_c, "y", index);
        free(x);
    }
    free(codes), free(memory), free(frame), free(copy), free(sums);
}

static void input_gradient_codes(const struct layer_data *d, const struct convolution *c, size_t index)
{
    const struct geometry *g = &d->g;
    size_t stride = row_stride(g->in_c);
    uint8_t *w = as_bytes(d->w, d->w_size), *by_tap = xmalloc(gradient_weight_size(c));
    uint8_t *frame = dirty(border_size(&c->g_border)), *copy = dirty(c->residue_copy_size);
    gradient_weight_bytes(c, w, by_tap);
    border_clear(&c->g_border, 1, frame);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t *gradient = as_bytes(d->gradient + i * d->y_size, d->y_size);
        const void *bordered = border_bytes(&c->g_border, gradient, frame);
        int32_t *dx = xcalloc(d->x_size, sizeof *dx), *rows = xcalloc(d->x_size, sizeof *rows);
        for (size_t r = 0; r < c->residue_count; r++) {
            const struct residue *residue = &c->residues[r];
            struct int_rows a = {unfold_bytes(&residue->g, bordered, copy), residue->g.byte_row, residue->g.unit, false};
            const uint8_t *b = by_tap + residue->weights;
            if (g->depthwise)
                int_depthwise(residue->g.rows, residue->taps, g->in_c, a, b, rows);
            else
                int_product(residue->g.rows, g->in_c, residue->g.k, a, (struct int_matrix){b, 1, stride, false}, rows);
            for (size_t row = 0; row < residue->g.rows; row++) {
                size_t y = residue->first_y + row / residue->w * g->stride;
                size_t x = residue->first_x + row % residue->w * g->stride;
                memcpy(dx + (y * g->in_w + x) * stride, rows + row * stride, g->in_c * sizeof *dx);
            }
        }
        expect_sums(dx, d->dx + i * d->x_size, in_positions(g), g->in_c, "dx", index);
        free(gradient), free(dx), free(rows);
    }
    free(w), free(by_tap), free(frame), free(copy);
}

/* dw so far, as the product leaves it: (tap, channel) × outputs. */
static void add_transposed(const struct layer_data *d, const int32_t *sums, double *dw)
{
    size_t k = kernel_inputs(&d->g);
    for (size_t i = 0; i < k; i++)
        for (size_t n = 0; n < d->g.out_c; n++)
            dw[n * row_stride(k) + i] += sums[i * row_stride(d->g.out_c) + n];
}

static void expect_unfolded_rows(const struct layer_data *d, const struct convolution *c, const double *x,
                                 const void *planes, size_t index)
{
    const struct geometry *g = &d->g;
    size_t k = kernel_inputs(g), positions = out_positions(g), first = k / 2, stride = positions + 3;
    int16_t *shorts = dirty((k - first) * stride * sizeof *shorts);
    float *floats = dirty((k - first) * stride * sizeof *floats);
    unfold_shorts(c, planes, d->x_unsigned, first, k - first, shorts, stride);
    unfold_floats(c, planes, d->x_unsigned, first, k - first, floats, stride);
    for (size_t i = first; i < k; i++)
        for (size_t position = 0; position < positions; position++) {
            long from = naive_input(g, position, i / g->in_c, i % g->in_c);
            double expected = from < 0 ? 0 : x[from];
            size_t at = (i - first) * stride + position;
            cr_assert(shorts[at] == expected && (double)floats[at] == expected, "geometry %zu, row %zu, position %zu", index,
                      i, position);
        }
    free(shorts), free(floats);
}

static void plane_products(const struct layer_data *d, const struct convolution *c, double *dw, size_t index)
{
    const struct geometry *g = &d->g;
    size_t k = kernel_inputs(g), stride = row_stride(g->out_c);
    uint8_t *planes = dirty(c->planes.size);
    int8_t *memory = dirty(padded_gradient_size(c));
    int32_t *sums = xcalloc(k * stride, sizeof *sums);
    planes_clear(c, planes);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t *x = as_bytes(d->x + i * d->x_size, d->x_size), *codes = as_bytes(d->gradient + i * d->y_size, d->y_size);
        planes_fill(c, x, planes);
        struct int_rows a = {planes, c->planes.row, c->planes.unit, d->x_unsigned};
        struct int_matrix b = {padded_gradient(c, (int8_t *)codes, memory), 1, stride, false};
        int_product(k, g->out_c, c->planes.k, a, b, sums);
        add_transposed(d, sums, dw);
        expect_unfolded_rows(d, c, d->x + i * d->x_size, planes, index);
        free(x), free(codes);
    }
    free(planes), free(memory), free(sums);
}

static void depthwise_gradients(const struct layer_data *d, const struct convolution *c, double *dw)
{
    const struct geometry *g = &d->g;
    size_t k = kernel_inputs(g), stride = row_stride(g->out_c);
    uint8_t *frame = dirty(border_size(&c->x_border));
    float *out = xcalloc(k * stride, sizeof *out);
    int32_t *sums = xcalloc(k * stride, sizeof *sums);
    border_clear(&c->x_border, 1, frame);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t *x = as_bytes(d->x + i * d->x_size, d->x_size), *codes = as_bytes(d->gradient + i * d->y_size, d->y_size);
        struct int_rows rows = {border_bytes(&c->x_border, x, frame), c->forward.byte_row, c->forward.unit, d->x_unsigned};
        kernels()->ints->depthwise_gradient(&(struct int_depthwise_gradient){
            .m = c->forward.rows, .taps = k, .channels = g->out_c, .ld = stride, .ldg = stride, .x = rows,
            .g = (int8_t *)codes, .acc = no_limit, .out = out, .scale = 1});
        for (size_t at = 0; at < k * stride; at++)
            sums[at] = (int32_t)out[at];
        add_transposed(d, sums, dw);
        free(x), free(codes);
    }
    free(frame), free(out), free(sums);
}

static void weight_gradient_codes(const struct layer_data *d, const struct convolution *c, size_t index)
{
    size_t k = kernel_inputs(&d->g);
    double *dw = xcalloc(d->w_size, sizeof *dw);
    if (d->g.depthwise)
        depthwise_gradients(d, c, dw);
    else
        plane_products(d, c, dw, index);
    for (size_t i = 0; i < d->w_size; i++)
        cr_assert(dw[i] == d->dw[i], "dw of geometry %zu, output %zu, input %zu: %g, not %g", index, i / row_stride(k),
                  i % row_stride(k), dw[i], d->dw[i]);
    free(dw);
}

static void all_on_codes(bool x_unsigned, enum k_order order)
{
    struct geometry g;
    for (size_t index = 0; geometry_to_try(index, &g); index++) {
        struct arena arena = {0};
        struct layer_data d = make_data(&g, 127, x_unsigned);
        struct convolution *c = convolution_tables(&g, order, &arena);
        forward_codes(&d, c, order, index);
        input_gradient_codes(&d, c, index);
        weight_gradient_codes(&d, c, index);
        free_data(&d);
        arena_free(&arena);
    }
}

Test(geometry, signed_codes) { all_on_codes(false, TAP_MAJOR); }
Test(geometry, unsigned_codes) { all_on_codes(true, TAP_MAJOR); }
Test(geometry, channel_major) { all_on_codes(true, CHANNEL_MAJOR); }

/* Floats do not care about the order of the codes. */
Test(geometry, channel_major_floats)
{
    struct arena arena = {0};
    struct geometry g = test_geometry(6, 6, 8, 4, 3, 3, 1, 1, 1, false);
    struct layer_data d = make_data(&g, 15, false);
    struct convolution *c = convolution_tables(&g, CHANNEL_MAJOR, &arena);
    forward_floats(&d, c, 0);
    weight_gradient_floats(&d, c, 0);
    free_data(&d);
    arena_free(&arena);
}

/* ---- shapes that need no copies ---- */

Test(geometry, what_is_read_in_place)
{
    struct arena arena = {0};
    struct geometry pointwise = test_geometry(8, 8, 16, 32, 1, 1, 1, 0, 0, false);
    struct geometry strided = test_geometry(8, 8, 16, 32, 1, 1, 2, 0, 0, false);
    struct geometry three = test_geometry(8, 8, 3, 16, 3, 3, 1, 1, 1, false);
    const struct convolution *c = convolution_tables(&pointwise, TAP_MAJOR, &arena);
    cr_assert(c->x_border.in_place && c->g_border.in_place && !c->scatters && !c->uncovered);
    cr_assert(c->residue_count == 1 && c->forward.copy_size == 0 && padded_gradient_size(c) == 0);
    c = convolution_tables(&strided, TAP_MAJOR, &arena);
    cr_assert(c->x_border.in_place && c->g_border.in_place && c->scatters && c->uncovered && c->residue_count == 1);
    c = convolution_tables(&three, TAP_MAJOR, &arena);
    cr_assert(!c->x_border.in_place && c->forward.copy_size > 0 && c->residue_copy_size == 0);
    arena_free(&arena);
}

Test(geometry, plain_tables)
{
    struct arena arena = {0};
    const int32_t *row = plain_rows(3, 48, &arena), *unit = plain_units(9, &arena);
    cr_assert(row[0] == 0 && row[1] == 48 && row[2] == 96);
    cr_assert(unit[0] == 0 && unit[1] == 4 && unit[2] == 8);
    arena_free(&arena);
}
