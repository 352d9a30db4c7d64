/* SPDX-License-Identifier: GPL-3.0-or-later
 * Costs against values worked out by hand, of tensors and of networks in training. */
#include "support.h"
#include "../bench/accounting.h"
#include "../bench/decisions.h"
#include "../bench/settings.h"
#include "../methods/costs/price.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct cost_ops cost_mean_bits, cost_mean_bits_w, cost_mean_bits_a, cost_mean_bits_g, cost_numel_bits_w,
    cost_weight_bytes, cost_act_bytes_max, cost_act_bytes_sum, cost_bops, cost_bops_train, cost_train_bytes;

/* 784-128-10, and a gradient tensor that no forward cost counts. */
#define COUNT 5
static const struct tensor tensors[COUNT] = {
    {"fc1.weight", TENSOR_WEIGHT, 0, 784 * 128, 784 * 128, .choices = 0x1fc, .counted = true},
    {"fc1.input", TENSOR_ACTIVATION, 0, 784, 784 * 128, .choices = 0x1fc, .counted = true},
    {"fc2.weight", TENSOR_WEIGHT, 1, 1280, 1280, .choices = 0x1fc, .counted = true},
    {"fc2.input", TENSOR_ACTIVATION, 1, 128, 1280, .choices = 0x1fc, .counted = true},
    {"fc1.gradient", TENSOR_GRADIENT, 0, 128, 784 * 128, .choices = 0x1fc, .counted = true},
};
static const float mixed[COUNT] = {2, 4, 8, 3, 5}, float32[COUNT] = {0}, half_float[COUNT] = {0, 4, 8, 0, 4};

static const struct { const struct cost_ops *cost; double mixed, float32, half_float; } cases[] = {
    {&cost_mean_bits, 4.25, 32, 19},
    {&cost_mean_bits_w, 5, 32, 20},
    {&cost_mean_bits_a, 3.5, 32, 18},
    {&cost_mean_bits_g, 5, 32, 4},
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
        double a = cost_price(cost, NULL, tensors, COUNT, mixed), b = cost_price(cost, NULL, tensors, COUNT, float32),
               c = cost_price(cost, NULL, tensors, COUNT, half_float);
        cr_assert_float_eq(a, cases[i].mixed, 1e-12 * a, "%s: %.17g", name, a);
        cr_assert_float_eq(b, cases[i].float32, 1e-12 * b, "%s in float32: %.17g", name, b);
        cr_assert_float_eq(c, cases[i].half_float, 1e-12 * c, "%s partly in float32: %.17g", name, c);
    }
}

/* Tensor by tensor, each alone in its layer. */
Test(costs, shares_of_tensors_sum_to_the_price_unless_joint)
{
    static const float fractional[COUNT] = {2.5f, 3.25f, 4.125f, 7.75f, 6.5f};
    static const float *const widths[] = {mixed, float32, half_float, fractional};
    struct cost_totals totals = cost_totals(tensors, COUNT);
    for (size_t i = 0; i < CASES; i++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            const struct cost_ops *cost = cases[i].cost;
            double together = 0, price = cost_price(cost, NULL, tensors, COUNT, widths[w]);
            for (int t = 0; t < COUNT; t++) {
                struct layer_widths layer = no_widths;
                layer_take(&layer, &tensors[t], widths[w][t]);
                double share = cost->layer(NULL, &totals, &layer);
                together = cost->largest ? fmax(together, share) : together + share;
            }
            if (cost->joint)
                cr_assert_gt(fabs(together - price), 1, "%s is joint", cost->plug.name);
            else
                cr_assert_float_eq(together, price, 1e-12 * price, "%s: %.17g, %.17g", cost->plug.name, together, price);
        }
}

