/* SPDX-License-Identifier: GPL-3.0-or-later
 * One training step of a network, node by node, and the widths in force. */
#include "nodes.h"
#include "../kernels/kernels.h"
#include <math.h>
#include <string.h>

const float *net_forward(struct net *net, size_t samples, long step, enum pass pass)
{
    net->samples = samples;
    net->step = step;
    net->pass = pass;
    for (size_t i = 0; i < net->node_count; i++)
        net->nodes[i].ops->forward(net, &net->nodes[i]);
    return net->logits;
}

void net_backward(struct net *net, size_t samples, double *sum_squares)
{
    struct node *nodes = net->nodes, *input = &nodes[NODE_INPUT];
    net->samples = samples;
    net->sum_squares = sum_squares;
    net->wants_input_gradient = sum_squares || (net->quantiser && net->quantiser->learns);
    for (int i = NODE_INPUT; i < (int)net->node_count; i++)
        nodes[i].has_gradient = false;
    nodes[net->node_count - 1].has_gradient = true;
    if (auxiliary_node(net))
        auxiliary_node(net)->has_gradient = true;
    for (size_t i = net->node_count; i-- > 0;)
        nodes[i].ops->backward(net, &nodes[i]);
    net->input_gradient = net->wants_input_gradient ? input->dy->memory : NULL;
}

double net_pass(struct net *net, size_t samples, const int32_t *labels, long step, enum pass pass, double *sum_squares,
                size_t *correct)
{
    const float *logits = net_forward(net, samples, step, pass);
    size_t stride = row_stride(net->classes);
    clear_padding(net->logits_gradient, samples, net->classes);
    double loss = softmax_cross_entropy(logits, samples, net->classes, stride, labels, net->logits_gradient, correct);
    if (net->auxiliary_gradient)
        memset(net->auxiliary_gradient, 0, samples * row_stride(net->auxiliary_classes) * sizeof(float));
    net_backward(net, samples, sum_squares);
    return loss;
}

int net_stored_bits(const struct net *net)
{
    bool given = setting_has(net->settings, "weight_store_bits");
    return given ? (int)setting_int(net->settings, "weight_store_bits") : 32;
}

/* Up to 31 bits, so not as 8-bit codes. */
static void restore_stored_width(struct layer *layer, int bits)
{
    size_t count = layer->n * row_stride(layer->k);
    bool negative;
    float largest = kernels()->max_abs(layer->w, count, &negative), top = (float)code_limit(bits, true);
    float scale = largest > 0 ? largest / top : 1;
    for (size_t i = 0; i < count; i++)
        layer->w[i] = rintf(layer->w[i] / scale) * scale;
}

void net_store_weights(struct net *net)
{
    int stored = net_stored_bits(net);
    for (size_t i = 0; stored < 32 && i < net->count; i++)
        restore_stored_width(&net->layers[i], stored);
    net_weights_changed(net);
}

void net_update(struct net *net, double lr)
{
    float momentum = (float)setting_real(net->settings, "momentum");
    float decay = (float)setting_real(net->settings, "weight_decay");
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        if (p->gradient)
            kernels()->norms->descend(p->value, p->velocity, p->gradient, p->rows * p->stride, (float)lr, momentum,
                                      p->decays ? decay : 0);
    }
    net_store_weights(net);
    if (net->quantiser && net->quantiser->update)
        for (size_t i = 0; i < 2 * net->count; i++)
            net->quantiser->update(&net->ranges[i], lr, momentum);
}

void net_weights_changed(struct net *net)
{
    for (size_t i = 0; i < net->count; i++)
        net->layers[i].product.weights_ready = false;
}

void net_set_bits(struct net *net, const float *bits)
{
    for (size_t i = 0; i < net->tensor_count; i++) {
        float before = net->ranges[i].bits;
        if (before == bits[i])
            continue;
        net->ranges[i].bits = bits[i];
        if (net->ranges[i].learned && net->quantiser->resize)
            net->quantiser->resize(&net->ranges[i], before);
        if (i < 2 * net->count)
            net->layers[i / 2].product.weights_ready = false;
    }
}

void net_get_bits(const struct net *net, float *bits)
{
    for (size_t i = 0; i < net->tensor_count; i++)
        bits[i] = net->ranges[i].bits;
}
