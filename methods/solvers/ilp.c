/* SPDX-License-Identifier: GPL-3.0-or-later
 * The multiple-choice integer programme through GLPK, for any number of budgets. Rows are divided by their
 * budgets and the objective by a known answer's, because GLPK's tolerances are absolute (large rows gave
 * wrong optima); budgets are floored to a multiple of the costs' quantum, without which equal layers take for
 * ever. `optimal` is meant to GLPK's relative 1e-7. */
#include "../../bench/clock.h"
#include "choice.h"
#include <glpk.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT_MS 10000
#define REPAIRS 4

extern const struct solver_ops solver_greedy;

struct column { int tensor, width; double excess; /* omega above the tensor's least */ };

struct model {
    const struct choice_problem *problem;
    double *cheapest;       /* rows × tensors */
    double *rest;           /* rows: budget left when all are cheapest */
    struct column *columns; /* by tensor, then width */
    int count;
    double least;           /* sum of the tensors' least omegas */
};

/* Cost above the tensor's cheapest, as a share of what the row has left. */
static double load(const struct model *m, int row, int tensor, int width)
{
    const struct choice_problem *p = m->problem;
    double above = choice_cost(p, row, tensor, width - p->lo) -
                   m->cheapest[(size_t)row * p->tensors + tensor];
    return above == 0 ? 0 : above / m->rest[row];
}

/* Fills one row's cheapest costs and rest; false when even those exceed the budget. */
static bool measure_row(struct model *m, int row)
{
    const struct choice_problem *p = m->problem;
    double *cheapest = m->cheapest + (size_t)row * p->tensors, base = 0;
    double *above = xmalloc(sizeof(double) * p->tensors * p->widths + 1), widest = 0;
    size_t count = 0;
    for (int t = 0; t < p->tensors; t++) {
        cheapest[t] = INFINITY;
        for (int k = 0; k < p->widths; k++)
            if (choice_allowed(p, t, k))
                cheapest[t] = fmin(cheapest[t], choice_cost(p, row, t, k));
        base += cheapest[t];
        for (int k = 0; k < p->widths; k++)
            if (choice_allowed(p, t, k)) {
                above[count++] = choice_cost(p, row, t, k) - cheapest[t];
                widest += above[count - 1];
            }
    }
    double quantum = choice_quantum(above, count, choice_is_whole(p, row));
    free(above);
    double rest = choice_limit(p, row) - base;
    if (!(rest >= 0))
        return false;
    rest = fmin(rest, widest * (1 + 1e-12)); /* an endless budget cannot be divided by */
    m->rest[row] = quantum > 0 ? choice_steps(rest, quantum) * quantum : rest;
    return true;
}

static bool fits_alone(const struct model *m, int tensor, int width)
{
    for (int row = 0; row < m->problem->rows; row++)
        if (!(load(m, row, tensor, width) <= 1))
            return false;
    return true;
}

/* Whether `other` is as good and as cheap in every row (of equals, the smaller width). */
static bool dominates(const struct model *m, int tensor, int other, int width)
{
    const struct choice_problem *p = m->problem;
    bool better = other < width;
    double gain = choice_omega(p, tensor, width - p->lo) - choice_omega(p, tensor, other - p->lo);
    if (gain < 0)
        return false;
    better |= gain > 0;
    for (int row = 0; row < p->rows; row++) {
        double saved = load(m, row, tensor, width) - load(m, row, tensor, other);
        if (saved < 0)
            return false;
        better |= saved > 0;
    }
    return better;
}

/* The widths of one tensor that can be part of an optimum; false if there are none. */
static bool add_columns(struct model *m, int tensor)
{
    const struct choice_problem *p = m->problem;
    int first = m->count;
    for (int k = 0; k < p->widths; k++)
        if (choice_allowed(p, tensor, k) && fits_alone(m, tensor, p->lo + k))
            m->columns[m->count++] = (struct column){tensor, p->lo + k, choice_omega(p, tensor, k)};
    int end = m->count;
    bool *dominated = xcalloc(p->widths, sizeof *dominated);
    for (int i = first; i < end; i++)
        for (int j = first; j < end; j++)
            if (j != i && dominates(m, tensor, m->columns[j].width, m->columns[i].width))
                dominated[i - first] = true;
    double least = INFINITY;
    m->count = first;
    for (int i = first; i < end; i++)
        if (!dominated[i - first]) {
            m->columns[m->count++] = m->columns[i];
            least = fmin(least, m->columns[i].excess);
        }
    for (int i = first; i < m->count; i++)
        m->columns[i].excess -= least;
    m->least += least;
    free(dominated);
    return m->count > first;
}

