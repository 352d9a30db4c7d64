/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sensitivities against exact ones: FIT against per-sample gradients of an independent network in double precision, that of
 * gradients against the measured scatter of dW. */
#include "mode_support.h"
#include "../bench/checkpoint.h"
#include "../bench/kernels/kernels.h"
#include "../bench/probe.h"
#include "../methods/allocators/allocation.h"
#include "../methods/allocators/sensitivity.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FEATURES 6
#define CLASSES 3
#define SAMPLES 20
#define LAYERS 3
#define MOST_INPUTS 7

/* ---- an mlp of FEATURES-7-5-CLASSES ---- */

struct fixture {
    struct settings settings;
    struct arena arena;
    struct net net;
    struct kept kept;
    struct dataset dataset;
    float x[SAMPLES * FEATURES];
    int32_t y[SAMPLES];
    struct allocation allocation;
    struct sensitivity sensitivity;
};

static void build(struct fixture *f, struct settings settings, const struct quantiser_ops *quantiser, size_t batch)
{
    *f = (struct fixture){.settings = settings};
    f->dataset = (struct dataset){.rank = 1, .shape = {FEATURES}, .features = FEATURES, .classes = CLASSES,
                                  .train = {.count = SAMPLES, .x = f->x, .y = f->y}};
    for (size_t i = 0; i < SAMPLES * FEATURES; i++)
        f->x[i] = (float)rng_normal(rng_key(5, STREAM_DATA, 0, 0), i);
    for (size_t i = 0; i < SAMPLES; i++)
        f->y[i] = (int32_t)(i % CLASSES);
    net_build(&f->net, &f->settings, &f->dataset, setting_plug(&f->settings, "mode"), quantiser, batch, &f->arena);
    size_t size = net_pool_size(&f->net);
    net_use_pool(&f->net, (struct pool){arena_alloc(&f->arena, size), size});
    net_initialise(&f->net);
    for (size_t l = 0; l < f->net.count; l++)
        for (size_t j = 0; j < f->net.layers[l].n; j++)
            f->net.layers[l].bias[j] = (float)rng_normal(rng_key(6, STREAM_DATA, l, 0), j) / 2;
    f->allocation = (struct allocation){.settings = &f->settings, .tensors = f->net.tensors, .ranges = f->net.ranges,
                                        .count = (int)f->net.tensor_count, .steps = 10, .arena = &f->arena,
                                        .kept = &f->kept};
}

static void drop(struct fixture *f)
{
    kept_free(&f->kept);
    arena_free(&f->arena);
    settings_free(&f->settings);
}

/* One sample's inputs and gradients at every layer, from the definitions. */
struct sample { double x[LAYERS + 1][MOST_INPUTS], g[LAYERS + 1][MOST_INPUTS], dw[LAYERS][MOST_INPUTS][MOST_INPUTS]; };

static void differentiate(const struct net *net, const float *x, int label, struct sample *s)
{
    double sum = 0, largest = -INFINITY;
    for (size_t j = 0; j < FEATURES; j++)
        s->x[0][j] = (double)x[j];
    for (size_t l = 0; l < LAYERS; l++) {
        const struct layer *layer = &net->layers[l];
        for (size_t n = 0; n < layer->n; n++) {
            double v = (double)layer->bias[n];
            for (size_t k = 0; k < layer->k; k++)
                v += (double)layer->w[n * row_stride(layer->k) + k] * s->x[l][k];
            s->x[l + 1][n] = l + 1 < LAYERS ? fmax(v, 0) : v;
        }
    }
    for (size_t c = 0; c < CLASSES; c++)
        largest = fmax(largest, s->x[LAYERS][c]);
    for (size_t c = 0; c < CLASSES; c++)
        sum += exp(s->x[LAYERS][c] - largest);
    for (size_t c = 0; c < CLASSES; c++)
        s->g[LAYERS][c] = exp(s->x[LAYERS][c] - largest) / sum - ((int)c == label);
    for (size_t l = LAYERS; l-- > 0;) {
        const struct layer *layer = &net->layers[l];
        memset(s->g[l], 0, sizeof s->g[l]);
        for (size_t n = 0; n < layer->n; n++) {
            double g = l + 1 < LAYERS && s->x[l + 1][n] == 0 ? 0 : s->g[l + 1][n];
            for (size_t k = 0; k < layer->k; k++) {
                s->dw[l][n][k] = g * s->x[l][k];
                s->g[l][k] += g * (double)layer->w[n * row_stride(layer->k) + k];
            }
        }
    }
}

