/* SPDX-License-Identifier: GPL-3.0-or-later
 * The widths of a saved allocation, as settings of a run. */
#ifndef BITSWEEP_SAVED_BITS_H
#define BITSWEEP_SAVED_BITS_H
#include "bitsweep.h"

/* Reads what `bitsweep allocate` saved, or the final widths of a run file, as the value of `bits`: NAME=WIDTH,...; free()
 * it. *gradients: widths of gradients are among them. */
bool saved_bits(const char *path, char **bits, bool *gradients, struct error *);
#endif
