/* SPDX-License-Identifier: GPL-3.0-or-later
 * The optimum in real widths, by the conditions of Karush, Kuhn and Tucker: at multipliers lambda of the budgets each
 * width balances what a further bit gains and costs, -dOmega/db = sum lambda dcost/db, or stays at an end; each lambda
 * makes its budget just met, or is 0. Widths are balanced one after the other, and multipliers too, until nothing
 * changes: in logarithms of widths a sum of products is convex, and so is Omega (METHODS 4), so this ends at the optimum. */
#include "relax.h"
#include "root.h"
#include "waterfill.h"
#include <math.h>
#include <stdlib.h>

#define ROUNDING 1e-12     /* of a sum of shares: as problem.c grants it */
#define STEP 1e-4          /* of numerical slopes, in bits */
#define STRAIGHT 1e-9      /* relative: deviation that counts as rounding */
#define WIDTH_CHANGE 1e-11 /* below which widths have settled, in bits */
#define PRICE_CHANGE 1e-9  /* likewise log2 of multipliers */
#define SWEEPS 100
#define MOST_LOG 1000      /* of a multiplier, in base 2 */

struct relaxing {
    const struct variables *v;
    int rows;
    const struct budget **budget; /* rows: on sums */
    double *lambda;               /* rows */
    bool *straight;               /* rows: the cost rises linearly with each width */
    double *low, *high, *x;       /* variables: ends and width */
    double (*scale)[2];           /* variables: of noise with offset 1, 2 */
    bool coupled;                 /* widths meet in shares */
    int now;                      /* the row or variable that a root is sought for */
    double slope;                 /* of the cost in that variable; NAN: depends on the width */
};

/* ---- one width ---- */

/* -dOmega/db */
static double gain(const struct relaxing *r, int variable, double b)
{
    double u = exp2(b), sum = 0;
    for (int k = 1; k <= 2; k++) {
        double c = r->scale[variable][k - 1], v = u - k;
        sum += c > 0 ? 2 * M_LN2 * c * u / (v * v * v) : 0;
    }
    return sum;
}

static double noise(const struct relaxing *r)
{
    double sum = 0;
    for (int i = 0; i < r->v->count; i++)
        for (int k = 1; k <= 2; k++) {
            double c = r->scale[i][k - 1], v = exp2(r->x[i]) - k;
            sum += c > 0 ? c / (v * v) : 0;
        }
    return sum;
}

/* What a variable's layers cost in one row when it has width b. */
static double share_at(struct relaxing *r, int row, int variable, double b)
{
    const struct variables *v = r->v;
    double held = r->x[variable], sum = 0;
    r->x[variable] = b;
    for (int i = v->touched_start[variable]; i < v->touched_start[variable + 1]; i++)
        sum += variables_share(v, r->budget[row], v->touched[i], r->x);
    r->x[variable] = held;
    return sum;
}

static double secant(struct relaxing *r, int row, int variable, double from, double to)
{
    return (share_at(r, row, variable, to) - share_at(r, row, variable, from)) / (to - from);
}

/* A table's cost has steps: where it is flat, the slope is that across the whole width. */
static double slope_at(struct relaxing *r, int row, int variable, double b)
{
    double low = r->low[variable], high = r->high[variable];
    double slope = secant(r, row, variable, fmax(low, b - STEP), fmin(high, b + STEP));
    return slope != 0 ? slope : secant(r, row, variable, fmax(low, ceil(b) - 1), fmin(high, floor(b) + 1));
}

/* Sum of lambda × slope. */
static double cost_slope(struct relaxing *r, int variable, double b)
{
    double sum = 0;
    for (int row = 0; row < r->rows; row++)
        if (r->lambda[row] > 0)
            sum += r->lambda[row] * (r->straight[row] ? secant(r, row, variable, r->low[variable], r->high[variable])
                                                      : slope_at(r, row, variable, b));
    return sum;
}

/* Above 0 where a further bit gains more than it costs; almost linear in b. */
static double balance(void *context, double b)
{
    struct relaxing *r = context;
    double cost = isnan(r->slope) ? cost_slope(r, r->now, b) : r->slope;
    return cost > 0 ? log2(gain(r, r->now, b)) - log2(cost) : INFINITY;
}

