/* SPDX-License-Identifier: GPL-3.0-or-later
 * Largest and mean value of each channel in a window. Positions outside the input are in no window. */
#include "nodes.h"
#include <string.h>

/* Input positions y0 .. y1 - 1, x0 .. x1 - 1 that output position (y, x) sees. */
struct view { size_t y0, y1, x0, x1; };

static void clip(size_t at, size_t kernel, size_t pad, size_t size, size_t *first, size_t *end)
{
    *first = at > pad ? at - pad : 0;
    *end = at + kernel > pad + size ? size : at + kernel - pad;
}

static struct view view_of(const struct geometry *g, size_t output)
{
    struct view v;
    clip(output / g->out_w * g->stride, g->kernel_h, g->pad_h, g->in_h, &v.y0, &v.y1);
    clip(output % g->out_w * g->stride, g->kernel_w, g->pad_w, g->in_w, &v.x0, &v.x1);
    return v;
}

static const float *input_of(const struct net *net, const struct node *node, size_t sample)
{
    return (const float *)net->nodes[node->spec.input].y->memory + sample * sample_size(node->in);
}

/* ---- maximum ---- */

static void take_larger(const float *x, size_t channels, uint8_t place, float *y, uint8_t *picks)
{
    for (size_t c = 0; c < channels; c++) {
        bool larger = !(x[c] <= y[c]); /* NaN is taken: divergence must show */
        y[c] = larger ? x[c] : y[c];
        picks[c] = larger ? place : picks[c];
    }
}

static void max_sample(const struct net *net, const struct node *node, size_t sample)
{
    const struct geometry *g = &node->window;
    const float *x = input_of(net, node, sample);
    size_t stride = row_stride(node->out.c), at = sample * sample_size(node->out);
    for (size_t o = 0; o < out_positions(g); o++, at += stride) {
        struct view v = view_of(g, o);
        float *y = (float *)node->y->memory + at;
        uint8_t *picks = (uint8_t *)node->picks->memory + at, place = 0;
        memcpy(y, x + (v.y0 * g->in_w + v.x0) * stride, stride * sizeof *y);
        memset(picks, 0, stride);
        for (size_t i = v.y0; i < v.y1; i++)
            for (size_t j = v.x0; j < v.x1; j++, place++)
                if (place > 0)
                    take_larger(x + (i * g->in_w + j) * stride, stride, place, y, picks);
    }
}

static void max_gradient(const struct net *net, const struct node *node, size_t sample)
{
    const struct geometry *g = &node->window;
    size_t channels = node->out.c, stride = row_stride(channels), at = sample * sample_size(node->out);
    float *dx = sample_gradient(net, node, sample);
    for (size_t o = 0; o < out_positions(g); o++, at += stride) {
        struct view v = view_of(g, o);
        const float *dy = (const float *)node->dy->memory + at;
        const uint8_t *picks = (const uint8_t *)node->picks->memory + at;
        size_t width = v.x1 - v.x0;
        for (size_t c = 0; c < channels; c++)
            dx[((v.y0 + picks[c] / width) * g->in_w + v.x0 + picks[c] % width) * stride + c] += dy[c];
    }
}

static void max_forward(struct net *net, struct node *node) { for_samples(net, node, max_sample); }
static void max_backward(struct net *net, struct node *node) { spread_gradient(net, node, max_gradient); }

/* ---- mean ---- */

static void mean_sample(const struct net *net, const struct node *node, size_t sample)
{
    const struct geometry *g = &node->window;
    const float *x = input_of(net, node, sample);
    size_t stride = row_stride(node->out.c);
    float *y = (float *)node->y->memory + sample * sample_size(node->out);
    for (size_t o = 0; o < out_positions(g); o++, y += stride) {
        struct view v = view_of(g, o);
        float share = 1 / (float)((v.y1 - v.y0) * (v.x1 - v.x0));
        memset(y, 0, stride * sizeof *y);
        for (size_t i = v.y0; i < v.y1; i++)
            for (size_t j = v.x0; j < v.x1; j++)
                for (size_t c = 0; c < stride; c++)
                    y[c] += x[(i * g->in_w + j) * stride + c];
        for (size_t c = 0; c < stride; c++)
            y[c] *= share;
    }
}

static void mean_gradient(const struct net *net, const struct node *node, size_t sample)
{
    const struct geometry *g = &node->window;
    size_t stride = row_stride(node->out.c);
    float *dx = sample_gradient(net, node, sample);
    const float *dy = (const float *)node->dy->memory + sample * sample_size(node->out);
    for (size_t o = 0; o < out_positions(g); o++, dy += stride) {
        struct view v = view_of(g, o);
        float share = 1 / (float)((v.y1 - v.y0) * (v.x1 - v.x0));
        for (size_t i = v.y0; i < v.y1; i++)
            for (size_t j = v.x0; j < v.x1; j++)
                for (size_t c = 0; c < stride; c++)
                    dx[(i * g->in_w + j) * stride + c] += dy[c] * share;
    }
}

static void mean_forward(struct net *net, struct node *node) { for_samples(net, node, mean_sample); }
static void mean_backward(struct net *net, struct node *node) { spread_gradient(net, node, mean_gradient); }

const struct node_ops node_max_pool = {.kept_bits = 8, .forward = max_forward, .backward = max_backward};
const struct node_ops node_mean_pool = {.forward = mean_forward, .backward = mean_backward};
