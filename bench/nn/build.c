/* SPDX-License-Identifier: GPL-3.0-or-later
 * Laying out a network and its first weights. */
#include "net.h"
#include <math.h>
#include <stdio.h>

/* Layer i draws its weights with key (seed, init, i), so nets that share a layer share its start. */
static void init_weights(struct layer *layer, size_t index, uint64_t seed)
{
    uint64_t key = rng_key(seed, STREAM_INIT, index, 0);
    double inputs = (double)layer->k;
    double bound = layer->spec.init == INIT_HEAD ? sqrt(3 / inputs) : 1 / sqrt(inputs);
    for (size_t i = 0; i < layer->n; i++)
        for (size_t j = 0; j < layer->k; j++) {
            uint64_t element = i * layer->k + j;
            double value = layer->spec.init == INIT_HE ? sqrt(2 / inputs) * rng_normal(key, element)
                                                       : bound * (2 * rng_uniform(key, element) - 1);
            layer->w[i * row_stride(layer->k) + j] = (float)value;
        }
}

void tensor_describe(struct tensor *tensor, const struct settings *settings, const struct layer_spec *spec, int layer,
                     size_t inputs, enum tensor_kind kind)
{
    size_t weights = spec->outputs * inputs;
    *tensor = (struct tensor){
        .kind = kind, .layer = layer, .elements = kind == TENSOR_WEIGHT ? weights : inputs,
        .macs = (double)weights, .lo = 2, .hi = 8,
    };
    if (setting_has(settings, "min_bits")) {
        tensor->lo = (int)setting_int(settings, "min_bits");
        tensor->hi = (int)setting_int(settings, "max_bits");
    }
    snprintf(tensor->name, sizeof tensor->name, "%s.%s", spec->name, kind == TENSOR_WEIGHT ? "weight" : "input");
}

static void add_tensor(struct net *net, size_t layer, enum tensor_kind kind)
{
    size_t index = 2 * layer + (kind == TENSOR_ACTIVATION);
    struct tensor *tensor = &net->tensors[index];
    tensor_describe(tensor, net->settings, &net->layers[layer].spec, (int)layer, net->layers[layer].k, kind);
    net->ranges[index] = (struct range){
        .kind = kind, .elements = tensor->elements, .min_bits = tensor->lo, .max_bits = tensor->hi};
}

static void build_layer(struct net *net, size_t index, size_t inputs, struct arena *arena)
{
    struct layer *layer = &net->layers[index];
    size_t batch = net->batch;
    layer->n = layer->spec.outputs;
    layer->k = inputs;
    size_t weights = layer->n * row_stride(inputs), outputs = batch * row_stride(layer->n);
    layer->w = arena_alloc(arena, weights * sizeof(float));
    layer->dw = arena_alloc(arena, weights * sizeof(float));
    layer->w_velocity = arena_alloc(arena, weights * sizeof(float));
    if (layer->spec.bias) {
        layer->bias = arena_alloc(arena, layer->n * sizeof(float));
        layer->dbias = arena_alloc(arena, layer->n * sizeof(float));
        layer->bias_velocity = arena_alloc(arena, layer->n * sizeof(float));
    }
    layer->y = arena_alloc(arena, outputs * sizeof(float));
    layer->dy = arena_alloc(arena, outputs * sizeof(float));
    uint64_t seed = (uint64_t)setting_int(net->settings, "seed");
    init_weights(layer, index, seed);
    add_tensor(net, index, TENSOR_WEIGHT);
    add_tensor(net, index, TENSOR_ACTIVATION);
    layer->product = (struct product){
        .n = layer->n, .k = layer->k, .m_max = batch, .w = layer->w, .bias = layer->bias, .y = layer->y,
        .x = index ? net->layers[index - 1].y : net->input,
        .w_range = &net->ranges[2 * index], .x_range = &net->ranges[2 * index + 1],
        .quantiser = net->quantiser, .seed = seed, .layer = (int)index, .settings = net->settings,
    };
    layer->product.state = net->mode->prepare(net->settings, &layer->product, arena);
}

void net_build(struct net *net, const struct settings *settings, const struct dataset *dataset,
               const struct mode_ops *mode, const struct quantiser_ops *quantiser, size_t batch, struct arena *arena)
{
    const struct model_ops *model = setting_plug(settings, "model");
    struct layer_spec specs[MAX_LAYERS];
    *net = (struct net){.settings = settings, .mode = mode, .quantiser = quantiser, .batch = batch};
    net->count = model->layers(settings, dataset, specs);
    size_t features = batch * row_stride(dataset->features);
    net->input = arena_alloc(arena, features * sizeof(float));
    net->input_gradient = arena_alloc(arena, features * sizeof(float));
    size_t inputs = dataset->features;
    for (size_t i = 0; i < net->count; i++) {
        net->layers[i].spec = specs[i];
        build_layer(net, i, inputs, arena);
        inputs = specs[i].outputs;
    }
}
