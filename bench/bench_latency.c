/* SPDX-License-Identifier: GPL-3.0-or-later
 * Time of each forward product of the built-in models at their usual sizes, a sample at a time, in the cases that the engine
 * really has: 8-bit codes, inputs of at most 4 bits (which convolutions also pack), float32. */
#include "bench.h"
#include "decisions.h"
#include "kernels/kernels.h"
#include "settings.h"
#include "version.h"
#include "../methods/costs/latency.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, CLASSES = 10, MOST_SHAPES = 256 };

static const struct { const char *model; int rank; size_t shape[3]; } networks[] = {
    {"mlp", 3, {1, 28, 28}}, {"fcnet", 1, {405}}, {"lenet5", 3, {1, 28, 28}}, {"conv1d", 2, {6, 128}},
    {"resnet20", 3, {3, 32, 32}}, {"mobilenetv2", 3, {3, 32, 32}}, {"resnet18", 3, {3, 224, 224}},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* Widths that a case serves up to. */
static const struct engine_case { float w, a; const char *mode; } cases[] = {{8, 4, "fqt"}, {8, 8, "fqt"}, {32, 32, "fp"}};
enum { CASES = sizeof cases / sizeof *cases };

struct case_net { struct settings settings; struct arena arena; struct net net; };
struct forward { const struct mode_ops *mode; struct product *product; float *x, *y; };

static void begin(struct case_net *c, size_t network, const struct engine_case *engine)
{
    const bool quantised = strcmp(engine->mode, "fqt") == 0;
    const struct choice choices[] = {
        {.key = "dataset", .text = "synthetic"}, {.key = "model", .text = networks[network].model},
        {.key = "batch", .text = "1"}, {.key = "mode", .text = engine->mode},
        {.key = "allocator", .text = quantised ? "uniform" : "none"},
        {.key = "budget", .text = "8"}, {.key = "acc_bits", .text = "32"},
    };
    struct dataset sample = {.rank = networks[network].rank, .features = 1, .classes = CLASSES};
    const struct choice *wrong;
    struct error error;
    float widths[MAX_TENSORS];
    *c = (struct case_net){0};
    if (!settings_resolve(choices, sizeof choices / sizeof *choices, &c->settings, &wrong, &error))
        die("%s", error.text);
    for (int axis = 0; axis < sample.rank; axis++)
        sample.features *= sample.shape[axis] = networks[network].shape[axis];
    net_build(&c->net, &c->settings, &sample, setting_plug(&c->settings, "mode"), run_quantiser(&c->settings), 1, &c->arena);
    size_t size = net_pool_size(&c->net);
    net_use_pool(&c->net, (struct pool){arena_alloc(&c->arena, size), size});
    for (size_t i = 0; i < c->net.tensor_count; i++)
        widths[i] = !quantised ? 0 : c->net.tensors[i].kind == TENSOR_ACTIVATION ? engine->a : engine->w;
    net_set_bits(&c->net, widths);
}

static void end(struct case_net *c)
{
    arena_free(&c->arena);
    settings_free(&c->settings);
}

/* rows × cols with zero padding: normal draws, or like a rectified activation. */
static void draw(float *x, size_t rows, size_t cols, bool rectified)
{
    uint64_t key = rng_key(1, STREAM_DATA, rows, cols);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float value = (float)rng_normal(key, i * cols + j);
            x[i * row_stride(cols) + j] = rectified && value < 0 ? 0 : value;
        }
}

/* A layer on memory of its own, as at evaluation: the weights' codes and the input's range are there already. */
static struct forward prepare(struct case_net *c, size_t index)
{
    struct layer *layer = &c->net.layers[index];
    struct product *p = &layer->product;
    const struct geometry *g = &layer->shape;
    struct forward forward = {
        .mode = c->net.mode, .product = p,
        .x = arena_alloc(&c->arena, g->in_h * g->in_w * row_stride(g->in_c) * sizeof(float)),
        .y = arena_alloc(&c->arena, g->out_h * g->out_w * row_stride(g->out_c) * sizeof(float)),
    };
    draw(forward.x, g->in_h * g->in_w, g->in_c, true);
    draw(layer->w, layer->n, layer->k, false);
    p->x = forward.x;
    p->y = forward.y;
    p->samples = 1;
    p->m = g->out_h * g->out_w;
    p->weights_ready = p->evaluating = false;
    p->observing = true;
    c->net.mode->forward(p);
    p->weights_ready = p->evaluating = true;
    p->observing = false;
    return forward;
}

