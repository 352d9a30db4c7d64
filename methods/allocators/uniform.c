/* SPDX-License-Identifier: GPL-3.0-or-later
 * Fixed precision: one width for all, the bits left over to the cheapest tensors. METHODS 4. */
#include "allocation.h"
#include "../../bench/params.h"
#include <math.h>

struct state { const struct allocation *allocation; float *bits; };

static void *begin(const struct allocation *a)
{
    struct state *state = arena_alloc(a->arena, sizeof *state);
    state->allocation = a;
    state->bits = arena_alloc(a->arena, (size_t)a->count * sizeof *state->bits);
    return state;
}

static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *state = memory;
    const struct allocation *a = state->allocation;
    if (step > 0)
        return false;
    if (!uniform_bits(a->tensors, a->count, a->budgets, a->budget_count, state->bits))
        die("the budgets are infeasible"); /* budget_check has refused it before */
    for (int i = 0; i < a->count; i++)
        decision->bits[i] = state->bits[i];
    decision->solver = "uniform";
    return true;
}

const struct alloc_ops allocator_uniform = {
    .plug = {.name = "uniform", .version = 1,
             .help = "Fixed precision: the largest equal width within the budget, left-over bits to the cheapest tensors.",
             .params = (const struct param *const[]){ALLOCATION_PARAMS,
                                                     &param_quantiser, 0}},
    .guarantees = true,
    .check = check_widths, .begin = begin, .assign = assign,
};
