/* SPDX-License-Identifier: GPL-3.0-or-later
 * The random allocator draws every feasible allocation equally often: chi-square against full enumeration. */
#include "support.h"
#include "../bench/settings.h"
#include "../methods/allocators/allocation.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 200
#define WIDTHS(lo, hi) (((uint64_t)2 << (hi)) - ((uint64_t)1 << (lo)))

struct instance { struct tensor tensors[MOST]; struct budget budgets[3]; int count, budget_count; };

static void add(struct instance *in, enum tensor_kind kind, int layer, size_t elements, uint64_t choices, int group)
{
    in->tensors[in->count++] = (struct tensor){.kind = kind, .layer = layer, .elements = elements, .choices = choices,
                                               .macs = (double)(10 * elements), .group = group, .counted = true};
}

static void limit(struct instance *in, const struct cost_ops *cost, double value)
{
    in->budgets[in->budget_count++] = (struct budget){.cost = cost, .limit = value};
}

static const struct cost_ops *cost_named(const char *name) { return (const struct cost_ops *)plug_find(PLUG_COST, name); }

/* Two layers with weight and input each, and a third weight. */
static struct instance five_tensors(uint64_t choices)
{
    struct instance in = {.count = 0};
    for (int layer = 0; layer < 3; layer++) {
        add(&in, TENSOR_WEIGHT, layer, 40 + 30 * (size_t)layer, choices, 0);
        if (layer < 2)
            add(&in, TENSOR_ACTIVATION, layer, 8 << layer, choices, 0);
    }
    return in;
}

/* The allocator's draw for this seed; what it says of it. */
static const char *draw(const struct instance *in, int seed, const char *option, float *bits)
{
    char text[32];
    snprintf(text, sizeof text, "seed=%d", seed);
    struct settings settings = make_settings("allocator=random", "mode=fp", "budget=4", text, option, NULL);
    const struct alloc_ops *ops = setting_plug(&settings, "allocator");
    struct arena arena = {0};
    const struct allocation a = {.settings = &settings, .tensors = in->tensors, .count = in->count, .budgets = in->budgets,
                                 .budget_count = in->budget_count, .steps = 10, .arena = &arena};
    struct decision decision = {.bits = bits};
    void *state = ops->begin(&a);
    cr_assert(ops->assign(state, 0, &decision) && !ops->assign(state, 1, &decision));
    arena_free(&arena);
    settings_free(&settings);
    return decision.solver;
}

static bool feasible(const struct instance *in, const float *bits)
{
    for (int i = 0; i < in->count; i++)
        for (int j = 0; j < i; j++)
            if (in->tensors[i].group && in->tensors[i].group == in->tensors[j].group && bits[i] != bits[j])
                return false;
    return budgets_met(in->budgets, in->budget_count, in->tensors, in->count, bits);
}

/* All feasible allocations, count widths each; free() them. */
static float *enumerate(const struct instance *in, size_t *found)
{
    float bits[MOST], *all = NULL;
    *found = 0;
    for (int i = 0; i < in->count; i++)
        bits[i] = (float)tensor_least(&in->tensors[i]);
    for (int at = 0; at < in->count;) {
        if (feasible(in, bits)) {
            all = xrealloc(all, (*found + 1) * (size_t)in->count * sizeof *all);
            memcpy(all + (*found)++ * (size_t)in->count, bits, (size_t)in->count * sizeof *bits);
        }
        for (at = 0; at < in->count; at++) {
            do
                bits[at]++;
            while (bits[at] <= MOST_WIDTH && !tensor_allows(&in->tensors[at], (int)bits[at]));
            if (bits[at] <= MOST_WIDTH)
                break;
            bits[at] = (float)tensor_least(&in->tensors[at]);
        }
    }
    return all;
}

/* Draws 12 times as often as there are allocations; the statistic must not be four deviations off its mean. */
static void check_equal_chances(const struct instance *in, const char *option, const char *expected)
{
    size_t found, size = (size_t)in->count * sizeof(float);
    float *all = enumerate(in, &found), bits[MOST];
    int *drawn = xcalloc(found, sizeof *drawn), draws = (int)(12 * found);
    cr_assert(found > 10 && found < 400, "%zu allocations", found);
    for (int seed = 0; seed < draws; seed++) {
        const char *said = draw(in, seed, option, bits);
        cr_assert_str_eq(said, expected);
        size_t at = 0;
        while (at < found && memcmp(all + at * (size_t)in->count, bits, size) != 0)
            at++;
        cr_assert(at < found, "an infeasible allocation");
        drawn[at]++;
    }
    double statistic = 0, freedom = (double)found - 1;
    for (size_t i = 0; i < found; i++)
        statistic += (drawn[i] - 12.0) * (drawn[i] - 12.0) / 12;
    cr_assert(fabs(statistic - freedom) < 4 * sqrt(2 * freedom), "chi-square %g with %g degrees of freedom", statistic,
              freedom);
    free(all);
    free(drawn);
}

#define EXACTLY "drawn, exactly"
#define BY_CHAIN "drawn, by an approximate chain"

Test(random_allocator, one_budget)
{
    struct instance in = five_tensors(WIDTHS(2, 4));
    limit(&in, cost_named("mean_bits"), 2.9);
    check_equal_chances(&in, NULL, EXACTLY);
}

Test(random_allocator, bytes_of_unequal_tensors)
{
    struct instance in = five_tensors(WIDTHS(2, 5));
    limit(&in, cost_named("weight_bytes"), 100);
    in.tensors[1].choices = in.tensors[3].choices = 1 << 4; /* pinned */
    check_equal_chances(&in, NULL, EXACTLY);
}

