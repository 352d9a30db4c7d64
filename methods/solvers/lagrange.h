/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Lagrangian relaxation of a choice problem: rows are charged at multipliers instead of limited, and every tensor
 * takes what is then its best width, which lies on the lower convex hull. */
#ifndef BITSWEEP_LAGRANGE_H
#define BITSWEEP_LAGRANGE_H
#include "choice.h"

/* Finds multipliers row by row at which the rows are met closely from below, and fills bits (tensors) with the widths
 * taken there, and a lower bound of the optimum. False: no multipliers were found at which the rows are met. */
bool lagrange_solve(const struct choice_problem *, int *bits, double *bound);
#endif
