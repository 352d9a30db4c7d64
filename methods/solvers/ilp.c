/* SPDX-License-Identifier: GPL-3.0-or-later
 * The multiple-choice integer programme through GLPK, for any number of budgets. The linear relaxation and a good first
 * answer leave few columns to the search (columns.h). Rows are divided by their budgets and the objective by a known
 * answer's, because GLPK's tolerances are absolute (large rows gave wrong optima); budgets are floored to a multiple of
 * the costs' quantum, without which equal layers take for ever. `optimal` is meant to GLPK's relative 1e-7. */
#include "../../bench/clock.h"
#include "core.h"
#include <glpk.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT_MS 10000
#define CUTS 12        /* answers beyond a row by less than GLPK's tolerance that are forbidden one by one */
#define REPAIRS 4      /* tries with tighter rows after that */
#define PROVEN 1e-7    /* relative gap */
#define FAR_BETTER 0.1 /* an objective that much below its scale is sought again on its own scale */

/* What GLPK is asked: minimise excess / upper, where the rows' loads are at most `right`, without the forbidden answers. */
struct question {
    const struct columns *c;
    double upper;
    double *right;     /* rows */
    int *forbidden;    /* cuts × tensors: widths */
    int cuts;
};

static glp_prob *build(const struct question *q)
{
    const struct columns *c = q->c;
    const struct choice_problem *p = c->problem;
    int first_cut = p->tensors + p->rows;
    glp_prob *lp = glp_create_prob();
    glp_add_rows(lp, first_cut + q->cuts);
    glp_add_cols(lp, c->count);
    for (int t = 0; t < p->tensors; t++)
        glp_set_row_bnds(lp, t + 1, GLP_FX, 1, 1);
    for (int row = 0; row < p->rows; row++)
        glp_set_row_bnds(lp, p->tensors + row + 1, GLP_UP, 0, q->right[row]);
    for (int cut = 0; cut < q->cuts; cut++)
        glp_set_row_bnds(lp, first_cut + cut + 1, GLP_UP, 0, p->tensors - 1);
    int *index = xmalloc(sizeof(int) * ((size_t)p->rows + (size_t)q->cuts + 2));
    double *value = xmalloc(sizeof(double) * ((size_t)p->rows + (size_t)q->cuts + 2));
    for (int i = 0; i < c->count; i++) {
        const struct column *column = &c->items[i];
        int entries = 1;
        index[1] = column->tensor + 1;
        value[1] = 1;
        for (int row = 0; row < p->rows; row++) {
            index[entries + 1] = p->tensors + row + 1;
            value[entries + 1] = columns_load(c, row, column->tensor, column->width);
            entries += value[entries + 1] != 0;
        }
        for (int cut = 0; cut < q->cuts; cut++)
            if (q->forbidden[cut * p->tensors + column->tensor] == column->width) {
                index[++entries] = first_cut + cut + 1;
                value[entries] = 1;
            }
        glp_set_mat_col(lp, i + 1, entries, index, value);
        glp_set_col_kind(lp, i + 1, GLP_BV);
        glp_set_obj_coef(lp, i + 1, column->excess / q->upper);
    }
    free(index);
    free(value);
    return lp;
}

static void question_make(struct question *q, const struct columns *c, double upper)
{
    const struct choice_problem *p = c->problem;
    *q = (struct question){.c = c, .upper = upper};
    q->right = xmalloc(sizeof(double) * (size_t)p->rows + 1);
    q->forbidden = xmalloc(sizeof(int) * CUTS * (size_t)p->tensors + 1);
    for (int row = 0; row < p->rows; row++)
        q->right[row] = 1;
}

static void question_free(struct question *q)
{
    free(q->right);
    free(q->forbidden);
}

