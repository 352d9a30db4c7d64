/* SPDX-License-Identifier: GPL-3.0-or-later
 * The integer solvers against brute force and each other. */
#include "choice_instances.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct solver_ops solver_greedy, solver_knapsack, solver_ilp, solver_exhaustive;
static const struct solver_ops *const solvers[] = {&solver_greedy, &solver_knapsack, &solver_ilp, &solver_exhaustive};
#define SOLVERS (sizeof solvers / sizeof *solvers)
#define LARGE_SOLVERS 3 /* the first of them take problems of any size */

enum omegas { CONVEX, ARBITRARY, WITH_HOLES };

static void fill_omegas(struct instance *in, enum omegas how)
{
    const struct choice_problem *p = &in->problem;
    for (int t = 0; t < p->tensors; t++) {
        double c = exp2(draw(-10, 10));
        for (int k = 0; k < p->widths; k++) {
            double *omega = &in->omega[t * p->widths + k];
            *omega = how == CONVEX ? c / pow(exp2(k + 2) - 1, 2) : c * draw(0, 1);
            if (how == WITH_HOLES && draw(0, 1) < 0.3)
                *omega = INFINITY;
        }
    }
}

/* Costs are sizes × widths, sizes whole numbers up to `largest`; the budget is in reach. */
static void fill_costs(struct instance *in, int row, int largest, double unit)
{
    const struct choice_problem *p = &in->problem;
    double low = 0, high = 0;
    for (int t = 0; t < p->tensors; t++) {
        int size = draw_int(1, largest);
        for (int k = 0; k < p->widths; k++)
            in->cost[((size_t)row * p->tensors + t) * p->widths + k] = size * (k + 2) * unit;
        low += size * 2 * unit;
        high += size * (p->widths + 1) * unit;
    }
    in->budget[row] = unit == 1 ? floor(draw(low - 1, high + 1)) : draw(low, high);
}

/* The least objective by trying everything; INFINITY if nothing fits. */
static double brute_force(const struct choice_problem *p)
{
    int bits[8];
    double best = INFINITY;
    for (int t = 0; t < p->tensors; t++)
        bits[t] = p->lo;
    for (;;) {
        if (within_budgets(p, bits))
            best = fmin(best, objective(p, bits));
        int t = 0;
        while (t < p->tensors && bits[t] == p->lo + p->widths - 1)
            bits[t++] = p->lo;
        if (t == p->tensors)
            return best;
        bits[t]++;
    }
}

static void against_brute_force(const struct instance *in)
{
    const struct choice_problem *p = &in->problem;
    double best = brute_force(p);
    for (size_t s = 0; s < SOLVERS; s++) {
        if (solvers[s]->check(p))
            continue;
        int bits[8];
        struct solver_info info;
        bool found = solve(solvers[s], p, bits, &info);
        cr_assert_eq(found, isfinite(best), "%s: %d", solvers[s]->plug.name, found);
        if (!found)
            continue;
        bool exact = solvers[s] != &solver_greedy;
        cr_assert(!exact || info.optimal, "%s proves nothing", solvers[s]->plug.name);
        cr_assert(info.bound <= best * (1 + 1e-9), "%s: bound %.17g, optimum %.17g", solvers[s]->plug.name,
                  info.bound, best);
        if (info.optimal)
            cr_assert(info.objective <= best * (1 + 1e-7), "%s: %.17g instead of %.17g",
                      solvers[s]->plug.name, info.objective, best);
    }
}

/* Equal costs, then unequal ones. */
Test(solvers, brute_force_one_budget)
{
    for (int i = 0; i < 450; i++) {
        bool equal = i < 150;
        seed(i);
        struct instance *in = instance_new(draw_int(1, 5), draw_int(1, 5), 1);
        fill_omegas(in, i % 3 == 0 ? CONVEX : i % 3 == 1 ? ARBITRARY : WITH_HOLES);
        fill_costs(in, 0, equal ? 1 : i % 2 ? 7 : 1000000, !equal && i % 5 == 0 ? 1.0 / 7 : 1);
        against_brute_force(in);
        free(in);
    }
}