static double balanced_width(struct relaxing *r, int variable)
{
    double low = r->low[variable], high = r->high[variable];
    bool straight = true;
    if (low == high || !(gain(r, variable, low) > 0))
        return low;
    for (int row = 0; row < r->rows; row++)
        straight &= r->straight[row] || r->lambda[row] == 0;
    r->now = variable;
    r->slope = straight ? cost_slope(r, variable, low) : NAN;
    double at_low = balance(r, low), at_high = balance(r, high);
    if (!(at_low > 0) || !(at_high < 0))
        return at_low > 0 ? high : low;
    return falling_root(balance, r, low, fmin(at_low, MOST_LOG), high, at_high, 1e-13);
}

/* All widths at the present multipliers. */
static void balance_widths(struct relaxing *r)
{
    double change = INFINITY;
    for (int sweep = 0; sweep < SWEEPS && change > WIDTH_CHANGE; sweep++) {
        change = 0;
        for (int i = 0; i < r->v->count; i++) {
            double before = r->x[i];
            r->x[i] = balanced_width(r, i);
            change = fmax(change, fabs(r->x[i] - before));
        }
        if (!r->coupled)
            break;
    }
}

/* ---- multipliers ---- */

/* Cost above the limit. */
static double excess(const struct relaxing *r, int row)
{
    const struct budget *budget = r->budget[row];
    double sum = budget_constant(budget);
    for (int layer = 0; layer < r->v->layers; layer++)
        sum += variables_share(r->v, budget, layer, r->x);
    return sum - (budget->limit + ROUNDING * fabs(budget->limit));
}

static double excess_at(void *context, double log_lambda)
{
    struct relaxing *r = context;
    int row = r->now;
    r->lambda[row] = exp2(log_lambda);
    balance_widths(r);
    r->now = row; /* which the widths have used */
    return excess(r, row);
}

/* The least multiplier at which a row is met, from the present one on; `least`: it must not fall below that. Widths
 * follow. */
static void meet_row(struct relaxing *r, int row, double least)
{
    double start = log2(r->lambda[row]), low, high, step = 1;
    r->lambda[row] = least;
    balance_widths(r);
    if (excess(r, row) <= 0)
        return;
    r->now = row;
    low = high = isfinite(start) ? start : 0;
    double at_low = excess_at(r, low), at_high = at_low;
    for (; at_low <= 0 && low > -MOST_LOG; step *= 2) {
        high = low;
        at_high = at_low;
        at_low = excess_at(r, low -= step);
    }
    for (step = 1; at_high > 0 && high < MOST_LOG; step *= 2) {
        low = high;
        at_low = at_high;
        at_high = excess_at(r, high += step);
    }
    if (at_low > 0 && at_high <= 0)
        high = falling_root(excess_at, r, low, at_low, high, at_high, ROUNDING * fabs(r->budget[row]->limit));
    excess_at(r, high);
}

static bool met(const struct relaxing *r)
{
    for (int row = 0; row < r->rows; row++)
        if (excess(r, row) > 0)
            return false;
    return true;
}

static bool find_multipliers(struct relaxing *r)
{
    double change = INFINITY;
    balance_widths(r);
    for (int sweep = 0; sweep < SWEEPS && change > PRICE_CHANGE; sweep++) {
        change = 0;
        for (int row = 0; row < r->rows; row++) {
            double before = r->lambda[row];
            meet_row(r, row, 0);
            if (r->lambda[row] != before)
                change = fmax(change, fabs(log2(r->lambda[row]) - log2(before)));
        }
        if (r->rows == 1)
            break;
    }
    /* Where the rows have not quite settled, multipliers may only rise. */
    for (int sweep = 0; sweep < SWEEPS && !met(r); sweep++)
        for (int row = 0; row < r->rows; row++)
            meet_row(r, row, r->lambda[row]);
    return met(r);
}

/* ---- the problem ---- */

/* Whether a cost rises linearly with each width, and does not fall below 0 at width 0 where it is a product of widths
 * (else it is not known to be convex). */
static bool is_straight(struct relaxing *r, int row)
{
    for (int i = 0; i < r->v->count; i++) {
        double low = r->low[i], high = r->high[i], at_low = share_at(r, row, i, low), at_high = share_at(r, row, i, high);
        double rounding = STRAIGHT * fmax(fabs(at_low), fabs(at_high));
        if (at_high < at_low || (r->coupled && high > low && at_low + rounding < low * secant(r, row, i, low, high)))
            return false;
        for (int part = 1; part < 4; part++) {
            double at = share_at(r, row, i, low + 0.23 * part * (high - low));
            if (!(fabs(at - (at_low + 0.23 * part * (at_high - at_low))) <= rounding))
                return false;
        }
    }
    return true;
}

