/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "step_runs.h"
#include "../bench/probe.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define BATCH 8
#define FEATURES STEP_RUN_FEATURES
#define CLASSES 4

static struct probe *begin_probe(struct step_run *run)
{
    uint32_t indices[STEP_RUN_PROBED];
    for (size_t i = 0; i < STEP_RUN_PROBED; i++) {
        indices[i] = (uint32_t)i;
        run->y[i] = (int32_t)(i % CLASSES);
        for (size_t j = 0; j < FEATURES; j++)
            run->x[i * FEATURES + j] = (float)rng_normal(run->key + 2, i * FEATURES + j);
    }
    struct probe *probe = probe_begin(&run->net, &run->dataset, STEP_RUN_PROBED, &run->arena);
    probe_choose(probe, &run->dataset, indices, STEP_RUN_PROBED);
    return probe;
}

void step_run_begin(struct step_run *run, struct settings settings, long steps, uint64_t key)
{
    *run = (struct step_run){.settings = settings, .key = key};
    run->dataset = (struct dataset){.rank = 1, .shape = {FEATURES}, .features = FEATURES, .classes = CLASSES,
                                    .train = {.count = STEP_RUN_PROBED, .x = run->x, .y = run->y}};
    const struct mode_ops *mode = setting_plug(&run->settings, "mode");
    struct error error;
    net_build(&run->net, &run->settings, &run->dataset, mode, run_quantiser(&run->settings), BATCH, &run->arena);
    struct probe *probe = probe_wanted(&run->settings) ? begin_probe(run) : NULL;
    size_t size = net_pool_size(&run->net), shared = probe_pool_size(probe);
    struct pool pool = {.size = size > shared ? size : shared};
    pool.memory = arena_alloc(&run->arena, pool.size);
    net_use_pool(&run->net, pool);
    probe_use_pool(probe, pool);
    net_initialise(&run->net);
    bool begun = allocator_begin(&run->allocator, &run->net, &run->settings, &run->dataset, steps, probe, &run->arena,
                                 &error);
    cr_assert(begun, "%s", error.text);
}

void step_run_train(struct step_run *run, long from, long to)
{
    for (long step = from; step < to; step++) {
        int32_t labels[BATCH];
        size_t correct = 0;
        for (size_t i = 0; i < BATCH; i++) {
            uint64_t sample = BATCH * (uint64_t)step + i;
            labels[i] = (int32_t)(rng_bits(run->key, sample) % CLASSES);
            for (size_t j = 0; j < FEATURES; j++)
                run->net.input[i * row_stride(FEATURES) + j] = (float)rng_normal(run->key + 1, sample * FEATURES + j);
        }
        allocator_step(&run->allocator, step);
        net_pass(&run->net, BATCH, labels, step, PASS_TRAIN, allocator_wants(&run->allocator, step), &correct);
        allocator_after(&run->allocator, step, BATCH, 1);
        net_update(&run->net, 0.01);
    }
}

void step_run_finish(struct step_run *run, long steps) { allocator_step(&run->allocator, steps); }

void step_run_end(struct step_run *run)
{
    allocator_end(&run->allocator);
    arena_free(&run->arena);
    settings_free(&run->settings);
}

void lone_make(struct lone_allocator *lone, struct settings settings, int layers, long steps)
{
    *lone = (struct lone_allocator){.settings = settings};
    lone->ops = setting_plug(&lone->settings, "allocator");
    for (int i = 0; i < 2 * layers; i++) {
        struct tensor *tensor = &lone->tensors[i];
        *tensor = (struct tensor){.kind = i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, .layer = i / 2, .counted = true,
                                  .elements = 100 * ((size_t)i / 2 + 1), .macs = 100 * (i / 2 + 1), .choices = 0x1fc};
        snprintf(tensor->name, sizeof tensor->name, "layer%d.%s", i / 2, i % 2 ? "input" : "weight");
    }
    lone->allocation = (struct allocation){
        .settings = &lone->settings, .tensors = lone->tensors, .ranges = lone->ranges, .count = 2 * layers,
        .budgets = lone->budgets, .steps = steps, .arena = &lone->arena, .kept = &lone->kept,
    };
}

void lone_budget(struct lone_allocator *lone, const char *cost, double limit)
{
    lone->budgets[lone->allocation.budget_count++] =
        (struct budget){.cost = (const struct cost_ops *)plug_find(PLUG_COST, cost), .limit = limit};
}

void lone_begin(struct lone_allocator *lone)
{
    for (int i = 0; i < lone->allocation.count; i++) {
        lone->ranges[i] = (struct range){.kind = lone->tensors[i].kind, .elements = lone->tensors[i].elements,
                                         .min_bits = tensor_least(&lone->tensors[i]),
                                         .max_bits = tensor_most(&lone->tensors[i])};
        if (lone->ops->quantiser && lone->ops->quantiser->begin)
            lone->ops->quantiser->begin(&lone->ranges[i], &lone->settings, true);
    }
    lone->state = lone->ops->begin(&lone->allocation);
    cr_assert(lone_assign(lone, 0), "no decision at the start");
}

bool lone_assign(struct lone_allocator *lone, long step)
{
    struct decision decision = {.bits = lone->bits, .trace = lone->trace, .limit = lone->limit, .solver = ""};
    bool decided = lone->ops->assign(lone->state, step, &decision);
    for (int i = 0; decided && i < lone->allocation.count; i++)
        lone->ranges[i].bits = lone->bits[i];
    return decided;
}

double lone_price(const struct lone_allocator *lone, int budget)
{
    float bits[MOST_LONE_TENSORS];
    for (int i = 0; i < lone->allocation.count; i++)
        bits[i] = lone->ranges[i].bits;
    return budget_price(&lone->budgets[budget], lone->tensors, lone->allocation.count, bits);
}

void lone_end(struct lone_allocator *lone)
{
    kept_free(&lone->kept);
    arena_free(&lone->arena);
    settings_free(&lone->settings);
}
