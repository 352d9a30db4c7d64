/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "columns.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLACK 1e-9 /* relative: what rounding may do to bounds and reduced costs */
#define ROUNDING 1e-12 /* of multiples of a quantum, relative */
#define TRIALS 20

extern const struct solver_ops solver_greedy;

double columns_load(const struct columns *c, int row, int tensor, int width)
{
    const struct choice_problem *p = c->problem;
    double cheapest = c->cheapest[(size_t)row * (size_t)p->tensors + (size_t)tensor];
    double above = choice_cost(p, row, tensor, width - p->lo) - cheapest;
    return above == 0 ? 0 : above / c->rest[row];
}

static double load_of(const struct columns *c, int row, const struct column *column)
{
    return columns_load(c, row, column->tensor, column->width);
}

/* ---- making them ---- */

/* Fills one row's cheapest costs and rest; false when even those exceed the budget. */
static bool measure_row(struct columns *c, int row)
{
    const struct choice_problem *p = c->problem;
    double *cheapest = c->cheapest + (size_t)row * (size_t)p->tensors, base = 0, widest = 0;
    double *above = xmalloc(sizeof(double) * (size_t)p->tensors * (size_t)p->widths + 1);
    size_t count = 0;
    for (int t = 0; t < p->tensors; t++) {
        double most = 0;
        cheapest[t] = INFINITY;
        for (int k = 0; k < p->widths; k++)
            if (choice_allowed(p, t, k))
                cheapest[t] = fmin(cheapest[t], choice_cost(p, row, t, k));
        base += cheapest[t];
        for (int k = 0; k < p->widths; k++)
            if (choice_allowed(p, t, k)) {
                above[count++] = choice_cost(p, row, t, k) - cheapest[t];
                most = fmax(most, above[count - 1]);
            }
        widest += most;
    }
    double quantum = choice_quantum(above, count, choice_is_whole(p, row));
    free(above);
    double rest = choice_limit(p, row) - base;
    if (!(rest >= 0))
        return false;
    rest = fmin(rest, widest * (1 + ROUNDING)); /* an endless budget cannot be divided by */
    c->rest[row] = quantum > 0 ? fmin(rest, choice_steps(rest, quantum) * quantum * (1 + ROUNDING)) : rest;
    return true;
}

static bool fits_alone(const struct columns *c, int tensor, int width)
{
    for (int row = 0; row < c->problem->rows; row++)
        if (!(columns_load(c, row, tensor, width) <= 1))
            return false;
    return true;
}

static bool cheaper_everywhere(const struct columns *c, const struct column *a, const struct column *b)
{
    for (int row = 0; row < c->problem->rows; row++)
        if (load_of(c, row, a) > load_of(c, row, b))
            return false;
    return true;
}

static double total_load(const struct columns *c, const struct column *column)
{
    double total = 0;
    for (int row = 0; row < c->problem->rows; row++)
        total += load_of(c, row, column);
    return total;
}

/* Rising omega; of equals the cheaper, then the smaller width first: what dominates a column stands before it. */
static int by_omega(const void *left, const void *right, void *columns)
{
    const struct column *a = left, *b = right;
    if (a->excess != b->excess)
        return a->excess < b->excess ? -1 : 1;
    double load_a = total_load(columns, a), load_b = total_load(columns, b);
    return load_a != load_b ? (load_a < load_b ? -1 : 1) : a->width - b->width;
}

/* The widths of one tensor that can be part of an optimum; false if there are none. */
static bool add_tensor(struct columns *c, int tensor)
{
    const struct choice_problem *p = c->problem;
    int first = c->count, end = first;
    for (int k = 0; k < p->widths; k++)
        if (choice_allowed(p, tensor, k) && fits_alone(c, tensor, p->lo + k))
            c->items[end++] = (struct column){tensor, p->lo + k, choice_omega(p, tensor, k)};
    qsort_r(c->items + first, (size_t)(end - first), sizeof *c->items, by_omega, c);
    for (int i = first; i < end; i++) {
        int j = first;
        while (j < c->count && !cheaper_everywhere(c, &c->items[j], &c->items[i]))
            j++;
        if (j == c->count)
            c->items[c->count++] = c->items[i];
    }
    return c->count > first;
}