/* Costs in any order, some free, without a common quantum. */
Test(solvers, brute_force_arbitrary_costs)
{
    for (int i = 0; i < 150; i++) {
        seed(2000 + i);
        struct instance *in = instance_new(draw_int(1, 5), draw_int(1, 4), 1);
        fill_omegas(in, WITH_HOLES);
        for (int c = 0; c < in->problem.tensors * in->problem.widths; c++)
            in->cost[c] = draw(0, 1) < 0.2 ? 0 : i % 2 ? draw(0, 1) : draw_int(0, 9);
        in->budget[0] = i % 2 ? draw(0, 3) : draw_int(0, 20);
        against_brute_force(in);
        free(in);
    }
}

Test(solvers, brute_force_two_budgets)
{
    for (int i = 0; i < 200; i++) {
        seed(3000 + i);
        struct instance *in = instance_new(draw_int(1, 5), draw_int(1, 4), 2);
        fill_omegas(in, i % 2 ? CONVEX : WITH_HOLES);
        fill_costs(in, 0, 5, 1);
        fill_costs(in, 1, 1000, i % 3 ? 1 : 1e6 / 3);
        cr_assert_not_null(solver_greedy.check(&in->problem));
        cr_assert_not_null(solver_knapsack.check(&in->problem));
        against_brute_force(in);
        free(in);
    }
}

Test(solvers, greedy_is_optimal_for_equal_steps_and_convex_omegas)
{
    for (int i = 0; i < 50; i++) {
        seed(4000 + i);
        struct instance *in = instance_new(draw_int(1, 60), 7, 1);
        fill_omegas(in, CONVEX);
        fill_costs(in, 0, 1, 1.0 / in->problem.tensors);
        struct solver_info greedy, knapsack;
        int bits[MOST_TENSORS];
        cr_assert(solve(&solver_greedy, &in->problem, bits, &greedy) && greedy.optimal);
        cr_assert(solve(&solver_knapsack, &in->problem, bits, &knapsack));
        cr_assert_float_eq(greedy.objective, knapsack.objective, 1e-12 * knapsack.objective);
        free(in);
    }
}

Test(solvers, exact_solvers_agree_on_larger_problems)
{
    for (int i = 0; i < 24; i++) {
        seed(5000 + i);
        struct instance *in = instance_new(draw_int(10, 60), 7, 1);
        fill_omegas(in, i % 2 ? CONVEX : ARBITRARY);
        fill_costs(in, 0, i % 3 ? 40 : 1, 1);
        int bits[MOST_TENSORS];
        struct solver_info info[LARGE_SOLVERS];
        bool found[LARGE_SOLVERS];
        for (size_t s = 0; s < LARGE_SOLVERS; s++)
            found[s] = solve(solvers[s], &in->problem, bits, &info[s]);
        cr_assert(found[0] == found[1] && found[1] == found[2]);
        if (found[0]) {
            cr_assert(info[1].optimal && info[2].optimal);
            cr_assert_float_eq(info[1].objective, info[2].objective, 1e-6 * info[1].objective);
            cr_assert(info[0].objective >= info[1].objective * (1 - 1e-12) &&
                      info[0].bound <= info[1].objective * (1 + 1e-12));
        }
        free(in);
    }
}

/* The case in which GLPK alone runs past its time limit: equal layers and a budget between two multiples of
 * the quantum. */
