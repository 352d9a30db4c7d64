/* SPDX-License-Identifier: GPL-3.0-or-later
 * The convolutional models against published counts, their first weights, what data they take; memory and diagnostics on
 * them. */
#include "support.h"
#include "../bench/checkpoint.h"
#include "../bench/diagnostics.h"
#include "../bench/memory.h"
#include "../bench/nn/nodes.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dataset images(size_t channels, size_t side, int classes)
{
    return (struct dataset){.name = "images", .rank = 3, .shape = {channels, side, side}, .features = channels * side * side,
                            .classes = classes, .train = {.count = 100}, .test = {.count = 10}};
}

static struct dataset windows(size_t channels, size_t length, int classes)
{
    return (struct dataset){.name = "windows", .rank = 2, .shape = {channels, length}, .features = channels * length,
                            .classes = classes, .train = {.count = 100}, .test = {.count = 10}};
}

static struct dataset features(size_t count)
{
    return (struct dataset){.name = "features", .rank = 1, .shape = {count}, .features = count, .classes = 3};
}

struct fixture { struct settings settings; struct arena arena; struct net net; };

static void build(struct fixture *f, const char *model, const struct dataset *dataset, size_t batch)
{
    char *choice = format_text("model=%s", model);
    *f = (struct fixture){.settings = make_settings(choice, "mode=fp", "allocator=none", NULL)};
    net_build(&f->net, &f->settings, dataset, setting_plug(&f->settings, "mode"), NULL, batch, &f->arena);
    free(choice);
}

static void drop(struct fixture *f)
{
    arena_free(&f->arena);
    settings_free(&f->settings);
}

/* ---- sizes ---- */

/* Parameters as PyTorch counts them: trained ones, padding apart. */
static size_t parameters_of(const struct net *net, const char *without)
{
    size_t sum = 0;
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        bool left_out = without && strncmp(p->name, without, strlen(without)) == 0;
        sum += p->gradient && !left_out ? p->rows * p->cols : 0;
    }
    return sum;
}

/* Published or PyTorch's (torchvision's) counts; MAC by hand from the layers' shapes where none is published. */
static const struct size_case {
    const char *model, *without;
    struct { int rank; size_t shape[3]; int classes; } data;
    size_t layers, parameters;
    double macs;
} size_cases[] = {
    {"resnet20", NULL, {3, {3, 32, 32}, 10}, 20, 269722, 40551040}, /* He et al. 2016: 0.27 M */
    {"resnet32", "fc.", {3, {3, 32, 32}, 100}, 32, 463504, 68868352},
    {"resnet18", NULL, {3, {3, 224, 224}, 1000}, 21, 11689512, 1814073344}, /* 1857.6 Gbop at 32 × 32 bits */
    {"mobilenetv2", NULL, {3, {3, 224, 224}, 1000}, 53, 3504872, 300774272}, /* Sandler et al. 2018: 3.4 M, 300 M MAC */
    {"mobilenetv2", NULL, {3, {3, 32, 32}, 10}, 53, 2236682, 87976448},
    {"lenet5", NULL, {3, {1, 28, 28}, 10}, 5, 61706, 416520},
    {"lenet5", NULL, {3, {3, 32, 32}, 10}, 5, 62006, 651720},
    /* 9 → 32 → 64 → 64 channels, kernels of 5, lengths 125, 62, 31 */
    {"conv1d", NULL, {2, {9, 125}, 12}, 4, 9 * 5 * 32 + 32 * 5 * 64 + 64 * 5 * 64 + 2 * 160 + 64 * 12 + 12,
     125.0 * 1440 + 62 * 10240 + 31 * 20480 + 768},
};