Test(costs, absent_and_uncounted_tensors)
{
    cr_assert_eq(cost_price(&cost_mean_bits_w, NULL, tensors + 1, 1, mixed + 1), 0);
    cr_assert_eq(cost_price(&cost_mean_bits_a, NULL, tensors, 1, mixed), 0);
    cr_assert_eq(cost_price(&cost_bops, NULL, tensors, 1, mixed), 100352 * 2.0 * 32,
                 "an input that is no tensor is float32");
    struct tensor pinned[COUNT];
    memcpy(pinned, tensors, sizeof pinned);
    pinned[0].counted = pinned[1].counted = false;
    cr_assert_eq(cost_price(&cost_mean_bits, NULL, pinned, COUNT, mixed), 5.5, "pinned tensors are outside the mean");
    cr_assert_eq(cost_price(&cost_numel_bits_w, NULL, pinned, COUNT, mixed), 8);
    cr_assert_eq(cost_price(&cost_weight_bytes, NULL, pinned, COUNT, mixed), 25088 + 1280, "but have bytes");
}

Test(costs, rise_with_each_width)
{
    for (size_t i = 0; i < CASES; i++)
        for (int t = 0; t < COUNT; t++) {
            float wider[COUNT];
            memcpy(wider, mixed, sizeof wider);
            wider[t]++;
            cr_assert_geq(cost_price(cases[i].cost, NULL, tensors, COUNT, wider),
                          cost_price(cases[i].cost, NULL, tensors, COUNT, mixed), "%s, %s", cases[i].cost->plug.name,
                          tensors[t].name);
        }
}

/* ---- of a network in training ---- */

struct fixture { struct settings settings; struct arena arena; struct net net; struct record record; };

static const struct dataset images = {.rank = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10};

/* lenet5 on 28 × 28 at 4-bit widths, batch 3. */
static void account(struct fixture *f, const char *mode)
{
    char *choice = format_text("mode=%s", mode);
    *f = (struct fixture){
        .settings = make_settings("model=lenet5", choice, "allocator=uniform", "budget=4", "batch=3", NULL)};
    const struct quantiser_ops *quantiser = setting_plug(&f->settings, "quantiser");
    net_build(&f->net, &f->settings, &images, setting_plug(&f->settings, "mode"), quantiser, 3, &f->arena);
    float bits[MAX_TENSORS];
    for (size_t i = 0; i < 2 * f->net.count; i++)
        bits[i] = 4;
    net_set_bits(&f->net, bits);
    record_costs(&f->record, &f->net, &images, training_bops(&f->net));
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
    struct fixture f = {
        .settings = make_settings("model=conv1d", "channels=8", "mode=fp", "allocator=none", "batch=5", NULL)};
    net_build(&f.net, &f.settings, &windows, setting_plug(&f.settings, "mode"), NULL, 5, &f.arena);
    record_costs(&f.record, &f.net, &windows, training_bops(&f.net));
    const double trained = 8 * 10 + 16 + 8 * 3 + 3, statistics = 16;
    const double inputs = 32 + 8, normalised = 8 * 16, masks = 8 * 16, picks = 8 * 8;
    cr_assert_eq(record_get_real(&f.record, "/costs/train_bytes", 0),
                 trained * 12 + statistics * 4 + 5 * (4 * (inputs + normalised) + masks / 8 + picks));
    drop(&f);
}

/* ---- the same as costs that budgets can be about ---- */

static const struct { const char *model, *setting; struct dataset dataset; } networks[] = {
    {"model=lenet5", "allocate=weights-activations", {.rank = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10}},
    {"model=lenet5", "allocate=weights-activations-gradients",
     {.rank = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10}},
    {"model=resnet20", "allocate=weights", {.rank = 3, .shape = {3, 16, 16}, .features = 768, .classes = 4}},
    {"model=mobilenetv2", "width_multiplier=0.25", {.rank = 3, .shape = {3, 16, 16}, .features = 768, .classes = 4}},
    {"model=conv1d", "channels=8-8", {.rank = 2, .shape = {2, 16}, .features = 32, .classes = 3}},
};
#define NETWORKS (sizeof networks / sizeof *networks)

static double price_of(const struct cost_ops *cost, const struct fixture *f, const struct dataset *dataset,
                       const float *bits)
{
    struct error error;
    void *context;
    cr_assert(cost->open(&f->settings, dataset, &context, &error), "%s", error.text);
    double price = cost_price(cost, context, f->net.tensors, (int)f->net.tensor_count, bits);
    cost->close(context);
    return price;
}