static void relaxing_make(struct relaxing *r, const struct variables *v, double *x)
{
    const struct problem *p = v->problem;
    size_t count = (size_t)v->count + 1, budgets = (size_t)p->budget_count + 1;
    *r = (struct relaxing){.v = v, .x = x};
    r->budget = xmalloc(budgets * sizeof *r->budget);
    r->lambda = xcalloc(budgets, sizeof *r->lambda);
    r->straight = xcalloc(budgets, sizeof *r->straight);
    r->low = xmalloc(count * sizeof *r->low);
    r->high = xmalloc(count * sizeof *r->high);
    r->scale = xcalloc(count, sizeof *r->scale);
    for (int b = 0; b < p->budget_count; b++) {
        r->coupled |= v->joint[b] && !p->budgets[b].cost->largest;
        if (!p->budgets[b].cost->largest)
            r->budget[r->rows++] = &p->budgets[b];
    }
    for (int i = 0; i < v->count; i++) {
        r->low[i] = x[i] = width_least(v->choices[i]);
        r->high[i] = width_most(v->choices[i]);
    }
    for (int i = 0; i < p->count; i++)
        r->scale[v->of[i]][p->noise[i].offset == 1 ? 0 : 1] += p->noise[i].scale;
    for (int row = 0; row < r->rows; row++)
        r->straight[row] = is_straight(r, row);
}

static void relaxing_free(struct relaxing *r)
{
    free(r->budget);
    free(r->lambda);
    free(r->straight);
    free(r->low);
    free(r->high);
    free(r->scale);
}

/* One straight row over separate widths with one kind of codes each has a closed form. */
static bool is_waterfill(const struct relaxing *r)
{
    if (r->rows != 1 || r->coupled || !r->straight[0])
        return false;
    for (int i = 0; i < r->v->count; i++)
        if (r->scale[i][0] > 0 && r->scale[i][1] > 0)
            return false;
    return true;
}

static double fill(struct relaxing *r)
{
    size_t count = (size_t)r->v->count + 1;
    double *c = xmalloc(count * sizeof *c), *weight = xcalloc(count, sizeof *weight);
    bool *is_signed = xmalloc(count * sizeof *is_signed);
    double budget = -excess(r, 0); /* what is left with all at their least */
    for (int i = 0; i < r->v->count; i++) {
        c[i] = r->scale[i][0] + r->scale[i][1];
        is_signed[i] = r->scale[i][1] > 0;
        if (r->high[i] > r->low[i])
            weight[i] = secant(r, 0, i, r->low[i], r->high[i]);
        budget += weight[i] * r->low[i];
    }
    double objective = waterfill(c, weight, is_signed, r->low, r->high, r->v->count, budget, r->x);
    free(c);
    free(weight);
    free(is_signed);
    return objective;
}

/* The Lagrangian at the multipliers, whose widths minimise it. */
static double dual(const struct relaxing *r, double objective)
{
    double value = objective;
    for (int row = 0; row < r->rows; row++) {
        if (!r->straight[row])
            return -INFINITY;
        value += r->lambda[row] > 0 ? r->lambda[row] * excess(r, row) : 0;
    }
    return value;
}

bool relax_widths(const struct variables *v, double *widths, double *objective, double *bound)
{
    struct relaxing r;
    relaxing_make(&r, v, widths);
    bool feasible = met(&r); /* all at their least */
    *objective = INFINITY;
    *bound = -INFINITY;
    if (feasible && is_waterfill(&r)) {
        *bound = *objective = fill(&r);
    } else if (feasible) {
        feasible = find_multipliers(&r);
        *objective = noise(&r);
        *bound = dual(&r, *objective);
    }
    relaxing_free(&r);
    return feasible;
}

bool problem_relax(const struct problem *p, double *bits, double *objective)
{
    struct variables v;
    struct error error;
    if (!variables_make(p, &v, &error))
        return false;
    double *widths = xmalloc(((size_t)v.count + 1) * sizeof *widths), bound;
    bool feasible = relax_widths(&v, widths, objective, &bound);
    for (int i = 0; i < p->count && feasible; i++)
        bits[i] = widths[v.of[i]];
    if (feasible && isfinite(bound))
        *objective = bound;
    free(widths);
    variables_free(&v);
    return feasible;
}
