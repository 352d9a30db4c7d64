/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mode fp: products in float32. With an allocator the forward operands are quantised to their widths and dequantised
 * (quantisation-aware training); the backward products use the same values. METHODS 2. */
#include "operands.h"
#include <cblas.h>
#include <string.h>

struct state {
    struct codes x_codes, w_codes;
    float *x, *w;   /* dequantised: m_max × stride(k), n × stride(k) */
};

static void *prepare(const struct settings *settings, const struct product *p, struct arena *arena)
{
    (void)settings;
    struct state *state = arena_alloc(arena, sizeof *state);
    if (!p->quantiser)
        return state;
    size_t stride = row_stride(p->k);
    state->x_codes = (struct codes){.data = arena_alloc(arena, p->m_max * stride), .stride = stride};
    state->w_codes = (struct codes){.data = arena_alloc(arena, p->n * stride), .stride = stride};
    state->x = arena_alloc(arena, p->m_max * stride * sizeof(float));
    state->w = arena_alloc(arena, p->n * stride * sizeof(float));
    return state;
}

static void dequantise(const struct codes *codes, size_t rows, float *x)
{
    kernels()->dequantise(codes->data, !codes->is_signed, rows * codes->stride, codes->scale, x);
}

static void forward(struct product *p)
{
    struct state *state = p->state;
    int n = (int)p->n, k = (int)p->k, m = (int)p->m;
    int stride_k = (int)row_stride(p->k), stride_n = (int)row_stride(p->n);
    const float *x = p->x, *w = p->w;
    if (p->quantiser) {
        fit_ranges(p);
        quantise_forward(p, &state->x_codes, &state->w_codes);
        dequantise(&state->x_codes, p->m, state->x);
        if (!p->weights_ready)
            dequantise(&state->w_codes, p->n, state->w);
        x = state->x;
        w = state->w;
    }
    for (int i = 0; p->bias && i < m; i++)
        memcpy(p->y + i * stride_n, p->bias, p->n * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, x, stride_k, w, stride_k,
                p->bias ? 1 : 0, p->y, stride_n);
}

static void backward(struct product *p)
{
    struct state *state = p->state;
    int n = (int)p->n, k = (int)p->k, m = (int)p->m;
    int stride_k = (int)row_stride(p->k), stride_n = (int)row_stride(p->n);
    const float *x = p->quantiser ? state->x : p->x, *w = p->quantiser ? state->w : p->w;
    if (p->dx)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 1, p->g, stride_n, w, stride_k,
                    0, p->dx, stride_k);
    if (p->dw)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1, p->g, stride_n, x, stride_k,
                    0, p->dw, stride_k);
}

static double backward_bops(const struct settings *settings, size_t m, size_t n, size_t k, double w, double a)
{
    (void)settings, (void)m, (void)w, (void)a;
    return 2.0 * (double)n * (double)k * 32 * 32; /* float32 operands */
}

const struct mode_ops mode_fp = {
    .plug = {.name = "fp", .version = 1,
             .help = "Products in float32; with an allocator the forward operands are quantised (quantisation-aware training)."},
    .integer = false,
    .prepare = prepare, .forward = forward, .backward = backward, .backward_bops = backward_bops,
};
