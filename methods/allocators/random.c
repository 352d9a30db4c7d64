/* SPDX-License-Identifier: GPL-3.0-or-later
 * A random allocation, every feasible one as likely as any other: what an allocator has to beat. METHODS 4.
 * Classes of tensors that no budget binds together are drawn apart. Where budgets bind some, one of the budgets is met by
 * drawing class after class in proportion to the numbers of allocations that are left (exact), and the others by rejection
 * (exact). Where costs have no common quantum, or nearly all is rejected, a Markov chain over the feasible allocations
 * starts at the uniform one (approximate). */
#include "allocation.h"
#include "../solvers/choice.h"
#include "../../bench/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES (64.0 * 1024 * 1024)
#define ROUNDING 1e-12 /* of a sum of costs */

static const struct param tries = {
    .name = "random_tries", .type = PARAM_INT, .fallback = "100000", .min = 1, .max = 1e9, .source = "ours",
    .help = "Draws that break a further budget before another budget is met by counting, and then a Markov chain is used, "
            "which is approximate."};
static const struct param sweeps = {
    .name = "random_sweeps", .type = PARAM_INT, .fallback = "1000", .min = 1, .max = 1e6, .source = "ours",
    .help = "Length of that Markov chain, in moves for each tensor: the longer, the closer to equal chances."};

/* Classes that budgets bind together, or a single one. */
struct drawing {
    const struct choice_problem *p;
    const double *limits;        /* rows */
    int *members, count;         /* classes */
    uint64_t rows;               /* bit r: the members' choices change row r */
    uint64_t key, draws;
    int *chosen;                 /* p->tensors: option of every class */
};

static int draw_below(struct drawing *d, int count) { return (int)(rng_uniform(d->key, d->draws++) * count); }

static bool fits(const struct drawing *d)
{
    for (int row = 0; row < d->p->rows; row++) {
        double sum = 0;
        for (int k = 0; k < d->p->tensors; k++)
            sum += choice_cost(d->p, row, k, d->chosen[k]);
        if (!(sum <= d->limits[row]))
            return false;
    }
    return true;
}

/* ---- one budget: counting ---- */

struct counting {
    size_t units;    /* what the budget leaves when all classes are cheapest */
    double *cost;    /* members × widths: in units above the member's cheapest option; INFINITY: not allowed */
    double *ways;    /* (members + 1) × (units + 1): allocations of members m.. within u units, up to a factor for each m */
};

/* Least and largest cost of a class's options. */
static void cost_range(const struct choice_problem *p, int row, int class, double *least, double *most)
{
    *least = INFINITY;
    *most = 0;
    for (int option = 0; option < p->widths; option++)
        if (choice_allowed(p, class, option)) {
            *least = fmin(*least, choice_cost(p, row, class, option));
            *most = fmax(*most, choice_cost(p, row, class, option));
        }
}

/* Fills units and cost; false: no common quantum, or nothing fits. */
static bool count_units(const struct drawing *d, int row, struct counting *c)
{
    const struct choice_problem *p = d->p;
    size_t cells = (size_t)d->count * (size_t)p->widths, values = 0;
    double rest = d->limits[row], widest = 0, least, most, *above = xmalloc((cells + 1) * sizeof *above);
    for (int k = 0; k < p->tensors; k++) {
        cost_range(p, row, k, &least, &most);
        rest -= least;
    }
    for (int m = 0; m < d->count; m++) {
        cost_range(p, row, d->members[m], &least, &most);
        widest += most - least;
        for (int option = 0; option < p->widths; option++) {
            double *cost = &c->cost[m * p->widths + option];
            *cost = INFINITY;
            if (choice_allowed(p, d->members[m], option))
                above[values++] = *cost = choice_cost(p, row, d->members[m], option) - least;
        }
    }
    double quantum = choice_quantum(above, values, choice_is_whole(p, row));
    free(above);
    if (!(quantum > 0 && rest >= 0))
        return false;
    for (size_t i = 0; i < cells; i++)
        c->cost[i] = round(c->cost[i] / quantum);
    double units = choice_steps(fmin(rest, widest * (1 + ROUNDING)), quantum);
    c->units = (size_t)units;
    return (units + 1) * (d->count + 1) * (double)sizeof *c->ways <= TABLE_BYTES;
}

static double *ways_after(const struct counting *c, int member) { return c->ways + (size_t)(member + 1) * (c->units + 1); }

