/* SPDX-License-Identifier: GPL-3.0-or-later
 * Gradients on their way from a node to those it takes, and work on a batch sample by sample. */
#include "nodes.h"
#include "../kernels/kernels.h"
#include "../parallel.h"
#include <string.h>

bool gradient_wanted(const struct net *net, const struct node *node)
{
    return node != &net->nodes[NODE_INPUT] || net->wants_input_gradient;
}

struct samples {
    const struct net *net;
    const struct node *node;
    const float *g;
    void (*work)(const struct net *, const struct node *, size_t sample);
};

static void copy_or_add(void *context, size_t chunk, size_t thread)
{
    (void)thread;
    const struct samples *s = context;
    struct span span = chunk_span(chunk, s->net->samples);
    size_t size = sample_size(s->node->out), first = span.first * size, count = (span.end - span.first) * size;
    float *to = (float *)s->node->dy->memory + first;
    if (s->node->has_gradient)
        kernels()->norms->add(s->g + first, count, to);
    else
        memcpy(to, s->g + first, count * sizeof *to);
}

void give_gradient(struct net *net, struct node *node, const float *g)
{
    if (g != node->dy->memory || node->has_gradient)
        parallel_chunks(copy_or_add, &(struct samples){.net = net, .node = node, .g = g});
    node->has_gradient = true;
}

void flatten_sample(struct shape shape, const float *x, float *row)
{
    for (size_t i = 0; i < positions(shape); i++)
        memcpy(row + i * shape.c, x + i * row_stride(shape.c), shape.c * sizeof *row);
}

void add_flat_sample(struct shape shape, const float *row, float *x)
{
    for (size_t i = 0; i < positions(shape); i++)
        for (size_t j = 0; j < shape.c; j++)
            x[i * row_stride(shape.c) + j] += row[i * shape.c + j];
}

void clear_padding(float *x, size_t rows, size_t cols)
{
    size_t stride = row_stride(cols);
    for (size_t i = 0; stride > cols && i < rows; i++)
        memset(x + i * stride + cols, 0, (stride - cols) * sizeof *x);
}

static void each_sample(void *context, size_t chunk, size_t thread)
{
    (void)thread;
    const struct samples *s = context;
    struct span span = chunk_span(chunk, s->net->samples);
    for (size_t i = span.first; i < span.end; i++)
        s->work(s->net, s->node, i);
}

void for_samples(const struct net *net, const struct node *node,
                 void (*work)(const struct net *, const struct node *, size_t sample))
{
    parallel_chunks(each_sample, &(struct samples){.net = net, .node = node, .work = work});
}

float *sample_gradient(const struct net *net, const struct node *node, size_t sample)
{
    const struct node *in = &net->nodes[node->spec.input];
    size_t size = sample_size(node->in);
    float *dx = (float *)in->dy->memory + sample * size;
    if (!in->has_gradient)
        memset(dx, 0, size * sizeof *dx);
    return dx;
}

void spread_gradient(struct net *net, struct node *node,
                     void (*work)(const struct net *, const struct node *, size_t sample))
{
    struct node *in = &net->nodes[node->spec.input];
    if (!gradient_wanted(net, in))
        return;
    for_samples(net, node, work);
    in->has_gradient = true;
}
