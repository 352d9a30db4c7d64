/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "choice_instances.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t draws, draw_key;

void seed(uint64_t value)
{
    draw_key = rng_key(value, STREAM_DATA, 0, 0);
    draws = 0;
}

double draw(double low, double high) { return low + (high - low) * rng_uniform(draw_key, draws++); }
int draw_int(int low, int high) { return (int)floor(draw(low, high + 1)); }
int many(int count) { return getenv("BITSWEEP_LONG") ? 20 * count : count; }

struct instance *instance_new(int tensors, int widths, int rows)
{
    struct instance *in = xcalloc(1, sizeof *in);
    in->problem = (struct choice_problem){tensors, 2, widths, rows, in->omega, in->cost, in->budget};
    return in;
}

static bool is_whole(const struct choice_problem *p, int row)
{
    for (int i = 0; i < p->tensors * p->widths; i++) {
        double cost = p->cost[row * p->tensors * p->widths + i];
        if (isfinite(cost) && cost != floor(cost))
            return false;
    }
    return true;
}

bool within_budgets(const struct choice_problem *p, const int *bits)
{
    for (int row = 0; row < p->rows; row++) {
        double sum = 0;
        for (int t = 0; t < p->tensors; t++)
            sum += p->cost[((size_t)row * p->tensors + t) * p->widths + bits[t] - p->lo];
        if (sum > p->budget[row] * (1 + 1e-11) || (sum > p->budget[row] && is_whole(p, row)))
            return false;
    }
    return true;
}

double objective(const struct choice_problem *p, const int *bits)
{
    double sum = 0;
    for (int t = 0; t < p->tensors; t++)
        sum += p->omega[t * p->widths + bits[t] - p->lo];
    return sum;
}

bool solve(const struct solver_ops *solver, const struct choice_problem *p, int *bits,
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
    int again[MOST_TENSORS];
    struct solver_info other;
    cr_assert(solver->solve(p, again, &other) && memcmp(bits, again, sizeof(int) * p->tensors) == 0,
              "%s answers differently a second time", solver->plug.name);
    return true;
}
