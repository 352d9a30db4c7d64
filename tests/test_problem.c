/* SPDX-License-Identifier: GPL-3.0-or-later
 * Allocation problems over tensors, ties, gaps and costs of all kinds, against brute force; and their relaxation to real
 * widths against brute force, grids and the conditions of optimality. */
#include "../methods/allocators/problem.h"
#include "../methods/solvers/waterfill.h"
#include "choice_instances.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct solver_ops solver_knapsack, solver_greedy, solver_ilp, solver_exhaustive, solver_relaxed;
extern const struct cost_ops cost_mean_bits, cost_bops, cost_weight_bytes, cost_act_bytes_max;

/* ---- costs of the tests ---- */

static double both_layer(const void *context, const struct cost_totals *totals, const struct layer_widths *l)
{
    (void)context, (void)totals;
    return (l->weight ? (double)l->weight->elements * l->w : 0) + (l->input ? (double)l->input->elements * l->a : 0) +
           (l->gradient ? (double)l->gradient->elements * l->g : 0);
}

static double seven(const void *context)
{
    (void)context;
    return 7;
}

static double square_layer(const void *context, const struct cost_totals *totals, const struct layer_widths *l)
{
    (void)context, (void)totals;
    return (l->weight ? (double)l->weight->elements * l->w * l->w : 0) +
           (l->input ? (double)l->input->elements * l->a * l->a : 0);
}

/* As a measured table has it: steps, and not always rising. */
static double table_layer(const void *context, const struct cost_totals *totals, const struct layer_widths *l)
{
    static const double factor[] = {1, 1.1, 1.05, 1.7, 2, 1.9, 2.1, 3};
    (void)context, (void)totals;
    double of_input = l->input ? factor[(int)ceil(l->a) % 8] : 1;
    return l->weight ? (double)l->weight->elements * (factor[(int)ceil(l->w) % 8] + of_input) : 0;
}

static const struct cost_ops both_sum = {.plug = {.name = "both"}, .unit = "bit", .layer = both_layer, .constant = seven};
static const struct cost_ops both_largest = {
    .plug = {.name = "largest"}, .unit = "bit", .layer = both_layer, .largest = true, .constant = seven,
};
static const struct cost_ops table_largest = {
    .plug = {.name = "largest_ms"}, .unit = "ms", .layer = table_layer, .largest = true, .joint = true,
};
static const struct cost_ops squares = {.plug = {.name = "squares"}, .unit = "bit", .layer = square_layer};
static const struct cost_ops table = {.plug = {.name = "table"}, .unit = "ms", .layer = table_layer, .joint = true};

/* ---- problems that own their arrays ---- */

enum { TENSORS = 1000 };
struct posed {
    struct problem problem;
    struct tensor tensors[TENSORS];
    struct budget budgets[3];
    double omega[TENSORS][MOST_WIDTH + 1];
    struct noise noise[TENSORS];
};

static void pose_tensor(struct posed *p, enum tensor_kind kind, int layer, size_t elements, uint64_t choices, double scale)
{
    int i = p->problem.count++;
    struct tensor *t = &p->tensors[i];
    *t = (struct tensor){.kind = kind, .layer = layer, .elements = elements, .macs = 3.0 * (double)elements,
                         .choices = choices, .counted = true};
    snprintf(t->name, sizeof t->name, "layer%d.%s", layer, tensor_kind_names[kind]);
    p->noise[i] = (struct noise){scale, kind == TENSOR_ACTIVATION ? 1 : 2};
    for (int b = 1; b <= MOST_WIDTH; b++)
        p->omega[i][b] = choices >> b & 1 ? scale / pow(exp2(b) - p->noise[i].offset, 2) : INFINITY;
}

static struct posed *pose(void)
{
    struct posed *p = xcalloc(1, sizeof *p);
    p->problem = (struct problem){p->tensors, 0, p->budgets, 0, p->omega[0], p->noise};
    return p;
}

