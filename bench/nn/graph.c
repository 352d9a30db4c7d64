/* SPDX-License-Identifier: GPL-3.0-or-later
 * From a model's table to nodes with shapes. */
#include "nodes.h"
#include "../rules.h"
#include <stdio.h>
#include <string.h>

static const struct node_ops *const kinds[] = {
    [NODE_DENSE] = &node_layer, [NODE_CONV] = &node_layer, [NODE_DEPTHWISE] = &node_layer, [NODE_NORM] = &node_norm,
    [NODE_ACTIVATE] = &node_activate, [NODE_MAX_POOL] = &node_max_pool, [NODE_MEAN_POOL] = &node_mean_pool,
    [NODE_JOIN] = &node_join, [NODE_SHORTCUT] = &node_shortcut,
};

static struct shape input_shape(const struct dataset *dataset, bool flat)
{
    const size_t *s = dataset->shape;
    if (flat || dataset->rank == 1)
        return (struct shape){1, 1, dataset->features};
    return dataset->rank == 2 ? (struct shape){1, s[1], s[0]} : (struct shape){s[1], s[2], s[0]};
}

static size_t outputs_of(const struct node_spec *spec, size_t in, size_t kernel, size_t pad)
{
    if (in + 2 * pad < kernel)
        die("node %s: its kernel of %zu is larger than its input of %zu with pads of %zu", spec->name, kernel, in, pad);
    return (in + 2 * pad - kernel) / spec->stride + 1;
}

/* In a network on a line of positions kernels have one row. */
static struct geometry window_of(const struct node_spec *spec, struct shape in, bool line)
{
    size_t channels = spec->outputs ? spec->outputs : in.c;
    if (spec->kind == NODE_DENSE)
        return (struct geometry){1, 1, in.h * in.w * in.c, 1, 1, channels, 1, 1, 1, 0, 0, false};
    if (spec->kind == NODE_JOIN)
        return (struct geometry){.out_h = 1, .out_w = 1, .out_c = spec->outputs + in.h * in.w * in.c};
    struct geometry g = {.in_h = in.h, .in_w = in.w, .in_c = in.c, .out_c = channels, .stride = spec->stride,
                         .depthwise = spec->kind == NODE_DEPTHWISE};
    bool whole = spec->kind == NODE_MEAN_POOL && spec->kernel == 0;
    g.kernel_h = whole ? in.h : line ? 1 : spec->kernel;
    g.kernel_w = whole ? in.w : spec->kernel;
    g.pad_h = line ? 0 : spec->pad;
    g.pad_w = spec->pad;
    if (spec->kind == NODE_MAX_POOL && (g.kernel_w > 15 || 2 * g.pad_w > g.kernel_w))
        die("node %s: a maximum is over at most 15 x 15 positions, at most half of them outside", spec->name);
    g.out_h = outputs_of(spec, in.h, g.kernel_h, g.pad_h);
    g.out_w = outputs_of(spec, in.w, g.kernel_w, g.pad_w);
    return g;
}

/* What would read memory that is not there, or compute something else than the table says. */
static void check_spec(const struct node *nodes, int index)
{
    const struct node_spec *spec = &nodes[index].spec;
    if (spec->input < NODE_INPUT || spec->input >= index || spec->add >= index || spec->add == NODE_PREVIOUS)
        die("node %s takes a node that does not come before it", spec->name);
    if (spec->add != NODE_NONE && spec->kind != NODE_NORM && spec->kind != NODE_ACTIVATE)
        die("node %s adds a node, which only normalisations and activations do", spec->name);
    if (spec->kernel == 0 && spec->kind != NODE_MEAN_POOL)
        die("node %s has no kernel", spec->name);
    size_t channels = nodes[spec->input].out.c, outputs = spec->outputs ? spec->outputs : channels;
    bool mixes = spec->kind <= NODE_CONV || spec->kind == NODE_JOIN;
    bool widens = spec->kind == NODE_SHORTCUT && outputs > channels;
    if (mixes ? spec->outputs == 0 : outputs != channels && !widens)
        die("node %s cannot make %zu channels of %zu", spec->name, spec->outputs, channels);
}

/* Normalisation and activation see single values; shortcuts single positions, dense layers and what joins features one
 * position. */
static void complete_window(struct node_spec *spec)
{
    if (spec->kind == NODE_NORM || spec->kind == NODE_ACTIVATE || spec->kind == NODE_SHORTCUT || spec->kind == NODE_DENSE ||
        spec->kind == NODE_JOIN)
        spec->kernel = 1;
    if (spec->stride == 0)
        spec->stride = 1;
}

static void lay_out_node(struct node *nodes, int index, bool line, int *layers)
{
    struct node *node = &nodes[index];
    struct node_spec *spec = &node->spec;
    complete_window(spec);
    if (spec->input == NODE_PREVIOUS)
        spec->input = index - 1;
    check_spec(nodes, index);
    struct node *in = &nodes[spec->input];
    node->ops = kinds[spec->kind];
    node->in = in->out;
    node->window = window_of(spec, node->in, line);
    node->out = (struct shape){node->window.out_h, node->window.out_w, node->window.out_c};
    node->layer = is_layer(node) ? (*layers)++ : -1;
    if (*layers > MAX_LAYERS)
        die("a model with more than %d quantised layers", MAX_LAYERS);
    in->consumers++;
    if (spec->add == NODE_NONE)
        return;
    nodes[spec->add].consumers++;
    if (!same_shape(nodes[spec->add].out, node->out))
        die("node %s adds a node of another shape", spec->name);
}

