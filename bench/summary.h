/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a sweep stands: counts, failures and skips, for the end of `run` and for `status`. */
#ifndef BITSWEEP_SUMMARY_H
#define BITSWEEP_SUMMARY_H
#include "folder.h"
#include "progress.h"

/* Of the chosen runs; all: without the skipped ones; resumable: those to do that a checkpoint continues. */
struct tally { size_t of[RUN_STATES], all, resumable; };
struct tally tally_runs(const struct plan *, const struct run_result *);

/* Why the run failed: from the result, else from its file; free() it. */
char *failure_message(const char *folder, const struct run *, const struct run_result *);
/* The run's log, or NULL if it has none; free() it. */
char *failure_log(const char *folder, const struct run *);

/* A line for each of the first `limit` failed runs: id, settings, status, message, log. */
void print_failures(FILE *, const char *folder, const struct plan *, const struct run_result *,
                    const struct labels *, size_t limit);
/* A line for each reason, with the number of runs skipped for it. */
void print_skips(FILE *, const struct plan *, const struct run_result *);
#endif
