/* SPDX-License-Identifier: GPL-3.0-or-later
 * Greedy: from the cheapest widths, always the step of largest gain per cost along each tensor's lower convex
 * hull of (cost, omega). Steps that do not fit are skipped. Optimal when the budget is used up exactly before
 * the first skip, which equal steps over convex omegas always do. */
#include "../../bench/clock.h"
#include "choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The linear relaxation. */
struct relaxed {
    double value;      /* its optimum: a lower bound */
    double multiplier; /* its gain per cost: of the step that it takes in part; 0 if all fit */
    bool whole;        /* it takes none in part: the greedy answer is optimal */
};

struct step { double ratio; int tensor; };

struct heap { struct step *steps; int count; };

/* Larger gain per cost first; ties in network order. */
static bool before(struct step a, struct step b)
{
    return a.ratio != b.ratio ? a.ratio > b.ratio : a.tensor < b.tensor;
}

static void heap_push(struct heap *heap, struct step step)
{
    int at = heap->count++;
    for (; at > 0 && before(step, heap->steps[(at - 1) / 2]); at = (at - 1) / 2)
        heap->steps[at] = heap->steps[(at - 1) / 2];
    heap->steps[at] = step;
}

static struct step heap_pop(struct heap *heap)
{
    struct step top = heap->steps[0], last = heap->steps[--heap->count];
    int at = 0;
    for (int child = 1; child < heap->count; child = 2 * at + 1) {
        if (child + 1 < heap->count && before(heap->steps[child + 1], heap->steps[child]))
            child++;
        if (!before(heap->steps[child], last))
            break;
        heap->steps[at] = heap->steps[child];
        at = child;
    }
    heap->steps[at] = last;
    return top;
}

static double slope(struct option from, struct option to)
{
    return (from.omega - to.omega) / (to.cost - from.cost);
}

/* Keeps the options on the lower convex hull, those on its straight edges included; returns how many. */
static int hull(struct option *options, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        while (kept >= 2 &&
               slope(options[kept - 2], options[kept - 1]) < slope(options[kept - 1], options[i]))
            kept--;
        options[kept++] = options[i];
    }
    return kept;
}

static void push_next(struct heap *heap, const struct fronts *f, int tensor, int at)
{
    const struct option *options = f->options + (size_t)tensor * f->widths;
    if (at + 1 < f->count[tensor])
        heap_push(heap, (struct step){slope(options[at], options[at + 1]), tensor});
}

/* Walks the hulls; `at` holds the reached option of each tensor. */
static void walk(const struct fronts *f, int *at, struct heap *heap, struct relaxed *relaxed)
{
    double rest = f->rest;
    bool skipped = false;
    *relaxed = (struct relaxed){.whole = true};
    for (int t = 0; t < f->tensors; t++) {
        relaxed->value += f->options[(size_t)t * f->widths].omega;
        push_next(heap, f, t, 0);
    }
    while (heap->count > 0) {
        struct step step = heap_pop(heap);
        const struct option *option = f->options + (size_t)step.tensor * f->widths + at[step.tensor];
        double cost = option[1].cost - option[0].cost;
        if (cost > rest && !skipped) {
            skipped = true;
            relaxed->multiplier = step.ratio;
            relaxed->whole = rest == 0;
            relaxed->value -= step.ratio * rest;
        }
        if (cost > rest)
            continue;
        rest -= cost;
        relaxed->value -= skipped ? 0 : option[0].omega - option[1].omega;
        at[step.tensor]++;
        push_next(heap, f, step.tensor, at[step.tensor]);
    }
}

static void relax(const struct fronts *f, int *bits, struct relaxed *relaxed)
{
    size_t cells = (size_t)f->tensors * f->widths;
    struct fronts hulls = *f;
    hulls.options = xmalloc(sizeof *hulls.options * cells + 1);
    hulls.count = xmalloc(sizeof *hulls.count * f->tensors + 1);
    int *at = xcalloc(f->tensors + 1, sizeof *at);
    struct heap heap = {xmalloc(sizeof(struct step) * (f->tensors + 1)), 0};
    for (int t = 0; t < f->tensors; t++) {
        struct option *options = hulls.options + (size_t)t * f->widths;
        memcpy(options, f->options + (size_t)t * f->widths, sizeof *options * f->count[t]);
        hulls.count[t] = hull(options, f->count[t]);
    }
    walk(&hulls, at, &heap, relaxed);
    for (int t = 0; t < f->tensors; t++)
        bits[t] = hulls.options[(size_t)t * f->widths + at[t]].width;
    free(heap.steps);
    free(at);
    fronts_free(&hulls);
}

bool fronts_solve(const struct choice_problem *p, bool (*better)(struct fronts *, double multiplier, int *bits), int *bits,
                  struct solver_info *info)
{
    double start = now_seconds();
    struct fronts f;
    *info = (struct solver_info){.objective = INFINITY, .bound = INFINITY, .optimal = true};
    bool feasible = fronts_make(p, &f);
    if (feasible) {
        struct relaxed relaxed;
        relax(&f, bits, &relaxed);
        info->optimal = relaxed.whole || (better && better(&f, relaxed.multiplier, bits));
        choice_finish(p, bits, info);
        info->bound = info->optimal ? info->objective : fmin(info->objective, relaxed.value);
        fronts_free(&f);
    }
    info->seconds = now_seconds() - start;
    return feasible;
}

static const char *check(const struct choice_problem *p)
{
    return p->rows == 1 ? NULL : "greedy takes one budget; solver ilp takes several";
}

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    return fronts_solve(p, NULL, bits, info);
}

const struct solver_ops solver_greedy = {
    .plug = {.name = "greedy", .version = 1,
             .help = "Largest gain per cost first along the convex hulls; one budget; gives a bound."},
    .check = check,
    .solve = solve,
};
