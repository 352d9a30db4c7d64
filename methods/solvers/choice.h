/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the integer solvers share. Conventions of them all:
 * - A width is allowed when its omega and costs are finite. Costs are not negative.
 * - A budget is met when the double sum of a row stays at or below it: strictly when all costs of the row are
 *   whole numbers, else to a relative 1e-12, the rounding of shares like bits/tensors and of their sums.
 * - Deterministic. Among equal objectives the cheaper answer is taken (leftover budget is not spent for
 *   nothing), and of tensors with equal omegas and costs the earlier one gets the wider width.
 * - info: optimal is true only when proven; after `false`, whether it is proven that nothing fits. */
#ifndef BITSWEEP_CHOICE_H
#define BITSWEEP_CHOICE_H
#include "../../bench/bitsweep.h"

/* index: width - problem->lo */
bool choice_allowed(const struct choice_problem *, int tensor, int index);
double choice_cost(const struct choice_problem *, int row, int tensor, int index);
double choice_omega(const struct choice_problem *, int tensor, int index);

/* Whether all finite costs of a row are whole numbers, so that double sums of them are exact. */
bool choice_is_whole(const struct choice_problem *, int row);
/* The budget with the tolerance above. */
double choice_limit(const struct choice_problem *, int row);
bool choice_fits(const struct choice_problem *, const int *bits /* tensors */);

/* The largest number that all values (>= 0) are multiples of: exactly when `whole`, else to a relative 1e-13
 * and at most a million steps; 0 if there is none, 1 if all values are 0. */
double choice_quantum(const double *values, size_t count, bool whole);
/* The largest multiple of quantum at or below value, as a count. */
double choice_steps(double value, double quantum);

/* Improves an answer that fits by single changes that lower a tensor's omega and still fit (the solvers' sums
 * may have lost omegas below their rounding), orders equal tensors, sets info->objective. */
void choice_finish(const struct choice_problem *, int *bits, struct solver_info *);

/* A problem of one row reduced to what can be part of an optimum: per tensor the undominated widths that fit
 * when all others are cheapest, costs counted from the tensor's cheapest. */
struct option { int width; double cost, omega; };
struct fronts {
    int tensors, widths;
    struct option *options; /* tensors × widths; cost strictly ascending, omega strictly descending */
    int *count;             /* tensors: options of each */
    double rest;            /* budget left when all are cheapest */
    bool counted; /* costs and rest are whole multiples of a common quantum, in units of it; else as given */
};
/* False (and nothing to free) when even the cheapest widths exceed the budget or a tensor has none. */
bool fronts_make(const struct choice_problem *, struct fronts *);
void fronts_free(struct fronts *);

/* Solves a problem of one row: the linear relaxation, the greedy answer found on the way to it, and what `better` makes of
 * it (true: bits became an optimum; NULL: nothing). multiplier: the relaxation's gain per cost. (greedy.c) */
bool fronts_solve(const struct choice_problem *, bool (*better)(struct fronts *, double multiplier, int *bits), int *bits,
                  struct solver_info *);
#endif