Test(models, have_the_published_sizes)
{
    for (size_t i = 0; i < sizeof size_cases / sizeof *size_cases; i++) {
        const struct size_case *c = &size_cases[i];
        struct dataset data = c->data.rank == 2 ? windows(c->data.shape[0], c->data.shape[1], c->data.classes)
                                                : images(c->data.shape[0], c->data.shape[1], c->data.classes);
        struct fixture f;
        build(&f, c->model, &data, 2);
        cr_assert_eq(parameters_of(&f.net, c->without), c->parameters, "%s: %zu parameters", c->model,
                     parameters_of(&f.net, c->without));
        cr_assert_eq(f.net.count, c->layers, "%s: %zu layers", c->model, f.net.count);
        double macs = 0;
        for (size_t i = 0; i < f.net.count; i++)
            macs += f.net.tensors[2 * i].macs;
        cr_assert_eq(macs, c->macs, "%s: %.0f MAC", c->model, macs);
        cr_assert_eq(f.net.classes, (size_t)c->data.classes);
        drop(&f);
    }
}

/* What allocators are told, without building the network, is what the network has. */
Test(models, tensors_are_those_of_the_network)
{
    struct dataset data = images(3, 32, 10);
    struct fixture f;
    build(&f, "resnet20", &data, 2);
    struct tensor tensors[MAX_TENSORS];
    cr_assert_eq(net_tensors(&f.settings, &data, tensors), 2 * (int)f.net.count);
    cr_assert(memcmp(tensors, f.net.tensors, 2 * f.net.count * sizeof *tensors) == 0);
    cr_assert_str_eq(tensors[0].name, "conv1.weight");
    cr_assert(tensors[0].elements == 432 && tensors[1].elements == 3 * 32 * 32);
    cr_assert_str_eq(tensors[2].name, "stage1.block1.conv1.weight");
    cr_assert_str_eq(tensors[39].name, "fc.input");
    cr_assert(tensors[39].elements == 64 && tensors[38].macs == 640 && tensors[37].elements == 64 * 8 * 8);
    drop(&f);
}

Test(models, every_model_of_the_table_goes_forward)
{
    const struct dataset kinds[] = {images(3, 32, 10), windows(6, 40, 5), features(12)};
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_MODEL, i)); i++) {
        bool taken = false;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            const struct model_ops *model = (const struct model_ops *)plug;
            char *choice = format_text("model=%s", plug->name);
            struct settings settings = make_settings(choice, "mode=fp", "allocator=none", NULL);
            const char *why = model_check(&settings, &kinds[k]);
            cr_assert(why || !model->flat || kinds[k].rank > 0);
            settings_free(&settings);
            free(choice);
            if (why)
                continue;
            struct fixture f;
            build(&f, plug->name, &kinds[k], 2);
            size_t size = net_pool_size(&f.net);
            net_use_pool(&f.net, (struct pool){arena_alloc(&f.arena, size), size});
            net_initialise(&f.net);
            for (size_t j = 0; j < 2 * sample_size(f.net.input_shape); j++)
                f.net.input[j] = j % row_stride(f.net.input_shape.c) < f.net.input_shape.c ? (float)(j % 7) - 3 : 0;
            const float *logits = net_forward(&f.net, 2, 0, PASS_EVALUATE);
            for (size_t c = 0; c < f.net.classes; c++)
                cr_assert(isfinite(logits[c]) && logits[c] != 0, "%s", plug->name);
            taken = true;
            drop(&f);
        }
        cr_assert(taken, "%s takes no data", plug->name);
    }
}

/* ---- first weights ---- */

static void expect_spread(const struct net *net, const char *name, double variance)
{
    const struct parameter *p = net->parameters;
    while (strcmp(p->name, name) != 0)
        p++;
    double sum = 0, squares = 0, n = (double)(p->rows * p->cols);
    for (size_t i = 0; i < p->rows * p->stride; i++) {
        sum += p->value[i];
        squares += (double)p->value[i] * p->value[i];
    }
    cr_assert(fabs(sum / n) < 5 * sqrt(variance / n), "%s: mean %g", name, sum / n);
    cr_assert(fabs(squares / n - variance) < 5 * variance * sqrt(2 / n), "%s: variance %g, not %g", name, squares / n,
              variance);
}

