/* SPDX-License-Identifier: GPL-3.0-or-later
 * A classifier that reads more than its own network: the features from outside (net->outside), then the network's own,
 * as one position. Nothing is learned outside, so only the network's own features are given a gradient. */
#include "nodes.h"
#include <string.h>

static void join(const struct net *net, const struct node *node, size_t sample)
{
    size_t outside = net->outside_width;
    float *row = (float *)node->y->memory + sample * sample_size(node->out);
    memcpy(row, net->outside + sample * row_stride(outside), outside * sizeof *row);
    const float *own = (const float *)net->nodes[node->spec.input].y->memory + sample * sample_size(node->in);
    flatten_sample(node->in, own, row + outside);
    clear_padding(row, 1, node->out.c);
}

static void give(const struct net *net, const struct node *node, size_t sample)
{
    const float *dy = (const float *)node->dy->memory + sample * sample_size(node->out);
    add_flat_sample(node->in, dy + net->outside_width, sample_gradient(net, node, sample));
}

static void forward(struct net *net, struct node *node) { for_samples(net, node, join); }
static void backward(struct net *net, struct node *node) { spread_gradient(net, node, give); }

const struct node_ops node_join = {.forward = forward, .backward = backward};
