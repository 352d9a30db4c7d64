/* SPDX-License-Identifier: GPL-3.0-or-later
 * Widths that the settings give one by one. */
#ifndef BITSWEEP_FIXED_H
#define BITSWEEP_FIXED_H
#include "../../bench/bitsweep.h"

/* True if the run reads no `bits`, or they name every tensor of its network, nothing else, and widths that the tensors may
 * have. (used by the plan) */
bool fixed_check(const struct settings *, const struct dataset *described, struct error *);
#endif
