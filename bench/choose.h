/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which runs of a plan one call of `bitsweep run` is about. */
#ifndef BITSWEEP_CHOOSE_H
#define BITSWEEP_CHOOSE_H
#include "folder.h"
#include "runner.h"

/* Marks the runs that the options ask for, with those that they start from, and puts those to repeat back to
 * RUN_TO_DO. False: an id that is unknown or not unique. results: plan->count, scanned. */
bool choose_runs(const struct plan *, const struct run_options *, struct run_result *results, struct error *);
#endif
