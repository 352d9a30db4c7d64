/* SPDX-License-Identifier: GPL-3.0-or-later
 * Solver relaxed: the optimum in real widths, rounded down to allowed widths, then raised by the largest gain per cost
 * while the budgets last (several budgets: a cost is the sum of its shares of their limits). Where Omega has no formula,
 * the optimum of the Lagrangian over the tabled widths takes the place of real widths. Approximate; gives a bound. */
#include "../../bench/clock.h"
#include "lagrange.h"
#include "relax.h"
#include <math.h>
#include <stdlib.h>

#define PROVEN 1e-7 /* relative gap */
#define RELIEF 1e-13 /* less is rounding */

/* Whole widths being changed one at a time. */
struct rounding {
    const struct variables *v;
    double (*omega)[MOST_WIDTH + 1]; /* variables */
    double *x;                       /* variables */
    double *price;                   /* budgets on sums */
};

static double scale_of(const struct budget *budget) { return budget->limit > 0 ? budget->limit : 1; }

static double over(const struct budget *budget, double price)
{
    return budget_met(budget, price) ? 0 : (price - budget->limit) / scale_of(budget);
}

static void measure_prices(struct rounding *r)
{
    const struct problem *p = r->v->problem;
    for (int b = 0; b < p->budget_count; b++) {
        r->price[b] = budget_constant(&p->budgets[b]);
        for (int layer = 0; layer < r->v->layers && !p->budgets[b].cost->largest; layer++)
            r->price[b] += variables_share(r->v, &p->budgets[b], layer, r->x);
    }
}

/* What giving a variable another width does. */
struct move { double gain, load, relief; /* of exceeded limits */ bool fits; };

/* On one layer: adds to the change of a sum, or looks at the largest. */
static double layer_change(struct rounding *r, const struct budget *budget, int layer, int variable, double bits,
                           struct move *move)
{
    double held = r->x[variable], before = variables_share(r->v, budget, layer, r->x);
    r->x[variable] = bits;
    double after = variables_share(r->v, budget, layer, r->x), constant = budget_constant(budget);
    r->x[variable] = held;
    if (budget->cost->largest) {
        move->fits &= largest_met(budget, after);
        move->relief += over(budget, before + constant) - over(budget, after + constant);
    }
    return after - before;
}

static struct move try_width(struct rounding *r, int variable, int bits)
{
    const struct variables *v = r->v;
    struct move move = {.gain = r->omega[variable][(int)r->x[variable]] - r->omega[variable][bits], .fits = true};
    for (int b = 0; b < v->problem->budget_count; b++) {
        const struct budget *budget = &v->problem->budgets[b];
        double change = 0;
        for (int i = v->touched_start[variable]; i < v->touched_start[variable + 1]; i++)
            change += layer_change(r, budget, v->touched[i], variable, bits, &move);
        if (budget->cost->largest)
            continue;
        move.load += change / scale_of(budget);
        move.fits &= budget_met(budget, r->price[b] + change);
        move.relief += over(budget, r->price[b]) - over(budget, r->price[b] + change);
    }
    return move;
}

static bool all_met(const struct rounding *r)
{
    const struct problem *p = r->v->problem;
    for (int b = 0; b < p->budget_count; b++) {
        const struct budget *budget = &p->budgets[b];
        for (int layer = 0; layer < r->v->layers && budget->cost->largest; layer++)
            if (!largest_met(budget, variables_share(r->v, budget, layer, r->x)))
                return false;
        if (!budget->cost->largest && !budget_met(budget, r->price[b]))
            return false;
    }
    return true;
}

/* How good a move is for the purpose; -INFINITY: none. */
static double value_of_raise(const struct move *move)
{
    if (!move->fits || !(move->gain > 0))
        return -INFINITY;
    return move->load > 0 ? move->gain / move->load : INFINITY;
}

static double value_of_repair(const struct move *move)
{
    return move->relief > RELIEF ? -fmax(0, -move->gain) / move->relief : -INFINITY;
}

