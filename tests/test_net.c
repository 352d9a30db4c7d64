/* SPDX-License-Identifier: GPL-3.0-or-later
 * Gradients of the float network against finite differences of an independent double-precision one; loss, update, schedules,
 * initial weights. */
#include "naive_net.h"
#include "support.h"
#include "../bench/nn/schedule.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 7
#define CLASSES 3

struct fixture { struct settings settings; struct arena arena; struct net net; int32_t labels[ROWS]; };

static void build(struct fixture *f, struct settings settings, size_t features)
{
    f->settings = settings;
    f->arena = (struct arena){0};
    const struct dataset dataset = {.rank = 1, .shape = {features}, .features = features, .classes = CLASSES};
    const struct mode_ops *mode = (const struct mode_ops *)plug_find(PLUG_MODE, "fp");
    net_build(&f->net, &f->settings, &dataset, mode, NULL, ROWS, &f->arena);
    size_t size = net_pool_size(&f->net);
    net_use_pool(&f->net, (struct pool){arena_alloc(&f->arena, size), size});
    net_initialise(&f->net);
    uint64_t key = rng_key(3, STREAM_DATA, 1, 2);
    for (size_t i = 0; i < ROWS; i++) {
        f->labels[i] = (int32_t)(i % CLASSES);
        for (size_t j = 0; j < features; j++)
            f->net.input[i * row_stride(features) + j] = (float)rng_normal(key, i * features + j);
    }
    for (size_t l = 0; l < f->net.count; l++) /* biases start at zero: make them matter */
        for (size_t j = 0; f->net.layers[l].bias && j < f->net.layers[l].n; j++)
            f->net.layers[l].bias[j] = (float)rng_normal(key, 1000 + 100 * l + j);
}

static void drop(struct fixture *f)
{
    arena_free(&f->arena);
    settings_free(&f->settings);
}

static void check_gradients(struct fixture *f)
{
    size_t correct = 0;
    double squares[2 * MAX_LAYERS], inputs = 0;
    double loss = net_pass(&f->net, ROWS, f->labels, 0, PASS_TRAIN, squares, &correct);
    cr_assert(fabs(loss / ROWS - naive_loss(&f->net, ROWS, f->labels, false, NULL, 0)) < 1e-5);
    expect_gradients(&f->net, ROWS, f->labels);
    for (size_t l = 0; l < f->net.count; l++) {
        const struct layer *layer = &f->net.layers[l];
        double sum = 0;
        for (size_t i = 0; i < layer->n * row_stride(layer->k); i++)
            sum += (double)layer->dw[i] * layer->dw[i];
        cr_assert(fabs(squares[2 * l] - sum) <= 1e-5 * sum, "sum of squares");
    }
    for (size_t i = 0; i < ROWS * row_stride(f->net.input_shape.c); i++)
        inputs += (double)f->net.input_gradient[i] * f->net.input_gradient[i];
    cr_assert(fabs(squares[1] - inputs) <= 1e-5 * inputs, "sum of squares of the input's gradient");
}

Test(net, mlp_gradients_match_finite_differences)
{
    struct fixture f;
    build(&f, make_settings("model=mlp", "hidden=9-5", "mode=fp", "allocator=none", NULL), 11);
    cr_assert_eq(f.net.count, 3);
    check_gradients(&f);
    drop(&f);
}

Test(net, fcnet_gradients_match_finite_differences)
{
    struct fixture f;
    build(&f, make_settings("model=fcnet", "width=8", "mode=fp", "allocator=none", NULL), 6);
    cr_assert(!f.net.layers[0].bias && f.net.layers[1].n == 6 && f.net.layers[2].n == CLASSES);
    check_gradients(&f);
    drop(&f);
}

Test(net, update_is_sgd_with_momentum_and_decay_on_weights_only)
{
    struct fixture f;
    build(&f, make_settings("model=mlp", "hidden=4", "mode=fp", "allocator=none", "momentum=0.5", "weight_decay=0.25", NULL),
          4);
    struct layer *layer = &f.net.layers[0];
    layer->w[1] = 2;
    layer->bias[1] = 2;
    double w = 2, v = 0, bias = 2, bias_v = 0;
    for (int step = 0; step < 3; step++) {
        layer->dw[1] = layer->dbias[1] = 1;
        v = 0.5 * v + (1 + 0.25 * w);
        w -= 0.1 * v;
        bias_v = 0.5 * bias_v + 1;
        bias -= 0.1 * bias_v;
        net_update(&f.net, 0.1);
        cr_assert(fabs(layer->w[1] - w) < 1e-5 && fabs(layer->bias[1] - bias) < 1e-5);
    }
    drop(&f);
}

/* Names under which weights are stored and found again. */
Test(net, parameters_are_named_and_padded)
{
    struct fixture f;
    build(&f, make_settings("model=mlp", "hidden=9", "mode=fp", "allocator=none", NULL), 11);
    static const struct { const char *name; size_t rows, cols; bool decays; } expected[] = {
        {"fc1.weight", 9, 11, true}, {"fc1.bias", 1, 9, false},
        {"fc2.weight", CLASSES, 9, true}, {"fc2.bias", 1, CLASSES, false}};
    cr_assert_eq(f.net.parameter_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct parameter *p = &f.net.parameters[i];
        cr_assert_str_eq(p->name, expected[i].name);
        cr_assert(p->rows == expected[i].rows && p->cols == expected[i].cols && p->stride == row_stride(p->cols));
        cr_assert_eq(p->decays, expected[i].decays);
        cr_assert((uintptr_t)p->value % 64 == 0 && (uintptr_t)p->gradient % 64 == 0 && (uintptr_t)p->velocity % 64 == 0);
    }
    cr_assert_str_eq(f.net.tensors[3].name, "fc2.input");
    cr_assert(f.net.layers[0].w == f.net.parameters[0].value && f.net.layers[1].dbias == f.net.parameters[3].gradient);
    drop(&f);
}