/* False: proven that nothing fits. */
static bool model_make(const struct choice_problem *p, struct model *m)
{
    *m = (struct model){.problem = p};
    m->cheapest = xmalloc(sizeof(double) * p->rows * p->tensors + 1);
    m->rest = xmalloc(sizeof(double) * p->rows + 1);
    m->columns = xmalloc(sizeof *m->columns * p->tensors * p->widths + 1);
    for (int row = 0; row < p->rows; row++)
        if (!measure_row(m, row))
            return false;
    for (int t = 0; t < p->tensors; t++)
        if (!add_columns(m, t))
            return false;
    return true;
}

static void model_free(struct model *m)
{
    free(m->cheapest);
    free(m->rest);
    free(m->columns);
}

/* ---- a first answer ------------------------------------------------------------------- */

/* Greedy over the sum of the rows' loads, with the largest limit on that sum whose answer fits every row. */
static bool first_answer(const struct model *m, int *bits)
{
    const struct choice_problem *p = m->problem;
    size_t cells = (size_t)p->tensors * p->widths;
    double *omega = xmalloc(sizeof(double) * cells + 1), *cost = xcalloc(cells + 1, sizeof *cost);
    int *trial = xmalloc(sizeof(int) * p->tensors + 1);
    for (size_t i = 0; i < cells; i++)
        omega[i] = INFINITY;
    for (int i = 0; i < m->count; i++) {
        const struct column *column = &m->columns[i];
        size_t cell = (size_t)column->tensor * p->widths + (column->width - p->lo);
        omega[cell] = column->excess;
        for (int row = 0; row < p->rows; row++)
            cost[cell] += load(m, row, column->tensor, column->width);
    }
    bool found = false;
    double low = 0, high = p->rows, limit = high;
    struct choice_problem sum = {p->tensors, p->lo, p->widths, 1, omega, cost, &limit};
    for (int i = 0; i < 20; i++) {
        struct solver_info info;
        if (!solver_greedy.solve(&sum, trial, &info)) {
            low = limit;
        } else if (!choice_fits(p, trial)) {
            high = limit;
        } else {
            memcpy(bits, trial, sizeof(int) * p->tensors);
            found = true;
            low = limit;
        }
        if (low == high)
            break;
        limit = i == 0 ? 0 : 0.5 * (low + high);
    }
    free(omega);
    free(cost);
    free(trial);
    return found;
}

static double excess_of(const struct model *m, const int *bits)
{
    double sum = 0;
    for (int i = 0; i < m->count; i++)
        sum += bits[m->columns[i].tensor] == m->columns[i].width ? m->columns[i].excess : 0;
    return sum;
}

/* ---- GLPK ----------------------------------------------------------------------------- */

static void watch_bound(glp_tree *tree, void *bound)
{
    int best = glp_ios_best_node(tree);
    if (best)
        *(double *)bound = glp_ios_node_bound(tree, best);
}

/* Columns above `upper` are left out: no answer better than it holds them. right: the rows' limits as shares
 * of rest. */
static glp_prob *build(const struct model *m, double upper, const double *right)
{
    const struct choice_problem *p = m->problem;
    glp_prob *lp = glp_create_prob();
    glp_add_rows(lp, p->tensors + p->rows);
    glp_add_cols(lp, m->count);
    for (int t = 0; t < p->tensors; t++)
        glp_set_row_bnds(lp, t + 1, GLP_FX, 1, 1);
    for (int row = 0; row < p->rows; row++)
        glp_set_row_bnds(lp, p->tensors + row + 1, GLP_UP, 0, right[row]);
    int *index = xmalloc(sizeof(int) * (p->rows + 2));
    double *value = xmalloc(sizeof(double) * (p->rows + 2));
    for (int i = 0; i < m->count; i++) {
        const struct column *column = &m->columns[i];
        int entries = 1;
        index[1] = column->tensor + 1;
        value[1] = 1;
        for (int row = 0; row < p->rows; row++) {
            index[entries + 1] = p->tensors + row + 1;
            value[entries + 1] = load(m, row, column->tensor, column->width);
            entries += value[entries + 1] != 0;
        }
        glp_set_mat_col(lp, i + 1, entries, index, value);
        if (column->excess > upper * (1 + 1e-9)) {
            glp_set_col_bnds(lp, i + 1, GLP_FX, 0, 0);
        } else {
            glp_set_col_kind(lp, i + 1, GLP_BV);
            glp_set_obj_coef(lp, i + 1, column->excess / upper);
        }
    }
    free(index);
    free(value);
    return lp;
}

