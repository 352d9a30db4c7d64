/* SPDX-License-Identifier: GPL-3.0-or-later
 * Time of one training step of the MLP 784-512-256-10 at batch 128 in each mode, and of its bare float products. */
#include "bench.h"
#include "nn/net.h"
#include "settings.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#define BATCH 128
#define ROUNDS 31

/* required and aim: of the time's ratio to mode fp's. */
static const struct step_case {
    const char *name, *mode, *allocator, *bits, *grad_bits, *acc_bits;
    double required, aim;
} cases[] = {
    {"fp", "fp", "none", NULL, NULL, NULL, NAN, NAN},
    {"fp-8bit", "fp", "uniform", "8", NULL, NULL, NAN, NAN},
    {"fqt", "fqt", "uniform", "8", "8", "32", 0.6, 0.45},
    {"fqt-4bit-acc8", "fqt", "uniform", "4", "4", "8", NAN, NAN},
    {"hfqt", "hfqt", "uniform", "4", "4", "8", 0.8, 0.6},
};
#define CASES (sizeof cases / sizeof *cases)

struct step { struct settings settings; struct arena arena; struct net net; int32_t labels[BATCH]; long count; };

static void begin(struct step *step, const struct step_case *c)
{
    struct choice choices[8] = {
        {.key = "dataset", .text = "synthetic"}, {.key = "mode", .text = c->mode},
        {.key = "allocator", .text = c->allocator}, {.key = "batch", .text = "128"},
    };
    size_t count = 4;
    if (c->bits)
        choices[count++] = (struct choice){.key = "budget", .text = c->bits};
    if (c->grad_bits)
        choices[count++] = (struct choice){.key = "grad_bits", .text = c->grad_bits};
    if (c->acc_bits)
        choices[count++] = (struct choice){.key = "acc_bits", .text = c->acc_bits};
    const struct choice *wrong;
    struct error error;
    if (!settings_resolve(choices, count, &step->settings, &wrong, &error))
        die("%s", error.text);
    const struct dataset images = {.rank = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10};
    const struct mode_ops *mode = (const struct mode_ops *)plug_find(PLUG_MODE, c->mode);
    const struct quantiser_ops *quantiser =
        c->bits ? (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, "max") : NULL;
    net_build(&step->net, &step->settings, &images, mode, quantiser, BATCH, &step->arena);
    float bits[2 * MAX_LAYERS];
    for (size_t i = 0; i < 2 * step->net.count; i++)
        bits[i] = c->bits ? strtof(c->bits, NULL) : 0;
    net_set_bits(&step->net, bits);
    uint64_t key = rng_key(1, STREAM_DATA, 0, 0);
    for (size_t i = 0; i < BATCH; i++) {
        step->labels[i] = (int32_t)(i % 10);
        for (size_t j = 0; j < images.features; j++)
            step->net.input[i * row_stride(images.features) + j] = (float)rng_normal(key, i * images.features + j);
    }
}

static void end(struct step *step)
{
    arena_free(&step->arena);
    settings_free(&step->settings);
}

static void run_step(void *context)
{
    struct step *step = context;
    size_t correct = 0;
    net_pass(&step->net, BATCH, step->labels, step->count++, PASS_TRAIN, NULL, &correct);
    net_update(&step->net, 1e-6);
}

/* The eight float products of the step and nothing else, in the layout that mode fp uses. */
static void run_products(void *context)
{
    const struct net *net = &((struct step *)context)->net;
    for (size_t i = 0; i < net->count; i++) {
        const struct layer *l = &net->layers[i];
        const float *x = i ? net->layers[i - 1].y : net->input;
        int n = (int)l->n, k = (int)l->k, stride_n = (int)row_stride(l->n), stride_k = (int)row_stride(l->k);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, BATCH, n, k, 1, x, stride_k, l->w, stride_k, 0, l->y, stride_n);
        if (i)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, BATCH, k, n, 1, l->dy, stride_n, l->w, stride_k, 0,
                        net->layers[i - 1].dy, stride_k);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, BATCH, 1, l->dy, stride_n, x, stride_k, 0, l->dw,
                    stride_k);
    }
}

void bench_steps(struct bench_rows *rows)
{
    struct step *steps = xcalloc(CASES + 1, sizeof *steps);
    struct variant variants[CASES + 1];
    double seconds[CASES + 1];
    for (size_t i = 0; i < CASES; i++) {
        begin(&steps[i], &cases[i]);
        variants[i] = (struct variant){run_step, &steps[i]};
    }
    begin(&steps[CASES], &cases[0]);
    variants[CASES] = (struct variant){run_products, &steps[CASES]};
    bench_interleaved(variants, CASES + 1, ROUNDS, seconds);
    for (size_t i = 0; i < CASES; i++)
        bench_add(rows, 1e3 * seconds[i], "ms", NAN, NAN, "step/mlp/%s", cases[i].name);
    bench_add(rows, seconds[0] / seconds[CASES], "x time", 1.6, 1.3, "ratio/mlp/fp/sgemm");
    for (size_t i = 1; i < CASES; i++)
        bench_add(rows, seconds[i] / seconds[0], "x time", cases[i].required, cases[i].aim, "ratio/mlp/%s/fp",
                  cases[i].name);
    for (size_t i = 0; i <= CASES; i++)
        end(&steps[i]);
    free(steps);
}