Test(random_allocator, ties_and_gaps)
{
    struct instance in = five_tensors(1 << 2 | 1 << 4 | 1 << 8);
    in.tensors[0].group = in.tensors[3].group = 1;
    in.tensors[1].group = in.tensors[4].group = 2;
    in.tensors[1].choices |= 1 << 3; /* which its group cannot take */
    limit(&in, cost_named("mean_bits"), 5.5);
    check_equal_chances(&in, NULL, EXACTLY);
}

Test(random_allocator, two_budgets_on_the_same_tensors)
{
    struct instance in = five_tensors(WIDTHS(2, 4));
    limit(&in, cost_named("mean_bits"), 3);
    limit(&in, cost_named("weight_bytes"), 70);
    check_equal_chances(&in, NULL, EXACTLY);
}

/* Apart, so that a tight budget on one kind costs no tries on the other. */
Test(random_allocator, budgets_of_weights_and_of_activations)
{
    struct instance in = five_tensors(WIDTHS(2, 5));
    limit(&in, cost_named("mean_bits_w"), 2.7);
    limit(&in, cost_named("mean_bits_a"), 3.5);
    check_equal_chances(&in, "random_tries=1", EXACTLY);
}

Test(random_allocator, products_of_widths)
{
    struct instance in = five_tensors(WIDTHS(2, 4));
    limit(&in, cost_named("bops"), 110000);
    check_equal_chances(&in, NULL, EXACTLY);
}

Test(random_allocator, a_limit_on_the_largest_layer)
{
    struct instance in = five_tensors(WIDTHS(2, 5));
    in.tensors[4].choices = 1 << 3;
    limit(&in, cost_named("act_bytes_max"), 7);
    check_equal_chances(&in, NULL, EXACTLY);
}

Test(random_allocator, chain_where_tries_fail)
{
    struct instance in = five_tensors(WIDTHS(2, 4));
    limit(&in, cost_named("mean_bits"), 2.4);
    limit(&in, cost_named("weight_bytes"), 62);
    float bits[MOST];
    int chains = 0;
    for (int seed = 0; seed < 50; seed++) {
        chains += strcmp(draw(&in, seed, "random_tries=1", bits), BY_CHAIN) == 0;
        cr_assert(feasible(&in, bits));
    }
    /* 12 of the 21 allocations that one budget leaves meet the other, and 12 of that one's 27. */
    cr_assert(chains > 5 && chains < 25, "%d of 50", chains);
}

static double uneven(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)context, (void)totals;
    return layer->weight ? sqrt((double)layer->weight->elements + layer->w * M_PI) : 0;
}

Test(random_allocator, chain_where_costs_have_no_common_quantum)
{
    const struct cost_ops cost = {.plug = {.name = "uneven"}, .unit = "", .layer = uneven};
    struct instance in = five_tensors(WIDTHS(2, 5));
    in.tensors[1].choices = in.tensors[3].choices = 1 << 4;
    limit(&in, &cost, 26.6);
    check_equal_chances(&in, "random_sweeps=40", BY_CHAIN);
}

/* Far more allocations than a double can count. */
Test(random_allocator, many_tensors)
{
    struct instance in = {.count = 0};
    float bits[MOST];
    double sum = 0;
    for (int i = 0; i < MOST; i++)
        add(&in, TENSOR_WEIGHT, i, 100, WIDTHS(1, 32), 0);
    limit(&in, cost_named("mean_bits"), 16.5);
    for (int seed = 0; seed < 5; seed++) {
        cr_assert_str_eq(draw(&in, seed, NULL, bits), EXACTLY);
        cr_assert(budgets_met(in.budgets, 1, in.tensors, in.count, bits));
        for (int i = 0; i < MOST; i++)
            sum += (double)bits[i] / MOST / 5;
    }
    /* Unconditioned widths have mean 16.5 and deviation 9.2 / sqrt(200): the budget takes the upper half away. */
    cr_assert(fabs(sum - (16.5 - 0.8 * 9.23 / sqrt(MOST))) < 0.5, "%g", sum);
}

Test(random_allocator, depends_on_the_seed_alone)
{
    struct instance in = five_tensors(WIDTHS(2, 8));
    limit(&in, cost_named("mean_bits"), 4);
    limit(&in, cost_named("bops"), 200000);
    float first[MOST], again[MOST];
    int different = 0;
    for (int seed = 0; seed < 20; seed++) {
        draw(&in, seed, NULL, first);
        draw(&in, seed, NULL, again);
        cr_assert_arr_eq(first, again, 5 * sizeof *first);
        draw(&in, seed + 1, NULL, again);
        different += memcmp(first, again, 5 * sizeof *first) != 0;
    }
    cr_assert(different > 15);
}

Test(random_allocator, too_many_options_at_once_are_refused_before_training)
{
    struct instance in = {.count = 0};
    for (int layer = 0; layer < 5; layer++) { /* 7^6 */
        add(&in, TENSOR_WEIGHT, layer, 40, WIDTHS(2, 8), 0);
        add(&in, TENSOR_ACTIVATION, layer, 8, WIDTHS(2, 8), 1);
    }
    limit(&in, cost_named("bops"), 1e9);
    struct error error = {""};
    struct settings settings = make_settings("allocator=random", "budget=4", NULL);
    const struct alloc_ops *ops = setting_plug(&settings, "allocator");
    cr_assert_not(ops->solvable(&settings, in.tensors, in.count, in.budgets, in.budget_count, &error));
    cr_assert(strstr(error.text, "4096"), "%s", error.text);
    settings_free(&settings);
}
