/* SPDX-License-Identifier: GPL-3.0-or-later
 * What allocators share: the uniform allocation, and the sensitivity of a tensor. */
#ifndef BITSWEEP_ALLOCATION_H
#define BITSWEEP_ALLOCATION_H
#include "problem.h"

/* The parameters that every allocator with budgets reads. */
#define ALLOCATION_PARAMS \
    &param_budget, &param_min_bits, &param_max_bits, &param_allocate, &param_pin, &param_limits, &param_tie

/* The largest width that all tensors can have within the budgets (each at its allowed width nearest below, ties kept); kinds
 * of tensors that neither a budget nor a tie has in common are treated apart. The bits left over go one each to the tensors
 * where one more is cheapest, ties in network order. False: not even the least widths fit. METHODS 4. */
bool uniform_bits(const struct tensor *, int count, const struct budget *, int budget_count, float *bits /* count */);

/* Gives a tensor, and those tied to it, a width. */
void set_tied(const struct tensor *, int count, int index, float width, float *bits /* count */);
/* The widths that a tensor and those tied to it all allow, as in tensor.choices. */
uint64_t tied_choices(const struct tensor *, int count, int index);

/* Variance of the rounding error of a uniform quantiser with range `limit`: D²/12, D = 2m/(2^b-2) signed, m/(2^b-1)
 * unsigned; with paper_step D = r/(2^b-1) for both, r = 2m or m. METHODS 3. */
double noise_variance(double bits, double limit, bool is_signed, bool paper_step);
/* The same times a trace, as a function of real widths; and its value at one. */
struct noise noise_of(double trace, double limit, bool is_signed, bool paper_step);
double noise_at(struct noise, double bits);

/* NULL or why these settings' widths cannot be served. */
const char *check_widths(const struct settings *);
#endif
