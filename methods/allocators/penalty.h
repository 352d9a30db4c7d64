/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the allocators that learn widths by gradient share: budgets as penalties in bits, and widths under ties. */
#ifndef BITSWEEP_PENALTY_H
#define BITSWEEP_PENALTY_H
#include "allocation.h"
#include "../../bench/budgets.h"

struct penalty {
    const struct allocation *allocation;
    double bits_per_unit[MAX_BUDGETS];  /* of each budget's cost: so that all at REFERENCE_BITS cost that many */
};
void penalty_begin(struct penalty *, const struct allocation *);

/* Price of widths (count, may be fractional) minus the limit, in bits; for mean_bits the plain difference. */
double penalty_excess(const struct penalty *, int budget, const float *bits);
/* Adds weight × d(price in bits)/d(width) of every tensor to slope (count): central differences, exact where the price is
 * linear in each width; where it has a kink, between its slopes. bits are changed and restored. */
void penalty_slope(const struct penalty *, int budget, double weight, float *bits, double *slope);

/* Of each tensor the first one of its group (itself where it is in none): owner (count). And at these the widths that the
 * whole group allows: choices (count). */
void find_ties(const struct tensor *, int count, int *owner, uint64_t *choices);
/* The least width allowed that is not below this one; the largest where there is none. choices is not empty; width at most
 * MOST_WIDTH + 1. */
int allowed_from(uint64_t choices, int width);

/* check of such an allocator: NULL or why these settings' widths cannot be learned. */
const char *check_learned_widths(const struct settings *);
#endif
