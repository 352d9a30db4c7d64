/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BITSWEEP_RANGE_H
#define BITSWEEP_RANGE_H
#include "../../bench/bitsweep.h"

/* Scale and codes for values up to `limit`; an all-zero tensor (limit 0) gets scale 1. METHODS 1. */
void range_set(struct range *, float limit, bool is_signed);

/* Zeroes grad where the option `ste` says so. */
void straight_through(struct range *, const struct settings *, const float *x, float *grad,
                      size_t padded_count);
/* Whether it will read x. */
bool straight_through_needs_values(const struct settings *);
#endif
