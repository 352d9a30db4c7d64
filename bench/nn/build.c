/* SPDX-License-Identifier: GPL-3.0-or-later
 * Laying out a network: parameters, ranges, the modes' memory; and its first weights. */
#include "nodes.h"
#include "../parallel.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINE 64

/* ---- parameters ---- */

void add_parameter(struct net *net, const struct node *node, const char *what, size_t rows, size_t cols, bool trained,
                   bool decays)
{
    struct parameter *p = &net->parameters[net->parameter_count++];
    *p = (struct parameter){.rows = rows, .cols = cols, .stride = row_stride(cols), .trained = trained, .decays = decays};
    snprintf(p->name, sizeof p->name, "%s.%s", node->spec.name, what);
    net->value_count += rows * p->stride;
    net->trained_count += trained ? rows * p->stride : 0;
}

/* Trained parameters first, then the statistics, in the network's order. */
static void place_parameters(struct net *net, const struct net *original, struct arena *arena)
{
    size_t trained = 0, rest = net->trained_count;
    net->gradients = arena_alloc(arena, net->trained_count * sizeof(float));
    if (original) {
        net->values = original->values;
    } else {
        net->values = arena_alloc(arena, net->value_count * sizeof(float));
        net->velocities = arena_alloc(arena, net->trained_count * sizeof(float));
    }
    for (struct parameter *p = net->parameters; p < net->parameters + net->parameter_count; p++) {
        size_t *next = p->trained ? &trained : &rest;
        p->value = net->values + *next;
        p->gradient = p->trained ? net->gradients + *next : NULL;
        p->velocity = p->trained && !original ? net->velocities + *next : NULL;
        *next += p->rows * p->stride;
    }
}

/* ---- layers ---- */

/* Ranges of all three kinds, also where the gradients' width is not allocated. */
static void add_tensors(struct net *net, const struct dataset *described, size_t layers)
{
    net->tensor_count = (size_t)describe_tensors(net->settings, net->nodes, net->node_count, net->tensors);
    if (net->quantiser)
        follow_rules(net->model, net->settings, described, net->tensors, (int)net->tensor_count);
    for (size_t i = 0; i < net->tensor_count; i++)
        net->ranges[i] = (struct range){.kind = net->tensors[i].kind, .elements = net->tensors[i].elements,
                                        .min_bits = tensor_least(&net->tensors[i]),
                                        .max_bits = tensor_most(&net->tensors[i])};
    for (size_t i = net->tensor_count; i < 3 * layers; i++)
        net->ranges[i] = (struct range){.kind = TENSOR_GRADIENT};
    for (size_t i = 2 * layers; setting_has(net->settings, "grad_bits") && i < 3 * layers; i++)
        net->ranges[i].bits = (float)setting_int(net->settings, "grad_bits");
}

static void build_layer(struct net *net, const struct node *node, size_t layers, struct arena *arena)
{
    size_t index = (size_t)node->layer;
    struct layer *layer = &net->layers[index];
    const struct parameter *w = &net->parameters[node->parameter], *bias = node->spec.bias ? w + 1 : NULL;
    *layer = (struct layer){
        .node = (int)(node - net->nodes), .shape = node->window, .n = w->rows, .k = w->cols, .w = w->value,
        .dw = w->gradient, .bias = bias ? bias->value : NULL, .dbias = bias ? bias->gradient : NULL,
    };
    layer->product = (struct product){
        .shape = &layer->shape, .dense = node->spec.kind == NODE_DENSE, .samples = net->batch, .samples_max = net->batch,
        .m = net->batch * out_positions(&layer->shape), .n = layer->n, .k = layer->k, .w = layer->w, .bias = layer->bias,
        .w_range = &net->ranges[2 * index], .x_range = &net->ranges[2 * index + 1],
        .g_range = &net->ranges[2 * layers + index], .quantiser = net->quantiser,
        .seed = (uint64_t)setting_int(net->settings, "seed"), .layer = (int)index, .settings = net->settings,
    };
    if (net->quantiser && net->quantiser->begin) {
        net->quantiser->begin(layer->product.w_range, net->settings, layer->product.dense);
        net->quantiser->begin(layer->product.x_range, net->settings, layer->product.dense);
    }
    layer->product.state = net->mode->prepare(net->settings, &layer->product, arena);
    size_t scratch = net->mode->scratch_size ? net->mode->scratch_size(&layer->product) : 0;
    scratch = (scratch + LINE - 1) / LINE * LINE;
    net->scratch_step = scratch > net->scratch_step ? scratch : net->scratch_step;
    net->count++;
}

/* ---- the network ---- */

static void add_nodes(struct net *net, const struct dataset *described, struct arena *arena)
{
    struct node laid_out[MAX_NODES + 1];
    struct blueprint whole, part;
    model_blueprint(&whole, net->model, net->settings, described);
    cut_blueprint(&part, &whole, net->cut);
    net->has_classifier = net->cut->end == 0 || net->cut->end == whole.count;
    net->node_count = lay_out_graph(&part, laid_out + 1);
    net->nodes = (struct node *)arena_alloc(arena, (net->node_count + 1) * sizeof *net->nodes) + 1;
    for (int i = NODE_INPUT; i < (int)net->node_count; i++) {
        struct node *node = &net->nodes[i];
        *node = laid_out[i + 1];
        node->parameter = net->parameter_count;
        size_t stride = row_stride(node->out.c);
        net->widest = stride > net->widest ? stride : net->widest;
        if (i != NODE_INPUT && (node->spec.kind == NODE_NORM || node->spec.kind == NODE_ACTIVATE))
            node->coefficients = arena_alloc(arena, COEFFICIENTS * stride * sizeof(float));
        if (i != NODE_INPUT && node->ops->declare)
            node->ops->declare(net, node);
    }
}