/* Makes the best move, ties in network order; false: there is none. */
static bool improve(struct rounding *r, double (*value)(const struct move *))
{
    double best = -INFINITY;
    int variable = -1, width = 0;
    for (int i = 0; i < r->v->count; i++)
        for (int bits = width_least(r->v->choices[i]); bits <= width_most(r->v->choices[i]); bits++) {
            if (!(r->v->choices[i] >> bits & 1) || bits == (int)r->x[i])
                continue;
            struct move move = try_width(r, i, bits);
            if (value(&move) > best) {
                best = value(&move);
                variable = i;
                width = bits;
            }
        }
    if (variable < 0)
        return false;
    r->x[variable] = width;
    measure_prices(r);
    return true;
}

/* The largest allowed width up to x, but for its rounding. */
static int round_down(uint64_t choices, double x)
{
    int width = width_least(choices);
    for (int bits = width; bits <= width_most(choices); bits++)
        if (choices >> bits & 1 && bits <= x + 1e-9)
            width = bits;
    return width;
}

/* Real or whole widths become whole ones within the budgets. False: none were found; *proven: there are none, since even
 * the least widths exceed a budget. */
static bool round_widths(const struct variables *v, double *x, bool *proven)
{
    const struct problem *p = v->problem;
    struct rounding r = {v, xcalloc((size_t)v->count + 1, sizeof *r.omega), x,
                         xmalloc(((size_t)p->budget_count + 1) * sizeof(double))};
    for (int i = 0; i < p->count; i++)
        for (int bits = 1; bits <= MOST_WIDTH; bits++)
            if (v->choices[v->of[i]] >> bits & 1)
                r.omega[v->of[i]][bits] += omega_at(p, i, bits);
    for (int i = 0; i < v->count; i++)
        x[i] = round_down(v->choices[i], x[i]);
    measure_prices(&r);
    while (!all_met(&r) && improve(&r, value_of_repair))
        ;
    bool met = all_met(&r);
    while (met && improve(&r, value_of_raise))
        ;
    for (int i = 0; i < v->count && !met; i++)
        x[i] = width_least(v->choices[i]);
    measure_prices(&r);
    *proven = !met && !all_met(&r);
    free(r.omega);
    free(r.price);
    return met;
}

/* Where Omega is a table. False: the error says why not, if there is more to say than that nothing was found. */
static bool start_from_table(const struct variables *v, double *x, double *bound, struct error *error)
{
    const struct problem *p = v->problem;
    struct classes classes;
    if (!classes_make(p, &classes, error))
        return false;
    int *chosen = xmalloc(((size_t)classes.problem.tensors + 1) * sizeof *chosen);
    int *bits = xmalloc(((size_t)p->count + 1) * sizeof *bits);
    lagrange_solve(&classes.problem, chosen, bound); /* where it does not fit, rounding repairs it */
    classes_bits(&classes, chosen, bits);
    for (int i = 0; i < p->count; i++)
        x[v->of[i]] = bits[i];
    free(bits);
    free(chosen);
    classes_free(&classes);
    return true;
}

static bool solve_variables(const struct variables *v, int *bits, struct solver_info *info, struct error *error)
{
    const struct problem *p = v->problem;
    double *x = xmalloc(((size_t)v->count + 1) * sizeof *x), objective;
    if (p->noise)
        relax_widths(v, x, &objective, &info->bound); /* where it ends above a budget, rounding repairs that */
    else if (!start_from_table(v, x, &info->bound, error))
        return free(x), false;
    bool solved = round_widths(v, x, &info->optimal);
    for (int i = 0; i < p->count && solved; i++)
        bits[i] = (int)x[v->of[i]];
    free(x);
    if (!solved)
        return false;
    info->objective = problem_omega(p, bits);
    info->optimal = info->objective - info->bound <= PROVEN * fabs(info->objective);
    info->bound = fmin(info->bound, info->objective);
    return true;
}

static bool solve_tensors(const struct problem *p, int *bits, struct solver_info *info, struct error *error)
{
    double start = now_seconds();
    struct variables v;
    *info = (struct solver_info){.objective = INFINITY, .bound = -INFINITY};
    if (!variables_make(p, &v, error))
        return false;
    bool solved = solve_variables(&v, bits, info, error);
    variables_free(&v);
    info->seconds = now_seconds() - start;
    return solved;
}

const struct solver_ops solver_relaxed = {
    .plug = {.name = "relaxed", .version = 1,
             .help = "Optimum in real widths, rounded down and filled up greedily: approximate; several budgets; gives a "
                     "bound."},
    .solve_tensors = solve_tensors,
};