Test(solvers, equal_tensors)
{
    struct instance *in = instance_new(100, 7, 1);
    for (int t = 0; t < 100; t++)
        for (int k = 0; k < 7; k++) {
            in->omega[t * 7 + k] = 1 / pow(exp2(k + 2) - 2, 2);
            in->cost[t * 7 + k] = 4608.0 * (k + 2);
        }
    in->budget[0] = 4608.0 * 437 + 1234;
    for (size_t s = 0; s < LARGE_SOLVERS; s++) {
        int bits[MOST_TENSORS];
        struct solver_info info;
        cr_assert(solve(solvers[s], &in->problem, bits, &info) && info.optimal, "%s", solvers[s]->plug.name);
        for (int t = 0; t < 100; t++)
            cr_assert_eq(bits[t], t < 37 ? 5 : 4, "%s gives tensor %d %d bits", solvers[s]->plug.name, t,
                         bits[t]);
    }
    free(in);
}

Test(solvers, budget_at_its_limits)
{
    static const struct { double budget; int first, second; bool feasible; } cases[] = {
        {19, 0, 0, false},        {20, 2, 2, true},   {21, 3, 2, true},
        {80, 8, 8, true},         {1e9, 8, 8, true},  {INFINITY, 8, 8, true},
        {-INFINITY, 0, 0, false}, {NAN, 0, 0, false}, {19.999999999999996, 0, 0, false},
    };
    struct instance *in = instance_new(2, 7, 1);
    for (int k = 0; k < 7; k++) {
        in->omega[k] = in->omega[7 + k] = 10 - k;
        in->cost[k] = k + 2;
        in->cost[7 + k] = 9 * (k + 2);
    }
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t s = 0; s < SOLVERS; s++) {
            int bits[2];
            struct solver_info info;
            in->budget[0] = cases[c].budget;
            cr_assert_eq(solve(solvers[s], &in->problem, bits, &info), cases[c].feasible, "%s: budget %g",
                         solvers[s]->plug.name, cases[c].budget);
            if (cases[c].feasible)
                cr_assert(bits[0] == cases[c].first && bits[1] == cases[c].second,
                          "%s: budget %g gives %d, %d", solvers[s]->plug.name, cases[c].budget, bits[0],
                          bits[1]);
        }
    free(in);
}

/* Shares like bits/tensors are rounded; a budget that their exact sum meets is met. */
Test(solvers, mean_bits_are_met_exactly)
{
    for (int tensors = 1; tensors <= 40; tensors++) {
        struct instance *in = instance_new(tensors, 7, 1);
        seed(tensors);
        fill_omegas(in, CONVEX);
        for (int t = 0; t < tensors; t++)
            for (int k = 0; k < 7; k++)
                in->cost[t * 7 + k] = (k + 2) / (double)tensors;
        int total = draw_int(2 * tensors, 8 * tensors);
        in->budget[0] = total / (double)tensors;
        for (size_t s = 0; s < LARGE_SOLVERS; s++) {
            int bits[MOST_TENSORS], sum = 0;
            struct solver_info info;
            cr_assert(solve(solvers[s], &in->problem, bits, &info));
            for (int t = 0; t < tensors; t++)
                sum += bits[t];
            cr_assert_eq(sum, total, "%s: %d of %d bits", solvers[s]->plug.name, sum, total);
        }
        free(in);
    }
}

Test(solvers, nothing_is_spent_for_nothing)
{
    struct instance *in = instance_new(3, 7, 1);
    for (int t = 0; t < 3; t++)
        for (int k = 0; k < 7; k++) {
            in->omega[t * 7 + k] = t == 1 ? fmax(0, 3 - k) : 0;
            in->cost[t * 7 + k] = k + 2;
        }
    in->budget[0] = 20;
    for (size_t s = 0; s < SOLVERS; s++) {
        int bits[3];
        struct solver_info info;
        cr_assert(solve(solvers[s], &in->problem, bits, &info) && info.optimal);
        cr_assert(bits[0] == 2 && bits[1] == 5 && bits[2] == 2, "%s: %d %d %d", solvers[s]->plug.name,
                  bits[0], bits[1], bits[2]);
        cr_assert_eq(info.objective, 0);
    }
    free(in);
}

