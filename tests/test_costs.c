/* SPDX-License-Identifier: GPL-3.0-or-later
 * Costs against values worked out by hand, of tensors and of networks in training. */
#include "support.h"
#include "../bench/accounting.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

extern const struct cost_ops cost_mean_bits, cost_mean_bits_w, cost_mean_bits_a, cost_numel_bits_w,
    cost_weight_bytes, cost_act_bytes_max, cost_act_bytes_sum, cost_bops;

/* 784-128-10, and a gradient tensor that no forward cost counts. */
#define COUNT 5
static const struct tensor tensors[COUNT] = {
    {"fc1.weight", TENSOR_WEIGHT, 0, 784 * 128, 784 * 128, 2, 8},
    {"fc1.input", TENSOR_ACTIVATION, 0, 784, 784 * 128, 2, 8},
    {"fc2.weight", TENSOR_WEIGHT, 1, 1280, 1280, 2, 8},
    {"fc2.input", TENSOR_ACTIVATION, 1, 128, 1280, 2, 8},
    {"fc1.gradient", TENSOR_GRADIENT, 0, 128, 784 * 128, 2, 8},
};
static const float mixed[COUNT] = {2, 4, 8, 3, 5}, float32[COUNT] = {0}, half_float[COUNT] = {0, 4, 8, 0, 4};

static const struct { const struct cost_ops *cost; double mixed, float32, half_float; } cases[] = {
    {&cost_mean_bits, 4.25, 32, 19},
    {&cost_mean_bits_w, 5, 32, 20},
    {&cost_mean_bits_a, 3.5, 32, 18},
    {&cost_numel_bits_w, (100352 * 2 + 1280 * 8) / 101632.0, 32, (100352 * 32 + 1280 * 8) / 101632.0},
    {&cost_weight_bytes, 25088 + 1280, 406528, 401408 + 1280},
    {&cost_act_bytes_max, 392, 3136, 512},
    {&cost_act_bytes_sum, 392 + 48, 3648, 392 + 512},
    {&cost_bops, 100352 * 8.0 + 1280 * 24, 101632 * 1024.0, 100352 * 128.0 + 1280 * 256},
};
#define CASES (sizeof cases / sizeof *cases)

Test(costs, values)
{
    for (size_t i = 0; i < CASES; i++) {
        const struct cost_ops *cost = cases[i].cost;
        const char *name = cost->plug.name;
        double a = cost->price(tensors, COUNT, mixed), b = cost->price(tensors, COUNT, float32),
               c = cost->price(tensors, COUNT, half_float);
        cr_assert_float_eq(a, cases[i].mixed, 1e-12 * a, "%s: %.17g", name, a);
        cr_assert_float_eq(b, cases[i].float32, 1e-12 * b, "%s in float32: %.17g", name, b);
        cr_assert_float_eq(c, cases[i].half_float, 1e-12 * c, "%s partly in float32: %.17g", name, c);
    }
}

Test(costs, shares_sum_to_the_price)
{
    static const float fractional[COUNT] = {2.5f, 3.25f, 4.125f, 7.75f, 0};
    static const float *const widths[] = {mixed, float32, half_float, fractional};
    for (size_t i = 0; i < CASES; i++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            const struct cost_ops *cost = cases[i].cost;
            if (!cost->share)
                continue;
            double sum = 0, price = cost->price(tensors, COUNT, widths[w]);
            for (int t = 0; t < COUNT; t++)
                sum += cost->share(tensors, COUNT, t, widths[w][t]);
            cr_assert_float_eq(sum, price, 1e-12 * price, "%s: %.17g, %.17g", cost->plug.name, sum, price);
        }
}

/* A maximum and a product of two widths are not sums over tensors. */
Test(costs, not_separable)
{
    for (size_t i = 0; i < CASES; i++) {
        bool joint = cases[i].cost == &cost_act_bytes_max || cases[i].cost == &cost_bops;
        cr_assert_eq(cases[i].cost->share == NULL, joint, "%s", cases[i].cost->plug.name);
    }
}