static void limit(struct posed *p, const struct cost_ops *cost, double value)
{
    p->budgets[p->problem.budget_count++] = (struct budget){.cost = cost, .limit = value};
}

#define WIDTHS(low, high) ((2ull << (high)) - (1ull << (low)))

static uint64_t drawn_choices(void)
{
    switch (draw_int(0, 4)) {
    case 0: return 1ull << 4 | 1ull << 8;
    case 1: return 1ull << draw_int(3, 6);
    case 2: return 1ull << 2 | 1ull << 3 | 1ull << 16;
    default: return WIDTHS(2, draw_int(3, 5));
    }
}

static void tie(struct posed *p, int a, int b, int group)
{
    if (p->tensors[a].choices & p->tensors[b].choices)
        p->tensors[a].group = p->tensors[b].group = group;
}

static void within_ranges(struct posed *p, const struct cost_ops *cost, double share)
{
    double least, most;
    struct budget budget = {.cost = cost};
    budget_range(&budget, p->tensors, p->problem.count, &least, &most);
    limit(p, cost, least + share * (most - least));
}

static struct posed *drawn_problem(void)
{
    static const struct cost_ops *const costs[] = {&cost_mean_bits, &cost_bops, &cost_weight_bytes, &cost_act_bytes_max,
                                                   &both_sum, &both_largest, &table_largest, &table};
    struct posed *p = pose();
    int layers = draw_int(1, 3), decades = draw(0, 1) < 0.2 ? 20 : 2;
    for (int layer = 0; layer < layers; layer++)
        for (int kind = 0; kind < TENSOR_KINDS; kind++)
            if (draw(0, 1) < (kind == TENSOR_GRADIENT ? 0.2 : 0.9) || kind == 0)
                pose_tensor(p, kind, layer, (size_t)draw_int(1, 3000), drawn_choices(),
                            draw(0, 1) < 0.1 ? 0 : pow(10, draw(-decades, decades)));
    if (draw(0, 1) < 0.4)
        tie(p, draw_int(0, p->problem.count - 1), draw_int(0, p->problem.count - 1), 5);
    int budgets = draw_int(1, 3);
    for (int b = 0; b < budgets; b++)
        within_ranges(p, costs[draw_int(0, 7)], draw(-0.05, 1.05));
    return p;
}

static bool legal(const struct posed *p, const int *bits)
{
    float widths[TENSORS];
    for (int i = 0; i < p->problem.count; i++) {
        widths[i] = (float)bits[i];
        for (int j = 0; j < i; j++)
            if (p->tensors[i].group && p->tensors[i].group == p->tensors[j].group && bits[i] != bits[j])
                return false;
        if (!tensor_allows(&p->tensors[i], bits[i]))
            return false;
    }
    return budgets_met(p->budgets, p->problem.budget_count, p->tensors, p->problem.count, widths);
}

static double brute_force(const struct posed *p)
{
    int bits[3 * TENSOR_KINDS], count = p->problem.count, at = 0;
    double best = INFINITY;
    for (int i = 0; i < count; i++)
        bits[i] = tensor_least(&p->tensors[i]);
    while (at < count) {
        if (legal(p, bits))
            best = fmin(best, problem_omega(&p->problem, bits));
        for (at = 0; at < count; at++) {
            do
                bits[at]++;
            while (bits[at] <= tensor_most(&p->tensors[at]) && !tensor_allows(&p->tensors[at], bits[at]));
            if (bits[at] <= tensor_most(&p->tensors[at]))
                break;
            bits[at] = tensor_least(&p->tensors[at]);
        }
    }
    return best;
}

/* ---- exact solvers ---- */

static bool monotone(const struct posed *p)
{
    for (int b = 0; b < p->problem.budget_count; b++)
        if (p->budgets[b].cost->layer == table_layer)
            return false;
    return true;
}

