/* SPDX-License-Identifier: GPL-3.0-or-later
 * The continuous relaxation of bit allocation. */
#ifndef BITSWEEP_WATERFILL_H
#define BITSWEEP_WATERFILL_H
#include <stdbool.h>

/* Minimises sum c_i / (2^b_i - k_i)^2, k = 2 signed and 1 unsigned, subject to sum weight_i b_i <= budget and
 * lo_i <= b_i <= hi_i; all arrays have `count` entries. c_i = T_i r_i^2 / 12 makes this the sensitivity of
 * uniform quantisers. Fills bits and returns the minimum, a lower bound of the same problem in whole bits. A
 * budget below the cost of all lo gives INFINITY and bits = lo. Tensors whose bits gain nothing (c = 0) stay
 * at lo; those that cost nothing (weight = 0) get hi. c >= 0, weight >= 0, lo > 0 (signed: > 1). */
double waterfill(const double *c, const double *weight, const bool *is_signed, const double *lo,
                 const double *hi, int count, double budget, double *bits);
#endif
