/* SPDX-License-Identifier: GPL-3.0-or-later
 * Nodes that are quantised layers: the mode computes their products; activation, bias gradient and the quantisers' masks are
 * here. */
#include "nodes.h"
#include "../clock.h"
#include "../kernels/kernels.h"
#include <math.h>
#include <string.h>

static void declare(struct net *net, struct node *node)
{
    const struct geometry *g = &node->window;
    add_parameter(net, node, "weight", g->out_c, kernel_inputs(g), true, true);
    if (node->spec.bias)
        add_parameter(net, node, "bias", 1, g->out_c, true, false);
}

static bool reads_input(const struct net *net, const struct node *node)
{
    (void)node;
    const struct quantiser_ops *quantiser = net->quantiser;
    if (net_has_gradients(net)) /* the sensitivity to the gradient's width wants its squares */
        return true;
    bool masks = quantiser && (!quantiser->needs_values || quantiser->needs_values(net->settings));
    return masks || !net->mode->keeps_input;
}

/* ---- samples as single rows ---- */

static void flatten(const struct net *net, const struct node *node, size_t sample)
{
    const struct node *in = &net->nodes[node->spec.input];
    const float *x = (const float *)in->y->memory + sample * sample_size(node->in);
    float *row = (float *)node->flat->memory + sample * row_stride(node->window.in_c);
    flatten_sample(node->in, x, row);
    clear_padding(row, 1, node->window.in_c);
}

static void unflatten(const struct net *net, const struct node *node, size_t sample)
{
    const float *row = (const float *)node->own->memory + sample * row_stride(node->window.in_c);
    add_flat_sample(node->in, row, sample_gradient(net, node, sample));
}

/* ---- forward ---- */

static void activate(const struct net *net, const struct node *node, size_t sample)
{
    size_t size = sample_size(node->out);
    uint16_t *mask = net->pass == PASS_EVALUATE ? NULL : (uint16_t *)node->mask->memory + sample * size / 16;
    kernels()->norms->activate((float *)node->y->memory + sample * size, size, node->spec.activation, mask);
}

static void forward(struct net *net, struct node *node)
{
    struct product *p = &net->layers[node->layer].product;
    if (node->flat)
        for_samples(net, node, flatten);
    p->x = node->flat ? node->flat->memory : net->nodes[node->spec.input].y->memory;
    p->y = node->y->memory;
    p->samples = net->samples;
    p->m = net->samples * positions(node->out);
    p->step = (uint64_t)net->step;
    p->evaluating = net->pass == PASS_EVALUATE;
    p->observing = net->pass == PASS_TRAIN;
    clear_padding(p->y, p->m, p->n);
    net->mode->forward(p);
    p->weights_ready = true;
    if (node->spec.activation != ACTIVATION_NONE)
        for_samples(net, node, activate);
}

/* ---- backward ---- */

static void mask(const struct net *net, const struct node *node, size_t sample)
{
    (void)net;
    size_t size = sample_size(node->out);
    kernels()->norms->mask((float *)node->dy->memory + sample * size,
                           (const uint16_t *)node->mask->memory + sample * size / 16, size);
}

/* The columns' sums of g, a float chain for each run of rows: for a dense layer over the whole batch. */
static void bias_gradient(const struct net *net, const struct layer *layer, const struct node *node)
{
    size_t run = positions(node->out), stride = row_stride(layer->n), rows = net->samples * run;
    const float *g = node->dy->memory;
    if (run == 1)
        run = rows;
    float *sum = net->block_sums, *square = sum + stride, *none = square + stride;
    double *total = net->chunk_sums;
    memset(total, 0, stride * sizeof *total);
    memset(none, 0, stride * sizeof *none);
    for (size_t row = 0; row < rows; row += run) {
        memset(sum, 0, 2 * stride * sizeof *sum);
        kernels()->norms->sums(g + row * stride, run, stride, none, sum, square);
        for (size_t j = 0; j < stride; j++)
            total[j] += (double)sum[j];
    }
    for (size_t j = 0; j < stride; j++)
        layer->dbias[j] = (float)total[j];
}

static float *input_gradient(struct product *p, const struct net *net, const struct node *node)
{
    size_t channels = node->flat ? node->window.in_c : node->in.c;
    float *dx = node->own ? node->own->memory : net->nodes[node->spec.input].dy->memory;
    clear_padding(dx, net->samples * (node->flat ? 1 : positions(node->in)), channels);
    return p->dx = dx;
}