Test(problem, solvers_against_brute_force)
{
    static const struct solver_ops *const solvers[] = {&solver_ilp, &solver_exhaustive, &solver_knapsack, &solver_greedy,
                                                       &solver_relaxed};
    int feasible = 0, taken[5] = {0}, count = many(400), near = 0;
    for (int i = 0; i < count; i++) {
        seed(300000 + i);
        struct posed *p = drawn_problem();
        if (i % 3 == 0)
            p->problem.noise = NULL;
        double best = brute_force(p);
        feasible += isfinite(best);
        for (int s = 0; s < 5; s++) {
            int bits[TENSORS];
            struct solver_info info;
            struct error error = {0};
            bool solved = problem_solve(&p->problem, solvers[s], bits, &info, &error);
            if (strstr(error.text, "cannot take"))
                continue;
            taken[s]++;
            cr_assert(!solved || legal(p, bits), "%d: %s breaks a rule", i, solvers[s]->plug.name);
            bool sure = solvers[s] != &solver_relaxed || monotone(p);
            cr_assert(solved == isfinite(best) || (!sure && !solved), "%d: %s: %s", i, solvers[s]->plug.name, error.text);
            if (!solved)
                continue;
            cr_assert(info.bound <= best * (1 + 1e-9) && info.objective >= best * (1 - 1e-9),
                      "%d: %s: %.17g .. %.17g, optimum %.17g", i, solvers[s]->plug.name, info.bound, info.objective, best);
            cr_assert(s >= 3 || info.optimal, "%d: %s proves nothing", i, solvers[s]->plug.name);
            cr_assert(!info.optimal || info.objective <= best * (1 + 2e-7), "%d: %s: %.17g instead of %.17g", i,
                      solvers[s]->plug.name, info.objective, best);
            near += s == 4 && info.objective <= 1.5 * best;
        }
        free(p);
    }
    cr_assert(feasible > count / 3 && feasible < count);
    cr_assert(taken[0] == count && taken[1] == count && taken[2] > count / 4 && taken[4] == count);
    cr_assert(near > feasible * 7 / 10, "relaxed is near the optimum in %d of %d", near, feasible);
}

Test(problem, infeasible_budgets_say_what_would_do)
{
    static const struct solver_ops *const solvers[] = {&solver_ilp, &solver_knapsack, &solver_relaxed};
    for (int s = 0; s < 3; s++) {
        struct posed *p = pose();
        for (int layer = 0; layer < 4; layer++)
            pose_tensor(p, TENSOR_WEIGHT, layer, 80, WIDTHS(2, 8), 1);
        limit(p, &cost_weight_bytes, 79);
        int bits[4];
        struct solver_info info;
        struct error error;
        cr_assert(!problem_solve(&p->problem, solvers[s], bits, &info, &error) && info.optimal);
        cr_assert(strstr(error.text, "no allocation meets the budget"), "%s", error.text);
        cr_assert(strstr(error.text, "from 80") && strstr(error.text, "to 320"), "%s", error.text);
        p->budgets[0].limit = 80;
        cr_assert(problem_solve(&p->problem, solvers[s], bits, &info, &error) && bits[0] == 2 && bits[3] == 2);
        free(p);
    }
}

/* The budget binds the largest layer alone: all widths follow from it. */
Test(problem, budget_on_the_largest_layer_alone)
{
    static const struct solver_ops *const solvers[] = {&solver_greedy, &solver_knapsack, &solver_ilp, &solver_exhaustive,
                                                       &solver_relaxed};
    for (int s = 0; s < 5; s++) {
        struct posed *p = pose();
        pose_tensor(p, TENSOR_WEIGHT, 0, 1000, WIDTHS(2, 8), 1);
        pose_tensor(p, TENSOR_ACTIVATION, 0, 80, WIDTHS(2, 8), 1);
        pose_tensor(p, TENSOR_ACTIVATION, 1, 160, WIDTHS(2, 8), 1);
        limit(p, &cost_act_bytes_max, 75);
        int bits[3];
        struct solver_info info;
        struct error error;
        cr_assert(problem_solve(&p->problem, solvers[s], bits, &info, &error), "%s: %s", solvers[s]->plug.name, error.text);
        cr_assert(bits[0] == 8 && bits[1] == 7 && bits[2] == 3, "%s: %d %d %d", solvers[s]->plug.name, bits[0], bits[1],
                  bits[2]);
        cr_assert(info.optimal);
        free(p);
    }
}

