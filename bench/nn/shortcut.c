/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shortcut A of He et al. (CVPR 2016): every stride-th position of each axis; the new channels are zero, half of them before
 * the old ones and half after. */
#include "nodes.h"
#include <string.h>

static size_t first_channel(const struct node *node) { return (node->out.c - node->in.c) / 2; }

static size_t input_position(const struct geometry *g, size_t output)
{
    return output / g->out_w * g->stride * g->in_w + output % g->out_w * g->stride;
}

static void take(const struct net *net, const struct node *node, size_t sample)
{
    size_t from = row_stride(node->in.c), to = row_stride(node->out.c);
    const float *x = (const float *)net->nodes[node->spec.input].y->memory + sample * sample_size(node->in);
    float *y = (float *)node->y->memory + sample * sample_size(node->out);
    memset(y, 0, sample_size(node->out) * sizeof *y);
    for (size_t o = 0; o < positions(node->out); o++)
        memcpy(y + o * to + first_channel(node), x + input_position(&node->window, o) * from, node->in.c * sizeof *y);
}

static void give(const struct net *net, const struct node *node, size_t sample)
{
    size_t to = row_stride(node->in.c), from = row_stride(node->out.c);
    float *dx = sample_gradient(net, node, sample);
    const float *dy = (const float *)node->dy->memory + sample * sample_size(node->out);
    for (size_t o = 0; o < positions(node->out); o++)
        for (size_t c = 0; c < node->in.c; c++)
            dx[input_position(&node->window, o) * to + c] += dy[o * from + first_channel(node) + c];
}

static void forward(struct net *net, struct node *node) { for_samples(net, node, take); }
static void backward(struct net *net, struct node *node) { spread_gradient(net, node, give); }

const struct node_ops node_shortcut = {.forward = forward, .backward = backward};
