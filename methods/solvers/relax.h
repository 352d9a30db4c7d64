/* SPDX-License-Identifier: GPL-3.0-or-later
 * The continuous relaxation of an allocation problem. */
#ifndef BITSWEEP_RELAX_H
#define BITSWEEP_RELAX_H
#include "../allocators/variables.h"

/* problem_relax for variables that are there already. widths: one for each variable. bound: a lower bound of the whole
 * widths' optimum by weak duality, -INFINITY where the costs are not known to be convex (they are where they rise
 * linearly with each width, like any sum of products of widths). Budgets on a largest layer in which several widths meet
 * are left out. */
bool relax_widths(const struct variables *, double *widths, double *objective, double *bound);
#endif
