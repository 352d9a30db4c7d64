/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "accounting.h"
#include "nn/nodes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Recorded as it was on average; its price at the final widths is another figure. */
#define MEAN_OVER_STEPS "bops_train"

static double width(float bits) { return bits > 0 ? bits : 32; }

double layer_training_bops(const struct net *net, size_t layer, double w, double a, double g)
{
    return net->tensors[2 * layer].macs * w * a + net->mode->backward_bops(&net->layers[layer].product, w, a, g);
}

double training_bops(const struct net *net)
{
    double sum = 0;
    for (size_t i = 0; i < net->count; i++)
        sum += layer_training_bops(net, i, width(net->ranges[2 * i].bits), width(net->ranges[2 * i + 1].bits),
                                   net->layers[i].product.g_range->bits);
    return sum;
}

/* Of a sample, where the mode keeps inputs as floats: once, however many layers take them. */
static double float_input_bits(const struct net *net, size_t index)
{
    const struct node *node = &net->nodes[net->layers[index].node];
    for (size_t i = 0; i < index; i++)
        if (net->nodes[net->layers[i].node].spec.input == node->spec.input)
            return 0;
    return (double)net->tensors[2 * index + 1].elements * 32;
}

double forward_bops(const struct net *net)
{
    double sum = 0;
    for (size_t i = 0; i < net->count; i++)
        sum += net->tensors[2 * i].macs * width(net->ranges[2 * i].bits) * width(net->ranges[2 * i + 1].bits);
    return sum;
}

double constant_training_bytes(const struct net *net)
{
    double sum = 0, batch_bits = 0;
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        double value = p->decays ? net_stored_bits(net) / 8.0 : 4;
        sum += (double)p->rows * (double)p->cols * (p->gradient ? value + 8 : value);
    }
    for (size_t i = 0; !net->mode->integer && i < net->count; i++)
        batch_bits += float_input_bits(net, i);
    for (const struct node *node = net->nodes; node < net->nodes + net->node_count; node++)
        batch_bits += (double)(positions(node->out) * node->out.c)
                      * (node->ops->kept_bits + (node->spec.activation != ACTIVATION_NONE));
    return sum + (double)net->batch * batch_bits / 8;
}

double layer_training_bytes(const struct net *net, size_t layer, double a)
{
    return net->mode->integer ? (double)net->batch * (double)net->tensors[2 * layer + 1].elements * a / 8 : 0;
}

static void record_tensors(struct record *record, const struct net *net)
{
    size_t count = net->tensor_count;
    const char *names[MAX_TENSORS], *kinds[MAX_TENSORS];
    int64_t layers[MAX_TENSORS], elements[MAX_TENSORS];
    double macs[MAX_TENSORS];
    for (size_t i = 0; i < count; i++) {
        names[i] = net->tensors[i].name;
        kinds[i] = tensor_kind_names[net->tensors[i].kind];
        layers[i] = net->tensors[i].layer;
        elements[i] = (int64_t)net->tensors[i].elements;
        macs[i] = net->tensors[i].macs;
    }
    record_put(record, "/tensors/name", RECORD_TEXT, 1, &count, names, "", "allocatable tensors in network order");
    record_put(record, "/tensors/kind", RECORD_TEXT, 1, &count, kinds, "", "weight, activation or gradient");
    record_put(record, "/tensors/layer", RECORD_I64, 1, &count, layers, "", "index of the layer");
    record_put(record, "/tensors/elements", RECORD_I64, 1, &count, elements, "", "values; of an activation a sample");
    record_put(record, "/tensors/macs", RECORD_F64, 1, &count, macs, "MAC", "multiply-accumulates of the layer a sample");
}

/* Whether the run names a table for this cost: then it is worth a word that it cannot be priced. */
static bool has_table(const struct settings *settings, const struct cost_ops *cost)
{
    for (const struct param *const *param = cost->plug.params; param && *param; param++)
        if (setting_has(settings, (*param)->name) && !setting_is(settings, (*param)->name, "none"))
            return true;
    return false;
}

static void record_cost(struct record *record, const struct net *net, const struct dataset *described,
                        const struct cost_ops *cost, const float *bits)
{
    void *context = NULL;
    struct error error;
    if (cost->open && !cost->open(net->settings, described, &context, &error)) {
        if (has_table(net->settings, cost))
            fprintf(stderr, "bitsweep: note: the cost %s is not recorded: %s\n", cost->plug.name, error.text);
        return;
    }
    char *path = format_text("/costs/%s", cost->plug.name);
    record_real(record, path, cost_price(cost, context, net->tensors, (int)net->tensor_count, bits), cost->unit,
                cost->plug.help);
    free(path);
    if (cost->close)
        cost->close(context);
}

void record_costs(struct record *record, const struct net *net, const struct dataset *described, double mean_training_bops)
{
    size_t count = net->tensor_count;
    float bits[MAX_TENSORS];
    net_get_bits(net, bits);
    record_tensors(record, net);
    record_put(record, "/bits/final", RECORD_F32, 1, &count, bits, "bit", "widths at the end; 0 = float32");
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_COST, i)); i++)
        if (strcmp(plug->name, MEAN_OVER_STEPS) != 0)
            record_cost(record, net, described, (const struct cost_ops *)plug, bits);
    record_real(record, "/costs/" MEAN_OVER_STEPS, mean_training_bops, "bit operation",
                "a sample of training, mean over the steps: three products, transforms, re-quantisation");
    record_real(record, "/costs/scale_bytes", net->quantiser ? 4.0 * 2 * (double)net->count : 0, "byte",
                "scales of the quantised tensors, float32");
}
