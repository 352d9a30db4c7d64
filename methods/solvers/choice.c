/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUANTUM_TOLERANCE 1e-13
#define QUANTUM_STEPS 1e6
#define BUDGET_TOLERANCE 1e-12

double choice_omega(const struct choice_problem *p, int tensor, int index)
{
    return p->omega[(size_t)tensor * p->widths + index];
}

double choice_cost(const struct choice_problem *p, int row, int tensor, int index)
{
    return p->cost[((size_t)row * p->tensors + tensor) * p->widths + index];
}

bool choice_allowed(const struct choice_problem *p, int tensor, int index)
{
    if (!isfinite(choice_omega(p, tensor, index)))
        return false;
    for (int row = 0; row < p->rows; row++)
        if (!isfinite(choice_cost(p, row, tensor, index)))
            return false;
    return true;
}

bool choice_is_whole(const struct choice_problem *p, int row)
{
    const double *cost = p->cost + (size_t)row * p->tensors * p->widths;
    for (size_t i = 0; i < (size_t)p->tensors * p->widths; i++)
        if (isfinite(cost[i]) && cost[i] != floor(cost[i]))
            return false;
    return true;
}

double choice_limit(const struct choice_problem *p, int row)
{
    double budget = p->budget[row];
    return choice_is_whole(p, row) ? budget : budget + BUDGET_TOLERANCE * fabs(budget);
}

static double row_sum(const struct choice_problem *p, int row, const int *bits)
{
    double sum = 0;
    for (int t = 0; t < p->tensors; t++)
        sum += choice_cost(p, row, t, bits[t] - p->lo);
    return sum;
}

bool choice_fits(const struct choice_problem *p, const int *bits)
{
    for (int row = 0; row < p->rows; row++) {
        if (!(row_sum(p, row, bits) <= choice_limit(p, row)))
            return false;
    }
    return true;
}

/* Euclid's algorithm; remainders up to `zero` count as none. */
static double common_divisor(double a, double b, double zero)
{
    while (b > zero) {
        double remainder = fmod(a, b);
        if (b - remainder <= zero)
            remainder = 0;
        a = b;
        b = remainder;
    }
    return a;
}

double choice_quantum(const double *values, size_t count, bool whole)
{
    double largest = 0, quantum = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, values[i]);
    if (largest == 0)
        return 1;
    double zero = whole ? 0 : largest / QUANTUM_STEPS / 2;
    for (size_t i = 0; i < count; i++)
        quantum = common_divisor(values[i], quantum, zero);
    if (whole || quantum == 0)
        return quantum;
    quantum = largest / round(largest / quantum);
    for (size_t i = 0; i < count; i++) {
        double steps = values[i] / quantum;
        if (fabs(steps - round(steps)) > QUANTUM_TOLERANCE * largest / quantum)
            return 0;
    }
    return quantum;
}

double choice_steps(double value, double quantum)
{
    double steps = floor(value / quantum);
    if (steps * quantum > value)
        steps--;
    return steps;
}

/* ---- finishing an answer -------------------------------------------------------------- */

/* Whether tensor t may change from option `from` to `to`, given what each row has left. */
static bool affordable(const struct choice_problem *p, const double *left, int t, int from, int to)
{
    for (int row = 0; row < p->rows; row++)
        if (!(choice_cost(p, row, t, to) - choice_cost(p, row, t, from) <= left[row]))
            return false;
    return true;
}

static void improve(const struct choice_problem *p, int *bits)
{
    double *left = xmalloc(sizeof(double) * p->rows + 1);
    for (int row = 0; row < p->rows; row++)
        left[row] = choice_limit(p, row) - row_sum(p, row, bits);
    for (int t = 0; t < p->tensors; t++)
        for (int k = 0; k < p->widths; k++) {
            int from = bits[t] - p->lo;
            if (!choice_allowed(p, t, k) || !(choice_omega(p, t, k) < choice_omega(p, t, from)) ||
                !affordable(p, left, t, from, k))
                continue;
            for (int row = 0; row < p->rows; row++)
                left[row] -= choice_cost(p, row, t, k) - choice_cost(p, row, t, from);
            bits[t] = p->lo + k;
        }
    free(left);
}

static bool equal_tensors(const struct choice_problem *p, int a, int b)
{
    size_t size = p->widths * sizeof(double);
    if (memcmp(p->omega + (size_t)a * p->widths, p->omega + (size_t)b * p->widths, size) != 0)
        return false;
    for (int row = 0; row < p->rows; row++) {
        const double *cost = p->cost + (size_t)row * p->tensors * p->widths;
        if (memcmp(cost + (size_t)a * p->widths, cost + (size_t)b * p->widths, size) != 0)
            return false;
    }
    return true;
}

