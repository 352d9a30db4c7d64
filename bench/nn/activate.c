/* SPDX-License-Identifier: GPL-3.0-or-later
 * Activation of a node's values, or of the sum of two nodes'. */
#include "nodes.h"
#include "../kernels/kernels.h"

/* y = x + other: the same kernel as a normalisation's, which scales. */
static void declare(struct net *net, struct node *node)
{
    (void)net;
    for (size_t c = 0; c < node->out.c; c++)
        coefficient(node, SCALE)[c] = 1;
}

static void activate(const struct net *net, const struct node *node, size_t sample)
{
    size_t rows = positions(node->out), stride = row_stride(node->out.c), at = sample * rows * stride;
    const float *x = net->nodes[node->spec.input].y->memory;
    const float *other = node->spec.add == NODE_NONE ? NULL : net->nodes[node->spec.add].y->memory;
    uint16_t *mask = !node->mask || net->pass == PASS_EVALUATE ? NULL : (uint16_t *)node->mask->memory + at / 16;
    kernels()->norms->apply(x + at, rows, stride, coefficient(node, SCALE), coefficient(node, OFFSET),
                            other ? other + at : NULL, node->spec.activation, (float *)node->y->memory + at, mask);
}

static void forward(struct net *net, struct node *node)
{
    for_samples(net, node, activate);
}

static void mask(const struct net *net, const struct node *node, size_t sample)
{
    (void)net;
    size_t size = sample_size(node->out), at = sample * size;
    kernels()->norms->mask((float *)node->dy->memory + at, (const uint16_t *)node->mask->memory + at / 16, size);
}

static void backward(struct net *net, struct node *node)
{
    struct node *in = &net->nodes[node->spec.input];
    if (node->mask)
        for_samples(net, node, mask);
    if (node->spec.add != NODE_NONE && gradient_wanted(net, &net->nodes[node->spec.add]))
        give_gradient(net, &net->nodes[node->spec.add], node->dy->memory);
    if (gradient_wanted(net, in))
        give_gradient(net, in, node->dy->memory);
}

const struct node_ops node_activate = {.declare = declare, .hands_on = true, .forward = forward, .backward = backward};