/* Factors keep the numbers finite; they cancel, since a draw compares entries of one m. */
static void count_ways(const struct drawing *d, struct counting *c)
{
    c->ways = xcalloc((size_t)(d->count + 1) * (c->units + 1), sizeof *c->ways);
    for (size_t u = 0; u <= c->units; u++)
        ways_after(c, d->count - 1)[u] = 1;
    for (int m = d->count - 1; m >= 0; m--) {
        const double *next = ways_after(c, m), *cost = c->cost + m * d->p->widths;
        double *ways = ways_after(c, m - 1);
        for (int option = 0; option < d->p->widths; option++)
            for (size_t u = isfinite(cost[option]) ? (size_t)cost[option] : c->units + 1; u <= c->units; u++)
                ways[u] += next[u - (size_t)cost[option]];
        double most = ways[c->units];
        for (size_t u = 0; u <= c->units; u++)
            ways[u] /= most;
    }
}

static void draw_counted(struct drawing *d, const struct counting *c)
{
    size_t left = c->units;
    for (int m = 0; m < d->count; m++) {
        const double *next = ways_after(c, m), *cost = c->cost + m * d->p->widths;
        double total = 0, passed = 0;
        for (int option = 0; option < d->p->widths; option++)
            total += cost[option] <= (double)left ? next[left - (size_t)cost[option]] : 0;
        double mark = rng_uniform(d->key, d->draws++) * total;
        for (int option = 0; option < d->p->widths && passed <= mark; option++) {
            double ways = cost[option] <= (double)left ? next[left - (size_t)cost[option]] : 0;
            passed += ways;
            if (ways > 0)
                d->chosen[d->members[m]] = option;
        }
        left -= (size_t)cost[d->chosen[d->members[m]]];
    }
}

/* Row -1: no budget. False: this row cannot be counted, or every draw breaks another one. */
static bool draw_by_counting(struct drawing *d, int row, long most_tries)
{
    size_t cells = (size_t)d->count * (size_t)d->p->widths;
    struct counting c = {.cost = xmalloc((cells + 1) * sizeof *c.cost)};
    bool found = false;
    for (int m = 0; row < 0 && m < d->count; m++)
        for (int option = 0; option < d->p->widths; option++)
            c.cost[m * d->p->widths + option] = choice_allowed(d->p, d->members[m], option) ? 0 : INFINITY;
    if (row < 0 || count_units(d, row, &c)) {
        count_ways(d, &c);
        for (long i = 0; i < most_tries && !found; i++) {
            draw_counted(d, &c);
            found = fits(d);
        }
    }
    free(c.cost);
    free(c.ways);
    return found;
}

/* ---- any budgets: a chain ---- */

/* Two members' options are drawn anew; what does not fit is not done. Every move is as likely forth as back, so in the end
 * all allocations are equally likely. The chosen options must fit. */
static void draw_by_chain(struct drawing *d, long most_sweeps)
{
    for (long i = 0; i < most_sweeps * d->count; i++) {
        int a = d->members[draw_below(d, d->count)], b = d->members[draw_below(d, d->count)];
        int before_a = d->chosen[a], before_b = d->chosen[b];
        d->chosen[a] = draw_below(d, d->p->widths);
        d->chosen[b] = draw_below(d, d->p->widths);
        if (!choice_allowed(d->p, a, d->chosen[a]) || !choice_allowed(d->p, b, d->chosen[b]) || !fits(d)) {
            d->chosen[b] = before_b;
            d->chosen[a] = before_a;
        }
    }
}

/* ---- components ---- */

/* Bit r: the class's choice changes row r. */
static uint64_t rows_of(const struct choice_problem *p, int class)
{
    uint64_t rows = 0;
    for (int row = 0; row < p->rows; row++) {
        double least, most;
        cost_range(p, row, class, &least, &most);
        rows |= (uint64_t)(least < most) << row;
    }
    return rows;
}

/* The component of a class: members and rows. False: an earlier class has it. */
static bool component_of(struct drawing *d, int class, const uint64_t *rows)
{
    uint64_t before;
    d->rows = rows[class];
    do {
        before = d->rows;
        for (int k = 0; k < d->p->tensors; k++)
            d->rows |= rows[k] & before ? rows[k] : 0;
    } while (d->rows != before);
    d->count = 0;
    for (int k = 0; k < d->p->tensors; k++)
        if (k == class || (rows[k] & d->rows))
            d->members[d->count++] = k;
    return d->members[0] == class;
}