static void order_equal_tensors(const struct choice_problem *p, int *bits)
{
    for (int a = 0; a < p->tensors; a++)
        for (int b = a + 1; b < p->tensors; b++)
            if (bits[a] < bits[b] && equal_tensors(p, a, b)) {
                int wider = bits[b];
                bits[b] = bits[a];
                bits[a] = wider;
            }
}

void choice_finish(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    improve(p, bits);
    order_equal_tensors(p, bits);
    info->objective = 0;
    for (int t = 0; t < p->tensors; t++)
        info->objective += choice_omega(p, t, bits[t] - p->lo);
}

/* ---- one row: fronts ------------------------------------------------------------------ */

static int by_cost(const void *left, const void *right)
{
    const struct option *a = left, *b = right;
    if (a->cost != b->cost)
        return a->cost < b->cost ? -1 : 1;
    if (a->omega != b->omega)
        return a->omega < b->omega ? -1 : 1;
    return a->width - b->width;
}

/* The undominated options of one tensor; returns how many. */
static int front_of(const struct choice_problem *p, int tensor, struct option *out)
{
    int count = 0, kept = 0;
    for (int k = 0; k < p->widths; k++)
        if (choice_allowed(p, tensor, k))
            out[count++] = (struct option){p->lo + k, choice_cost(p, 0, tensor, k),
                                           choice_omega(p, tensor, k)};
    qsort(out, count, sizeof *out, by_cost);
    for (int i = 0; i < count; i++)
        if (kept == 0 || out[i].omega < out[kept - 1].omega)
            out[kept++] = out[i];
    return kept;
}

/* Turns costs and rest into counts of their common quantum, if they have one. */
static void count_costs(struct fronts *f, bool whole)
{
    size_t count = 0;
    double *costs = xmalloc(sizeof(double) * f->tensors * f->widths + 1);
    for (int t = 0; t < f->tensors; t++)
        for (int i = 1; i < f->count[t]; i++)
            costs[count++] = f->options[(size_t)t * f->widths + i].cost;
    double quantum = choice_quantum(costs, count, whole);
    free(costs);
    f->counted = quantum > 0;
    if (!f->counted)
        return;
    for (int t = 0; t < f->tensors; t++)
        for (int i = 0; i < f->count[t]; i++) {
            struct option *option = &f->options[(size_t)t * f->widths + i];
            option->cost = round(option->cost / quantum);
        }
    f->rest = choice_steps(f->rest, quantum);
}

/* Counts costs from the cheapest widths; returns what those cost together, and in *widest what all widest
 * cost above. */
static double subtract_cheapest(struct fronts *f, double *widest)
{
    double base = 0;
    *widest = 0;
    for (int t = 0; t < f->tensors; t++) {
        struct option *options = f->options + (size_t)t * f->widths;
        double cheapest = options[0].cost;
        base += cheapest;
        for (int i = 0; i < f->count[t]; i++)
            options[i].cost -= cheapest;
        *widest += options[f->count[t] - 1].cost;
    }
    return base;
}

bool fronts_make(const struct choice_problem *p, struct fronts *f)
{
    *f = (struct fronts){.tensors = p->tensors, .widths = p->widths};
    f->options = xmalloc(sizeof *f->options * p->tensors * p->widths + 1);
    f->count = xcalloc(p->tensors + 1, sizeof *f->count);
    for (int t = 0; t < p->tensors; t++) {
        f->count[t] = front_of(p, t, f->options + (size_t)t * p->widths);
        if (f->count[t] == 0)
            goto infeasible;
    }
    double widest, base = subtract_cheapest(f, &widest);
    f->rest = choice_limit(p, 0) - base;
    if (!(f->rest >= 0))
        goto infeasible;
    /* An endless budget becomes the widest of all, which rounding must not put below a step of the costs. */
    f->rest = fmin(f->rest, widest * (1 + BUDGET_TOLERANCE));
    count_costs(f, choice_is_whole(p, 0));
    for (int t = 0; t < p->tensors; t++)
        while (f->options[(size_t)t * f->widths + f->count[t] - 1].cost > f->rest)
            f->count[t]--;
    return true;
infeasible:
    fronts_free(f);
    return false;
}

void fronts_free(struct fronts *f)
{
    free(f->options);
    free(f->count);
}
