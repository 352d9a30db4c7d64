/* SPDX-License-Identifier: GPL-3.0-or-later
 * Solving for a layer table: the choice of a solver, the check of its answer, and prices. */
#include "allocate.h"
#include "../methods/allocators/allocation.h"
#include <glpk.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct problem problem_of(const struct request *request)
{
    const struct layer_table *table = &request->table;
    return (struct problem){table->tensors, table->count, request->budgets, request->budget_count, table->omega,
                            table->noise};
}

static bool fail_infeasible(const struct request *request, struct error *error)
{
    char *text = xstrdup("");
    for (int b = 0; b < request->budget_count; b++) {
        const struct budget *budget = &request->budgets[b];
        double least, most;
        layer_table_range(&request->table, budget, &least, &most);
        char *longer = format_text("%s%s %s = %.17g: by itself feasible from %.17g to %.17g", text, b ? ";" : "",
                                   budget->cost->plug.name, budget->limit, least, most);
        free(text);
        text = longer;
    }
    fail(error, "no allocation meets the %s:%s", request->budget_count == 1 ? "budget" : "budgets together", text);
    free(text);
    return false;
}

/* Whether it is infeasibility, and not the solver, that left the problem unsolved. */
static bool is_infeasible(const struct problem *problem, const struct solver_info *info, int *bits)
{
    struct solver_info other;
    struct error error;
    const struct solver_ops *exact = (const struct solver_ops *)plug_find(PLUG_SOLVER, "ilp");
    return info->optimal || strcmp(info->solver, exact->plug.name) == 0
           || !problem_solve(problem, exact, bits, &other, &error);
}

/* What the solver says is not believed. */
static bool check_answer(const struct request *request, struct answer *answer, struct error *error)
{
    const struct layer_table *table = &request->table;
    float *bits = xmalloc((size_t)table->count * sizeof *bits);
    bool good = true;
    answer->objective = 0;
    for (int i = 0; i < table->count; i++) {
        bits[i] = (float)answer->bits[i];
        answer->objective += table->omega[(size_t)i * (MOST_WIDTH + 1) + (size_t)answer->bits[i]];
        good &= tied_choices(table->tensors, table->count, i) >> answer->bits[i] & 1;
    }
    for (int b = 0; b < request->budget_count; b++) {
        answer->costs[b] = budget_price(&request->budgets[b], table->tensors, table->count, bits);
        good &= budget_met(&request->budgets[b], answer->costs[b]);
    }
    free(bits);
    return good || fail(error, "solver %s gave widths that do not meet the constraints; this is a fault in the solver",
                        answer->info.solver);
}

enum verdict allocate(const struct request *request, struct answer *answer, struct error *error)
{
    const struct problem problem = problem_of(request);
    *answer = (struct answer){
        .bits = xcalloc((size_t)request->table.count, sizeof *answer->bits),
        .costs = xcalloc((size_t)request->budget_count + 1, sizeof *answer->costs),
    };
    enum verdict verdict = ALLOCATED;
    if (!problem_solve(&problem, request->solver, answer->bits, &answer->info, error)) {
        verdict = is_infeasible(&problem, &answer->info, answer->bits) ? INFEASIBLE : REFUSED;
        if (verdict == INFEASIBLE)
            fail_infeasible(request, error);
    } else if (!check_answer(request, answer, error)) {
        verdict = INFEASIBLE;
    } else {
        answer->info.objective = answer->objective;
        answer->info.bound = answer->info.optimal ? answer->objective : fmin(answer->info.bound, answer->objective);
    }
    if (verdict != ALLOCATED)
        answer_free(answer);
    return verdict;
}

void answer_free(struct answer *answer)
{
    free(answer->bits);
    free(answer->costs);
    *answer = (struct answer){0};
}

/* ---- prices ---- */

/* Least omega of a class. */
static double least_omega(const struct choice_problem *p, int class)
{
    double least = INFINITY;
    for (int o = 0; o < p->widths; o++)
        least = fmin(least, p->omega[(size_t)class * (size_t)p->widths + (size_t)o]);
    return least;
}

/* GLPK's tolerances are absolute: rows are shares of their limits, the objective is counted from the least omegas in units
 * of what the answer is above them. */