/* The linear relaxation's multipliers; all 0 if GLPK finds none. */
static void relax(const struct columns *c, double upper, double *multiplier)
{
    const struct choice_problem *p = c->problem;
    struct question q;
    question_make(&q, c, upper);
    glp_prob *lp = build(&q);
    glp_smcp options;
    glp_init_smcp(&options);
    options.msg_lev = GLP_MSG_OFF;
    options.tm_lim = TIME_LIMIT_MS;
    glp_adv_basis(lp, 0);
    bool solved = glp_simplex(lp, &options) == 0 && glp_get_status(lp) == GLP_OPT;
    for (int row = 0; row < p->rows; row++)
        multiplier[row] = solved ? fmax(0, -glp_get_row_dual(lp, p->tensors + row + 1)) * upper : 0;
    glp_delete_prob(lp);
    question_free(&q);
}

static void watch_bound(glp_tree *tree, void *bound)
{
    int best = glp_ios_best_node(tree);
    if (best)
        *(double *)bound = glp_ios_node_bound(tree, best);
}

enum outcome { OPTIMUM, INCUMBENT, NOTHING_FITS, NOTHING_FOUND };

/* bound: of the excess, where GLPK has one. */
static enum outcome optimise(const struct question *q, int *bits, double *bound)
{
    glp_iocp options;
    glp_init_iocp(&options);
    options.msg_lev = GLP_MSG_OFF;
    options.presolve = GLP_ON;
    options.tm_lim = TIME_LIMIT_MS;
    options.cb_func = watch_bound;
    options.cb_info = bound;
    *bound = 0;
    glp_prob *lp = build(q);
    int code = glp_intopt(lp, &options), status = glp_mip_status(lp);
    enum outcome outcome = NOTHING_FOUND;
    if (code == GLP_ENOPFS || status == GLP_NOFEAS) {
        outcome = NOTHING_FITS;
    } else if (status == GLP_OPT || status == GLP_FEAS) {
        outcome = code == 0 && status == GLP_OPT ? OPTIMUM : INCUMBENT;
        for (int i = 0; i < q->c->count; i++)
            if (glp_mip_col_val(lp, i + 1) > 0.5)
                bits[q->c->items[i].tensor] = q->c->items[i].width;
    }
    *bound *= q->upper;
    glp_delete_prob(lp);
    return outcome;
}

/* Limits the rows that an answer exceeds by twice the violation. */
static void tighten(struct question *q, const int *bits)
{
    const struct choice_problem *p = q->c->problem;
    for (int row = 0; row < p->rows; row++) {
        double sum = 0;
        for (int t = 0; t < p->tensors; t++)
            sum += columns_load(q->c, row, t, bits[t]);
        q->right[row] -= sum > 1 ? 2 * (sum - 1) : 0;
    }
}

/* GLPK meets rows to its own tolerance: answers for which that is too lax are forbidden, which keeps its proofs; if there
 * are too many, rows are tightened, which does not: then the outcome is INCUMBENT, and the last optimum that exceeds a
 * row is a bound. True when bits fit. */
static bool ask(const struct columns *c, double upper, int *bits, enum outcome *outcome, double *bound)
{
    const struct choice_problem *p = c->problem;
    struct question q;
    double later;
    question_make(&q, c, upper);
    *outcome = optimise(&q, bits, bound);
    enum outcome now = *outcome;
    bool fits = false;
    for (int i = 0; i < CUTS + REPAIRS && (now == OPTIMUM || now == INCUMBENT); i++) {
        fits = choice_fits(p, bits);
        if (fits)
            break;
        if (now == OPTIMUM && i <= CUTS)
            *bound = columns_excess(c, bits);
        if (i < CUTS) {
            memcpy(q.forbidden + q.cuts++ * p->tensors, bits, sizeof(int) * (size_t)p->tensors);
            *outcome = now = optimise(&q, bits, &later);
        } else {
            tighten(&q, bits);
            *outcome = INCUMBENT;
            now = optimise(&q, bits, &later);
        }
    }
    question_free(&q);
    return fits;
}

/* ---- the solver ----------------------------------------------------------------------- */

static const char *check(const struct choice_problem *p)
{
    return p->rows >= 1 ? NULL : "ilp needs at least one budget";
}

