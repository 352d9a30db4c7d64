/* SPDX-License-Identifier: GPL-3.0-or-later
 * The true optimum by trying every combination of widths, except those that cannot fit any more or cannot be better than
 * the best so far, whatever the remaining tensors take. Shares no idea with the other solvers, so it can check them. */
#include "../../bench/clock.h"
#include "choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_COMBINATIONS 1e9

struct enumeration {
    const struct choice_problem *p;
    int *tensor;        /* tensors: in the order of the enumeration, the one whose omegas differ most first */
    struct option *options; /* tensors × widths, by rising omega */
    int *count;         /* tensors: options of each */
    double *least;      /* tensors + 1: least omega of all from there on, in that order */
    double *cheapest;   /* rows × (tensors + 1): likewise cost */
    double *spent;      /* rows × (tensors + 1): cost of what is taken so far */
    double *limit;      /* rows */
    int *taken, *best;  /* tensors: widths */
    double objective, load;
};

static double combinations(const struct choice_problem *p)
{
    double product = 1;
    for (int t = 0; t < p->tensors; t++) {
        int allowed = 0;
        for (int k = 0; k < p->widths; k++)
            allowed += choice_allowed(p, t, k);
        product *= allowed;
    }
    return product;
}

static const char *check(const struct choice_problem *p)
{
    if (combinations(p) <= MOST_COMBINATIONS)
        return NULL;
    return "exhaustive tries at most 10^9 combinations of widths; allow fewer widths, tie or pin tensors, or take ilp";
}

static int by_omega(const void *left, const void *right)
{
    const struct option *a = left, *b = right;
    return a->omega != b->omega ? (a->omega < b->omega ? -1 : 1) : a->width - b->width;
}

static struct option *options_of(const struct enumeration *e, int tensor)
{
    return e->options + (size_t)tensor * (size_t)e->p->widths;
}

static double spread(const struct enumeration *e, int tensor)
{
    const struct option *options = options_of(e, tensor);
    return e->count[tensor] ? options[e->count[tensor] - 1].omega - options[0].omega : 0;
}

static int by_spread(const void *left, const void *right, void *enumeration)
{
    const int *a = left, *b = right;
    double spread_a = spread(enumeration, *a), spread_b = spread(enumeration, *b);
    return spread_a != spread_b ? (spread_a > spread_b ? -1 : 1) : *a - *b;
}

/* Least omega and cost of the tensors from each place of the order on. */
static void sum_remainders(struct enumeration *e)
{
    const struct choice_problem *p = e->p;
    size_t stride = (size_t)p->tensors + 1;
    for (int at = p->tensors - 1; at >= 0; at--) {
        int t = e->tensor[at];
        e->least[at] = e->least[at + 1] + (e->count[t] ? options_of(e, t)[0].omega : INFINITY);
        for (int row = 0; row < p->rows; row++) {
            double cheapest = INFINITY;
            for (int i = 0; i < e->count[t]; i++)
                cheapest = fmin(cheapest, choice_cost(p, row, t, options_of(e, t)[i].width - p->lo));
            e->cheapest[(size_t)row * stride + (size_t)at] = e->cheapest[(size_t)row * stride + (size_t)at + 1] + cheapest;
        }
    }
}

static void begin(struct enumeration *e, const struct choice_problem *p)
{
    size_t stride = (size_t)p->tensors + 1, rows = (size_t)p->rows + 1;
    *e = (struct enumeration){
        .p = p, .tensor = xmalloc(stride * sizeof(int)), .count = xcalloc(stride, sizeof(int)),
        .options = xmalloc(stride * (size_t)p->widths * sizeof(struct option)), .least = xcalloc(stride, sizeof(double)),
        .cheapest = xcalloc(rows * stride, sizeof(double)), .spent = xcalloc(rows * stride, sizeof(double)),
        .limit = xmalloc(rows * sizeof(double)),
        .taken = xmalloc(stride * sizeof(int)), .best = xmalloc(stride * sizeof(int)),
        .objective = INFINITY, .load = INFINITY,
    };
    for (int t = 0; t < p->tensors; t++) {
        e->tensor[t] = t;
        for (int k = 0; k < p->widths; k++)
            if (choice_allowed(p, t, k))
                options_of(e, t)[e->count[t]++] = (struct option){p->lo + k, 0, choice_omega(p, t, k)};
        qsort(options_of(e, t), (size_t)e->count[t], sizeof(struct option), by_omega);
    }
    for (int row = 0; row < p->rows; row++)
        e->limit[row] = choice_limit(p, row);
    qsort_r(e->tensor, (size_t)p->tensors, sizeof(int), by_spread, e);
    sum_remainders(e);
}

static void end(struct enumeration *e)
{
    free(e->tensor);
    free(e->options);
    free(e->count);
    free(e->least);
    free(e->cheapest);
    free(e->spent);
    free(e->limit);
    free(e->taken);
    free(e->best);
}

/* Sum of the rows' costs as shares of their limits: of equally good answers, the one where it is least is taken. */
static double load_of(const struct enumeration *e, size_t at)
{
    double load = 0;
    for (int row = 0; row < e->p->rows; row++)
        load += e->limit[row] > 0 ? e->spent[(size_t)row * ((size_t)e->p->tensors + 1) + at] / e->limit[row] : 0;
    return load;
}

static bool take(struct enumeration *e, int at, const struct option *option)
{
    size_t stride = (size_t)e->p->tensors + 1;
    bool fits = true;
    for (int row = 0; row < e->p->rows; row++) {
        double *spent = e->spent + (size_t)row * stride + at;
        spent[1] = spent[0] + choice_cost(e->p, row, e->tensor[at], option->width - e->p->lo);
        fits &= spent[1] + e->cheapest[(size_t)row * stride + (size_t)at + 1] <= e->limit[row];
    }
    e->taken[e->tensor[at]] = option->width;
    return fits;
}

static void try_all(struct enumeration *e, int at, double objective)
{
    if (at == e->p->tensors) {
        double load = load_of(e, (size_t)at);
        if (objective < e->objective || load < e->load) {
            e->objective = objective;
            e->load = load;
            memcpy(e->best, e->taken, sizeof(int) * (size_t)at);
        }
        return;
    }
    const struct option *options = options_of(e, e->tensor[at]);
    for (int i = 0; i < e->count[e->tensor[at]]; i++) {
        if (objective + options[i].omega + e->least[at + 1] > e->objective)
            break;
        if (take(e, at, &options[i]))
            try_all(e, at + 1, objective + options[i].omega);
    }
}

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    double start = now_seconds();
    struct enumeration e;
    *info = (struct solver_info){.objective = INFINITY, .bound = INFINITY, .optimal = true};
    begin(&e, p);
    try_all(&e, 0, 0);
    bool found = isfinite(e.objective);
    if (found) {
        memcpy(bits, e.best, sizeof(int) * (size_t)p->tensors);
        choice_finish(p, bits, info);
        info->bound = info->objective;
    }
    end(&e);
    info->seconds = now_seconds() - start;
    return found;
}

const struct solver_ops solver_exhaustive = {
    .plug = {.name = "exhaustive", .version = 1,
             .help = "Exact optimum by trying all combinations that can still be the best, 10^9 at most; several budgets."},
    .check = check,
    .solve = solve,
};