Test(problem, too_many_joint_options)
{
    struct posed *p = pose();
    for (int layer = 0; layer < 6; layer++) {
        pose_tensor(p, TENSOR_WEIGHT, layer, 100, WIDTHS(2, 8), 1 + layer);
        pose_tensor(p, TENSOR_ACTIVATION, layer, 100, WIDTHS(2, 8), 9 - layer);
        p->tensors[2 * layer + 1].group = 1;
    }
    within_ranges(p, &cost_bops, 0.3);
    int bits[12];
    struct solver_info info;
    struct error error;
    cr_assert(!problem_solve(&p->problem, &solver_ilp, bits, &info, &error) && strstr(error.text, "4096"), "%s", error.text);
    cr_assert(problem_solve(&p->problem, &solver_relaxed, bits, &info, &error) && legal(p, bits), "%s", error.text);
    cr_assert(info.bound > 0 && info.bound <= info.objective);
    free(p);
}

Test(problem, a_thousand_tensors)
{
    struct posed *p = pose();
    seed(17);
    for (int layer = 0; layer < TENSORS / 2; layer++) {
        pose_tensor(p, TENSOR_WEIGHT, layer, (size_t)draw_int(100, 100000), WIDTHS(2, 8), pow(10, draw(-3, 3)));
        pose_tensor(p, TENSOR_ACTIVATION, layer, (size_t)draw_int(100, 10000), layer % 3 ? WIDTHS(2, 8) : 1 << 4 | 1 << 8,
                    pow(10, draw(-3, 3)));
        p->tensors[2 * layer + 1].group = 1 + layer / 2;
    }
    int bits[TENSORS];
    struct solver_info knapsack, relaxed;
    struct error error;
    within_ranges(p, &cost_weight_bytes, 0.4);
    cr_assert(problem_solve(&p->problem, &solver_knapsack, bits, &knapsack, &error) && legal(p, bits) && knapsack.optimal);
    cr_assert(problem_solve(&p->problem, &solver_relaxed, bits, &relaxed, &error) && legal(p, bits));
    cr_assert(relaxed.bound <= knapsack.objective && relaxed.objective >= knapsack.objective * (1 - 1e-12));
    cr_assert(relaxed.objective <= 1.05 * knapsack.objective, "%g, optimum %g", relaxed.objective, knapsack.objective);
    free(p);
}

/* ---- real widths ---- */

static double price(const struct posed *p, int budget, const double *bits)
{
    float widths[TENSORS];
    for (int i = 0; i < p->problem.count; i++)
        widths[i] = (float)bits[i];
    return budget_price(&p->budgets[budget], p->tensors, p->problem.count, widths);
}

static double noise_at(const struct posed *p, int i, double b)
{
    return p->noise[i].scale / pow(exp2(b) - p->noise[i].offset, 2);
}

static double omega(const struct posed *p, const double *bits)
{
    double sum = 0;
    for (int i = 0; i < p->problem.count; i++)
        sum += noise_at(p, i, bits[i]);
    return sum;
}

