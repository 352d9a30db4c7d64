/* SPDX-License-Identifier: GPL-3.0-or-later
 * An answer's omega is the Lagrangian bound plus the reduced costs of its columns plus what its unspent budget is worth
 * at the multipliers. So an answer within a gap above the bound differs from the best columns by deviations whose reduced
 * costs sum up to at most the gap; taken in rising order, they can be enumerated without a miss. The gap grows until an
 * answer lies within it. */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SETS 200000 /* looked at, in all */
#define FIRST_GAP (1.0 / 1024)
#define GAP_GROWTH 2
#define ROUNDING 1e-12    /* of sums of loads */

struct deviation { double reduced; int tensor, column; };

struct core {
    const struct columns *c;
    const double *multiplier;
    int count, rows;
    struct deviation *deviations;    /* by rising reduced cost */
    double *load;                    /* deviations × rows: what one adds to its tensor's best column */
    double *up, *down;               /* (deviations + 1) × rows: a load's steepest rise, fall per reduced cost from there
                                        on */
    double *left;                    /* (tensors + 1) × rows: shares of rest left, by depth */
    int *base;                       /* tensors: best columns */
    int *taken;                      /* tensors: column in place of it, or -1 */
    int *bits;                       /* the best answer */
    double bound, gap, best;         /* best: the answer's distance from the bound */
    long sets;
};

/* ---- making it ---- */

static double weighted(const struct columns *c, const double *multiplier, int column)
{
    double value = c->items[column].excess;
    for (int row = 0; row < c->problem->rows; row++)
        value += multiplier[row] * columns_load(c, row, c->items[column].tensor, c->items[column].width);
    return value;
}

static int by_reduced(const void *left, const void *right)
{
    const struct deviation *a = left, *b = right;
    return a->reduced != b->reduced ? (a->reduced < b->reduced ? -1 : 1) : a->column - b->column;
}

static double load_of(const struct core *core, int row, int column)
{
    return columns_load(core->c, row, core->c->items[column].tensor, core->c->items[column].width);
}

static void find_deviations(struct core *core)
{
    const struct columns *c = core->c;
    for (int i = 0; i < c->count; i++) {
        int *base = &core->base[c->items[i].tensor];
        if (*base < 0 || weighted(c, core->multiplier, i) < weighted(c, core->multiplier, *base))
            *base = i;
    }
    for (int i = 0; i < c->count; i++) {
        int tensor = c->items[i].tensor, base = core->base[tensor];
        if (base != i)
            core->deviations[core->count++] = (struct deviation){
                weighted(c, core->multiplier, i) - weighted(c, core->multiplier, base), tensor, i};
    }
    qsort(core->deviations, (size_t)core->count, sizeof *core->deviations, by_reduced);
    for (int i = core->count - 1; i >= 0; i--)
        for (int row = 0; row < core->rows; row++) {
            int at = i * core->rows + row;
            const struct deviation *d = &core->deviations[i];
            core->load[at] = load_of(core, row, d->column) - load_of(core, row, core->base[d->tensor]);
            double rise = core->load[at] > 0 ? core->load[at] / d->reduced : 0;
            double fall = core->load[at] < 0 ? -core->load[at] / d->reduced : 0;
            core->up[at] = fmax(core->up[at + core->rows], rise);
            core->down[at] = fmax(core->down[at + core->rows], fall);
        }
}

static void core_make(struct core *core, const struct columns *c, const double *multiplier, int *bits)
{
    size_t tensors = (size_t)c->problem->tensors + 1, rows = (size_t)c->problem->rows, count = (size_t)c->count + 1;
    *core = (struct core){.c = c, .multiplier = multiplier, .rows = (int)rows, .bits = bits};
    core->deviations = xmalloc(count * sizeof *core->deviations);
    core->load = xcalloc(count * rows + 1, sizeof(double));
    core->up = xcalloc(count * rows + 1, sizeof(double));
    core->down = xcalloc(count * rows + 1, sizeof(double));
    core->left = xmalloc(tensors * rows * sizeof(double) + 1);
    core->base = xmalloc(tensors * sizeof(int));
    core->taken = xmalloc(tensors * sizeof(int));
    for (size_t t = 0; t < tensors; t++)
        core->base[t] = core->taken[t] = -1;
    find_deviations(core);
    core->bound = columns_bound(c, multiplier);
    core->best = fmax(0, columns_excess(c, bits) - core->bound);
    for (size_t row = 0; row < rows; row++) {
        core->left[row] = 1;
        for (size_t t = 0; t + 1 < tensors; t++)
            core->left[row] -= load_of(core, (int)row, core->base[t]);
    }
}

static void core_free(struct core *core)
{
    free(core->deviations);
    free(core->load);
    free(core->up);
    free(core->down);
    free(core->left);
    free(core->base);
    free(core->taken);
}

/* ---- the search ---- */

/* Keeps the present answer if it fits and is better. */
static void look(struct core *core, double reduced, const double *left)
{
    const struct columns *c = core->c;
    double distance = reduced;
    for (int row = 0; row < core->rows; row++) {
        if (left[row] < -ROUNDING)
            return;
        distance += core->multiplier[row] * left[row];
    }
    if (distance >= core->best)
        return;
    int tensors = c->problem->tensors, *trial = xmalloc(sizeof(int) * (size_t)tensors + 1);
    for (int t = 0; t < tensors; t++)
        trial[t] = c->items[core->taken[t] >= 0 ? core->taken[t] : core->base[t]].width;
    if (choice_fits(c->problem, trial)) {
        core->best = distance;
        core->gap = fmin(core->gap, distance);
        memcpy(core->bits, trial, sizeof(int) * (size_t)tensors);
    }
    free(trial);
}

/* Whether deviations from `next` on can still make the rows fit, and use them up well enough. */
static bool hopeful(const struct core *core, int next, double reduced, const double *left)
{
    double more = core->gap - reduced, unspent = 0;
    for (int row = 0; row < core->rows; row++) {
        int at = next * core->rows + row;
        if (left[row] + more * core->down[at] < -ROUNDING)
            return false;
        unspent += core->multiplier[row] * fmax(0, left[row] - more * core->up[at]);
    }
    return unspent <= more;
}

static void extend(struct core *core, int from, int depth, double reduced)
{
    const double *left = core->left + depth * core->rows;
    double *after = core->left + (depth + 1) * core->rows;
    for (int i = from; i < core->count && core->sets < MOST_SETS; i++) {
        const struct deviation *d = &core->deviations[i];
        if (reduced + d->reduced > core->gap || !hopeful(core, i, reduced, left))
            break;
        if (core->taken[d->tensor] >= 0)
            continue;
        core->sets++;
        for (int row = 0; row < core->rows; row++)
            after[row] = left[row] - core->load[i * core->rows + row];
        core->taken[d->tensor] = d->column;
        look(core, reduced + d->reduced, after);
        extend(core, i + 1, depth + 1, reduced + d->reduced);
        core->taken[d->tensor] = -1;
    }
}

bool core_search(const struct columns *c, const double *multiplier, int *bits)
{
    struct core core;
    core_make(&core, c, multiplier, bits);
    double first = core.best;
    look(&core, 0, core.left);
    for (double part = FIRST_GAP;; part *= GAP_GROWTH) {
        core.gap = fmin(part * first, core.best);
        extend(&core, 0, 0, 0);
        if (core.sets >= MOST_SETS || core.best <= part * first)
            break;
    }
    core_free(&core);
    return core.sets < MOST_SETS;
}