Test(net, stored_weights_take_few_levels)
{
    struct fixture f;
    build(&f, make_settings("model=mlp", "hidden=16", "mode=fqt", "budget=4", "weight_store_bits=3", NULL), 16);
    net_update(&f.net, 0.1);
    const struct layer *layer = &f.net.layers[0];
    double largest = 0;
    for (size_t i = 0; i < 16 * row_stride(16); i++)
        largest = fmax(largest, fabs(layer->w[i]));
    for (size_t i = 0; i < 16 * row_stride(16); i++) {
        double level = layer->w[i] / (largest / 3);
        cr_assert(fabs(level - rint(level)) < 1e-5, "3 bits hold codes -3 .. 3");
    }
    drop(&f);
}

Test(net, loss_counts_the_first_of_equal_maxima_and_survives_large_logits)
{
    const float logits[] = {1, 1, 0, /**/ 1000, -1000, 0};
    const int32_t labels[] = {0, 1};
    float gradient[6];
    size_t correct = 0;
    double loss = softmax_cross_entropy(logits, 2, 3, 3, labels, gradient, &correct);
    cr_assert_eq(correct, 1);
    cr_assert(fabs(loss - (log(2 + exp(-1)) + 2000)) < 1e-6);
    for (int row = 0; row < 2; row++)
        cr_assert(fabs(gradient[3 * row] + gradient[3 * row + 1] + gradient[3 * row + 2]) < 1e-6);
}

Test(net, initial_weights_have_the_stated_spread_and_do_not_depend_on_mode)
{
    struct fixture f, g;
    build(&f, make_settings("model=mlp", "hidden=64", "mode=fp", "allocator=none", "seed=5", NULL), 64);
    build(&g, make_settings("model=mlp", "hidden=64", "mode=hfqt", "allocator=dq", "budget=3", "seed=5", NULL), 64);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 64; i++)
        for (size_t j = 0; j < 64; j++) {
            float w = f.net.layers[0].w[i * row_stride(64) + j];
            cr_assert_eq(w, g.net.layers[0].w[i * row_stride(64) + j]);
            sum += w;
            squares += (double)w * w;
        }
    double variance = 2.0 / 64, n = 64 * 64;
    cr_assert(fabs(sum / n) < 5 * sqrt(variance / n));
    cr_assert(fabs(squares / n - variance) < 5 * variance * sqrt(2 / n));
    drop(&f);
    drop(&g);
}

Test(net, schedules)
{
    struct settings s = make_settings("mode=fp", "allocator=none", "schedule=multistep", "milestones=2-3", "lr=0.5",
                                      "lr_drop=0.1", NULL);
    struct schedule schedule;
    schedule_read(&schedule, &s, 40, 10);
    const double expected[] = {0.5, 0.5, 0.05, 0.005};
    for (long step = 0; step < 40; step++)
        cr_assert(fabs(schedule_rate(&schedule, step) - expected[step / 10]) < 1e-12);
    settings_free(&s);
    s = make_settings("mode=fp", "allocator=none", "schedule=cosine", "lr=0.5", NULL);
    schedule_read(&schedule, &s, 40, 10);
    cr_assert(schedule_rate(&schedule, 0) == 0.5 && fabs(schedule_rate(&schedule, 20) - 0.25) < 1e-12);
    cr_assert(schedule_rate(&schedule, 39) > 0 && schedule_rate(&schedule, 39) < 0.001);
    settings_free(&s);
    s = make_settings("mode=fp", "allocator=none", "schedule=constant", "lr=0.5", NULL);
    schedule_read(&schedule, &s, 40, 10);
    cr_assert(schedule_rate(&schedule, 0) == 0.5 && schedule_rate(&schedule, 39) == 0.5);
    settings_free(&s);
}

Test(rng, streams_are_independent_of_each_other_and_uniform)
{
    uint64_t a = rng_key(1, STREAM_INIT, 0, 0), b = rng_key(1, STREAM_ORDER, 0, 0), c = rng_key(2, STREAM_INIT, 0, 0);
    double sum = 0, cross_stream = 0, cross_seed = 0;
    const int n = 20000;
    for (int i = 0; i < n; i++) {
        double u = rng_uniform(a, (uint64_t)i) - 0.5;
        sum += u;
        cross_stream += u * (rng_uniform(b, (uint64_t)i) - 0.5);
        cross_seed += u * (rng_uniform(c, (uint64_t)i) - 0.5);
    }
    cr_assert(fabs(sum / n) < 5 * sqrt(1 / 12.0 / n));
    cr_assert(fabs(cross_stream / n) < 5 / 12.0 / sqrt(n) && fabs(cross_seed / n) < 5 / 12.0 / sqrt(n));
    uint32_t order[1000];
    bool seen[1000] = {false};
    rng_permutation(a, 1000, order);
    size_t fixed = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert(order[i] < 1000 && !seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    cr_assert(fixed < 10, "about one fixed point is expected");
}