static void run_forward(void *context)
{
    struct forward *forward = context;
    forward->mode->forward(forward->product);
}

static void add_row(struct bench_rows *rows, const struct latency_shape *shape, const struct engine_case *engine, double ms)
{
    const double *s = shape->sizes;
    const char *kind = latency_kind_names[shape->kind];
    bench_add(rows, ms, "ms", NAN, NAN, "latency/%s/%gx%gx%g-%g/k%gs%g/w%ga%g", kind, s[SHAPE_IN_H], s[SHAPE_IN_W],
              s[SHAPE_IN_C], s[SHAPE_OUT_C], s[SHAPE_KERNEL], s[SHAPE_STRIDE], (double)engine->w, (double)engine->a);
    if (!rows->latency)
        return;
    fprintf(rows->latency, "%s", kind);
    for (int i = 0; i < SHAPE_SIZES; i++)
        fprintf(rows->latency, ",%g", s[i]);
    fprintf(rows->latency, ",%g,%g,%.6g\n", (double)engine->w, (double)engine->a, ms);
}

static void time_layer(struct bench_rows *rows, struct case_net *nets, size_t index, const struct latency_shape *shape)
{
    struct forward forwards[CASES];
    struct variant variants[CASES];
    double seconds[CASES];
    for (size_t i = 0; i < CASES; i++) {
        forwards[i] = prepare(&nets[i], index);
        variants[i] = (struct variant){run_forward, &forwards[i]};
    }
    bench_interleaved(variants, CASES, ROUNDS, seconds);
    for (size_t i = 0; i < CASES; i++)
        add_row(rows, shape, &cases[i], 1e3 * seconds[i]);
}

static bool is_known(struct latency_shape *shapes, size_t *count, const struct latency_shape *shape)
{
    for (size_t i = 0; i < *count; i++)
        if (latency_shapes_equal(&shapes[i], shape))
            return true;
    if (*count == MOST_SHAPES)
        die("more than %d shapes of layers", MOST_SHAPES);
    shapes[(*count)++] = *shape;
    return false;
}

static void write_header(FILE *file)
{
    char model[BENCH_CPU_MODEL];
    char date[16];
    time_t now = time(NULL);
    bench_cpu_model(model, sizeof model);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    fprintf(file, "# Milliseconds of the forward product of one sample (batch 1), the quantisation of its input included:\n"
            "# medians of %d rounds on one thread. A row serves all widths up to its own. Written by bitsweep bench "
            "kernels.\n"
            "# machine: %s\n# kernels: %s\n# bitsweep: commit %s\n# date: %s\n", ROUNDS, model, kernels()->isa,
            build_commit(), date);
    for (size_t i = 0; latency_columns[i]; i++)
        fprintf(file, "%s%s", i ? "," : "", latency_columns[i]);
    fputc('\n', file);
}

void bench_latency(struct bench_rows *rows)
{
    struct latency_shape *shapes = xmalloc(MOST_SHAPES * sizeof *shapes);
    struct case_net *nets = xmalloc(CASES * sizeof *nets);
    size_t known = 0;
    if (rows->latency)
        write_header(rows->latency);
    for (size_t network = 0; network < NETWORKS; network++) {
        for (size_t i = 0; i < CASES; i++)
            begin(&nets[i], network, &cases[i]);
        for (size_t i = 0; i < nets->net.count; i++) {
            struct latency_shape shape = latency_shape(&nets->net.layers[i].shape);
            if (!is_known(shapes, &known, &shape))
                time_layer(rows, nets, i, &shape);
        }
        for (size_t i = 0; i < CASES; i++)
            end(&nets[i]);
    }
    free(nets);
    free(shapes);
}
