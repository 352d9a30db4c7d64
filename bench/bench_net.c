/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench_net.h"
#include "decisions.h"
#include <string.h>

/* 784-512-256-10 is mlp's default on 28 × 28. */
const struct bench_network bench_networks[] = {
    {"mlp", "mlp", 3, {1, 28, 28}, 31, "250"},
    {"resnet20", "resnet20", 3, {3, 32, 32}, 9, "16"}, /* not the default 250, which would take minutes */
};
const size_t bench_network_count = sizeof bench_networks / sizeof *bench_networks;

#define CLASSES 10
#define MAX_CHOICES 16

static void draw_input(struct net *net)
{
    size_t positions = BENCH_BATCH * net->input_shape.h * net->input_shape.w, stride = row_stride(net->input_shape.c);
    uint64_t key = rng_key(1, STREAM_DATA, 0, 0);
    for (size_t i = 0; i < positions; i++)
        for (size_t c = 0; c < net->input_shape.c; c++)
            net->input[i * stride + c] = (float)rng_normal(key, i * net->input_shape.c + c);
}

void bench_net_begin(struct bench_net *b, const struct bench_network *network, const struct choice *choices, size_t count,
                     float bits)
{
    struct choice all[MAX_CHOICES] = {
        {.key = "dataset", .text = "synthetic"}, {.key = "model", .text = network->model}, {.key = "batch", .text = "128"},
    };
    memcpy(all + 3, choices, count * sizeof *choices);
    *b = (struct bench_net){0};
    const struct choice *wrong;
    struct error error;
    if (!settings_resolve(all, count + 3, &b->settings, &wrong, &error))
        die("%s", error.text);
    struct dataset images = {.rank = network->rank, .features = 1, .classes = CLASSES};
    for (int axis = 0; axis < network->rank; axis++)
        images.features *= images.shape[axis] = network->shape[axis];
    net_build(&b->net, &b->settings, &images, setting_plug(&b->settings, "mode"), run_quantiser(&b->settings), BENCH_BATCH,
              &b->arena);
    size_t size = net_pool_size(&b->net);
    net_use_pool(&b->net, (struct pool){arena_alloc(&b->arena, size), size});
    net_initialise(&b->net);
    draw_input(&b->net);
    float widths[MAX_TENSORS];
    for (size_t i = 0; i < b->net.tensor_count; i++)
        widths[i] = bits;
    net_set_bits(&b->net, widths);
    for (size_t i = 0; i < BENCH_BATCH; i++)
        b->labels[i] = (int32_t)(i % CLASSES);
}

void bench_net_end(struct bench_net *b)
{
    arena_free(&b->arena);
    settings_free(&b->settings);
}

void bench_net_step(void *context)
{
    struct bench_net *b = context;
    size_t correct = 0;
    net_pass(&b->net, BENCH_BATCH, b->labels, b->steps++, PASS_TRAIN, NULL, &correct);
    net_update(&b->net, 1e-6);
}