Test(relax, equals_waterfill_where_that_applies)
{
    for (int n = 0; n < 40; n++) {
        seed(400000 + n);
        struct posed *p = pose();
        double c[30], weight[30], low[30], high[30], bits[30], expected[30], value;
        bool is_signed[30];
        int count = draw_int(1, 30);
        for (int i = 0; i < count; i++) {
            pose_tensor(p, draw(0, 1) < 0.5 ? TENSOR_WEIGHT : TENSOR_ACTIVATION, i, (size_t)draw_int(1, 500),
                        WIDTHS(2, draw_int(2, 8)), pow(10, draw(-4, 4)));
            c[i] = p->noise[i].scale;
            is_signed[i] = p->noise[i].offset == 2;
            weight[i] = (double)p->tensors[i].elements;
            low[i] = 2;
            high[i] = tensor_most(&p->tensors[i]);
        }
        within_ranges(p, &both_sum, draw(0, 1));
        double objective = waterfill(c, weight, is_signed, low, high, count, p->budgets[0].limit - 7, expected);
        cr_assert(problem_relax(&p->problem, bits, &value));
        cr_assert_float_eq(value, objective, 1e-9 * objective);
        for (int i = 0; i < count; i++)
            cr_assert_float_eq(bits[i], expected[i], 1e-6);
        /* A second budget that does not bind takes the general way to the same place. */
        limit(p, &cost_bops, 1e300);
        cr_assert(problem_relax(&p->problem, bits, &value));
        cr_assert_float_eq(value, objective, 1e-8 * objective);
        for (int i = 0; i < count; i++)
            cr_assert(fabs(bits[i] - expected[i]) < 1e-5, "%d: %g, %g", i, bits[i], expected[i]);
        free(p);
    }
}

/* A product of two widths, against a fine grid: along the budget only one of them is free. */
Test(relax, product_against_a_grid)
{
    for (int n = 0; n < 30; n++) {
        seed(410000 + n);
        struct posed *p = pose();
        pose_tensor(p, TENSOR_WEIGHT, 0, 100, WIDTHS(2, 8), pow(10, draw(-2, 2)));
        pose_tensor(p, TENSOR_ACTIVATION, 0, 100, WIDTHS(2, 8), pow(10, draw(-2, 2)));
        limit(p, &cost_bops, 300 * draw(4, 64));
        double bits[2], value, best = INFINITY, product = p->budgets[0].limit / 300;
        cr_assert(problem_relax(&p->problem, bits, &value));
        for (int g = 0; g <= 60000; g++) {
            double w = 2 + 6.0 * g / 60000, a = fmin(8, product / w);
            if (a >= 2)
                best = fmin(best, noise_at(p, 0, w) + noise_at(p, 1, a));
        }
        cr_assert(bits[0] * bits[1] <= product * (1 + 1e-9));
        cr_assert(value <= best * (1 + 1e-9) && value >= best * (1 - 1e-3), "%.17g, grid %.17g", value, best);
        free(p);
    }
}

/* Two tensors, two budgets, against a grid. */
Test(relax, two_budgets_against_a_grid)
{
    for (int n = 0; n < 30; n++) {
        seed(420000 + n);
        struct posed *p = pose();
        pose_tensor(p, TENSOR_WEIGHT, 0, (size_t)draw_int(50, 200), WIDTHS(2, 8), pow(10, draw(-2, 2)));
        pose_tensor(p, TENSOR_ACTIVATION, 0, (size_t)draw_int(50, 200), WIDTHS(2, 8), pow(10, draw(-2, 2)));
        within_ranges(p, n % 2 ? &squares : &cost_bops, draw(0.1, 0.9));
        within_ranges(p, &both_sum, draw(0.1, 0.9));
        double bits[2], value, best = INFINITY;
        cr_assert(problem_relax(&p->problem, bits, &value));
        for (int g = 0; g <= 800; g++)
            for (int h = 0; h <= 800; h++) {
                double at[2] = {2 + 6.0 * g / 800, 2 + 6.0 * h / 800};
                if (omega(p, at) < best && price(p, 0, at) <= p->budgets[0].limit && price(p, 1, at) <= p->budgets[1].limit)
                    best = omega(p, at);
            }
        for (int b = 0; b < 2; b++)
            cr_assert(price(p, b, bits) <= p->budgets[b].limit * (1 + 1e-6));
        cr_assert(value <= best * (1 + 1e-7) && value >= best * (1 - 0.03), "%d: %.17g, grid %.17g", n, value, best);
        free(p);
    }
}

