/* SPDX-License-Identifier: GPL-3.0-or-later
 * Batch normalisation (Ioffe and Szegedy, 2015) over samples and positions, with the activation and the sum of a residual
 * block in the same sweep: y = act(scale (x - mean) / sqrt(variance + EPSILON) + shift + other). Running statistics as
 * PyTorch's: momentum 0.1, the unbiased variance. */
#include "nodes.h"
#include "../kernels/kernels.h"
#include "../parallel.h"
#include <math.h>
#include <string.h>

#define EPSILON 1e-5
#define MOMENTUM 0.1
#define BLOCK 512 /* rows in one chain of float additions */

static void declare(struct net *net, struct node *node)
{
    add_parameter(net, node, "scale", 1, node->out.c, true, false);
    add_parameter(net, node, "shift", 1, node->out.c, true, false);
    add_parameter(net, node, "mean", 1, node->out.c, false, false);
    add_parameter(net, node, "variance", 1, node->out.c, false, false);
}

static float *parameter(const struct net *net, const struct node *node, int which)
{
    return net->parameters[node->parameter + (size_t)which].value;
}

struct work { const struct net *net; const struct node *node; const float *x, *other; float *out; };

static size_t first_row(const struct work *w, size_t sample) { return sample * positions(w->node->out); }

static uint16_t *mask_at(const struct node *node, size_t at)
{
    return node->mask ? (uint16_t *)node->mask->memory + at / 16 : NULL;
}

/* Of a chunk: its first value, and its rows. */
struct part_of_batch { size_t at, rows; };
static struct part_of_batch part_of(const struct work *w, size_t chunk)
{
    struct span span = chunk_span(chunk, w->net->samples);
    size_t first = first_row(w, span.first);
    return (struct part_of_batch){first * row_stride(w->node->out.c), first_row(w, span.end) - first};
}

/* ---- sums over the batch ---- */

/* Two sums a channel over rows first .. end - 1, of the values (shifted by MEAN) and their squares, or of the gradient
 * and its product with them. */
static void sum_block(const struct work *w, bool backward, size_t first, size_t end, float *sums)
{
    size_t stride = row_stride(w->node->out.c), at = first * stride;
    const float *mean = coefficient(w->node, MEAN);
    if (backward)
        kernels()->norms->gradient_sums(w->out + at, mask_at(w->node, at), w->x + at, end - first, stride, mean, sums,
                                        sums + stride);
    else
        kernels()->norms->sums(w->x + at, end - first, stride, mean, sums, sums + stride);
}

static void sum_chunk(const struct work *w, size_t chunk, bool backward)
{
    struct span span = chunk_span(chunk, w->net->samples);
    size_t stride = row_stride(w->node->out.c), end = first_row(w, span.end);
    double *total = w->net->chunk_sums + chunk * 2 * stride;
    float *sums = w->net->block_sums + chunk * 2 * stride;
    memset(total, 0, 2 * stride * sizeof *total);
    for (size_t row = first_row(w, span.first); row < end; row += BLOCK) {
        memset(sums, 0, 2 * stride * sizeof *sums);
        sum_block(w, backward, row, end - row < BLOCK ? end : row + BLOCK, sums);
        for (size_t c = 0; c < 2 * stride; c++)
            total[c] += (double)sums[c];
    }
}

static void sum_values(void *context, size_t chunk, size_t thread)
{
    (void)thread;
    sum_chunk(context, chunk, false);
}

static void sum_gradients(void *context, size_t chunk, size_t thread)
{
    (void)thread;
    sum_chunk(context, chunk, true);
}

/* The chunks' sums become the first chunk's. */
static const double *total_sums(const struct net *net, const struct node *node)
{
    size_t count = 2 * row_stride(node->out.c);
    for (size_t i = count; i < CHUNKS * count; i++)
        net->chunk_sums[i % count] += net->chunk_sums[i];
    return net->chunk_sums;
}

/* ---- forward ---- */

static double batch_count(const struct net *net, const struct node *node)
{
    return (double)(net->samples * positions(node->out));
}

static void update_running(const struct net *net, const struct node *node, size_t channel, double mean, double variance)
{
    float *running_mean = parameter(net, node, NORM_MEAN), *running_variance = parameter(net, node, NORM_VARIANCE);
    double n = batch_count(net, node), unbiased = n > 1 ? variance * n / (n - 1) : variance;
    running_mean[channel] = (float)((1 - MOMENTUM) * running_mean[channel] + MOMENTUM * mean);
    running_variance[channel] = (float)((1 - MOMENTUM) * running_variance[channel] + MOMENTUM * unbiased);
}

/* v = x * SCALE + OFFSET normalises with these statistics. */
static void fold(const struct net *net, const struct node *node, size_t channel, double mean, double variance)
{
    double inverse = 1 / sqrt(variance + EPSILON), scale = parameter(net, node, NORM_SCALE)[channel] * inverse;
    coefficient(node, MEAN)[channel] = (float)mean;
    coefficient(node, INVERSE)[channel] = (float)inverse;
    coefficient(node, SCALE)[channel] = (float)scale;
    coefficient(node, OFFSET)[channel] = (float)(parameter(net, node, NORM_SHIFT)[channel] - mean * scale);
}

