/* SPDX-License-Identifier: GPL-3.0-or-later
 * The run files of a sweep into one file. */
#ifndef BITSWEEP_COLLECT_H
#define BITSWEEP_COLLECT_H
#include "../bench/plan.h"

struct collect_counts { size_t done, failed, missing, damaged, skipped; };

/* Writes RESULTS/NAME.h5 from the files in RESULTS/NAME/runs that belong to the plan, in its order; *path is
 * malloced. Damaged run files are left out with a warning on stderr. False if no run could be collected. */
bool collect_runs(const struct plan *, const char *results, char **path, struct collect_counts *,
                  struct error *);
#endif
