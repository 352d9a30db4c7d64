/* SPDX-License-Identifier: GPL-3.0-or-later
 * An allocator that claims to guarantee budgets and exceeds them, as a shared object: uniform widths, and from step 20 on
 * one bit more for the first tensor, unless that has its least or its largest width. */
#include "allocation.h"
#include "../../bench/params.h"
#include "../../bench/plugin.h"

static void *begin(const struct allocation *a) { return (void *)(uintptr_t)a; }

static bool assign(void *memory, long step, struct decision *decision)
{
    const struct allocation *a = memory;
    if (step != 0 && step != 20)
        return false;
    if (!uniform_bits(a->tensors, a->count, a->budgets, a->budget_count, decision->bits))
        die("infeasible");
    int first = (int)decision->bits[0];
    if (step == 20 && first > tensor_least(&a->tensors[0]) && tensor_allows(&a->tensors[0], first + 1)
        && !a->tensors[0].group)
        decision->bits[0]++;
    decision->solver = "greedy for bits";
    return true;
}

const struct alloc_ops allocator_over_budget = {
    .plug = {.name = "over_budget", .version = 1, .help = "Exceeds its budgets.",
             .params = (const struct param *const[]){ALLOCATION_PARAMS, &param_quantiser, 0}},
    .guarantees = true, .begin = begin, .assign = assign,
};

EXPORT_PLUGIN(PLUG_ALLOCATOR, allocator_over_budget);