Test(models, first_weights_have_the_published_spread)
{
    struct dataset data = images(3, 32, 10);
    struct fixture f;
    build(&f, "resnet20", &data, 2);
    net_initialise(&f.net);
    expect_spread(&f.net, "conv1.weight", 2.0 / (9 * 16));
    expect_spread(&f.net, "stage2.block1.conv1.weight", 2.0 / (9 * 32));
    expect_spread(&f.net, "fc.weight", 1.0 / (3 * 64));
    drop(&f);
    build(&f, "mobilenetv2", &data, 2);
    net_initialise(&f.net);
    expect_spread(&f.net, "stage3.block1.conv_depth.weight", 2.0 / (9 * 144));
    expect_spread(&f.net, "fc.weight", 1e-4);
    for (size_t i = 0; i < f.net.parameter_count; i++) {
        const struct parameter *p = &f.net.parameters[i];
        const char *what = strrchr(p->name, '.');
        float expected = strcmp(what, ".scale") == 0 || strcmp(what, ".variance") == 0 ? 1 : 0;
        for (size_t j = 0; p->rows == 1 && j < p->stride; j++)
            cr_assert_eq(p->value[j], j < p->cols ? expected : 0, "%s", p->name);
    }
    drop(&f);
}

/* ---- what they take ---- */

static void expect_refusal(const char *model, struct dataset data, const char *part)
{
    char *choice = format_text("model=%s", model);
    struct settings settings = make_settings(choice, "mode=fqt", "allocator=uniform", "budget=4", NULL);
    const char *why = model_check(&settings, &data);
    cr_assert(why && strstr(why, part), "%s: %s", model, why ? why : "taken");
    cr_assert_eq(run_memory(&settings, &data), 0);
    settings_free(&settings);
    free(choice);
}

Test(models, say_what_data_they_take)
{
    expect_refusal("resnet20", features(784), "images");
    expect_refusal("resnet32", windows(3, 32, 2), "images");
    expect_refusal("resnet20", images(3, 7, 10), "8 x 8");
    expect_refusal("lenet5", images(1, 30, 10), "28 x 28 or 32 x 32");
    expect_refusal("resnet18", images(3, 31, 10), "32 x 32");
    expect_refusal("mobilenetv2", features(40), "images");
    expect_refusal("conv1d", images(3, 32, 10), "rank 2");
    expect_refusal("conv1d", windows(3, 7, 2), "2^stages");
}

/* Tables of offsets are 32 bits wide; images of 40,000 × 40,000 are described before anything is laid out. */
Test(models, say_that_layers_are_too_large)
{
    expect_refusal("mobilenetv2", images(1, 40000, 10), "2^30");
    struct settings settings = make_settings("model=mlp", "mode=fqt", "budget=4", "batch=65536", NULL),
                    floats = make_settings("model=mlp", "mode=fp", "allocator=none", "batch=65536", NULL);
    struct dataset data = features(65536);
    cr_assert_not_null(model_check(&settings, &data));
    cr_assert_null(model_check(&floats, &data));
    settings_free(&settings);
    settings_free(&floats);
}

/* ---- memory ---- */

static double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert(file && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return (double)pages * 4096;
}

Test(models, memory_is_predicted_without_being_used)
{
    struct dataset large = images(3, 224, 1000), small = images(3, 32, 10);
    struct settings settings = make_settings("model=resnet18", "mode=fp", "allocator=none", "batch=64", NULL);
    double before = resident(), predicted = run_memory(&settings, &large);
    cr_assert_gt(predicted, 1e9);
    cr_assert_lt(resident() - before, 100e6);
    settings_free(&settings);
    settings = make_settings("model=resnet20", "mode=fqt", "allocator=uniform", "budget=4", "batch=128", NULL);
    struct settings smaller = make_settings("model=resnet20", "mode=fqt", "allocator=uniform", "budget=4", "batch=16", NULL);
    cr_assert_gt(run_memory(&settings, &small), 2 * run_memory(&smaller, &small));
    settings_free(&settings);
    settings_free(&smaller);
}