/* Over `count` samples: the mean of ‖g‖² of every tensor, and for the weights 1/n times the sum of g_s·g_t over s ≠ t. */
static void exact_traces(const struct fixture *f, const size_t *samples, size_t count, double *trace, double *crossed)
{
    struct sample *s = xcalloc(count, sizeof *s);
    for (size_t i = 0; i < count; i++)
        differentiate(&f->net, f->x + samples[i] * FEATURES, f->y[samples[i]], &s[i]);
    for (size_t l = 0; l < LAYERS; l++) {
        trace[2 * l] = trace[2 * l + 1] = crossed[l] = 0;
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < MOST_INPUTS; k++)
                trace[2 * l + 1] += s[i].g[l][k] * s[i].g[l][k] / (double)count;
            for (size_t j = 0; j < count; j++) {
                double product = 0;
                for (size_t n = 0; n < MOST_INPUTS; n++)
                    for (size_t k = 0; k < MOST_INPUTS; k++)
                        product += s[i].dw[l][n][k] * s[j].dw[l][n][k];
                *(i == j ? &trace[2 * l] : &crossed[l]) += product / (double)count;
            }
        }
    }
    free(s);
}

static void expect_close(double value, double expected, const char *what)
{
    cr_assert(fabs(value - expected) <= 1e-4 * fabs(expected) + 1e-12, "%s: %g, not %g", what, value, expected);
}

/* The estimate after one backward pass over these samples. */
static void estimate(struct fixture *f, const size_t *samples, size_t count)
{
    double squares[2 * LAYERS];
    int32_t labels[SAMPLES];
    size_t correct = 0;
    for (size_t i = 0; i < count; i++) {
        labels[i] = f->y[samples[i]];
        memcpy(f->net.input + i * row_stride(FEATURES), f->x + samples[i] * FEATURES, FEATURES * sizeof(float));
    }
    net_pass(&f->net, count, labels, 0, PASS_TRAIN, squares, &correct);
    sensitivity_observe(&f->sensitivity, &(struct observation){.batch = count, .sum_squares = squares});
}

Test(sensitivity, traces_against_gradients_of_single_samples)
{
    for (size_t count = 1; count <= SAMPLES; count += count == 1 ? 6 : 13) {
        struct fixture f;
        size_t samples[SAMPLES];
        double trace[2 * LAYERS], crossed[LAYERS];
        build(&f, make_settings("mode=fp", "allocator=none", "hidden=7-5", NULL), NULL, SAMPLES);
        sensitivity_begin(&f.sensitivity, &f.allocation, 0.9, false, false);
        for (size_t i = 0; i < count; i++)
            samples[i] = (7 * i + 2) % SAMPLES;
        estimate(&f, samples, count);
        exact_traces(&f, samples, count, trace, crossed);
        for (size_t l = 0; l < LAYERS; l++) {
            double weight = f.sensitivity.trace[2 * l] / f.sensitivity.weight;
            expect_close(f.sensitivity.trace[2 * l + 1] / f.sensitivity.weight, trace[2 * l + 1],
                         "an activation's trace is exact");
            expect_close(weight, trace[2 * l] + crossed[l], "a weight's also holds products of samples");
            cr_assert(count > 1 || crossed[l] == 0);
            cr_assert(count == 1 || fabs(crossed[l]) > 1e-3 * trace[2 * l], "which do not vanish");
        }
        drop(&f);
    }
}

/* Two batches: averages with memory, corrected for their start. */
Test(sensitivity, averages_are_bias_corrected)
{
    struct fixture f;
    double first[2 * LAYERS], second[2 * LAYERS], crossed[LAYERS];
    size_t one = 3, other = 11;
    build(&f, make_settings("mode=fp", "allocator=none", "hidden=7-5", NULL), NULL, SAMPLES);
    sensitivity_begin(&f.sensitivity, &f.allocation, 0.75, false, false);
    estimate(&f, &one, 1);
    estimate(&f, &other, 1);
    exact_traces(&f, &one, 1, first, crossed);
    exact_traces(&f, &other, 1, second, crossed);
    for (int i = 0; i < 2 * LAYERS; i++)
        expect_close(f.sensitivity.trace[i] / f.sensitivity.weight,
                     (0.75 * 0.25 * first[i] + 0.25 * second[i]) / (0.75 * 0.25 + 0.25), "average");
    drop(&f);
}

