/* SPDX-License-Identifier: GPL-3.0-or-later
 * Exact search around the linear relaxation of a problem in columns. */
#ifndef BITSWEEP_CORE_H
#define BITSWEEP_CORE_H
#include "columns.h"

/* Starts from every tensor's best column at the multipliers and tries all sets of deviations whose reduced costs sum up
 * to less than the distance between the relaxation's bound and bits, which hold some answer; bits become the best answer
 * found. True: it is proven optimal; false: there were too many sets, and nothing is known. Equal answers may be missed. */
bool core_search(const struct columns *, const double *multiplier /* rows */, int *bits /* tensors */);
#endif
