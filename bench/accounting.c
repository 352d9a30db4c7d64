/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "accounting.h"
#include "nn/nodes.h"
#include <stdlib.h>

static double width(float bits) { return bits > 0 ? bits : 32; }

double training_bops(const struct net *net)
{
    double sum = 0;
    for (size_t i = 0; i < net->count; i++) {
        double w = width(net->ranges[2 * i].bits), a = width(net->ranges[2 * i + 1].bits);
        sum += net->tensors[2 * i].macs * w * a + net->mode->backward_bops(&net->layers[i].product, w, a);
    }
    return sum;
}

/* Of a sample: a layer's input as codes where the mode is integer; as floats once, however many layers take it. */
static double input_bits(const struct net *net, size_t index)
{
    const struct node *node = &net->nodes[net->layers[index].node];
    for (size_t i = 0; !net->mode->integer && i < index; i++)
        if (net->nodes[net->layers[i].node].spec.input == node->spec.input)
            return 0;
    return (double)net->tensors[2 * index + 1].elements * (net->mode->integer ? width(net->ranges[2 * index + 1].bits) : 32);
}

/* Master weights, velocities and gradients in float32 (layers' weights at their stored width), and what stays of one
 * batch from forward to backward: layers' inputs, the activations' masks, the inputs of normalisations, the maxima's
 * places. */
static double training_bytes(const struct net *net)
{
    double sum = 0, batch_bits = 0;
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        double value = p->decays ? net_stored_bits(net) / 8.0 : 4;
        sum += (double)p->rows * (double)p->cols * (p->gradient ? value + 8 : value);
    }
    for (size_t i = 0; i < net->count; i++)
        batch_bits += input_bits(net, i);
    for (const struct node *node = net->nodes; node < net->nodes + net->node_count; node++)
        batch_bits += (double)(positions(node->out) * node->out.c)
                      * (node->ops->kept_bits + (node->spec.activation != ACTIVATION_NONE));
    return sum + (double)net->batch * batch_bits / 8;
}

static void record_tensors(struct record *record, const struct net *net)
{
    size_t count = 2 * net->count;
    const char *names[2 * MAX_LAYERS], *kinds[2 * MAX_LAYERS];
    int64_t layers[2 * MAX_LAYERS], elements[2 * MAX_LAYERS];
    double macs[2 * MAX_LAYERS];
    for (size_t i = 0; i < count; i++) {
        names[i] = net->tensors[i].name;
        kinds[i] = net->tensors[i].kind == TENSOR_WEIGHT ? "weight" : "activation";
        layers[i] = net->tensors[i].layer;
        elements[i] = (int64_t)net->tensors[i].elements;
        macs[i] = net->tensors[i].macs;
    }
    record_put(record, "/tensors/name", RECORD_TEXT, 1, &count, names, "", "allocatable tensors in network order");
    record_put(record, "/tensors/kind", RECORD_TEXT, 1, &count, kinds, "", "weight or activation");
    record_put(record, "/tensors/layer", RECORD_I64, 1, &count, layers, "", "index of the layer");
    record_put(record, "/tensors/elements", RECORD_I64, 1, &count, elements, "", "values; of an activation a sample");
    record_put(record, "/tensors/macs", RECORD_F64, 1, &count, macs, "MAC", "multiply-accumulates of the layer a sample");
}

void record_costs(struct record *record, const struct net *net, double mean_training_bops)
{
    size_t count = 2 * net->count;
    float bits[2 * MAX_LAYERS];
    net_get_bits(net, bits);
    record_tensors(record, net);
    record_put(record, "/bits/final", RECORD_F32, 1, &count, bits, "bit", "widths at the end; 0 = float32");
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_COST, i)); i++) {
        const struct cost_ops *cost = (const struct cost_ops *)plug;
        char *path = format_text("/costs/%s", plug->name);
        record_real(record, path, cost->price(net->tensors, (int)count, bits), cost->unit, plug->help);
        free(path);
    }
    record_real(record, "/costs/scale_bytes", net->quantiser ? 4.0 * (double)count : 0, "byte",
                "scales of the quantised tensors, float32");
    record_real(record, "/costs/bops_train", mean_training_bops, "bit operation",
                "a sample of training, mean over the steps: three products, transforms, re-quantisation");
    record_real(record, "/costs/train_bytes", training_bytes(net), "byte",
                "parameters, velocities, gradients, and what one batch keeps for its backward pass: inputs, masks");
}