/* The index past the last column of the tensor whose columns begin at `first`. */
static int tensor_end(const struct columns *c, int first)
{
    int end = first;
    while (end < c->count && c->items[end].tensor == c->items[first].tensor)
        end++;
    return end;
}

static void count_excess_anew(struct columns *c)
{
    for (int first = 0, end; first < c->count; first = end) {
        double least = c->items[first].excess;
        end = tensor_end(c, first);
        c->least += least;
        for (int i = first; i < end; i++)
            c->items[i].excess -= least;
    }
}

bool columns_make(const struct choice_problem *p, struct columns *c)
{
    *c = (struct columns){.problem = p};
    c->cheapest = xmalloc(sizeof(double) * (size_t)p->rows * (size_t)p->tensors + 1);
    c->rest = xmalloc(sizeof(double) * (size_t)p->rows + 1);
    c->items = xmalloc(sizeof *c->items * (size_t)p->tensors * (size_t)p->widths + 1);
    for (int row = 0; row < p->rows; row++)
        if (!measure_row(c, row))
            return false;
    for (int t = 0; t < p->tensors; t++)
        if (!add_tensor(c, t))
            return false;
    count_excess_anew(c);
    return true;
}

void columns_free(struct columns *c)
{
    free(c->cheapest);
    free(c->rest);
    free(c->items);
}

double columns_excess(const struct columns *c, const int *bits)
{
    double sum = 0;
    for (int i = 0; i < c->count; i++)
        sum += bits[c->items[i].tensor] == c->items[i].width ? c->items[i].excess : 0;
    return sum;
}

/* ---- answers ---- */

bool columns_greedy(const struct columns *c, const double *weight, int *bits)
{
    const struct choice_problem *p = c->problem;
    size_t cells = (size_t)p->tensors * (size_t)p->widths;
    double *omega = xmalloc(sizeof(double) * cells + 1), *cost = xcalloc(cells + 1, sizeof *cost);
    int *trial = xmalloc(sizeof(int) * (size_t)p->tensors + 1);
    for (size_t i = 0; i < cells; i++)
        omega[i] = INFINITY;
    for (int i = 0; i < c->count; i++) {
        const struct column *column = &c->items[i];
        size_t cell = (size_t)column->tensor * (size_t)p->widths + (size_t)(column->width - p->lo);
        omega[cell] = column->excess;
        for (int row = 0; row < p->rows; row++)
            cost[cell] += weight[row] * load_of(c, row, column);
    }
    double low = 0, high = 0;
    for (int row = 0; row < p->rows; row++)
        high += weight[row];
    double limit = high;
    bool found = false;
    struct choice_problem sum = {p->tensors, p->lo, p->widths, 1, omega, cost, &limit};
    for (int i = 0; i < TRIALS && low < high; i++) { /* the largest limit whose answer fits every row */
        struct solver_info info;
        bool solved = solver_greedy.solve(&sum, trial, &info);
        if (solved && !choice_fits(p, trial)) {
            high = limit;
        } else {
            found |= solved;
            if (solved)
                memcpy(bits, trial, sizeof(int) * (size_t)p->tensors);
            low = limit;
        }
        limit = i == 0 ? 0 : 0.5 * (low + high);
    }
    free(omega);
    free(cost);
    free(trial);
    return found;
}

/* An answer being bettered. */
struct exchange {
    const struct columns *c;
    const int *first; /* tensors + 1: its columns */
    int *at;          /* tensors: its column in the answer */
    double *left;     /* rows: share of rest that is left */
    double *load;     /* columns × rows */
};

/* Whether two tensors may change together: columns i and j in place of what they have. */
static bool fits_together(const struct exchange *e, int i, int from_i, int j, int from_j)
{
    int rows = e->c->problem->rows;
    for (int row = 0; row < rows; row++) {
        const double *load = e->load + row;
        if (!(load[i * rows] - load[from_i * rows] + load[j * rows] - load[from_j * rows] <= e->left[row]))
            return false;
    }
    return true;
}

