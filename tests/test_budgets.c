/* SPDX-License-Identifier: GPL-3.0-or-later
 * Budgets as text, and what a run makes of them. */
#include "../bench/budgets.h"
#include "../bench/nn/net.h"
#include "../bench/plan.h"
#include "../bench/settings.h"
#include "../methods/allocators/problem.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

Test(budgets, canonical_texts)
{
    static const struct { const char *text, *canonical;
    } rows[] = {
        {"4", "4"},
        {"4.0", "4"},
        {"25e-1", "2.5"},
        {"mean_bits=4.0", "4"},
        {"weight_bytes=70KiB", "weight_bytes=71680"},
        {"weight_bytes=71680", "weight_bytes=71680"},
        {"weight_bytes=1MiB", "weight_bytes=1048576"},
        {"weight_bytes=0.5GiB", "weight_bytes=536870912"},
        {"bops=1.5k", "bops=1500"},
        {"bops=2M", "bops=2000000"},
        {"bops=2.5G", "bops=2500000000"},
        {"bops=1T", "bops=1000000000000"},
        {"bops=25%", "bops=25%"},
        {"bops=25.0%", "bops=25%"},
        {"mean_bits=50%", "mean_bits=50%"},
        {"weight_bytes=70KiB,bops=25%", "bops=25%,weight_bytes=71680"},
        {" bops=25% , weight_bytes=71680 ", "bops=25%,weight_bytes=71680"},
        {"mean_bits=4,bops=1e9", "bops=1000000000,mean_bits=4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {""};
        char *canonical, *again;
        cr_assert(budget_parse(rows[i].text, &canonical, &error), "%s: %s", rows[i].text, error.text);
        cr_expect_str_eq(canonical, rows[i].canonical);
        cr_assert(budget_parse(canonical, &again, &error), "%s", error.text);
        cr_expect_str_eq(again, canonical);
        free(again);
        free(canonical);
    }
}

Test(budgets, bad_texts)
{
    static const struct { const char *text, *problem; } rows[] = {
        {"", "budget"}, {"four", "budget is 'four', not a number"}, {"0.5", "out of range"}, {"33", "out of range"},
        {"mean_bits=40", "out of range"}, {"weight_byte=7", "did you mean 'weight_bytes'"}, {"bops=", "bops"},
        {"bops=25%%", "the limit of bops is '25%%'"}, {"bops=25 %", "bops"}, {"bops=-3", "above 0"}, {"bops=0", "above 0"},
        {"bops=1e999", "bops"}, {"bops=0x10", "bops"}, {"bops=nan", "bops"}, {"weight_bytes=7kib", "KiB"},
        {"bops=1,bops=2", "cost bops twice"}, {"bops=1,4", "COST=AMOUNT"}, {"=4", "there is no cost"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {""};
        char *canonical;
        cr_expect_not(budget_parse(rows[i].text, &canonical, &error), "'%s' was taken", rows[i].text);
        cr_expect(strstr(error.text, rows[i].problem), "no \"%s\" in: %s", rows[i].problem, error.text);
    }
}

/* ---- of a run ---- */

static int describe(const struct settings *settings, struct dataset *described, struct tensor *tensors)
{
    struct error error;
    const struct dataset_ops *ops = setting_plug(settings, "dataset");
    cr_assert(ops->describe(settings, described, &error), "%s", error.text);
    return net_tensors(settings, described, tensors);
}

/* Limits of a run with these settings; closes them. */
static int limits_of(const struct settings *settings, double *limits, const char **names)
{
    struct dataset described;
    struct tensor tensors[MAX_TENSORS];
    struct budgets budgets;
    struct error error = {""};
    int count = describe(settings, &described, tensors);
    cr_assert(budgets_open(settings, &described, tensors, count, &budgets, &error), "%s", error.text);
    for (int b = 0; b < budgets.count; b++) {
        limits[b] = budgets.items[b].limit;
        names[b] = budgets.items[b].cost->plug.name;
    }
    count = budgets.count;
    budgets_close(&budgets);
    dataset_free(&described);
    return count;
}

/* 64-32-10: shares are of what 8 bits cost, whatever min_bits and max_bits are. */
Test(budgets, shares_and_amounts)
{
    const double weights = 64 * 32 + 32 * 10;
    double limits[MAX_BUDGETS];
    const char *names[MAX_BUDGETS];
    struct settings s = make_settings("features=64", "classes=10", "hidden=32", "max_bits=6",
                                      "budget=weight_bytes=50%,bops=25%,act_bytes_max=1KiB", NULL);
    cr_assert_eq(limits_of(&s, limits, names), 3);
    cr_expect_str_eq(names[0], "act_bytes_max");
    cr_expect_str_eq(names[1], "bops");
    cr_expect_str_eq(names[2], "weight_bytes");
    expect_near(limits[0], 1024);
    expect_near(limits[1], 0.25 * weights * 64);
    expect_near(limits[2], 0.5 * weights);
    settings_free(&s);
}

/* To the last digit: 25 % is what all tensors cost at 2 bits, 50 % what they cost at 4. */
Test(budgets, shares_are_exact)
{
    for (int features = 1; features <= 60; features++) {
        const double weights = 32 * features + 32 * 10;
        double limits[MAX_BUDGETS];
        const char *names[MAX_BUDGETS];
        char *text = format_text("features=%d", features);
        struct settings s = make_settings(text, "classes=10", "hidden=32", "budget=weight_bytes=25%,bops=25%", NULL);
        cr_assert_eq(limits_of(&s, limits, names), 2);
        cr_expect_eq(limits[0], weights * 16, "bops of %d features: %.17g", features, limits[0]);
        cr_expect_eq(limits[1], weights / 4, "bytes of %d features: %.17g", features, limits[1]);
        settings_free(&s);
        free(text);
    }
}

Test(budgets, one_number)
{
    double limits[MAX_BUDGETS];
    const char *names[MAX_BUDGETS];
    struct settings s = make_settings("budget=3.5", NULL);
    cr_assert_eq(limits_of(&s, limits, names), 1);
    cr_expect_str_eq(names[0], "mean_bits");
    cr_expect_eq(limits[0], 3.5);
    settings_free(&s);
    s = make_settings("allocator=none", NULL);
    cr_expect_eq(limits_of(&s, limits, names), 0);
    settings_free(&s);
}

Test(budgets, one_number_for_gradients_alone)
{
    double limits[MAX_BUDGETS];
    const char *names[MAX_BUDGETS];
    struct settings s = make_settings("mode=fqt", "allocator=qbitopt", "allocate=gradients", "budget=3.5", NULL);
    cr_assert_eq(limits_of(&s, limits, names), 1);
    cr_expect_str_eq(names[0], "mean_bits_g");
    cr_expect_eq(limits[0], 3.5);
    settings_free(&s);
}

/* Where gradients' widths are allocated and no budget is about them, grad_bits is their mean. */
Test(budgets, of_gradients)
{
    static const struct { const char *budget; int count; const char *last; double limit; } rows[] = {
        {"budget=4", 2, "mean_bits_g", 5}, {"budget=mean_bits=4,mean_bits_g=3", 2, "mean_bits_g", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double limits[MAX_BUDGETS];
        const char *names[MAX_BUDGETS];
        struct settings s = make_settings("mode=fqt", "allocator=qbitopt", "allocate=weights-activations-gradients",
                                          "grad_bits=5", rows[i].budget, NULL);
        int count = limits_of(&s, limits, names);
        cr_assert_eq(count, rows[i].count);
        cr_expect_str_eq(names[count - 1], rows[i].last);
        cr_expect_eq(limits[count - 1], rows[i].limit);
        settings_free(&s);
    }
}

/* ---- in sweep files ---- */

#define HEAD "dataset: synthetic\n"

/* All spellings of one budget make one run. */
Test(budgets, spellings_have_one_identity)
{
    struct plan plan = plan_of(HEAD "blocks:\n"
                               "  - budget: {weight_bytes: 70KiB, bops: 25%}\n"
                               "  - budget: bops=25%,weight_bytes=71680\n"
                               "  - budget: ['weight_bytes=71680,bops=25.0%', {bops: 25%, weight_bytes: 70KiB}]\n"
                               "  - budget:\n      bops: 25%\n      weight_bytes: 7168e1\n", NULL);
    cr_expect_eq(plan.count, 1);
    cr_expect_str_eq(setting_text(&plan.runs[0].settings, "budget"), "bops=25%,weight_bytes=71680");
    plan_free(&plan);
}

static void expect_budgets(const char *text, const char *const *options, size_t count, const char *const *budgets)
{
    struct plan plan = plan_of(text, options);
    cr_assert_eq(plan.count, count, "%zu runs of:\n%s", plan.count, text);
    for (size_t i = 0; i < count; i++)
        cr_expect_str_eq(setting_text(&plan.runs[i].settings, "budget"), budgets[i]);
    plan_free(&plan);
}

Test(budgets, lists_zips_exclusions_and_options)
{
    expect_budgets(HEAD "budget: [4, {bops: 25%}]\n", NULL, 2, OPTIONS("4", "bops=25%"));
    expect_budgets(HEAD "zip: {budget: [{bops: 25%}, 4], epochs: [3, 5]}\n", NULL, 2, OPTIONS("bops=25%", "4"));
    expect_budgets(HEAD "budget: [4, {bops: 25%}, {bops: 50%}]\nexclude: [{budget: [{bops: 50.0%}, 4]}]\n", NULL, 1,
                   OPTIONS("bops=25%"));
    expect_budgets(HEAD "budget: 4\n", OPTIONS("budget={bops: 25%}"), 1, OPTIONS("bops=25%"));
    expect_budgets(HEAD "budget: {bops: 25%}\n", OPTIONS("budget=weight_bytes=50%,bops=25%"), 1,
                   OPTIONS("bops=25%,weight_bytes=50%"));
    expect_budgets(HEAD "budget: 4\n", OPTIONS("budget=[3, {bops: 25%}]"), 2, OPTIONS("3", "bops=25%"));
}

Test(budgets, mappings_of_rules)
{
    struct plan plan = plan_of(HEAD "budget: 4\npin: {first.*: 8, last.*: 8}\nlimits: {'*.input': 4..}\n", NULL);
    cr_expect_eq(plan.count, 1);
    cr_expect_str_eq(setting_text(&plan.runs[0].settings, "pin"), "first.*=8,last.*=8");
    cr_expect_str_eq(setting_text(&plan.runs[0].settings, "limits"), "*.input=4..8");
    plan_free(&plan);
}