/* Values are shifted by the batch's first position, so that the variance of values far from 0 does not cancel. */
static void measure(const struct net *net, const struct node *node, struct work *work)
{
    size_t stride = row_stride(node->out.c);
    double n = batch_count(net, node);
    memcpy(coefficient(node, MEAN), work->x, stride * sizeof(float));
    parallel_chunks(sum_values, work);
    const double *sum = total_sums(net, node), *square = sum + stride;
    for (size_t c = 0; c < node->out.c; c++) {
        double offset = sum[c] / n, mean = coefficient(node, MEAN)[c] + offset;
        double variance = fmax(square[c] / n - offset * offset, 0);
        if (isnan(square[c]))
            variance = NAN; /* divergence must show */
        fold(net, node, c, mean, variance);
        if (net->pass == PASS_TRAIN)
            update_running(net, node, c, mean, variance);
    }
}

static void apply_chunk(void *context, size_t chunk, size_t thread)
{
    (void)thread;
    const struct work *w = context;
    struct part_of_batch p = part_of(w, chunk);
    kernels()->norms->apply(w->x + p.at, p.rows, row_stride(w->node->out.c), coefficient(w->node, SCALE),
                            coefficient(w->node, OFFSET), w->other ? w->other + p.at : NULL, w->node->spec.activation,
                            w->out + p.at, w->net->pass == PASS_EVALUATE ? NULL : mask_at(w->node, p.at));
}

static void normalise(struct net *net, struct node *node, bool statistics)
{
    const struct node *add = node->spec.add == NODE_NONE ? NULL : &net->nodes[node->spec.add];
    struct work work = {.net = net, .node = node, .x = net->nodes[node->spec.input].y->memory,
                        .other = add ? add->y->memory : NULL, .out = node->y->memory};
    if (statistics)
        measure(net, node, &work);
    parallel_chunks(apply_chunk, &work);
}

static void forward(struct net *net, struct node *node)
{
    bool evaluating = net->pass == PASS_EVALUATE;
    for (size_t c = 0; evaluating && c < node->out.c; c++)
        fold(net, node, c, parameter(net, node, NORM_MEAN)[c], parameter(net, node, NORM_VARIANCE)[c]);
    normalise(net, node, !evaluating);
}

/* ---- backward ---- */

struct back { struct work work; float *dx; };

static void gradient_chunk(void *context, size_t chunk, size_t thread)
{
    (void)thread;
    const struct back *b = context;
    const struct work *w = &b->work;
    struct part_of_batch p = part_of(w, chunk);
    kernels()->norms->gradient_apply(w->out + p.at, w->x + p.at, p.rows, row_stride(w->node->out.c),
                                     coefficient(w->node, MEAN), coefficient(w->node, FROM_G),
                                     coefficient(w->node, FROM_X), coefficient(w->node, CONSTANT), b->dx + p.at);
}

/* With x^ = (x - mean) INVERSE: dx = scale INVERSE (g - mean of g - x^ mean of g x^). */
static void gradient_coefficients(const struct net *net, const struct node *node)
{
    const double *sum = total_sums(net, node), *with_x = sum + row_stride(node->out.c);
    const float *scale = parameter(net, node, NORM_SCALE);
    const struct parameter *first = &net->parameters[node->parameter];
    double n = batch_count(net, node);
    for (size_t c = 0; c < node->out.c; c++) {
        double inverse = coefficient(node, INVERSE)[c], from_g = scale[c] * inverse;
        first[NORM_SCALE].gradient[c] = (float)(with_x[c] * inverse);
        first[NORM_SHIFT].gradient[c] = (float)sum[c];
        coefficient(node, FROM_G)[c] = (float)from_g;
        coefficient(node, FROM_X)[c] = (float)(-from_g * inverse * inverse * with_x[c] / n);
        coefficient(node, CONSTANT)[c] = (float)(-from_g * sum[c] / n);
    }
}

static void backward(struct net *net, struct node *node)
{
    struct node *in = &net->nodes[node->spec.input];
    float *g = node->dy->memory;
    struct back back = {.work = {.net = net, .node = node, .x = in->y->memory, .out = g}};
    parallel_chunks(sum_gradients, &back.work);
    gradient_coefficients(net, node);
    if (node->spec.add != NODE_NONE && gradient_wanted(net, &net->nodes[node->spec.add]))
        give_gradient(net, &net->nodes[node->spec.add], g);
    if (!gradient_wanted(net, in))
        return;
    back.dx = node->own ? node->own->memory : in->dy->memory;
    parallel_chunks(gradient_chunk, &back);
    give_gradient(net, in, back.dx);
}

static bool reads_input(const struct net *net, const struct node *node)
{
    (void)net, (void)node;
    return true;
}

const struct node_ops node_norm = {
    .declare = declare, .reads_input = reads_input, .hands_on = true, .kept_bits = 32,
    .forward = forward, .backward = backward,
};
