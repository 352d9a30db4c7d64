/* SPDX-License-Identifier: GPL-3.0-or-later
 * The exact multiple-choice knapsack by dynamic programming over the budget, counted in the costs' common
 * quantum. */
#include "../../bench/clock.h"
#include "choice.h"
#include <math.h>
#include <stdlib.h>

#define TABLE_BYTES (64.0 * 1024 * 1024)

static bool table_fits(const struct fronts *f)
{
    return (f->rest + 1) * (f->tensors + 2 * sizeof(double)) <= TABLE_BYTES;
}

static const char *check(const struct choice_problem *p)
{
    if (p->rows != 1)
        return "knapsack takes one budget; solver ilp takes several";
    if (p->widths > 256)
        return "knapsack takes at most 256 widths a tensor";
    struct fronts f;
    if (!fronts_make(p, &f))
        return NULL; /* solve says that nothing fits */
    const char *why = NULL;
    if (!f.counted)
        why = "knapsack needs costs that are multiples of a common quantum; greedy and ilp take any";
    else if (!table_fits(&f))
        why = "knapsack would need a table of more than 64 MiB for this budget; greedy and ilp need none";
    fronts_free(&f);
    return why;
}

/* best[u]: least omega of tensors t.. with at most u units, for falling t; choice[t][u]: the option taken. On
 * ties the costlier option, so that earlier tensors get the wider widths. */
static double *fill(const struct fronts *f, size_t units, uint8_t *choice)
{
    double *best = xcalloc(units + 1, sizeof *best), *next = xcalloc(units + 1, sizeof *next);
    for (int t = f->tensors - 1; t >= 0; t--) {
        const struct option *options = f->options + (size_t)t * f->widths;
        uint8_t *taken = choice + t * (units + 1);
        int last = f->count[t] - 1;
        double *swap = next;
        next = best;
        best = swap;
        for (size_t u = 0; u <= units; u++)
            best[u] = INFINITY;
        for (int i = last; i >= 0; i--) {
            /* Above the tensor's own least omega: constant parts would swallow small ones. */
            double omega = options[i].omega - options[last].omega;
            size_t cost = (size_t)options[i].cost;
            for (size_t u = cost; u <= units; u++)
                if (omega + next[u - cost] < best[u]) {
                    best[u] = omega + next[u - cost];
                    taken[u] = (uint8_t)i;
                }
        }
    }
    free(next);
    return best;
}

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    double start = now_seconds();
    struct fronts f;
    *info = (struct solver_info){.objective = INFINITY, .bound = INFINITY, .optimal = true};
    if (!fronts_make(p, &f)) {
        info->seconds = now_seconds() - start;
        return false;
    }
    if (!f.counted || !table_fits(&f))
        die("knapsack: solve without check");
    size_t units = (size_t)f.rest;
    uint8_t *choice = xmalloc((units + 1) * p->tensors + 1);
    double *best = fill(&f, units, choice);
    size_t left = units; /* of equally good answers, the cheapest */
    while (left > 0 && best[left - 1] == best[units])
        left--;
    for (int t = 0; t < p->tensors; t++) {
        const struct option *option = &f.options[(size_t)t * f.widths + choice[t * (units + 1) + left]];
        bits[t] = option->width;
        left -= (size_t)option->cost;
    }
    choice_finish(p, bits, info);
    info->bound = info->objective;
    free(best);
    free(choice);
    fronts_free(&f);
    info->seconds = now_seconds() - start;
    return true;
}

const struct solver_ops solver_knapsack = {
    .plug = {.name = "knapsack", .version = 1,
             .help = "Exact optimum by dynamic programming; one budget, costs with a common quantum."},
    .check = check,
    .solve = solve,
};