enum outcome { OPTIMUM, INCUMBENT, NOTHING_FITS, NOTHING_FOUND };

/* bound: of the excess, where GLPK has one. */
static enum outcome optimise(const struct model *m, double upper, const double *right, int *bits,
                             double *bound)
{
    glp_iocp options;
    glp_init_iocp(&options);
    options.msg_lev = GLP_MSG_OFF;
    options.presolve = GLP_ON;
    options.tm_lim = TIME_LIMIT_MS;
    options.cb_func = watch_bound;
    options.cb_info = bound;
    *bound = 0;
    glp_prob *lp = build(m, upper, right);
    int code = glp_intopt(lp, &options), status = glp_mip_status(lp);
    enum outcome outcome = NOTHING_FOUND;
    if (code == GLP_ENOPFS || status == GLP_NOFEAS) {
        outcome = NOTHING_FITS;
    } else if (status == GLP_OPT || status == GLP_FEAS) {
        outcome = code == 0 && status == GLP_OPT ? OPTIMUM : INCUMBENT;
        for (int i = 0; i < m->count; i++)
            if (glp_mip_col_val(lp, i + 1) > 0.5)
                bits[m->columns[i].tensor] = m->columns[i].width;
    }
    *bound *= upper;
    glp_delete_prob(lp);
    return outcome;
}

/* GLPK meets rows to its own tolerance: where that is too lax, limits the row by twice the violation and asks
 * again. True when bits fit; outcome and bound are the first answer's, with INCUMBENT for a repaired one. */
static bool ask(const struct model *m, double upper, int *bits, enum outcome *outcome, double *bound)
{
    const struct choice_problem *p = m->problem;
    double *right = xmalloc(sizeof(double) * p->rows + 1), later;
    for (int row = 0; row < p->rows; row++)
        right[row] = 1;
    *outcome = optimise(m, upper, right, bits, bound);
    enum outcome now = *outcome;
    bool fits = false;
    for (int i = 0; i < REPAIRS && (now == OPTIMUM || now == INCUMBENT); i++) {
        fits = choice_fits(p, bits);
        if (fits)
            break;
        for (int row = 0; row < p->rows; row++) {
            double sum = 0;
            for (int t = 0; t < p->tensors; t++)
                sum += load(m, row, t, bits[t]);
            right[row] -= sum > 1 ? 2 * (sum - 1) : 0;
        }
        *outcome = INCUMBENT;
        now = optimise(m, upper, right, bits, &later);
    }
    free(right);
    return fits;
}

/* ---- the solver ----------------------------------------------------------------------- */

static const char *check(const struct choice_problem *p)
{
    return p->rows >= 1 ? NULL : "ilp needs at least one budget";
}

static bool solve_model(const struct model *m, int *bits, struct solver_info *info)
{
    const struct choice_problem *p = m->problem;
    int *found = xmalloc(sizeof(int) * p->tensors + 1);
    bool have = first_answer(m, bits);
    double first = have ? excess_of(m, bits) : INFINITY, upper = first, bound = 0;
    enum outcome outcome = OPTIMUM;
    if (!have)
        for (int i = 0; i < m->count; i++)
            upper = i == 0 ? m->columns[i].excess : fmax(upper, m->columns[i].excess);
    if (!have || upper > 0) {
        bool fits = ask(m, upper > 0 ? upper : 1, found, &outcome, &bound);
        if (fits && excess_of(m, found) <= first) {
            memcpy(bits, found, sizeof(int) * p->tensors);
            have = true;
        }
    }
    free(found);
    info->optimal = outcome == OPTIMUM || (outcome == NOTHING_FITS && !have);
    if (!have)
        return false;
    choice_finish(p, bits, info);
    info->bound = info->optimal ? info->objective : fmin(info->objective, m->least + bound);
    return true;
}

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    double start = now_seconds();
    struct model m;
    *info = (struct solver_info){.objective = INFINITY, .bound = INFINITY, .optimal = true};
    glp_term_out(GLP_OFF);
    bool fits = model_make(p, &m) && solve_model(&m, bits, info);
    model_free(&m);
    glp_free_env();
    info->seconds = now_seconds() - start;
    return fits;
}

const struct solver_ops solver_ilp = {
    .plug = {.name = "ilp", .version = 1,
             .help = "Integer programme (GLPK); several budgets; after 10 s the best so far and a bound."},
    .check = check,
    .solve = solve,
};
