/* SPDX-License-Identifier: GPL-3.0-or-later
 * The peak memory of a run, before it starts. */
#ifndef BITSWEEP_MEMORY_H
#define BITSWEEP_MEMORY_H
#include "bitsweep.h"

/* Bytes: the network is laid out as for the run, without touching its memory, and added up with the data set. 0 when the
 * model cannot take the data set. */
double run_memory(const struct settings *, const struct dataset *described);
#endif