/* Betters an answer by what the multipliers say, and drops columns; true: it is optimal. bound: of the excess above
 * c->least, which grows. */
static bool narrow(struct columns *c, int *bits, double *bound)
{
    const struct choice_problem *p = c->problem;
    size_t size = sizeof(int) * (size_t)p->tensors;
    double *multiplier = xmalloc(sizeof(double) * (size_t)p->rows + 1);
    int *other = xmalloc(size + 1);
    double upper = columns_excess(c, bits), least = c->least;
    relax(c, upper, multiplier);
    *bound = fmax(0, columns_bound(c, multiplier));
    if (columns_greedy(c, multiplier, other) && columns_excess(c, other) < upper)
        memcpy(bits, other, size);
    columns_reduce(c, multiplier, columns_excess(c, bits));
    columns_exchange(c, bits);
    bool optimal = core_search(c, multiplier, bits);
    columns_reduce(c, multiplier, columns_excess(c, bits));
    *bound -= c->least - least;
    free(multiplier);
    free(other);
    return optimal;
}

/* A first answer. False: outcome tells whether it is proven that there is none. */
static bool begin(const struct columns *c, int *bits, enum outcome *outcome)
{
    double *equal = xmalloc(sizeof(double) * (size_t)c->problem->rows + 1), upper = 0, bound;
    for (int row = 0; row < c->problem->rows; row++)
        equal[row] = 1;
    bool have = columns_greedy(c, equal, bits);
    for (int i = 0; i < c->count && !have; i++)
        upper = fmax(upper, c->items[i].excess);
    *outcome = INCUMBENT;
    free(equal);
    return have || ask(c, upper > 0 ? upper : 1, bits, outcome, &bound);
}

/* From any answer to the best; bound: of the objective. */
static enum outcome better(struct columns *c, int *bits, double *bound)
{
    const struct choice_problem *p = c->problem;
    int *found = xmalloc(sizeof(int) * (size_t)p->tensors + 1);
    enum outcome outcome = OPTIMUM;
    double upper = columns_excess(c, bits), of_columns, of_search, now;
    *bound = c->least;
    for (bool again = upper > 0; again;) {
        again = false;
        bool optimal = narrow(c, bits, &of_columns);
        *bound = fmax(*bound, c->least + of_columns);
        upper = columns_excess(c, bits);
        if (optimal || !(upper > 0) || c->count == p->tensors)
            break;
        bool fits = ask(c, upper, found, &outcome, &of_search);
        *bound = fmax(*bound, c->least + of_search);
        now = fits ? columns_excess(c, found) : upper;
        if (now > upper)
            continue;
        if (fits)
            memcpy(bits, found, sizeof(int) * (size_t)p->tensors);
        again = now > 0 && c->least + now < FAR_BETTER * upper;
    }
    free(found);
    return outcome;
}

static bool solve_columns(struct columns *c, int *bits, struct solver_info *info)
{
    enum outcome outcome;
    double bound;
    if (!begin(c, bits, &outcome)) {
        info->optimal = outcome == NOTHING_FITS;
        info->bound = info->optimal ? INFINITY : -INFINITY;
        return false;
    }
    outcome = better(c, bits, &bound);
    choice_finish(c->problem, bits, info);
    info->optimal = outcome == OPTIMUM || info->objective - bound <= PROVEN * fabs(info->objective);
    info->bound = info->optimal ? info->objective : fmin(info->objective, bound);
    return true;
}

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    double start = now_seconds();
    struct columns c;
    *info = (struct solver_info){.objective = INFINITY, .bound = INFINITY, .optimal = true};
    glp_term_out(GLP_OFF);
    bool fits = columns_make(p, &c) && solve_columns(&c, bits, info);
    columns_free(&c);
    glp_free_env();
    info->seconds = now_seconds() - start;
    return fits;
}

const struct solver_ops solver_ilp = {
    .plug = {.name = "ilp", .alias = "glpk", .version = 2,
             .help = "Integer programme (GLPK); several budgets; after 10 s the best so far and a bound."},
    .check = check,
    .solve = solve,
};
