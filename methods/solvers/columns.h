/* SPDX-License-Identifier: GPL-3.0-or-later
 * A choice problem with several rows as columns of an integer programme, and how to make it smaller: with the multipliers
 * of the linear relaxation, what a column costs more than the best of its tensor (its reduced cost) shows which columns
 * no answer better than a known one can hold. */
#ifndef BITSWEEP_COLUMNS_H
#define BITSWEEP_COLUMNS_H
#include "choice.h"

struct column { int tensor, width; double excess; /* omega above the least of the tensor's columns */ };

struct columns {
    const struct choice_problem *problem;
    double *cheapest;     /* rows × tensors: least cost */
    double *rest;         /* rows: budget left when all are cheapest, floored to a multiple of the costs' quantum */
    struct column *items; /* by tensor, then rising excess: each tensor's first has 0 */
    int count;
    double least;         /* sum of what excess is counted from */
};

/* The undominated widths of every tensor. False: proven that nothing fits. Free in both cases. */
bool columns_make(const struct choice_problem *, struct columns *);
void columns_free(struct columns *);

/* Cost above the tensor's cheapest, as a share of what the row has left: at most 1 in all columns. */
double columns_load(const struct columns *, int row, int tensor, int width);
/* Sum of the excess of these widths, all of which have columns. */
double columns_excess(const struct columns *, const int *bits /* tensors */);

/* Greedy over the sum of the rows' loads with these weights; false if none of its answers fits every row. */
bool columns_greedy(const struct columns *, const double *weight /* rows */, int *bits);
/* Betters an answer by changing two tensors at a time; returns its excess. */
double columns_exchange(const struct columns *, int *bits);

/* Lower bound of the excess at these multipliers of the loads (Lagrange); at the linear relaxation's own it is the
 * relaxation's. */
double columns_bound(const struct columns *, const double *multiplier /* rows */);
/* Drops the columns that no answer of an excess up to `upper` holds, and counts excess anew (least grows). */
void columns_reduce(struct columns *, const double *multiplier, double upper);
#endif