/* True if it is exact. */
static bool draw_component(struct drawing *d, const struct settings *settings)
{
    long most_tries = setting_int(settings, "random_tries");
    int *start = xmalloc((size_t)d->p->tensors * sizeof *start);
    memcpy(start, d->chosen, (size_t)d->p->tensors * sizeof *start);
    bool drawn = d->rows == 0 && draw_by_counting(d, -1, 1);
    for (int row = 0; row < d->p->rows && !drawn; row++)
        drawn = d->rows >> row & 1 && draw_by_counting(d, row, most_tries);
    if (!drawn) {
        memcpy(d->chosen, start, (size_t)d->p->tensors * sizeof *start);
        draw_by_chain(d, setting_int(settings, "random_sweeps"));
    }
    free(start);
    return drawn;
}

/* ---- the allocator ---- */

/* The option of a class that these widths are. */
static int option_with(const struct classes *c, int class, const float *bits)
{
    for (int option = 0; option < c->options[class]; option++) {
        bool same = true;
        for (int i = 0; i < c->count; i++)
            if (c->class_of[i] == class)
                same &= (float)c->widths[class][option * c->places[class] + c->place[i]] == bits[i];
        if (same)
            return option;
    }
    die("the uniform allocation is not among the options");
}

/* Overwrites bits, which are those of an allocation that meets the budgets; true if the draw is exact. */
static bool draw_bits(const struct allocation *a, const struct classes *classes, float *bits)
{
    const struct choice_problem *p = &classes->problem;
    size_t count = (size_t)p->tensors;
    double *limits = xmalloc(((size_t)p->rows + 1) * sizeof *limits);
    uint64_t *rows = xmalloc(count * sizeof *rows);
    int *whole = xmalloc((size_t)a->count * sizeof *whole);
    struct drawing d = {.p = p, .limits = limits, .members = xmalloc(count * sizeof *d.members),
                        .key = rng_key((uint64_t)setting_int(a->settings, "seed"), STREAM_ALLOCATOR, 0, 0),
                        .chosen = xmalloc(count * sizeof *d.chosen)};
    for (int row = 0; row < p->rows; row++)
        limits[row] = choice_limit(p, row);
    for (int k = 0; k < p->tensors; k++) {
        rows[k] = rows_of(p, k);
        d.chosen[k] = option_with(classes, k, bits);
    }
    bool exact = true;
    for (int k = 0; k < p->tensors; k++)
        if (component_of(&d, k, rows))
            exact &= draw_component(&d, a->settings);
    classes_bits(classes, d.chosen, whole);
    for (int i = 0; i < a->count; i++)
        bits[i] = (float)whole[i];
    free(limits);
    free(rows);
    free(whole);
    free(d.members);
    free(d.chosen);
    return exact;
}

/* Without sensitivities: any allocation is as good as another. */
static bool make_classes(const struct tensor *tensors, int count, const struct budget *budgets, int budget_count,
                         struct classes *classes, struct error *error)
{
    double *omega = xcalloc((size_t)count * (MOST_WIDTH + 1), sizeof *omega);
    const struct problem problem = {.tensors = tensors, .count = count, .budgets = budgets, .budget_count = budget_count,
                                    .omega = omega};
    bool good = classes_make(&problem, classes, error);
    free(omega);
    return good;
}

static bool solvable(const struct settings *settings, const struct tensor *tensors, int count, const struct budget *budgets,
                     int budget_count, struct error *error)
{
    struct classes classes;
    (void)settings;
    if (!make_classes(tensors, count, budgets, budget_count, &classes, error))
        return false;
    classes_free(&classes);
    return true;
}

static void *begin(const struct allocation *a) { return (void *)a; }

static bool assign(void *memory, long step, struct decision *decision)
{
    const struct allocation *a = memory;
    struct classes classes;
    struct error error;
    if (step > 0)
        return false;
    if (!uniform_bits(a->tensors, a->count, a->budgets, a->budget_count, decision->bits))
        die("the budgets are infeasible"); /* budget_check has refused it before */
    if (!make_classes(a->tensors, a->count, a->budgets, a->budget_count, &classes, &error))
        die("%s", error.text);
    decision->solver = draw_bits(a, &classes, decision->bits) ? "drawn, exactly" : "drawn, by an approximate chain";
    classes_free(&classes);
    return true;
}

const struct alloc_ops allocator_random = {
    .plug = {.name = "random", .version = 1,
             .help = "One of all allocations that meet the budgets, each equally likely, drawn once from the seed; "
                     "approximate (a Markov chain) where several budgets, or costs without a common quantum, leave no exact "
                     "way.",
             .params = (const struct param *const[]){ALLOCATION_PARAMS, &param_quantiser, &tries, &sweeps, 0}},
    .guarantees = true,
    .check = check_widths, .solvable = solvable, .begin = begin, .assign = assign,
};
