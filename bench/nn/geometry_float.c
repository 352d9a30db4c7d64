/* SPDX-License-Identifier: GPL-3.0-or-later
 * Floats brought into the forms that products read, and dX and dW brought back. */
#include "geometry.h"
#include "../kernels/kernels.h"
#include "../parallel.h"
#include <string.h>

size_t border_size(const struct border *b) { return b->in_place ? 0 : b->rows * b->cols * b->stride; }

void border_clear(const struct border *b, size_t element, void *memory) { memset(memory, 0, border_size(b) * element); }

const float *border_floats(const struct border *b, const float *sample, float *memory)
{
    if (b->in_place)
        return sample;
    float *to = memory + (b->top * b->cols + b->left) * b->stride;
    for (size_t y = 0; y < b->kept_h; y++)
        memcpy(to + y * b->cols * b->stride, sample + y * b->sample_w * b->stride, b->kept_w * b->stride * sizeof *to);
    return memory;
}

size_t border_value_size(const struct border *b) { return b->rows * b->cols * b->stride; }

const float *border_values(const struct border *b, const void *codes, bool is_unsigned, float scale, float *memory)
{
    float *to = memory + (b->top * b->cols + b->left) * b->stride;
    for (size_t y = 0; y < b->kept_h; y++)
        kernels()->dequantise((const uint8_t *)codes + y * b->sample_w * b->stride, is_unsigned, b->kept_w * b->stride,
                              scale, to + y * b->cols * b->stride);
    return memory;
}

/* ---- weights ----------------------------------------------------------------------------- */

void forward_weight_floats(const struct convolution *c, const float *w, float *out)
{
    size_t k = kernel_inputs(&c->shape), n = c->shape.out_c;
    kernels()->floats->transpose(w, n, k, row_stride(k), out, row_stride(n));
}

size_t gradient_weight_size(const struct convolution *c)
{
    const struct geometry *g = &c->shape;
    return kernel_positions(g) * (g->depthwise ? 1 : g->out_c) * row_stride(g->in_c);
}

/* For elements of any size. Of one output and tap there are in_c weights, which follow one another; depthwise, one. */
static void gradient_weights(const struct convolution *c, const char *w, size_t element, char *out)
{
    const struct geometry *g = &c->shape;
    size_t w_row = row_stride(kernel_inputs(g)) * element, out_row = row_stride(g->in_c) * element;
    size_t run = (g->depthwise ? 1 : g->in_c) * element;
    size_t tap_step = g->depthwise ? out_row : g->out_c * out_row, output_step = g->depthwise ? element : out_row;
    for (size_t i = 0; i < c->residue_count; i++) {
        const struct residue *r = &c->residues[i];
        for (size_t t = 0; t < r->taps; t++) {
            char *to = out + r->weights * element + t * tap_step;
            for (size_t n = 0; n < g->out_c; n++)
                memcpy(to + n * output_step, w + n * w_row + r->tap[t] * run, run);
        }
    }
}

void gradient_weight_floats(const struct convolution *c, const float *w, float *out)
{
    gradient_weights(c, (const char *)w, sizeof *w, (char *)out);
}

void gradient_weight_bytes(const struct convolution *c, const void *w, void *out)
{
    gradient_weights(c, w, 1, out);
}

/* ---- results ----------------------------------------------------------------------------- */

void scatter_rows(const struct convolution *c, const struct residue *r, const float *rows, float *dx)
{
    const struct geometry *g = &c->shape;
    size_t stride = row_stride(g->in_c);
    for (size_t a = 0; a < r->h; a++)
        for (size_t b = 0; b < r->w; b++) {
            size_t position = (r->first_y + a * g->stride) * g->in_w + r->first_x + b * g->stride;
            memcpy(dx + position * stride, rows + (a * r->w + b) * stride, g->in_c * sizeof *dx);
        }
}

static size_t sums_size(const struct product *p) { return p->k * row_stride(p->n) * sizeof(float); }

size_t weight_sums_size(const struct product *p)
{
    return (CHUNKS + parallel_threads() - 1) / parallel_threads() * sums_size(p);
}

float *weight_sums(const struct product *p, size_t offset, size_t chunk)
{
    size_t threads = parallel_threads();
    return (float *)(p->scratch + chunk % threads * p->scratch_step + offset + chunk / threads * sums_size(p));
}

void add_weight_sums(const struct product *p, size_t offset)
{
    float *total = NULL;
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        struct span span = chunk_span(chunk, p->samples);
        if (span.first == span.end)
            continue;
        float *sums = weight_sums(p, offset, chunk);
        if (total)
            kernels()->norms->add(sums, p->k * row_stride(p->n), total);
        else
            total = sums;
    }
    kernels()->floats->transpose(total, p->k, p->n, row_stride(p->n), p->dw, row_stride(p->k));
}
