/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nodes.h"
#include "../rules.h"
#include <stdio.h>
#include <string.h>

/* ---- the model's table ---- */

size_t model_head(const struct settings *settings, const struct dataset *described)
{
    struct node_spec specs[MAX_NODES];
    const struct model_ops *model = setting_plug(settings, "model");
    return model->nodes(settings, described, specs) - 1;
}

size_t model_block(const struct settings *settings, const struct dataset *described)
{
    const struct model_ops *model = setting_plug(settings, "model");
    return model->block ? model->block(settings, described) : 0;
}

/* An index in the whole table as one in the part, whose NODE_INPUT is node first - 1. */
static int renumbered(const struct node_spec *spec, int index, int first)
{
    if (index == NODE_NONE || first == 0)
        return index;
    if (index < first - 1)
        die("node %s takes a node before the one whose output is the input of its part", spec->name);
    return index - first;
}

static void take_nodes(struct blueprint *part, const struct blueprint *whole, size_t first, size_t end)
{
    if (first >= end || end > whole->count)
        die("nodes %zu to %zu are no part of a model of %zu nodes", first, end, whole->count);
    part->count = end - first;
    for (size_t i = first; i < end; i++) {
        struct node_spec *spec = &part->specs[i - first];
        *spec = whole->specs[i];
        spec->input = renumbered(spec, spec->input == NODE_PREVIOUS ? (int)i - 1 : spec->input, (int)first);
        spec->add = renumbered(spec, spec->add, (int)first);
    }
}

static struct shape output_shape(const struct blueprint *whole, size_t index)
{
    struct node nodes[MAX_NODES + 1];
    lay_out_graph(whole, nodes + 1);
    return nodes[1 + index].out;
}

/* Features and classifier become features, what joins others to them, the auxiliary classifier and the classifier. */
static void change_classifier(struct blueprint *part, const struct cut *cut)
{
    size_t features = part->count - 1;
    struct node_spec head = part->specs[features], auxiliary = head;
    part->count = features;
    if (head.kind != NODE_DENSE)
        die("the classifier %s is no dense layer", head.name);
    head.outputs = cut->classes ? cut->classes : head.outputs;
    head.bias = auxiliary.bias = head.bias || cut->head_bias;
    if (features + 3 > MAX_NODES)
        die("a model with more than %d nodes", MAX_NODES);
    if (cut->outside) {
        part->specs[part->count++] = (struct node_spec){
            .name = "join", .kind = NODE_JOIN, .input = head.input, .add = NODE_NONE, .outputs = cut->outside};
        head.input = (int)part->count - 1;
    }
    if (cut->auxiliary) {
        snprintf(auxiliary.name, sizeof auxiliary.name, "%s", AUXILIARY);
        auxiliary.outputs = cut->auxiliary;
        part->specs[part->count++] = auxiliary;
    }
    part->specs[part->count++] = head;
}

void cut_blueprint(struct blueprint *part, const struct blueprint *whole, const struct cut *cut)
{
    bool changed = cut->classes || cut->head_bias || cut->outside || cut->auxiliary;
    size_t end = cut->end ? cut->end : whole->count;
    *part = (struct blueprint){.input = cut->first ? output_shape(whole, cut->first - 1) : whole->input,
                               .line = whole->line};
    take_nodes(part, whole, cut->first, end);
    if (changed && end < whole->count)
        die("a part without classifier has no classes, outside features or auxiliary classifier");
    if (changed)
        change_classifier(part, cut);
}

void net_build_cut(struct net *net, const struct settings *settings, const struct dataset *described,
                   const struct cut *cut, const struct mode_ops *mode, const struct quantiser_ops *quantiser,
                   size_t batch, struct arena *arena)
{
    net_build_part(net, setting_plug(settings, "model"), settings, described, cut, mode, quantiser, batch, arena);
}

/* ---- tensors ---- */

const struct tensor *whole_tensor(const struct tensor *tensor, const struct tensor *whole, int count)
{
    const struct tensor *found = NULL;
    for (int i = 0; i < count; i++) {
        if (strcmp(whole[i].name, tensor->name) == 0)
            return &whole[i];
        if (whole[i].kind == tensor->kind)
            found = &whole[i];
    }
    return found;
}

void follow_rules(const struct model_ops *model, const struct settings *settings, const struct dataset *described,
                  struct tensor *tensors, int count)
{
    struct error error;
    struct tensor whole[MAX_TENSORS];
    int whole_count = describe_model(model, settings, described, whole);
    if (!rules_apply(settings, whole, whole_count, &error))
        die("%s", error.text); /* pin_check, limits_check and tie_check have refused it before */
    for (struct tensor *tensor = tensors; tensor < tensors + count; tensor++) {
        const struct tensor *original = whole_tensor(tensor, whole, whole_count);
        tensor->choices = original->choices;
        tensor->counted = original->counted;
        tensor->group = original->group;
    }
}

