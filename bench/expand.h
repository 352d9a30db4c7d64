/* SPDX-License-Identifier: GPL-3.0-or-later
 * Multiplies the blocks of a sweep file out. */
#ifndef BITSWEEP_EXPAND_H
#define BITSWEEP_EXPAND_H
#include "config.h"
#include "plan.h"

/* Appends every combination of every block, in the order of the file, equal ones included, and ahead of each
 * run with init: float the float run it starts from. Fails on a bad value, on an exclusion without effect,
 * and on a key that nothing reads; after an error the plan is still to be freed. */
bool config_expand(struct config *, struct plan *, struct error *);
#endif
