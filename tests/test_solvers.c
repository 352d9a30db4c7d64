/* SPDX-License-Identifier: GPL-3.0-or-later
 * The integer solvers against brute force and each other, the relaxation against its conditions. */
#include "../methods/solvers/waterfill.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct solver_ops solver_greedy, solver_knapsack, solver_ilp;
static const struct solver_ops *const solvers[] = {&solver_greedy, &solver_knapsack, &solver_ilp};
#define SOLVERS (sizeof solvers / sizeof *solvers)

#define MAX_TENSORS 1000
#define MAX_WIDTHS 7
#define MAX_ROWS 2

/* A problem that owns its arrays. */
struct instance {
    struct choice_problem problem;
    double omega[MAX_TENSORS * MAX_WIDTHS], cost[MAX_ROWS * MAX_TENSORS * MAX_WIDTHS], budget[MAX_ROWS];
};

static uint64_t draws, draw_key;

static void seed(uint64_t value)
{
    draw_key = rng_key(value, STREAM_DATA, 0, 0);
    draws = 0;
}

static double draw(double low, double high) { return low + (high - low) * rng_uniform(draw_key, draws++); }
static int draw_int(int low, int high) { return (int)floor(draw(low, high + 1)); }

static struct instance *instance_new(int tensors, int widths, int rows)
{
    struct instance *in = xcalloc(1, sizeof *in);
    in->problem = (struct choice_problem){tensors, 2, widths, rows, in->omega, in->cost, in->budget};
    return in;
}

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

/* Exact in whole numbers: these tests only use costs below 2^53. */
static bool within_budgets(const struct choice_problem *p, const int *bits)
{
    for (int row = 0; row < p->rows; row++) {
        double sum = 0;
        bool whole = true;
        for (int t = 0; t < p->tensors; t++) {
            double cost = p->cost[((size_t)row * p->tensors + t) * p->widths + bits[t] - p->lo];
            whole &= cost == floor(cost);
            sum += cost;
        }
        if (sum > p->budget[row] * (whole ? 1 : 1 + 1e-11))
            return false;
    }
    return true;
}