int cut_tensors(const struct settings *settings, const struct dataset *described, const struct cut *cut, struct tensor *out)
{
    const struct model_ops *model = setting_plug(settings, "model");
    struct node nodes[MAX_NODES + 1];
    struct blueprint whole, part;
    model_blueprint(&whole, model, settings, described);
    cut_blueprint(&part, &whole, cut);
    int count = describe_tensors(settings, nodes + 1, lay_out_graph(&part, nodes + 1), out);
    follow_rules(model, settings, described, out, count);
    return count;
}

/* ---- features ---- */

size_t model_feature_count(const struct settings *settings, const struct dataset *described)
{
    struct node nodes[MAX_NODES + 1];
    struct blueprint whole;
    model_blueprint(&whole, setting_plug(settings, "model"), settings, described);
    struct shape shape = nodes[lay_out_graph(&whole, nodes + 1)].in; /* of the last node: one stands before the first */
    return positions(shape) * shape.c;
}

/* Without a classifier the last node is what another network's classifier will read. */
static const struct node *features_of(const struct net *net, size_t *skipped)
{
    const struct node *node = &net->nodes[net->node_count - 1];
    if (net->has_classifier)
        node = &net->nodes[node->spec.input];
    *skipped = node != &net->nodes[NODE_INPUT] && node->spec.kind == NODE_JOIN ? net->outside_width : 0;
    return node;
}

size_t net_feature_count(const struct net *net)
{
    size_t skipped;
    struct shape shape = features_of(net, &skipped)->out;
    return positions(shape) * shape.c - skipped;
}

void net_take_features(const struct net *net, size_t samples, float *out, size_t stride)
{
    size_t skipped;
    const struct node *node = features_of(net, &skipped);
    struct shape shape = node->out;
    shape.c -= skipped; /* of a join, which is one position */
    for (size_t i = 0; i < samples; i++)
        flatten_sample(shape, (const float *)node->y->memory + i * sample_size(node->out) + skipped, out + i * stride);
}

void net_share_input(struct net *net, const struct net *other)
{
    if (!same_shape(net->input_shape, other->input_shape) || net->batch > other->batch)
        die("networks whose inputs differ cannot share them");
    net->input = other->input;
    net->nodes[NODE_INPUT].y->memory = net->input;
}

/* ---- what was learned ---- */

static const struct parameter *find_parameter(const struct net *net, const char *name)
{
    for (size_t i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            return &net->parameters[i];
    return NULL;
}

static void copy_parameter(const struct parameter *to, const struct parameter *from)
{
    size_t rows = to->rows < from->rows ? to->rows : from->rows;
    size_t cols = to->cols < from->cols ? to->cols : from->cols;
    for (size_t i = 0; i < rows; i++)
        memcpy(to->value + i * to->stride, from->value + i * from->stride, cols * sizeof *to->value);
}

static const char *layer_name(const struct net *net, size_t layer)
{
    return net->nodes[net->layers[layer].node].spec.name;
}

/* How many values there are, which widths are allowed, and velocities stay the network's own. */
static void copy_range(struct range *to, const struct range *from)
{
    struct range own = *to;
    *to = *from;
    to->elements = own.elements;
    to->min_bits = own.min_bits;
    to->max_bits = own.max_bits;
    to->step_velocity = own.step_velocity;
    to->top_velocity = own.top_velocity;
}

static void copy_ranges(struct net *net, size_t layer, const struct net *from, size_t other)
{
    copy_range(&net->ranges[2 * layer], &from->ranges[2 * other]);
    copy_range(&net->ranges[2 * layer + 1], &from->ranges[2 * other + 1]);
    copy_range(&net->ranges[2 * net->count + layer], &from->ranges[2 * from->count + other]);
}

void net_take_over(struct net *net, const struct net *from)
{
    static const char left_out[] = AUXILIARY ".";
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i], *other = find_parameter(from, p->name);
        if (other && strncmp(p->name, left_out, sizeof left_out - 1) != 0)
            copy_parameter(p, other);
    }
    for (size_t i = 0; i < net->count; i++)
        for (size_t j = 0; j < from->count; j++)
            if (strcmp(layer_name(net, i), layer_name(from, j)) == 0 && strcmp(layer_name(net, i), AUXILIARY) != 0)
                copy_ranges(net, i, from, j);
    net_weights_changed(net);
}
