/* SPDX-License-Identifier: GPL-3.0-or-later
 * The exact solver that suits: the dynamic programme for one budget, where it takes the problem and proves its answer, else
 * the integer programme. */
#include "choice.h"

extern const struct solver_ops solver_knapsack, solver_ilp;

static const char *check(const struct choice_problem *p) { return solver_ilp.check ? solver_ilp.check(p) : NULL; }

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    if (!solver_knapsack.check(p)) {
        bool solved = solver_knapsack.solve(p, bits, info);
        info->solver = solver_knapsack.plug.name;
        if (info->optimal)
            return solved;
    }
    bool solved = solver_ilp.solve(p, bits, info);
    info->solver = solver_ilp.plug.name;
    return solved;
}

const struct solver_ops solver_auto = {
    .plug = {.name = "auto", .version = 1,
             .help = "Exact: knapsack for one budget, where it takes the problem and proves its answer, else ilp."},
    .check = check, .solve = solve,
};
