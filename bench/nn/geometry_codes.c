/* SPDX-License-Identifier: GPL-3.0-or-later
 * Codes brought into the forms that products read. */
#include "geometry.h"
#include "../kernels/kernels.h"
#include <string.h>

const void *border_bytes(const struct border *b, const void *sample, void *memory)
{
    if (b->in_place)
        return sample;
    uint8_t *to = (uint8_t *)memory + (b->top * b->cols + b->left) * b->stride;
    for (size_t y = 0; y < b->kept_h; y++)
        memcpy(to + y * b->cols * b->stride, (const uint8_t *)sample + y * b->sample_w * b->stride, b->kept_w * b->stride);
    return memory;
}

/* Runs are copied in whole fours, which positions hold (row_stride); what was too much, the next run overwrites. */
static void copy_runs(const struct unfolding *u, const uint8_t *bordered, uint8_t *copy)
{
    for (size_t i = 0; i < u->rows; i++) {
        const uint8_t *from = bordered + u->row[i];
        uint8_t *to = copy + i * u->copy_stride;
        memset(to + u->copy_stride - 4, 0, 4);
        for (size_t k = 0; k < u->k; k += u->run)
            for (size_t c = 0; c < u->run; c += 4)
                memcpy(to + k + c, from + u->copy_col[k] + c, 4);
    }
}

static void copy_singly(const struct unfolding *u, const uint8_t *bordered, uint8_t *copy)
{
    for (size_t i = 0; i < u->rows; i++) {
        const uint8_t *from = bordered + u->row[i];
        uint8_t *to = copy + i * u->copy_stride;
        for (size_t k = 0; k < u->k; k++)
            to[k] = from[u->copy_col[k]];
        memset(to + u->k, 0, u->copy_stride - u->k);
    }
}

const void *unfold_bytes(const struct unfolding *u, const void *bordered, void *copy)
{
    if (!u->copy_size)
        return bordered;
    if (u->run > 1)
        copy_runs(u, bordered, copy);
    else
        copy_singly(u, bordered, copy);
    return copy;
}

/* ---- weights ----------------------------------------------------------------------------- */

size_t forward_weight_size(const struct convolution *c)
{
    const struct geometry *g = &c->shape;
    if (g->depthwise)
        return kernel_positions(g) * row_stride(g->out_c);
    return c->order ? g->out_c * row_stride(c->forward.k) : 0;
}

const void *forward_weight_bytes(const struct convolution *c, const void *w, void *memory)
{
    const struct geometry *g = &c->shape;
    size_t stride = row_stride(kernel_inputs(g));
    if (g->depthwise) {
        kernels()->ints->transpose(w, g->out_c, kernel_positions(g), stride, memory, row_stride(g->out_c));
        return memory;
    }
    if (!c->order)
        return w;
    for (size_t n = 0; n < g->out_c; n++)
        for (size_t k = 0; k < c->forward.k; k++)
            ((uint8_t *)memory)[n * stride + k] = ((const uint8_t *)w)[n * stride + c->order[k]];
    return memory;
}

/* ---- the weight gradient ----------------------------------------------------------------- */

void planes_clear(const struct convolution *c, void *planes) { memset(planes, 0, c->planes.size); }

/* The samples of one row that have residue `phase` on the bordered axis: the first, and how many of them a plane holds. */
struct comb { size_t first, count, col; };
static struct comb comb_of(size_t in, size_t pad, size_t stride, size_t phase, size_t cols)
{
    size_t first = (phase + stride - pad % stride) % stride, col = (first + pad) / stride;
    size_t count = first < in ? (in - first + stride - 1) / stride : 0, room = cols > col ? cols - col : 0;
    return (struct comb){first, count < room ? count : room, col};
}

void planes_fill(const struct convolution *c, const void *sample, void *planes)
{
    const struct geometry *g = &c->shape;
    const struct planes *p = &c->planes;
    size_t plane = p->rows * p->cols, stride = row_stride(g->in_c);
    if (g->stride == 1 && g->pad_w == 0 && p->cols == g->in_w && g->pad_h == 0 && p->rows == g->in_h) {
        kernels()->ints->transpose(sample, plane, g->in_c, stride, planes, plane);
        return;
    }
    for (size_t phase = 0; phase < p->phases_y * p->phases_x; phase++) {
        struct comb y = comb_of(g->in_h, g->pad_h, g->stride, phase / p->phases_x, p->rows);
        struct comb x = comb_of(g->in_w, g->pad_w, g->stride, phase % p->phases_x, p->cols);
        uint8_t *to = (uint8_t *)planes + phase * g->in_c * plane + y.col * p->cols + x.col;
        for (size_t i = 0; i < y.count; i++) {
            size_t position = (y.first + i * g->stride) * g->in_w + x.first;
            kernels()->ints->transpose((const uint8_t *)sample + position * stride, x.count, g->in_c, g->stride * stride,
                                       to + i * p->cols, plane);
        }
    }
}

size_t padded_gradient_size(const struct convolution *c)
{
    return c->shape.out_w % 4 == 0 ? 0 : c->planes.k * row_stride(c->shape.out_c);
}

const int8_t *padded_gradient(const struct convolution *c, const int8_t *g, int8_t *memory)
{
    if (padded_gradient_size(c) == 0)
        return g;
    size_t stride = row_stride(c->shape.out_c), row = c->shape.out_w * stride, padded = c->planes.row_positions * stride;
    for (size_t y = 0; y < c->shape.out_h; y++) {
        memcpy(memory + y * padded, g + y * row, row);
        memset(memory + y * padded + row, 0, padded - row);
    }
    return memory;
}

void unfold_shorts(const struct convolution *c, const void *planes, bool is_unsigned, size_t first, size_t count,
                   int16_t *out, size_t out_stride)
{
    for (size_t i = 0; i < count; i++)
        kernels()->widen((const uint8_t *)planes + c->planes.row[first + i], is_unsigned, c->shape.out_h, c->shape.out_w,
                         c->planes.cols, out + i * out_stride, c->shape.out_w);
}

void unfold_floats(const struct convolution *c, const void *planes, bool is_unsigned, size_t first, size_t count,
                   float *out, size_t out_stride)
{
    for (size_t i = 0; i < count; i++)
        for (size_t y = 0; y < c->shape.out_h; y++)
            kernels()->dequantise((const uint8_t *)planes + c->planes.row[first + i] + y * c->planes.cols, is_unsigned,
                                  c->shape.out_w, 1, out + i * out_stride + y * c->shape.out_w);
}