/* The float pass sees neither the widths in force nor the batches of training. */
Test(sensitivity, float_pass_measures_the_unquantised_network)
{
    for (size_t batch = 8; batch <= SAMPLES; batch += SAMPLES - 8) {
        struct fixture f;
        uint32_t indices[SAMPLES];
        size_t all[SAMPLES];
        double trace[2 * LAYERS], crossed[LAYERS];
        float bits[2 * LAYERS];
        build(&f, make_settings("allocator=qbitopt", "fit_source=float", "budget=3", "mode=fp", "hidden=7-5", NULL),
              (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, "max"), batch);
        for (size_t i = 0; i < SAMPLES; i++)
            indices[i] = (uint32_t)(all[i] = i);
        for (int i = 0; i < 2 * LAYERS; i++)
            bits[i] = 2;
        f.allocation.probe = probe_begin(&f.net, &f.dataset, SAMPLES, &f.arena);
        probe_choose(f.allocation.probe, &f.dataset, indices, SAMPLES);
        size_t size = probe_pool_size(f.allocation.probe);
        probe_use_pool(f.allocation.probe, (struct pool){arena_alloc(&f.arena, size), size});
        net_set_bits(&f.net, bits);
        sensitivity_begin(&f.sensitivity, &f.allocation, 0.9, false, true);
        f.net.layers[1].w[0] += 0.5f; /* as the weights are at the moment */
        sensitivity_probe(&f.sensitivity);
        exact_traces(&f, all, SAMPLES, trace, crossed);
        for (size_t l = 0; l < LAYERS; l++) {
            expect_close(f.sensitivity.probed[2 * l + 1], trace[2 * l + 1], "activation");
            if (batch == SAMPLES)
                expect_close(f.sensitivity.probed[2 * l], trace[2 * l] + crossed[l], "weight");
        }
        drop(&f);
    }
}

/* ---- tables ---- */

Test(sensitivity, tables_follow_the_step_of_each_quantiser)
{
    struct tensor tensors[3] = {
        {.name = "w", .kind = TENSOR_WEIGHT, .choices = 1 << 2 | 1 << 4 | 1 << 8},
        {.name = "a", .kind = TENSOR_ACTIVATION, .choices = 1 << 3},
        {.name = "g", .kind = TENSOR_GRADIENT, .choices = 1 << 4, .shape = {.out_c = 10}},
    };
    struct range ranges[3] = {{.kind = TENSOR_WEIGHT, .is_signed = true, .limit = 2},
                              {.kind = TENSOR_ACTIVATION, .limit = 99, .average = 1.5, .weight = 0.5},
                              {.kind = TENSOR_GRADIENT, .limit = 0.25f}};
    struct arena arena = {0};
    struct kept kept = {0};
    const struct allocation a = {.tensors = tensors, .ranges = ranges, .count = 3, .arena = &arena, .kept = &kept};
    for (int paper = 0; paper < 2; paper++) {
        struct sensitivity s;
        struct sensitivity_tables tables;
        sensitivity_begin(&s, &a, 0.5, paper, false);
        sensitivity_tables_make(&tables, &a);
        const double squares[2] = {0.5, 0.125}, input = 3;
        sensitivity_observe(&s, &(struct observation){.batch = 4, .sum_squares = squares, .input_squares = &input});
        cr_assert(sensitivity_fill(&s, &tables));
        const double step_w = 4.0 / (paper ? 15 : 14), step_a = 3.0 / 7, step_g = 0.5 / 14;
        expect_near(tables.omega[4], 2 * step_w * step_w / 12);
        expect_near(tables.omega[MOST_WIDTH + 1 + 3], 0.5 * step_a * step_a / 12);
        expect_near(tables.omega[2 * (MOST_WIDTH + 1) + 4], step_g * step_g / 6 * 10 * 3 / 0.5);
        cr_assert(isinf(tables.omega[3]) && isinf(tables.omega[5]) && isfinite(tables.omega[8]), "only allowed widths");
        const double diverged[2] = {NAN, 1};
        sensitivity_observe(&s, &(struct observation){.batch = 4, .sum_squares = diverged, .input_squares = &input});
        cr_assert_not(sensitivity_fill(&s, &tables));
    }
    kept_free(&kept);
    arena_free(&arena);
}

Test(sensitivity, a_layer_without_gradient_has_nothing_to_round)
{
    struct tensor tensor = {.kind = TENSOR_GRADIENT, .choices = 1 << 4, .shape = {.out_c = 10}};
    struct range range = {.kind = TENSOR_GRADIENT};
    struct arena arena = {0};
    struct kept kept = {0};
    const struct allocation a = {.tensors = &tensor, .ranges = &range, .count = 1, .arena = &arena, .kept = &kept};
    struct sensitivity s;
    struct sensitivity_tables tables;
    const double zero = 0, input = 3;
    sensitivity_begin(&s, &a, 0.5, false, false);
    sensitivity_tables_make(&tables, &a);
    sensitivity_observe(&s, &(struct observation){.batch = 4, .sum_squares = &zero, .input_squares = &input});
    cr_assert(sensitivity_fill(&s, &tables) && tables.omega[4] == 0);
    kept_free(&kept);
    arena_free(&arena);
}

/* ---- gradients: the relative variance of dW over rounding draws ---- */