Test(solvers, huge_ranges_and_many_tensors)
{
    static const int sizes[] = {1, 2, 30, 300, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct instance *in = instance_new(sizes[i], 7, 1);
        seed(6000 + i);
        for (int t = 0; t < sizes[i]; t++) {
            double c = pow(10, draw(-30, 30));
            for (int k = 0; k < 7; k++) {
                in->omega[t * 7 + k] = c / pow(exp2(k + 2) - 1, 2);
                in->cost[t * 7 + k] = k + 2;
            }
        }
        in->budget[0] = 4 * sizes[i];
        int bits[LARGE_SOLVERS][MOST_TENSORS];
        struct solver_info info[LARGE_SOLVERS];
        for (size_t s = 0; s < LARGE_SOLVERS; s++) {
            cr_assert(solve(solvers[s], &in->problem, bits[s], &info[s]));
            cr_assert_float_eq(info[s].objective, info[0].objective, 1e-6 * info[0].objective);
        }
        free(in);
    }
}

Test(solvers, impossible_tensor_and_odd_numbers)
{
    for (size_t s = 0; s < SOLVERS; s++) {
        struct instance *in = instance_new(2, 3, 1);
        int bits[2];
        struct solver_info info;
        for (int c = 0; c < 6; c++)
            in->cost[c] = c % 3 + 1;
        in->budget[0] = 100;
        in->omega[0] = NAN;
        in->omega[1] = -INFINITY;
        in->omega[2] = 1;
        cr_assert(solve(solvers[s], &in->problem, bits, &info) && bits[0] == 4 && bits[1] == 2);
        in->omega[2] = INFINITY;
        cr_assert_not(solve(solvers[s], &in->problem, bits, &info));
        free(in);
    }
}

Test(solvers, what_they_cannot_take)
{
    struct instance *in = instance_new(11, 7, 1);
    fill_omegas(in, CONVEX);
    fill_costs(in, 0, 5, 1);
    cr_assert(strstr(solver_exhaustive.check(&in->problem), "10^9"));
    in->problem.tensors = 10; /* 7^10 = 2.8e8 */
    cr_assert_null(solver_exhaustive.check(&in->problem));
    in->problem.rows = 2;
    cr_assert(strstr(solver_knapsack.check(&in->problem), "one budget"));
    cr_assert(strstr(solver_greedy.check(&in->problem), "one budget"));
    free(in);
}

/* ---- thousands of problems of all kinds ---- */

static double drawn_scale(int decades) { return pow(10, draw(-decades, decades)); }

static double drawn_omega(int how, double scale, int k)
{
    switch (how) {
    case 0: return scale / pow(exp2(k + 2) - 2, 2);
    case 1: return scale * draw(0, 1);
    case 2: return draw(0, 1) < 0.3 ? INFINITY : scale / pow(exp2(k + 2) - 1, 2);
    case 3: return 0;
    default: return scale * draw_int(0, 3);
    }
}

static void draw_omegas(const struct instance *from, struct instance *in)
{
    const struct choice_problem *p = &from->problem;
    int how = draw_int(0, 4), decades = draw(0, 1) < 0.3 ? 30 : 3;
    bool equal = draw(0, 1) < 0.25, gaps = draw(0, 1) < 0.2;
    for (int t = 0; t < p->tensors; t++) {
        double scale = draw(0, 1) < 0.1 ? 0 : drawn_scale(decades);
        for (int k = 0; k < p->widths; k++) {
            double *omega = &in->omega[t * p->widths + k];
            *omega = equal && t > 0 ? in->omega[k] : drawn_omega(how, scale, k);
            if (gaps && k != 2 && k != p->widths - 1) /* widths {4, most} */
                *omega = INFINITY;
        }
    }
}

static double row_of(const struct choice_problem *p, int row, const int *bits)
{
    double sum = 0;
    for (int t = 0; t < p->tensors; t++)
        sum += p->cost[(row * p->tensors + t) * p->widths + bits[t] - p->lo];
    return sum;
}

