/* SPDX-License-Identifier: GPL-3.0-or-later
 * The relaxation against its conditions of optimality and the integer optimum. */
#include "../methods/solvers/waterfill.h"
#include "choice_instances.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

extern const struct solver_ops solver_knapsack;

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
