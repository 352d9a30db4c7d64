/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lagrange.h"
#include "root.h"
#include <math.h>
#include <stdlib.h>

#define SWEEPS 20
#define MOST_LOG 1000 /* of a multiplier, in base 2 */

struct charging {
    const struct choice_problem *p;
    double *lambda, *scale; /* rows; what a cost is divided by */
    int *bits, row;
    double bound;
};

static double charged(const struct charging *c, int tensor, int index)
{
    double value = choice_omega(c->p, tensor, index);
    for (int row = 0; row < c->p->rows; row++)
        value += c->lambda[row] > 0 ? c->lambda[row] * choice_cost(c->p, row, tensor, index) / c->scale[row] : 0;
    return value;
}

static double load(const struct charging *c, int tensor, int index)
{
    double sum = 0;
    for (int row = 0; row < c->p->rows; row++)
        sum += choice_cost(c->p, row, tensor, index) / c->scale[row];
    return sum;
}

/* Every tensor's best width at the multipliers, of equals the cheapest. */
static void take_best(struct charging *c)
{
    const struct choice_problem *p = c->p;
    double bound = 0;
    for (int t = 0; t < p->tensors; t++) {
        double least = INFINITY;
        int best = 0;
        for (int k = 0; k < p->widths; k++) {
            if (!choice_allowed(p, t, k))
                continue;
            double value = charged(c, t, k);
            if (value < least || (value == least && load(c, t, k) < load(c, t, best))) {
                least = value;
                best = k;
            }
        }
        c->bits[t] = p->lo + best;
        bound += least;
    }
    for (int row = 0; row < p->rows; row++)
        bound -= c->lambda[row] > 0 ? c->lambda[row] * choice_limit(p, row) / c->scale[row] : 0;
    c->bound = fmax(c->bound, bound);
}

/* Cost above the limit, as a share of scale. */
static double excess(const struct charging *c, int row)
{
    double sum = 0;
    for (int t = 0; t < c->p->tensors; t++)
        sum += choice_cost(c->p, row, t, c->bits[t] - c->p->lo);
    return (sum - choice_limit(c->p, row)) / c->scale[row];
}

static double excess_at(void *charging, double log_lambda)
{
    struct charging *c = charging;
    c->lambda[c->row] = exp2(log_lambda);
    take_best(c);
    return excess(c, c->row);
}

/* The least multiplier, from `least` on, at which a row is met. */
static void meet_row(struct charging *c, int row, double least)
{
    double start = c->lambda[row] > 0 ? log2(c->lambda[row]) : 0, low = start, high = start, at_low, at_high;
    c->lambda[row] = least;
    take_best(c);
    if (excess(c, row) <= 0)
        return;
    c->row = row;
    at_low = at_high = excess_at(c, start);
    for (double step = 1; at_low <= 0 && low > -MOST_LOG; step *= 2) {
        high = low;
        at_high = at_low;
        at_low = excess_at(c, low -= step);
    }
    for (double step = 1; at_high > 0 && high < MOST_LOG; step *= 2) {
        low = high;
        at_low = at_high;
        at_high = excess_at(c, high += step);
    }
    if (at_low > 0 && at_high <= 0)
        high = falling_root(excess_at, c, low, at_low, high, at_high, 0);
    excess_at(c, high);
}

bool lagrange_solve(const struct choice_problem *p, int *bits, double *bound)
{
    struct charging c = {.p = p, .bits = bits, .bound = -INFINITY, .lambda = xcalloc((size_t)p->rows + 1, sizeof(double)),
                         .scale = xmalloc(((size_t)p->rows + 1) * sizeof(double))};
    for (int row = 0; row < p->rows; row++)
        c.scale[row] = p->budget[row] > 0 && isfinite(p->budget[row]) ? p->budget[row] : 1;
    take_best(&c);
    for (int sweep = 0; sweep < (p->rows > 1 ? SWEEPS : 1); sweep++)
        for (int row = 0; row < p->rows; row++)
            meet_row(&c, row, 0);
    for (int sweep = 0; sweep < SWEEPS && !choice_fits(p, bits); sweep++)
        for (int row = 0; row < p->rows; row++)
            meet_row(&c, row, c.lambda[row]);
    *bound = c.bound;
    free(c.lambda);
    free(c.scale);
    return choice_fits(p, bits);
}
