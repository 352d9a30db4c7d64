/* SPDX-License-Identifier: GPL-3.0-or-later
 * What allocators share: meeting a budget, the uniform allocation, and the sensitivity of a tensor. */
#ifndef BITSWEEP_ALLOCATION_H
#define BITSWEEP_ALLOCATION_H
#include "../../bench/bitsweep.h"

/* cost <= budget, but for the rounding of a sum of shares. */
bool fits(double cost, double budget);

/* The largest width that all tensors can have within the budget (clamped to each tensor's lo .. hi); the bits left over go
 * one each to the tensors where one more is cheapest, ties in network order. False: not even lo fits. METHODS 4. */
bool uniform_bits(const struct tensor *, int count, const struct cost_ops *, double budget, float *bits /* count */);

/* Variance of the rounding error of a uniform quantiser with range `limit`: D²/12, D = 2m/(2^b-2) signed, m/(2^b-1) unsigned;
 * with paper_step D = r/(2^b-1) for both, r = 2m or m. METHODS 3. */
double noise_variance(double bits, double limit, bool is_signed, bool paper_step);

/* NULL or why these settings' budget and widths cannot be served. */
const char *check_widths(const struct settings *);
#endif