static glp_prob *linear_programme(const struct choice_problem *p, double unit)
{
    glp_prob *lp = glp_create_prob();
    int *index = xmalloc(((size_t)p->rows + 2) * sizeof *index);
    double *value = xmalloc(((size_t)p->rows + 2) * sizeof *value);
    glp_add_rows(lp, p->tensors + p->rows);
    for (int k = 0; k < p->tensors; k++)
        glp_set_row_bnds(lp, k + 1, GLP_FX, 1, 1);
    for (int row = 0; row < p->rows; row++)
        glp_set_row_bnds(lp, p->tensors + row + 1, isfinite(p->budget[row]) ? GLP_UP : GLP_FR, 0, p->budget[row] > 0);
    for (int k = 0; k < p->tensors; k++) {
        double least = least_omega(p, k);
        for (int o = 0; o < p->widths; o++) {
            double omega = p->omega[(size_t)k * (size_t)p->widths + (size_t)o];
            if (!isfinite(omega))
                continue;
            int column = glp_add_cols(lp, 1), entries = 1;
            glp_set_col_bnds(lp, column, GLP_LO, 0, 0);
            glp_set_obj_coef(lp, column, (omega - least) / unit);
            index[1] = k + 1;
            value[1] = 1;
            for (int row = 0; row < p->rows; row++) {
                double cost = p->cost[((size_t)row * (size_t)p->tensors + (size_t)k) * (size_t)p->widths + (size_t)o];
                index[++entries] = p->tensors + row + 1;
                value[entries] = isfinite(p->budget[row]) && p->budget[row] > 0 ? cost / p->budget[row] : cost;
                entries -= value[entries] == 0;
            }
            glp_set_mat_col(lp, column, entries, index, value);
        }
    }
    free(index);
    free(value);
    return lp;
}

/* Prices of the rows; false: the programme was not solved. */
static bool row_prices(const struct choice_problem *p, double unit, double *prices)
{
    glp_smcp how;
    glp_init_smcp(&how);
    how.msg_lev = GLP_MSG_OFF;
    glp_term_out(GLP_OFF);
    glp_prob *lp = linear_programme(p, unit);
    glp_scale_prob(lp, GLP_SF_AUTO);
    glp_adv_basis(lp, 0);
    bool solved = glp_simplex(lp, &how) == 0 && glp_get_status(lp) == GLP_OPT;
    for (int row = 0; solved && row < p->rows; row++) {
        double scale = isfinite(p->budget[row]) && p->budget[row] > 0 ? p->budget[row] : 1;
        prices[row] = fmax(0, -glp_get_row_dual(lp, p->tensors + row + 1) * unit / scale);
    }
    glp_delete_prob(lp);
    glp_free_env();
    return solved;
}

void allocate_prices(const struct request *request, const struct answer *answer, double *prices)
{
    const struct problem problem = problem_of(request);
    struct classes classes;
    struct error error;
    for (int b = 0; b < request->budget_count; b++)
        prices[b] = NAN;
    if (classes_make(&problem, &classes, &error)) {
        const struct choice_problem *p = &classes.problem;
        double *of_rows = xcalloc((size_t)p->rows + 1, sizeof *of_rows), unit = answer->objective;
        for (int k = 0; k < p->tensors; k++)
            unit -= least_omega(p, k);
        bool solved = !(unit > 0) || row_prices(p, unit, of_rows); /* nothing to gain: all prices are 0 */
        for (int b = 0, row = 0; solved && b < request->budget_count; b++)
            if (!request->budgets[b].cost->largest)
                prices[b] = of_rows[row++];
        free(of_rows);
        classes_free(&classes);
    }
}

int allocate_neighbour(const struct layer_table *table, const int *bits, int tensor, bool wider, double *change)
{
    uint64_t shared = tied_choices(table->tensors, table->count, tensor);
    int step = wider ? 1 : -1, width = bits[tensor] + step, group = table->tensors[tensor].group;
    while (width > 0 && width <= MOST_WIDTH && !(shared >> width & 1))
        width += step;
    if (width < 1 || width > MOST_WIDTH)
        return 0;
    *change = 0;
    for (int i = 0; i < table->count; i++)
        if (i == tensor || (group && table->tensors[i].group == group)) {
            const double *omega = table->omega + (size_t)i * (MOST_WIDTH + 1);
            *change += omega[width] - omega[bits[i]];
        }
    return width;
}