/* The network's input gradient serves only those who estimate or learn something about the input. */
static void first_input_gradient(struct net *net, const struct node *node, struct product *p)
{
    double start = now_seconds();
    p->dw = NULL;
    input_gradient(p, net, node);
    net->mode->backward(p);
    if (!net->quantiser || !net->quantiser->learns)
        net->observing_seconds += now_seconds() - start;
}

/* How many windows see each position of the input: each element of X counts as often in the unfolded X. */
static size_t windows_at(size_t at, size_t kernel, size_t stride, size_t pad, size_t outputs)
{
    size_t count = 0;
    for (size_t k = 0; k < kernel; k++)
        count += at + pad >= k && (at + pad - k) % stride == 0 && (at + pad - k) / stride < outputs;
    return count;
}

static double unfolded_squares(const struct net *net, const struct node *node, const struct product *p)
{
    const struct geometry *g = p->shape;
    size_t stride = row_stride(g->in_c);
    double sum = 0;
    if (p->dense)
        return kernels()->norms->sum_of_squares(p->x, net->samples * row_stride(p->k));
    for (size_t sample = 0; sample < net->samples; sample++)
        for (size_t y = 0; y < g->in_h; y++)
            for (size_t x = 0; x < g->in_w; x++) {
                size_t seen = windows_at(y, g->kernel_h, g->stride, g->pad_h, g->out_h)
                              * windows_at(x, g->kernel_w, g->stride, g->pad_w, g->out_w);
                const float *row = p->x + sample * sample_size(node->in) + (y * g->in_w + x) * stride;
                sum += (double)seen * kernels()->norms->sum_of_squares(row, stride);
            }
    return sum;
}

/* The range that G's codes in the weight gradient have; of samples with ranges of their own the mean square's root. */
static double gradient_limit(const struct net *net, const struct product *p)
{
    bool by_sample = !p->dense && !setting_is(net->settings, "grad_scale", "tensor"), negative;
    size_t parts = by_sample ? net->samples : 1, size = p->m * row_stride(p->n) / parts;
    double sum = 0;
    for (size_t i = 0; i < parts; i++) {
        double largest = kernels()->max_abs(p->g + i * size, size, &negative);
        sum += largest * largest;
    }
    return sqrt(sum / (double)parts);
}

static void observe(struct net *net, const struct node *node, const struct layer *layer, size_t inputs)
{
    double start = now_seconds();
    double *squares = &net->sum_squares[2 * node->layer];
    squares[0] = kernels()->norms->sum_of_squares(layer->dw, layer->n * row_stride(layer->k));
    squares[1] = kernels()->norms->sum_of_squares(layer->product.dx, inputs);
    if (net_has_gradients(net)) {
        net->ranges[2 * net->count + (size_t)node->layer].limit = (float)gradient_limit(net, &layer->product);
        net->input_squares[node->layer] = unfolded_squares(net, node, &layer->product);
    }
    net->observing_seconds += now_seconds() - start;
}

static void pass_through_quantisers(const struct net *net, const struct layer *layer, size_t inputs)
{
    const struct product *p = &layer->product;
    if (!net->quantiser)
        return;
    net->quantiser->backward(p->w_range, net->settings, layer->w, layer->dw, layer->n * row_stride(layer->k));
    if (p->dx)
        net->quantiser->backward(p->x_range, net->settings, p->x, p->dx, inputs);
}

static void backward(struct net *net, struct node *node)
{
    struct layer *layer = &net->layers[node->layer];
    struct product *p = &layer->product;
    struct node *in = &net->nodes[node->spec.input];
    bool first = node->spec.input == NODE_INPUT;
    size_t inputs = net->samples * (node->flat ? row_stride(node->window.in_c) : sample_size(node->in));
    if (node->spec.activation != ACTIVATION_NONE)
        for_samples(net, node, mask);
    if (layer->bias)
        bias_gradient(net, layer, node);
    if (!reads_input(net, node))
        p->x = NULL;
    p->g = node->dy->memory;
    p->dw = layer->dw;
    p->dx = NULL;
    if (!first)
        input_gradient(p, net, node);
    net->mode->backward(p);
    if (first && gradient_wanted(net, in))
        first_input_gradient(net, node, p);
    if (net->sum_squares)
        observe(net, node, layer, inputs);
    pass_through_quantisers(net, layer, inputs);
    if (p->dx && node->flat)
        for_samples(net, node, unflatten);
    else if (p->dx)
        give_gradient(net, in, p->dx);
    in->has_gradient = in->has_gradient || p->dx;
}

const struct node_ops node_layer = {
    .declare = declare, .reads_input = reads_input, .forward = forward, .backward = backward,
};
