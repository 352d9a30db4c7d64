/* SPDX-License-Identifier: GPL-3.0-or-later
 * Prices and limits of an allocation problem, and solving it through a solver of joint choices. */
#include "problem.h"
#include "../costs/price.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDING 1e-12 /* of a sum of shares */

double problem_omega(const struct problem *p, const int *bits)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += omega_at(p, i, bits[i]);
    return sum;
}

double budget_price(const struct budget *budget, const struct tensor *tensors, int count, const float *bits)
{
    return cost_price(budget->cost, budget->context, tensors, count, bits);
}

bool budget_met(const struct budget *budget, double price)
{
    return price <= budget->limit + ROUNDING * fabs(budget->limit);
}

bool budgets_met(const struct budget *budgets, int budget_count, const struct tensor *tensors, int count, const float *bits)
{
    for (int b = 0; b < budget_count; b++)
        if (!budget_met(&budgets[b], budget_price(&budgets[b], tensors, count, bits)))
            return false;
    return true;
}

static double price_of(const struct budget *budget, const struct tensor *tensors, int count,
                       int (*width)(const struct tensor *))
{
    float *bits = xmalloc(((size_t)count + 1) * sizeof *bits);
    for (int i = 0; i < count; i++)
        bits[i] = (float)width(&tensors[i]);
    double price = budget_price(budget, tensors, count, bits);
    free(bits);
    return price;
}

void budget_range(const struct budget *budget, const struct tensor *tensors, int count, double *least, double *most)
{
    *least = price_of(budget, tensors, count, tensor_least);
    *most = price_of(budget, tensors, count, tensor_most);
}

bool budget_concerns(const struct budget *budget, const struct tensor *tensors, int count, enum tensor_kind kind)
{
    double price[2];
    float *bits = xmalloc(((size_t)count + 1) * sizeof *bits);
    for (int high = 0; high < 2; high++) {
        for (int i = 0; i < count; i++)
            bits[i] = (float)(high && tensors[i].kind == kind ? tensor_most(&tensors[i]) : tensor_least(&tensors[i]));
        price[high] = budget_price(budget, tensors, count, bits);
    }
    free(bits);
    return price[0] != price[1];
}

static int reference_width(const struct tensor *tensor)
{
    (void)tensor;
    return REFERENCE_BITS;
}

double budget_reference(const struct budget *budget, const struct tensor *tensors, int count)
{
    return price_of(budget, tensors, count, reference_width);
}

/* ---- solving ---- */

/* proven: nothing meets them, rather than that nothing was found. */
static bool fail_infeasible(const struct problem *p, const struct solver_ops *solver, bool proven, struct error *error)
{
    char *text = proven ? xstrdup("no allocation") : format_text("solver %s found no allocation that", solver->plug.name);
    char *start = format_text("%s meets the %s:", text, p->budget_count == 1 ? "budget" : "budgets together");
    free(text);
    text = start;
    for (int b = 0; b < p->budget_count; b++) {
        const struct budget *budget = &p->budgets[b];
        double least, most;
        budget_range(budget, p->tensors, p->count, &least, &most);
        char *longer = format_text("%s%s %s %.10g: by itself feasible from %.10g (all at their least width) to %.10g %s "
                                   "(all at "
                                   "their most)", text, b ? ";" : "", budget->cost->plug.name, budget->limit, least, most,
                                   budget->cost->unit);
        free(text);
        text = longer;
    }
    fail(error, "%s", text);
    free(text);
    return false;
}

static bool takes(const struct solver_ops *solver, const struct classes *classes, struct error *error)
{
    const char *why = solver->check ? solver->check(&classes->problem) : NULL;
    return !why || fail(error, "solver %s cannot take this problem: %s", solver->plug.name, why);
}

static bool solve_classes(const struct problem *p, const struct solver_ops *solver, int *bits, struct solver_info *info,
                          struct error *error)
{
    struct classes classes;
    if (!classes_make(p, &classes, error))
        return false;
    int *chosen = xmalloc(((size_t)classes.problem.tensors + 1) * sizeof *chosen);
    bool solved = takes(solver, &classes, error) && solver->solve(&classes.problem, chosen, info);
    if (solved)
        classes_bits(&classes, chosen, bits);
    free(chosen);
    classes_free(&classes);
    return solved;
}

bool problem_solve(const struct problem *p, const struct solver_ops *solver, int *bits, struct solver_info *info,
                   struct error *error)
{
    *info = (struct solver_info){.objective = INFINITY, .bound = -INFINITY};
    error->text[0] = '\0';
    bool solved = solver->solve_tensors ? solver->solve_tensors(p, bits, info, error)
                                        : solve_classes(p, solver, bits, info, error);
    if (!info->solver)
        info->solver = solver->plug.name;
    return solved || (error->text[0] ? false : fail_infeasible(p, solver, info->optimal, error));
}

bool problem_suits(const struct problem *p, const struct solver_ops *solver, struct error *error)
{
    struct classes classes;
    struct solver_info info;
    if (solver->solve_tensors) {
        int *bits = xmalloc(((size_t)p->count + 1) * sizeof *bits);
        bool solved = problem_solve(p, solver, bits, &info, error);
        free(bits);
        return solved;
    }
    if (!classes_make(p, &classes, error))
        return false;
    bool good = takes(solver, &classes, error);
    classes_free(&classes);
    return good;
}