/* The best change of tensors a and b; returns whether there was one. */
static bool exchange_pair(struct exchange *e, int a, int b)
{
    const struct column *items = e->c->items;
    int rows = e->c->problem->rows, from_a = e->at[a], from_b = e->at[b], best_a = from_a, best_b = from_b;
    double best = 0, now = items[from_a].excess + items[from_b].excess;
    for (int i = e->first[a]; i < e->first[a + 1]; i++)
        for (int j = e->first[b]; j < e->first[b + 1] && items[i].excess + items[j].excess - now < best; j++)
            if (fits_together(e, i, from_a, j, from_b)) {
                best = items[i].excess + items[j].excess - now;
                best_a = i;
                best_b = j;
            }
    for (int row = 0; row < rows; row++)
        e->left[row] -= e->load[best_a * rows + row] - e->load[from_a * rows + row] + e->load[best_b * rows + row] -
                        e->load[from_b * rows + row];
    e->at[a] = best_a;
    e->at[b] = best_b;
    return best < -SLACK * now;
}

double columns_exchange(const struct columns *c, int *bits)
{
    const struct choice_problem *p = c->problem;
    int *first = xcalloc((size_t)p->tensors + 1, sizeof *first), *at = xcalloc((size_t)p->tensors + 1, sizeof *at);
    struct exchange e = {c, first, at, xmalloc(sizeof(double) * (size_t)p->rows + 1),
                         xmalloc(sizeof(double) * (size_t)c->count * (size_t)p->rows + 1)};
    for (int row = 0; row < p->rows; row++)
        e.left[row] = 1;
    for (int i = 0; i < c->count; i++) {
        int t = c->items[i].tensor;
        first[t + 1] = i + 1;
        if (bits[t] == c->items[i].width)
            at[t] = i;
        for (int row = 0; row < p->rows; row++) {
            e.load[i * p->rows + row] = load_of(c, row, &c->items[i]);
            e.left[row] -= at[t] == i && bits[t] == c->items[i].width ? e.load[i * p->rows + row] : 0;
        }
    }
    for (bool better = true; better;) {
        better = false;
        for (int a = 0; a < p->tensors; a++)
            for (int b = a + 1; b < p->tensors && first[a + 1] - first[a] > 1; b++)
                if (first[b + 1] - first[b] > 1)
                    better |= exchange_pair(&e, a, b);
    }
    int *trial = xmalloc(sizeof(int) * (size_t)p->tensors + 1);
    for (int t = 0; t < p->tensors; t++)
        trial[t] = c->items[at[t]].width;
    if (choice_fits(p, trial)) /* it might miss by rounding */
        memcpy(bits, trial, sizeof(int) * (size_t)p->tensors);
    free(trial);
    free(first);
    free(at);
    free(e.left);
    free(e.load);
    return columns_excess(c, bits);
}

/* ---- the bound ---- */

static double weighted(const struct columns *c, const double *multiplier, const struct column *column)
{
    double value = column->excess;
    for (int row = 0; row < c->problem->rows; row++)
        value += multiplier[row] * load_of(c, row, column);
    return value;
}

/* The least of one tensor's weighted columns. */
static double least_weighted(const struct columns *c, const double *multiplier, int first, int end)
{
    double least = INFINITY;
    for (int i = first; i < end; i++)
        least = fmin(least, weighted(c, multiplier, &c->items[i]));
    return least;
}

double columns_bound(const struct columns *c, const double *multiplier)
{
    double bound = 0;
    for (int first = 0, end; first < c->count; first = end) {
        end = tensor_end(c, first);
        bound += least_weighted(c, multiplier, first, end);
    }
    for (int row = 0; row < c->problem->rows; row++)
        bound -= multiplier[row];
    return bound;
}

void columns_reduce(struct columns *c, const double *multiplier, double upper)
{
    double bound = columns_bound(c, multiplier), size = fabs(upper);
    for (int row = 0; row < c->problem->rows; row++)
        size += multiplier[row];
    double gap = upper - bound + SLACK * size;
    int kept = 0, count = c->count;
    for (int first = 0, end; first < count; first = end) {
        end = tensor_end(c, first);
        double least = least_weighted(c, multiplier, first, end);
        for (int i = first; i < end; i++)
            if (weighted(c, multiplier, &c->items[i]) - least <= gap)
                c->items[kept++] = c->items[i];
    }
    c->count = kept;
    count_excess_anew(c);
}
