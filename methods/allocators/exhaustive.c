/* SPDX-License-Identifier: GPL-3.0-or-later
 * The true optimum of the surrogate that qbitopt minimises, by trying every allocation: for small networks. METHODS 4. */
#include "qbitopt.h"
#include "../../bench/params.h"

extern const struct solver_ops solver_exhaustive;

static bool solvable(const struct settings *s, const struct tensor *tensors, int count, const struct budget *budgets,
                     int budget_count, struct error *error)
{
    return qbitopt_solvable(s, &solver_exhaustive, tensors, count, budgets, budget_count, error);
}

static void *begin(const struct allocation *a) { return qbitopt_begin(a, &solver_exhaustive); }

const struct alloc_ops allocator_exhaustive = {
    .plug = {.name = "exhaustive", .version = 1,
             .help = "As qbitopt, with the true optimum of every reallocation found by trying all allocations; for networks "
                     "small enough.",
             .params = (const struct param *const[]){QBITOPT_PARAMS, 0}},
    .guarantees = true,
    .check = check_widths, .probes = qbitopt_probes, .solvable = solvable, .begin = begin, .assign = qbitopt_assign,
    .wants = qbitopt_wants, .observe = qbitopt_observe,
};
