/* SPDX-License-Identifier: GPL-3.0-or-later
 * Float products of convolutions as kernels.h defines them, without vectors: what the others must equal bit for bit. */
#include "isa.h"
#include <math.h>

enum { COLUMNS = 16 }; /* summed side by side, so that a row of b is read along */

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static void put(float *out, float v, bool add) { *out = add ? *out + v : v; }

static void multiply(const struct float_product *p)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j += COLUMNS) {
            size_t columns = smaller(COLUMNS, p->n - j);
            float sum[COLUMNS] = {0};
            for (size_t k = 0; k < p->k; k++) {
                float a = p->a.data[(ptrdiff_t)p->a.row[i] + p->a.col[k]];
                for (size_t c = 0; c < columns; c++)
                    sum[c] = fmaf(a, p->b[k * p->ldb + j + c], sum[c]);
            }
            for (size_t c = 0; c < columns; c++)
                put(&p->out[i * p->ld + j + c], sum[c] + (p->bias ? p->bias[j + c] : 0), p->add);
        }
}

static void depthwise(const struct float_depthwise *p)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t c = 0; c < p->channels; c++) {
            float sum = 0;
            for (size_t t = 0; t < p->taps; t++)
                sum = fmaf(p->x.data[(ptrdiff_t)p->x.row[i] + p->x.col[t] + (ptrdiff_t)c], p->w[t * p->ldw + c], sum);
            put(&p->out[i * p->ld + c], sum, p->add);
        }
}

static void depthwise_gradient(const struct float_depthwise_gradient *p)
{
    for (size_t t = 0; t < p->taps; t++)
        for (size_t c = 0; c < p->channels; c++) {
            float sum = 0;
            for (size_t i = 0; i < p->m; i++)
                sum = fmaf(p->x.data[(ptrdiff_t)p->x.row[i] + p->x.col[t] + (ptrdiff_t)c], p->g[i * p->ldg + c], sum);
            put(&p->out[t * p->ld + c], sum, p->add);
        }
}

static void transpose(const float *x, size_t rows, size_t cols, size_t stride, float *out, size_t out_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[j * out_stride + i] = x[i * stride + j];
}

const struct float_kernels float_scalar = {
    .multiply = multiply,
    .depthwise = depthwise,
    .depthwise_gradient = depthwise_gradient,
    .transpose = transpose,
};
