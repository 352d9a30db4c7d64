/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe_support.h"
#include "../bench/decisions.h"
#include "../bench/nn/nodes.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static size_t linear_nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    (void)settings;
    out[0] = (struct node_spec){.name = "fc", .kind = NODE_DENSE, .input = NODE_PREVIOUS, .add = NODE_NONE, .bias = true,
                                .outputs = (size_t)dataset->classes, .init = INIT_HEAD};
    return 1;
}

const struct model_ops model_linear = {.plug = {.name = "linear"}, .flat = true, .nodes = linear_nodes};

static void draw_biases(struct net *net)
{
    for (size_t i = 0; i < net->count; i++)
        for (size_t j = 0; net->layers[i].bias && j < net->layers[i].n; j++)
            net->layers[i].bias[j] = (float)(0.3 * rng_normal(rng_key(5, STREAM_DATA, 9, i), j));
}

void probe_test_begin(struct probe_test *t, struct settings settings, const struct model_ops *model)
{
    *t = (struct probe_test){.settings = settings};
    const struct settings *s = &t->settings;
    const struct dataset_ops *data = setting_plug(s, "dataset");
    struct error error;
    cr_assert(data->load(s, &t->dataset, &error), "%s", error.text);
    size_t batch = (size_t)setting_int(s, "batch"), count = t->dataset.train.count;
    net_build_model(&t->net, model ? model : setting_plug(s, "model"), s, &t->dataset, setting_plug(s, "mode"),
                    run_quantiser(s), batch, &t->arena);
    uint32_t *indices = xmalloc(count * sizeof *indices);
    for (size_t i = 0; i < count; i++)
        indices[i] = (uint32_t)i;
    t->probe = probe_begin(&t->net, &t->dataset, count, &t->arena);
    probe_choose(t->probe, &t->dataset, indices, count);
    free(indices);
    size_t own = net_pool_size(&t->net), other = probe_pool_size(t->probe);
    struct pool pool = {.size = own > other ? own : other};
    pool.memory = arena_alloc(&t->arena, pool.size);
    net_use_pool(&t->net, pool);
    probe_use_pool(t->probe, pool);
    net_initialise(&t->net);
    draw_biases(&t->net);
    batches_begin(&t->batches, s, &t->dataset, &t->net, NULL);
    t->labels = arena_alloc(&t->arena, batch * sizeof *t->labels);
    batch_take(&t->batches, &t->dataset.train, NULL, 0, batch < count ? batch : count, -1, t->net.input, t->labels);
    probe_refresh(t->probe);
}

void probe_test_end(struct probe_test *t)
{
    arena_free(&t->arena);
    dataset_free(&t->dataset);
    settings_free(&t->settings);
}

void probe_test_train(struct probe_test *t, const float *bits, int steps)
{
    size_t correct = 0;
    net_set_bits(&t->net, bits);
    for (int step = 0; step < steps; step++) {
        net_pass(&t->net, t->net.batch, t->labels, step, PASS_TRAIN, NULL, &correct);
        net_update(&t->net, 0.05);
    }
    probe_refresh(t->probe);
}