/* The sensitivity that the layer's own tensors and gradients give its gradient at this width. */
static double predicted(const struct layer_test *t, int bits, double input_squares, double gradient_squares, double limit)
{
    struct tensor tensor = {.kind = TENSOR_GRADIENT, .choices = (uint64_t)1 << bits, .shape = t->shape};
    struct range range = {.kind = TENSOR_GRADIENT, .limit = (float)limit};
    struct arena arena = {0};
    struct kept kept = {0};
    const struct allocation a = {.tensors = &tensor, .ranges = &range, .count = 1, .arena = &arena, .kept = &kept};
    struct sensitivity s;
    struct sensitivity_tables tables;
    sensitivity_begin(&s, &a, 0, false, false);
    sensitivity_tables_make(&tables, &a);
    sensitivity_observe(&s, &(struct observation){.batch = t->p.samples, .sum_squares = &gradient_squares,
                                                  .input_squares = &input_squares});
    cr_assert(sensitivity_fill(&s, &tables));
    double omega = tables.omega[bits];
    kept_free(&kept);
    arena_free(&arena);
    return omega;
}

Test(sensitivity, gradients_against_the_measured_scatter_of_dw)
{
    enum { M = 48, N = 12, K = 10, DRAWS = 400 };
    for (int bits = 3; bits <= 6; bits++) {
        struct layer_test t;
        begin(&t, make_settings("mode=fqt", "allocator=uniform", "budget=8", "acc_bits=32", "ste=pass", NULL), M, N, K, 8, 8,
              false);
        t.g_range.bits = (float)bits;
        t.mode->forward(&t.p);
        double mean[N * K] = {0}, squares = 0, means = 0, inputs = 0, gradients = 0;
        for (int draw = 0; draw < DRAWS; draw++) {
            t.p.step = (uint64_t)draw;
            t.mode->backward(&t.p);
            for (size_t i = 0; i < N * K; i++) {
                double dw = (double)t.p.dw[i / K * row_stride(K) + i % K];
                mean[i] += dw / DRAWS;
                squares += dw * dw / DRAWS;
            }
        }
        for (size_t i = 0; i < N * K; i++)
            means += mean[i] * mean[i];
        double measured = (squares - means) * DRAWS / (DRAWS - 1) / means;
        for (size_t i = 0; i < M * row_stride(K); i++)
            inputs += (double)t.x[i] * (double)t.x[i];
        for (size_t n = 0; n < N; n++)
            for (size_t k = 0; k < K; k++) {
                double exact = 0;
                for (size_t m = 0; m < M; m++)
                    exact += (double)t.g[m * row_stride(N) + n] * (double)t.x[m * row_stride(K) + k];
                gradients += exact * exact;
            }
        bool negative;
        double limit = (double)kernels()->max_abs(t.g, M * row_stride(N), &negative);
        double expected = predicted(&t, bits, inputs, gradients, limit);
        cr_assert(fabs(measured / expected - 1) < 0.05, "%d bits: measured %g, predicted %g", bits, measured, expected);
        end(&t);
    }
}

/* What a training step tells of X and G. */
Test(sensitivity, backward_pass_reports_inputs_and_largest_gradients)
{
    struct fixture f;
    build(&f, make_settings("mode=fqt", "allocator=uniform", "allocate=gradients", "budget=4", "hidden=7-5", NULL),
          (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, "max"), SAMPLES);
    float bits[3 * LAYERS];
    double squares[2 * LAYERS];
    size_t correct = 0;
    for (int i = 0; i < 3 * LAYERS; i++)
        bits[i] = 8;
    cr_assert_eq(f.net.tensor_count, 3 * LAYERS);
    net_set_bits(&f.net, bits);
    for (size_t i = 0; i < SAMPLES; i++)
        memcpy(f.net.input + i * row_stride(FEATURES), f.x + i * FEATURES, FEATURES * sizeof(float));
    net_pass(&f.net, SAMPLES, f.y, 0, PASS_TRAIN, squares, &correct);
    double inputs = 0, hidden = 0, largest = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct sample s;
        differentiate(&f.net, f.x + i * FEATURES, f.y[i], &s);
        for (size_t j = 0; j < MOST_INPUTS; j++) {
            inputs += s.x[0][j] * s.x[0][j];
            hidden += s.x[1][j] * s.x[1][j];
            largest = fmax(largest, fabs(s.g[LAYERS][j]) / SAMPLES);
        }
    }
    expect_near(f.net.input_squares[0], inputs);
    cr_assert(fabs(f.net.input_squares[1] / hidden - 1) < 0.05, "but for 8-bit operands");
    cr_assert(fabs((double)f.net.ranges[3 * LAYERS - 1].limit / largest - 1) < 0.05);
    drop(&f);
}