static double objective(const struct choice_problem *p, const int *bits)
{
    double sum = 0;
    for (int t = 0; t < p->tensors; t++)
        sum += p->omega[t * p->widths + bits[t] - p->lo];
    return sum;
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

/* Solves, and checks what holds for every solver and problem. */
static bool solve(const struct solver_ops *solver, const struct choice_problem *p, int *bits,
                  struct solver_info *info)
{
    const char *why = solver->check(p);
    cr_assert_null(why, "%s: %s", solver->plug.name, why);
    memset(bits, 0, sizeof(int) * p->tensors);
    if (!solver->solve(p, bits, info)) {
        cr_assert(info->optimal, "%s gives up", solver->plug.name);
        return false;
    }
    for (int t = 0; t < p->tensors; t++)
        cr_assert(bits[t] >= p->lo && bits[t] < p->lo + p->widths, "%s: width %d", solver->plug.name,
                  bits[t]);
    cr_assert(isfinite(objective(p, bits)), "%s takes a width that is not allowed", solver->plug.name);
    cr_assert(within_budgets(p, bits), "%s exceeds a budget", solver->plug.name);
    cr_assert_float_eq(info->objective, objective(p, bits), 1e-12 * fabs(info->objective));
    cr_assert(info->bound <= info->objective && info->seconds >= 0);
    int again[MAX_TENSORS];
    struct solver_info other;
    cr_assert(solver->solve(p, again, &other) && memcmp(bits, again, sizeof(int) * p->tensors) == 0,
              "%s answers differently a second time", solver->plug.name);
    return true;
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

Test(solvers, brute_force_equal_costs)
{
    for (int i = 0; i < 150; i++) {
        seed(i);
        struct instance *in = instance_new(draw_int(1, 5), draw_int(1, 5), 1);
        fill_omegas(in, i % 3 == 0 ? CONVEX : i % 3 == 1 ? ARBITRARY : WITH_HOLES);
        fill_costs(in, 0, 1, 1);
        against_brute_force(in);
        free(in);
    }
}

Test(solvers, brute_force_unequal_costs)
{
    for (int i = 0; i < 300; i++) {
        seed(1000 + i);
        struct instance *in = instance_new(draw_int(1, 5), draw_int(1, 5), 1);
        fill_omegas(in, i % 3 == 0 ? CONVEX : i % 3 == 1 ? ARBITRARY : WITH_HOLES);
        fill_costs(in, 0, i % 2 ? 7 : 1000000, i % 5 == 0 ? 1.0 / 7 : 1);
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
        int bits[MAX_TENSORS];
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
        int bits[MAX_TENSORS];
        struct solver_info info[SOLVERS];
        bool found[SOLVERS];
        for (size_t s = 0; s < SOLVERS; s++)
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
    for (size_t s = 0; s < SOLVERS; s++) {
        int bits[MAX_TENSORS];
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
        for (size_t s = 0; s < SOLVERS; s++) {
            int bits[MAX_TENSORS], sum = 0;
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
        int bits[SOLVERS][MAX_TENSORS];
        struct solver_info info[SOLVERS];
        for (size_t s = 0; s < SOLVERS; s++) {
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

Test(solvers, knapsack_says_what_it_cannot_take)
{
    struct instance *in = instance_new(3, 2, 1);
    fill_omegas(in, CONVEX);
    for (int t = 0; t < 3; t++)
        in->cost[t * 2 + 1] = sqrt(t + 2);
    in->budget[0] = 10;
    cr_assert(strstr(solver_knapsack.check(&in->problem), "quantum"));
    for (int t = 0; t < 3; t++)
        in->cost[t * 2 + 1] = 1e8 * (t + 1) + 1;
    in->budget[0] = 1e9;
    cr_assert(strstr(solver_knapsack.check(&in->problem), "64 MiB"));
    free(in);
}

/* ---- the relaxation ------------------------------------------------------------------- */

struct relaxation {
    double c[50], weight[50], lo[50], hi[50], bits[50], budget;
    bool is_signed[50];
    int count;
};

static double relaxed(struct relaxation *r)
{
    return waterfill(r->c, r->weight, r->is_signed, r->lo, r->hi, r->count, r->budget, r->bits);
}

static double offset(const struct relaxation *r, int i) { return r->is_signed[i] ? 2 : 1; }

static void fill_relaxation(struct relaxation *r, int count, double decades)
{
    double low = 0, high = 0;
    r->count = count;
    for (int i = 0; i < count; i++) {
        r->c[i] = pow(10, draw(-decades, decades));
        r->weight[i] = draw_int(1, 9);
        r->is_signed[i] = draw(0, 1) < 0.5;
        r->lo[i] = draw_int(2, 3);
        r->hi[i] = draw_int(4, 8);
        low += r->weight[i] * r->lo[i];
        high += r->weight[i] * r->hi[i];
    }
    r->budget = draw(low, high);
}

Test(waterfill, optimality_conditions)
{
    for (int i = 0; i < 200; i++) {
        struct relaxation r;
        seed(7000 + i);
        fill_relaxation(&r, draw_int(1, 50), i % 2 ? 3 : 30);
        double value = relaxed(&r), cost = 0, sum = 0, at_least = 0, at_most = INFINITY;
        for (int k = 0; k < r.count; k++) {
            double u = exp2(r.bits[k]), v = u - offset(&r, k);
            double gain = 2 * log(2) * r.c[k] * u / (v * v * v) / r.weight[k];
            cost += r.weight[k] * r.bits[k];
            sum += r.c[k] / (v * v);
            cr_assert(r.bits[k] >= r.lo[k] && r.bits[k] <= r.hi[k]);
            if (r.bits[k] > r.lo[k])
                at_most = fmin(at_most, gain);
            if (r.bits[k] < r.hi[k])
                at_least = fmax(at_least, gain);
        }
        cr_assert(cost <= r.budget * (1 + 1e-13) && cost >= r.budget * (1 - 1e-9), "cost %.17g of %.17g",
                  cost, r.budget);
        cr_assert(at_least <= at_most * (1 + 1e-7), "gains %.17g, %.17g", at_least, at_most);
        cr_assert_float_eq(value, sum, 1e-12 * sum);
    }
}

Test(waterfill, two_tensors_against_a_grid)
{
    for (int i = 0; i < 40; i++) {
        struct relaxation r;
        seed(8000 + i);
        fill_relaxation(&r, 2, 2);
        double value = relaxed(&r), best = INFINITY;
        for (int g = 0; g <= 20000; g++) {
            double a = r.lo[0] + (r.hi[0] - r.lo[0]) * g / 20000;
            double b = fmin(r.hi[1], (r.budget - r.weight[0] * a) / r.weight[1]);
            if (b >= r.lo[1])
                best = fmin(best, r.c[0] / pow(exp2(a) - offset(&r, 0), 2) +
                                      r.c[1] / pow(exp2(b) - offset(&r, 1), 2));
        }
        cr_assert(value <= best * (1 + 1e-12) && value >= best * (1 - 1e-3), "%.17g, grid %.17g", value,
                  best);
    }
}

Test(waterfill, bounds_the_integer_optimum)
{
    for (int i = 0; i < 60; i++) {
        struct relaxation r;
        seed(9000 + i);
        fill_relaxation(&r, draw_int(1, 20), 4);
        r.budget = floor(r.budget);
        struct instance *in = instance_new(r.count, 7, 1);
        for (int t = 0; t < r.count; t++)
            for (int k = 0; k < 7; k++) {
                bool allowed = k + 2 >= r.lo[t] && k + 2 <= r.hi[t];
                in->omega[t * 7 + k] = allowed ? r.c[t] / pow(exp2(k + 2) - offset(&r, t), 2) : INFINITY;
                in->cost[t * 7 + k] = r.weight[t] * (k + 2);
            }
        in->budget[0] = r.budget;
        int bits[50];
        struct solver_info info;
        double value = relaxed(&r);
        cr_assert_eq(solve(&solver_knapsack, &in->problem, bits, &info), isfinite(value));
        if (isfinite(value))
            cr_assert(value <= info.objective * (1 + 1e-12), "%.17g above %.17g", value, info.objective);
        free(in);
    }
}

Test(waterfill, limits)
{
    struct relaxation r = {
        .c = {1, 4, 0}, .weight = {1, 1, 1}, .lo = {2, 2, 2}, .hi = {8, 8, 8}, .count = 3, .budget = 5.9};
    cr_assert(isinf(relaxed(&r)) && r.bits[0] == 2 && r.bits[1] == 2);
    r.budget = 6;
    cr_assert_float_eq(relaxed(&r), 5.0 / 9, 1e-12);
    cr_assert(r.bits[0] == 2 && r.bits[1] == 2 && r.bits[2] == 2);
    r.budget = 1e9;
    cr_assert_float_eq(relaxed(&r), 5.0 / (255 * 255), 1e-15);
    cr_assert(r.bits[0] == 8 && r.bits[1] == 8 && r.bits[2] == 2,
              "a tensor that gains nothing spends nothing");
    r.weight[0] = 0;
    r.budget = 7;
    relaxed(&r);
    cr_assert(r.bits[0] == 8 && fabs(r.bits[1] - 5) < 1e-9, "what costs nothing is taken: %g %g", r.bits[0],
              r.bits[1]);
    r.count = 1;
    r.weight[0] = 1;
    r.budget = 3.25;
    relaxed(&r);
    cr_assert_float_eq(r.bits[0], 3.25, 1e-9);
}