Test(costs, absent_kinds)
{
    cr_assert_eq(cost_mean_bits_w.price(tensors + 1, 1, mixed + 1), 0);
    cr_assert_eq(cost_mean_bits_a.price(tensors, 1, mixed), 0);
    cr_assert_eq(cost_numel_bits_w.share(tensors, COUNT, 1, 4), 0);
    cr_assert_eq(cost_bops.price(tensors, 1, mixed), 100352 * 2.0 * 32,
                 "an input that is not allocated is float32");
}

/* ---- of a network in training ---- */

struct fixture { struct settings settings; struct arena arena; struct net net; struct record record; };

/* lenet5 on 28 × 28 at 4-bit widths, batch 3. */
static void account(struct fixture *f, const char *mode)
{
    char *choice = format_text("mode=%s", mode);
    const struct dataset images = {.rank = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10};
    *f = (struct fixture){.settings = make_settings("model=lenet5", choice, "allocator=uniform", "budget=4", NULL)};
    const struct quantiser_ops *quantiser = setting_plug(&f->settings, "quantiser");
    net_build(&f->net, &f->settings, &images, setting_plug(&f->settings, "mode"), quantiser, 3, &f->arena);
    float bits[2 * MAX_LAYERS];
    for (size_t i = 0; i < 2 * f->net.count; i++)
        bits[i] = 4;
    net_set_bits(&f->net, bits);
    record_costs(&f->record, &f->net, training_bops(&f->net));
    free(choice);
}

static void drop(struct fixture *f)
{
    record_free(&f->record);
    arena_free(&f->arena);
    settings_free(&f->settings);
}

/* Inputs of the layers, places of the maxima (a byte), masks (a bit), a sample. */
#define INPUTS (784 + 6 * 14 * 14 + 16 * 5 * 5 + 120 + 84)
#define PICKS (6 * 14 * 14 + 16 * 5 * 5)
#define MASKS (6 * 28 * 28 + 16 * 10 * 10 + 120 + 84)
#define PARAMETERS 61706
#define LENET_MACS 416520.0

Test(costs, of_training)
{
    struct fixture f;
    account(&f, "fqt");
    cr_assert_eq(record_get_real(&f.record, "/costs/train_bytes", 0),
                 PARAMETERS * 12 + 3 * (INPUTS * 4 / 8.0 + PICKS + MASKS / 8.0));
    cr_assert_eq(record_get_real(&f.record, "/costs/bops", 0), LENET_MACS * 16);
    cr_assert_eq(record_get_real(&f.record, "/costs/bops_train", 0), LENET_MACS * 3 * 16, "4-bit gradients");
    drop(&f);
    account(&f, "fp");
    cr_assert_eq(record_get_real(&f.record, "/costs/train_bytes", 0),
                 PARAMETERS * 12 + 3 * (INPUTS * 4 + PICKS + MASKS / 8.0), "inputs as floats");
    cr_assert_eq(record_get_real(&f.record, "/costs/bops_train", 0), LENET_MACS * (16 + 2 * 32 * 32));
    drop(&f);
}

/* What normalisations read again counts beside the layers' inputs. */
Test(costs, of_training_with_normalisation)
{
    const struct dataset windows = {.rank = 2, .shape = {2, 16}, .features = 32, .classes = 3};
    struct fixture f = {.settings = make_settings("model=conv1d", "channels=8", "mode=fp", "allocator=none", NULL)};
    net_build(&f.net, &f.settings, &windows, setting_plug(&f.settings, "mode"), NULL, 5, &f.arena);
    record_costs(&f.record, &f.net, training_bops(&f.net));
    const double trained = 8 * 10 + 16 + 8 * 3 + 3, statistics = 16;
    const double inputs = 32 + 8, normalised = 8 * 16, masks = 8 * 16, picks = 8 * 8;
    cr_assert_eq(record_get_real(&f.record, "/costs/train_bytes", 0),
                 trained * 12 + statistics * 4 + 5 * (4 * (inputs + normalised) + masks / 8 + picks));
    drop(&f);
}