static double slope(const struct posed *p, int budget, const double *bits, int i)
{
    double at[TENSORS], up, step = 0.25; /* costs here are straight in each width; float widths take quarters exactly */
    memcpy(at, bits, sizeof(double) * (size_t)p->problem.count);
    for (int k = 0; k < p->problem.count; k++)
        at[k] = (float)at[k];
    at[i] += step;
    up = price(p, budget, at);
    at[i] -= step;
    return (up - price(p, budget, at)) / step;
}

/* With one joint budget: at a multiplier, every width that is between its ends balances gain and cost; and the budget is
 * used up. */
Test(relax, conditions_of_optimality)
{
    for (int n = 0; n < 40; n++) {
        seed(430000 + n);
        struct posed *p = pose();
        int layers = draw_int(1, 12);
        for (int layer = 0; layer < layers; layer++) {
            pose_tensor(p, TENSOR_WEIGHT, layer, (size_t)draw_int(50, 2000), WIDTHS(2, 8), pow(10, draw(-3, 3)));
            pose_tensor(p, TENSOR_ACTIVATION, layer, (size_t)draw_int(50, 2000), WIDTHS(2, 8), pow(10, draw(-3, 3)));
        }
        within_ranges(p, &cost_bops, draw(0.05, 0.95));
        double bits[24], value, least = INFINITY, most = 0;
        cr_assert(problem_relax(&p->problem, bits, &value));
        for (int i = 0; i < p->problem.count; i++) {
            double u = exp2(bits[i]), k = p->noise[i].offset;
            double balance = 2 * log(2) * p->noise[i].scale * u / pow(u - k, 3) / slope(p, 0, bits, i);
            cr_assert(bits[i] >= 2 && bits[i] <= 8);
            if (bits[i] > 2)
                least = fmin(least, balance);
            if (bits[i] < 8)
                most = fmax(most, balance);
        }
        cr_assert(most <= least * (1 + 1e-4), "%d: gains per cost %.12g .. %.12g", n, least, most);
        cr_assert_float_eq(price(p, 0, bits), p->budgets[0].limit, 1e-5 * p->budgets[0].limit);
        cr_assert_float_eq(value, omega(p, bits), 1e-6 * value);
        free(p);
    }
}

Test(relax, ties_pins_and_largest_layers)
{
    struct posed *p = pose();
    pose_tensor(p, TENSOR_WEIGHT, 0, 100, WIDTHS(2, 8), 1);
    pose_tensor(p, TENSOR_ACTIVATION, 0, 80, WIDTHS(2, 8), 1);
    pose_tensor(p, TENSOR_WEIGHT, 1, 100, WIDTHS(2, 8), 1000);
    pose_tensor(p, TENSOR_WEIGHT, 2, 100, 1 << 5, 1);
    pose_tensor(p, TENSOR_ACTIVATION, 2, 160, WIDTHS(2, 8), 1e-9);
    p->tensors[0].group = p->tensors[2].group = 3;
    limit(p, &cost_act_bytes_max, 60);
    limit(p, &cost_weight_bytes, (2 * 100 * 4.5 + 500) / 8);
    double bits[5], value;
    cr_assert(problem_relax(&p->problem, bits, &value));
    cr_assert_float_eq(bits[0], 4.5, 1e-6);
    cr_assert(bits[0] == bits[2] && bits[3] == 5);
    cr_assert(bits[1] == 6 && bits[4] == 3, "%g %g", bits[1], bits[4]);
    p->budgets[1].limit = 2 * 100 * 2 / 8 + 500 / 8.0 - 1;
    cr_assert(!problem_relax(&p->problem, bits, &value), "less than the least widths");
    free(p);
}
