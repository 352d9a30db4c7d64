/* SPDX-License-Identifier: GPL-3.0-or-later
 * The free widths of an allocation problem: one for each group of tied tensors, and where they enter the costs of layers. */
#ifndef BITSWEEP_VARIABLES_H
#define BITSWEEP_VARIABLES_H
#include "problem.h"

struct variables {
    const struct problem *problem;
    struct cost_totals totals;
    int count;
    int *of;                        /* tensors: its variable; numbered in network order of their first tensors */
    uint64_t *choices;              /* variables: widths that its tensors, their omegas and budgets on largest layers
                                       allow */
    int layers;                     /* that have tensors */
    int *layer_of;                  /* tensors: its layer among these */
    int (*members)[TENSOR_KINDS];   /* layers: tensors of each, -1 past the end */
    int *touched_start, *touched;   /* variables + 1; the layers that a variable's width enters */
    bool *joint;                    /* budgets: whether a layer's share must be looked at as a whole */
};
/* False: a tensor has no width left. */
bool variables_make(const struct problem *, struct variables *, struct error *);
void variables_free(struct variables *);

/* A layer's share of a budget's cost with variables at these real widths. */
double variables_share(const struct variables *, const struct budget *, int layer, const double *widths /* variables */);
/* What no width changes. */
double budget_constant(const struct budget *);
/* Whether a layer with this share is within a budget on the largest layer. */
bool largest_met(const struct budget *, double share);

/* Widths in `choices`, and the n-th of them. */
static inline int width_count(uint64_t choices) { return __builtin_popcountll(choices); }
static inline int width_at(uint64_t choices, int n)
{
    while (n-- > 0)
        choices &= choices - 1;
    return __builtin_ctzll(choices);
}
static inline int width_least(uint64_t choices) { return __builtin_ctzll(choices); }
static inline int width_most(uint64_t choices) { return 63 - __builtin_clzll(choices); }
#endif