/* Sizes from 1 to 1e12; the budget is that of some answer, exactly or nearly, of the cheapest or out of reach. */
static void draw_costs(struct instance *in, int row, const int *some)
{
    const struct choice_problem *p = &in->problem;
    int how = draw_int(0, 3), least[8] = {0};
    double unit = draw(0, 1) < 0.3 ? 1.0 / p->tensors : 1, largest = pow(10, draw_int(0, 12));
    bool equal = draw(0, 1) < 0.25;
    double size = floor(draw(1, largest)), *cost = in->cost + row * p->tensors * p->widths;
    for (int t = 0; t < p->tensors; t++) {
        size = equal ? size : how == 3 ? draw(0, largest) : floor(draw(1, largest));
        least[t] = p->lo;
        for (int k = 0; k < p->widths; k++)
            cost[t * p->widths + k] = how == 2 ? floor(draw(0, largest)) : size * (k + p->lo) * unit;
        for (int k = 1; k < p->widths; k++)
            if (cost[t * p->widths + k] < cost[t * p->widths + least[t] - p->lo])
                least[t] = p->lo + k;
    }
    double at = row_of(p, row, some), cheapest = row_of(p, row, least);
    double budgets[] = {at, at, floor(at), at * draw(0.9, 1.3), cheapest, cheapest * (1 - 1e-6) - 1, INFINITY};
    in->budget[row] = budgets[draw_int(0, draw(0, 1) < 0.3 ? 6 : 3)];
}

static struct instance *drawn_instance(int most_tensors)
{
    struct instance *in = instance_new(draw_int(1, most_tensors), draw_int(3, 7), draw(0, 1) < 0.5 ? 1 : draw_int(2, 3));
    const struct choice_problem *p = &in->problem;
    int some[8];
    for (int t = 0; t < p->tensors; t++)
        some[t] = draw_int(p->lo, p->lo + p->widths - 1);
    draw_omegas(in, in);
    for (int row = 0; row < p->rows; row++)
        draw_costs(in, row, some);
    return in;
}

Test(solvers, exact_ones_agree_on_thousands, .timeout = 600)
{
    int unproven = 0, feasible = 0, count = many(2500);
    for (int i = 0; i < count; i++) {
        seed(100000 + i);
        struct instance *in = drawn_instance(5);
        const struct choice_problem *p = &in->problem;
        int bits[8];
        struct solver_info truth, info;
        bool found = solve(&solver_exhaustive, p, bits, &truth);
        feasible += found;
        for (size_t s = 0; s < LARGE_SOLVERS; s++) {
            if (solvers[s]->check(p))
                continue;
            cr_assert_eq(solve(solvers[s], p, bits, &info), found, "%d: %s: %d", i, solvers[s]->plug.name, !found);
            if (!found)
                continue;
            double rounding = (solvers[s] == &solver_ilp ? 2e-7 : 1e-11) * truth.objective;
            cr_assert(info.objective >= truth.objective - rounding && info.bound <= truth.objective + rounding,
                      "%d: %s: %.17g bound %.17g, optimum %.17g", i, solvers[s]->plug.name, info.objective, info.bound,
                      truth.objective);
            cr_assert(!info.optimal || info.objective <= truth.objective + rounding, "%d: %s: %.17g instead of %.17g", i,
                      solvers[s]->plug.name, info.objective, truth.objective);
            cr_assert(info.optimal || solvers[s] != &solver_knapsack, "%d: knapsack proves nothing", i);
            unproven += !info.optimal && solvers[s] == &solver_ilp;
        }
        free(in);
    }
    cr_assert(feasible > count / 2 && feasible < count, "%d of %d feasible", feasible, count);
    cr_assert(unproven <= count / 500, "ilp leaves %d of %d unproven", unproven, count);
}