void model_blueprint(struct blueprint *blueprint, const struct model_ops *model, const struct settings *settings,
                     const struct dataset *described)
{
    *blueprint = (struct blueprint){.input = input_shape(described, model->flat),
                                    .line = !model->flat && described->rank == 2};
    blueprint->count = model->nodes(settings, described, blueprint->specs);
}

size_t lay_out_graph(const struct blueprint *blueprint, struct node *nodes)
{
    int layers = 0;
    nodes[NODE_INPUT] = (struct node){.out = blueprint->input, .layer = -1};
    for (size_t i = 0; i < blueprint->count; i++) {
        nodes[i] = (struct node){.spec = blueprint->specs[i]};
        lay_out_node(nodes, (int)i, blueprint->line, &layers);
    }
    for (size_t i = 0; i + 1 < blueprint->count; i++)
        if (!nodes[i].consumers && strcmp(nodes[i].spec.name, AUXILIARY) != 0)
            die("nobody takes node %s", nodes[i].spec.name);
    return blueprint->count;
}

/* ---- tensors ---- */

bool net_allocates(const struct settings *settings, enum tensor_kind kind)
{
    if (!setting_has(settings, "allocate"))
        return kind != TENSOR_GRADIENT;
    const char *list = setting_text(settings, "allocate");
    static const char *const words[TENSOR_KINDS] = {"weights", "activations", "gradients"};
    return strstr(list, words[kind]) != NULL;
}

static uint64_t widths_between(int lo, int hi) { return ((uint64_t)2 << hi) - ((uint64_t)1 << lo); }

static void describe_tensor(struct tensor *tensor, const struct settings *settings, const struct node *node,
                            enum tensor_kind kind)
{
    static const char *const names[TENSOR_KINDS] = {"weight", "input", "gradient"};
    const struct geometry *g = &node->window;
    const size_t weights = g->out_c * kernel_inputs(g);
    const size_t elements[TENSOR_KINDS] = {weights, positions(node->in) * node->in.c, out_positions(g) * g->out_c};
    bool limited = setting_has(settings, "min_bits"), allocated = net_allocates(settings, kind);
    int lo = limited ? (int)setting_int(settings, "min_bits") : 2, hi = limited ? (int)setting_int(settings, "max_bits") : 8;
    *tensor = (struct tensor){
        .kind = kind, .layer = node->layer, .elements = elements[kind], .macs = (double)weights * (double)out_positions(g),
        .choices = widths_between(allocated ? lo : hi, hi), .counted = allocated, .shape = *g,
        .source = node->spec.input,
    };
    snprintf(tensor->name, sizeof tensor->name, "%s.%s", node->spec.name, names[kind]);
}

int describe_tensors(const struct settings *settings, const struct node *nodes, size_t node_count, struct tensor *out)
{
    int count = 0;
    for (size_t i = 0; i < node_count; i++)
        for (enum tensor_kind kind = TENSOR_WEIGHT; is_layer(&nodes[i]) && kind <= TENSOR_ACTIVATION; kind++)
            describe_tensor(&out[count++], settings, &nodes[i], kind);
    for (size_t i = 0; net_allocates(settings, TENSOR_GRADIENT) && i < node_count; i++)
        if (is_layer(&nodes[i]))
            describe_tensor(&out[count++], settings, &nodes[i], TENSOR_GRADIENT);
    return count;
}

int describe_model(const struct model_ops *model, const struct settings *settings, const struct dataset *described,
                   struct tensor *out)
{
    struct node nodes[MAX_NODES + 1];
    struct blueprint whole;
    model_blueprint(&whole, model, settings, described);
    return describe_tensors(settings, nodes + 1, lay_out_graph(&whole, nodes + 1), out);
}

int net_plain_tensors(const struct settings *settings, const struct dataset *described, struct tensor *out)
{
    return describe_model(setting_plug(settings, "model"), settings, described, out);
}

int net_tensors(const struct settings *settings, const struct dataset *described, struct tensor *out)
{
    struct error error;
    int count = net_plain_tensors(settings, described, out);
    if (!rules_apply(settings, out, count, &error))
        die("%s", error.text); /* pin_check, limits_check and tie_check have refused it before */
    return count;
}

/* Half of what 32-bit offsets reach: samples get borders, and are padded. */
#define MOST_ELEMENTS (INT32_MAX / 2)

/* Rows that one table of offsets spans: a sample's positions, or a batch that an integer mode takes as one matrix. */
static size_t addressed_rows(const struct settings *settings, const struct node *node)
{
    const struct mode_ops *mode = setting_plug(settings, "mode");
    bool together = node->spec.kind == NODE_DENSE && mode->integer;
    return together ? (size_t)setting_int(settings, "batch") : positions(node->out);
}

bool net_addressable(const struct settings *settings, const struct dataset *described)
{
    struct node nodes[MAX_NODES + 1];
    struct blueprint whole;
    model_blueprint(&whole, setting_plug(settings, "model"), settings, described);
    size_t count = lay_out_graph(&whole, nodes + 1);
    bool fits = sample_size(nodes[0].out) <= MOST_ELEMENTS;
    for (const struct node *node = nodes + 1; fits && node < nodes + 1 + count; node++) {
        size_t k = is_layer(node) ? kernel_inputs(&node->window) : 0, n = node->out.c;
        fits = addressed_rows(settings, node) * row_stride(k > n ? k : n) <= MOST_ELEMENTS;
    }
    return fits;
}