/* Beyond a batch of 256 it is judged from smaller ones, and nothing of the size is asked of the system. */
Test(models, memory_of_large_batches)
{
    static const char *const batches[] = {"batch=128", "batch=256", "batch=384", "batch=65536"};
    struct dataset large = images(3, 224, 1000);
    double bytes[4];
    for (size_t i = 0; i < 4; i++) {
        struct settings settings = make_settings("model=resnet18", "mode=fqt", "budget=4", batches[i], NULL);
        bytes[i] = run_memory(&settings, &large);
        settings_free(&settings);
    }
    cr_assert_float_eq(bytes[2], 2 * bytes[1] - bytes[0], 1e-6 * bytes[2]);
    cr_assert(bytes[3] > 200 * bytes[1] && bytes[3] < 300 * bytes[1], "%g, %g", bytes[3], bytes[1]);
}

/* ---- diagnostics ---- */

#define BATCH 40 /* more than are diagnosed */

struct quantised {
    struct settings settings;
    struct arena arena;
    struct net *net;
    struct diagnostics diagnostics;
    int32_t labels[BATCH];
};

static void build_quantised(struct quantised *q)
{
    struct dataset data = images(3, 8, 3);
    *q = (struct quantised){.settings = make_settings("model=resnet20", "mode=fqt", "allocator=uniform", "budget=4", NULL)};
    q->net = arena_alloc(&q->arena, sizeof *q->net);
    net_build(q->net, &q->settings, &data, setting_plug(&q->settings, "mode"), setting_plug(&q->settings, "quantiser"),
              BATCH, &q->arena);
    diagnostics_follow(&q->diagnostics, q->net, &data, &q->arena);
    size_t size = net_pool_size(q->net), shared = diagnostics_pool_size(&q->diagnostics);
    struct pool pool = {.size = size > shared ? size : shared};
    pool.memory = arena_alloc(&q->arena, pool.size);
    net_use_pool(q->net, pool);
    diagnostics_use_pool(&q->diagnostics, pool);
    net_initialise(q->net);
    float bits[2 * MAX_LAYERS];
    for (size_t i = 0; i < 2 * q->net->count; i++)
        bits[i] = 4;
    net_set_bits(q->net, bits);
    for (size_t i = 0; i < BATCH; i++)
        q->labels[i] = (int32_t)(i % 3);
    for (size_t i = 0; i < BATCH * 64; i++)
        for (size_t c = 0; c < 3; c++)
            q->net->input[i * row_stride(3) + c] = (float)rng_normal(5, 3 * i + c);
}

static double step(struct quantised *q, long number)
{
    size_t correct = 0;
    double loss = net_pass(q->net, BATCH, q->labels, number, PASS_TRAIN, NULL, &correct);
    net_update(q->net, 0.05);
    return loss;
}

static void drop_quantised(struct quantised *q)
{
    diagnostics_end(&q->diagnostics);
    arena_free(&q->arena);
    settings_free(&q->settings);
}

Test(models, diagnosing_changes_nothing_and_is_kept)
{
    struct quantised plain, diagnosed;
    build_quantised(&plain);
    build_quantised(&diagnosed);
    for (long i = 0; i < 3; i++) {
        cr_assert_eq(step(&plain, i), step(&diagnosed, i));
        if (i < 2)
            diagnose(&diagnosed.diagnostics, BATCH, diagnosed.labels, i);
    }
    cr_assert(memcmp(plain.net->values, diagnosed.net->values, plain.net->value_count * sizeof(float)) == 0);

    struct record record = {0};
    diagnostics_record(&diagnosed.diagnostics, &record);
    const struct field *cosine = record_find(&record, "/diagnostics/gradient_cosine"),
                       *codes = record_find(&record, "/diagnostics/weight_codes_used");
    cr_assert(cosine && cosine->shape[0] == 2 && cosine->shape[1] == plain.net->count);
    for (size_t i = 0; i < 2 * plain.net->count; i++) {
        double c = ((const double *)cosine->data)[i], used = ((const double *)codes->data)[i];
        cr_assert(c > 0 && c <= 1 && used > 0.2 && used <= 1, "%g, %g", c, used);
    }
    record_free(&record);

    struct kept kept = {0};
    diagnostics_keep(&diagnosed.diagnostics, &kept);
    cr_assert(kept.count == 2 && *(const int64_t *)kept.parts[1].data == 2);
    kept_free(&kept);
    drop_quantised(&plain);
    drop_quantised(&diagnosed);
}