/* Layer sizes of networks, sensitivities over six decades, a budget that is no multiple of anything. */
static void fill_network(struct instance *in)
{
    const struct choice_problem *p = &in->problem;
    double low[MAX_ROWS] = {0}, high[MAX_ROWS] = {0};
    for (int t = 0; t < p->tensors; t++) {
        double trace = drawn_scale(3), kernel = draw(0, 1) < 0.7 ? 9 : 1;
        double size = exp2(draw_int(3, 9)) * exp2(draw_int(3, 9)) * kernel + draw_int(0, 99);
        for (int row = 0; row < p->rows; row++) {
            double scale = size * (row == 1 ? exp2(2 * draw_int(2, 5)) : row == 2 ? draw(0.5, 1.5) : 1);
            for (int k = 0; k < p->widths; k++)
                in->cost[(row * p->tensors + t) * p->widths + k] = scale * (k + 2);
            low[row] += 2 * scale;
            high[row] += (p->widths + 1) * scale;
        }
        for (int k = 0; k < p->widths; k++)
            in->omega[t * p->widths + k] = trace / 12 / pow(exp2(k + 2) - 2, 2);
    }
    double part = draw(0.1, 0.7);
    for (int row = 0; row < p->rows; row++)
        in->budget[row] = low[row] + part * draw(0.95, 1.05) * (high[row] - low[row]);
}

Test(solvers, networks)
{
    static const int sizes[] = {1, 10, 54, 200, 1000};
    for (int i = 0; i < many(15); i++) {
        int rows = 1 + i / 5 % 3, tensors = rows == 1 ? sizes[i % 5] : sizes[i % 4]; /* no time limit on slow machines */
        seed(200000 + i);
        struct instance *in = instance_new(tensors, 7, rows);
        fill_network(in);
        struct solver_info info[LARGE_SOLVERS];
        int bits[MOST_TENSORS];
        for (size_t s = 0; s < LARGE_SOLVERS; s++) {
            info[s] = (struct solver_info){.objective = NAN};
            if (!solvers[s]->check(&in->problem))
                cr_assert(solve(solvers[s], &in->problem, bits, &info[s]));
        }
        cr_assert(info[2].optimal);
        if (in->problem.rows == 1) {
            cr_assert(info[1].optimal);
            cr_assert_float_eq(info[1].objective, info[2].objective, 2e-7 * info[1].objective);
            cr_assert(info[0].bound <= info[1].objective && info[1].objective <= info[0].objective);
        }
        free(in);
    }
}

/* A class of a product of two widths, as bops makes it: 49 options, costs of a common quantum. */
Test(solvers, many_options)
{
    enum { OPTIONS = 4096, TENSORS = 6 };
    double *omega = xmalloc(sizeof(double) * OPTIONS * TENSORS), *cost = xmalloc(sizeof(double) * OPTIONS * TENSORS);
    double budget = 0;
    seed(31);
    for (int t = 0; t < TENSORS; t++) {
        double scale = drawn_scale(2), size = draw_int(1, 50) * 1000;
        for (int k = 0; k < OPTIONS; k++) {
            int a = 2 + k % 16, b = 2 + k / 16 % 16, c = 2 + k / 256;
            omega[t * OPTIONS + k] = scale * (exp2(-2 * a) + exp2(-2 * b) + exp2(-2 * c));
            cost[t * OPTIONS + k] = size * a * b * c;
        }
        budget += size * 100 + 1;
    }
    struct choice_problem p = {TENSORS, 0, OPTIONS, 1, omega, cost, &budget};
    int bits[TENSORS];
    struct solver_info knapsack, ilp;
    cr_assert(solve(&solver_knapsack, &p, bits, &knapsack) && knapsack.optimal);
    cr_assert(solve(&solver_ilp, &p, bits, &ilp) && ilp.optimal);
    cr_assert_float_eq(knapsack.objective, ilp.objective, 2e-7 * knapsack.objective);
    free(omega);
    free(cost);
}