static void compare(size_t network, const char *mode, const char *option)
{
    char *choice = format_text("mode=%s", mode);
    struct fixture f = {.settings = make_settings(networks[network].model, networks[network].setting, choice, option,
                                                  "budget=4", "batch=12", NULL)};
    const struct dataset *dataset = &networks[network].dataset;
    net_build(&f.net, &f.settings, dataset, setting_plug(&f.settings, "mode"), run_quantiser(&f.settings), 12, &f.arena);
    float bits[MAX_TENSORS];
    for (size_t i = 0; i < f.net.tensor_count; i++)
        bits[i] = (float)(2 + rng_bits(7, i) % 7);
    net_set_bits(&f.net, bits);
    double operations = training_bops(&f.net), bytes = constant_training_bytes(&f.net);
    for (size_t i = 0; i < f.net.count; i++)
        bytes += layer_training_bytes(&f.net, i, bits[2 * i + 1]);
    expect_near(price_of(&cost_bops_train, &f, dataset, bits) / operations, 1);
    cr_assert_eq(price_of(&cost_train_bytes, &f, dataset, bits), bytes, "%s, %s", networks[network].model, mode);
    drop(&f);
    free(choice);
}

Test(costs, of_training_as_budgets_equal_the_accounting)
{
    for (size_t i = 0; i < NETWORKS; i++) {
        bool gradients = i == 1;
        compare(i, "fqt", "grad_bits=6");
        compare(i, "hfqt", "hadamard_block=16");
        compare(i, "hfqt", "hadamard_pad=true");
        if (gradients)
            continue;
        compare(i, "fp", "quantiser=max");
        compare(i, "luq", "grad_bits=3");
    }
}

Test(costs, widths_of_gradients_count_in_training)
{
    const struct dataset *dataset = &networks[1].dataset;
    struct fixture f = {
        .settings = make_settings("model=lenet5", "mode=fqt", "allocate=weights-activations-gradients", "budget=4", NULL)};
    net_build(&f.net, &f.settings, dataset, setting_plug(&f.settings, "mode"), run_quantiser(&f.settings), 1, &f.arena);
    cr_assert_eq(f.net.tensor_count, 15);
    float bits[MAX_TENSORS];
    for (size_t i = 0; i < 15; i++)
        bits[i] = 4;
    cr_assert_eq(price_of(&cost_bops_train, &f, dataset, bits), LENET_MACS * 3 * 16);
    bits[14] = 8; /* of the classifier, 840 MACs */
    cr_assert_eq(price_of(&cost_bops_train, &f, dataset, bits), LENET_MACS * 3 * 16 + 840 * 4 * (4 + 4));
    drop(&f);
}

Test(costs, of_training_need_a_run)
{
    void *context;
    struct error error;
    cr_assert_not(cost_bops_train.open(NULL, NULL, &context, &error));
    cr_assert(strstr(error.text, "no price for a table of tensors"), "%s", error.text);
    cr_assert_not(cost_train_bytes.open(NULL, NULL, &context, &error));
}

/* Costs without a table are not recorded; those with one are, and the mean over the steps goes before the final widths'
 * price. */
Test(costs, recorded)
{
    struct fixture f;
    account(&f, "fqt");
    static const char *const paths[] = {
        "/costs/mean_bits", "/costs/mean_bits_w", "/costs/mean_bits_a", "/costs/numel_bits_w", "/costs/weight_bytes",
        "/costs/act_bytes_max", "/costs/act_bytes_sum", "/costs/bops", "/costs/bops_train", "/costs/train_bytes",
        "/costs/energy_pj"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        cr_assert_gt(record_get_real(&f.record, paths[i], 0), 0, "%s", paths[i]);
    cr_assert_null(record_find(&f.record, "/costs/latency_ms"));
    record_costs(&f.record, &f.net, &images, 5);
    cr_assert_eq(record_get_real(&f.record, "/costs/bops_train", 0), 5);
    drop(&f);
}

Test(costs, other_names)
{
    cr_assert_eq(plug_find(PLUG_COST, "energy"), plug_find(PLUG_COST, "energy_pj"));
    cr_assert_eq(plug_find(PLUG_COST, "latency"), plug_find(PLUG_COST, "latency_ms"));
}