static void lay_out(struct net *net, const struct net *original, const struct dataset *described, struct arena *arena)
{
    net->flat_input = net->model->flat;
    net->threads = parallel_threads();
    add_nodes(net, described, arena);
    struct node *input = &net->nodes[NODE_INPUT];
    net->input_shape = input->out;
    net->classes = net->nodes[net->node_count - 1].out.c;
    net->input = original ? original->input : arena_alloc(arena, net->batch * sample_size(input->out) * sizeof(float));
    input->y = arena_alloc(arena, sizeof *input->y); /* not in the pool: the caller fills it between steps */
    input->y->memory = net->input;
    net->outside_width = net->cut->outside;
    net->auxiliary_classes = net->cut->auxiliary;
    if (net->outside_width)
        net->outside = original ? original->outside
                                : arena_alloc(arena, net->batch * row_stride(net->outside_width) * sizeof(float));
    net->chunk_sums = arena_alloc(arena, 2 * CHUNKS * net->widest * sizeof *net->chunk_sums);
    net->block_sums = arena_alloc(arena, 2 * CHUNKS * net->widest * sizeof *net->block_sums);
    place_parameters(net, original, arena);
    size_t layers = 0;
    for (size_t i = 0; i < net->node_count; i++)
        layers += is_layer(&net->nodes[i]);
    add_tensors(net, described, layers);
    for (const struct node *node = net->nodes; node < net->nodes + net->node_count; node++)
        if (is_layer(node))
            build_layer(net, node, layers, arena);
    plan_pool(net, arena);
}

void net_build_part(struct net *net, const struct model_ops *model, const struct settings *settings,
                    const struct dataset *described, const struct cut *cut, const struct mode_ops *mode,
                    const struct quantiser_ops *quantiser, size_t batch, struct arena *arena)
{
    struct cut *own = arena_alloc(arena, sizeof *own);
    *own = *cut;
    *net = (struct net){.settings = settings, .model = model, .cut = own, .mode = mode, .quantiser = quantiser,
                        .batch = batch};
    lay_out(net, NULL, described, arena);
}

void net_build_model(struct net *net, const struct model_ops *model, const struct settings *settings,
                     const struct dataset *described, const struct mode_ops *mode, const struct quantiser_ops *quantiser,
                     size_t batch, struct arena *arena)
{
    net_build_part(net, model, settings, described, &(struct cut){0}, mode, quantiser, batch, arena);
}

void net_build(struct net *net, const struct settings *settings, const struct dataset *described,
               const struct mode_ops *mode, const struct quantiser_ops *quantiser, size_t batch, struct arena *arena)
{
    net_build_model(net, setting_plug(settings, "model"), settings, described, mode, quantiser, batch, arena);
}

void net_build_shadow(struct net *net, const struct net *original, const struct dataset *described, size_t batch,
                      struct arena *arena)
{
    const struct mode_ops *fp = (const struct mode_ops *)plug_find(PLUG_MODE, "fp");
    *net = (struct net){.settings = original->settings, .model = original->model, .cut = original->cut, .mode = fp,
                        .batch = batch};
    lay_out(net, original, described, arena);
}

/* ---- first values ---- */

static double draw_weight(const struct layer *layer, enum weight_init init, uint64_t key, uint64_t element)
{
    double inputs = (double)layer->k, outputs = (double)(kernel_positions(&layer->shape) * layer->n);
    switch (init) {
    case INIT_HE: return sqrt(2 / inputs) * rng_normal(key, element);
    case INIT_HE_OUT: return sqrt(2 / outputs) * rng_normal(key, element);
    case INIT_FAN_IN: return 1 / sqrt(inputs) * (2 * rng_uniform(key, element) - 1);
    case INIT_HEAD: return sqrt(3 / inputs) * (2 * rng_uniform(key, element) - 1);
    case INIT_NORMAL: return 0.01 * rng_normal(key, element);
    }
    die("an initialisation that is not there");
}

/* Layer i draws its weights with key (seed, init, i), so nets that share a layer share its start. */
static void draw_weights(struct layer *layer, enum weight_init init, uint64_t key)
{
    for (size_t i = 0; i < layer->n; i++)
        for (size_t j = 0; j < layer->k; j++)
            layer->w[i * row_stride(layer->k) + j] = (float)draw_weight(layer, init, key, i * layer->k + j);
}

static void fill(const struct parameter *p, float value)
{
    for (size_t i = 0; i < p->cols; i++)
        p->value[i] = value;
}

void net_initialise(struct net *net)
{
    uint64_t seed = (uint64_t)setting_int(net->settings, "seed");
    for (size_t i = 0; i < net->count; i++) {
        struct layer *layer = &net->layers[i];
        draw_weights(layer, net->nodes[layer->node].spec.init, rng_key(seed, STREAM_INIT, i, 0));
    }
    for (const struct node *node = net->nodes; node < net->nodes + net->node_count; node++)
        if (node->spec.kind == NODE_NORM) {
            fill(&net->parameters[node->parameter + NORM_SCALE], 1);
            fill(&net->parameters[node->parameter + NORM_VARIANCE], 1);
        }
    net_weights_changed(net);
}

void net_keep_values(struct net *net, struct kept *kept)
{
    keep(kept, "parameters", net->values, net->value_count * sizeof *net->values);
    keep(kept, "ranges", net->ranges, 3 * net->count * sizeof *net->ranges);
}

void net_keep(struct net *net, struct kept *kept)
{
    net_keep_values(net, kept);
    keep(kept, "velocities", net->velocities, net->trained_count * sizeof *net->velocities);
}
