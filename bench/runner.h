/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs a plan: one child process a run, several at a time, until all are done. */
#ifndef BITSWEEP_RUNNER_H
#define BITSWEEP_RUNNER_H
#include "child.h"

struct run_options {
    const char *results;   /* folder of all sweeps */
    int jobs;              /* workers, at least 1 */
    int threads;           /* of each run, at least 1 */
    double timeout;        /* seconds that a run may take from its start, or from where it is continued; 0: no end */
    double checkpoint;     /* seconds from one checkpoint of a run to the next, 0: one every epoch */
    bool retry;            /* repeat failed runs */
    bool redo_stale;       /* repeat finished runs of another git commit */
    bool quiet;            /* only failures and the summary */
    const char *only;      /* run ids or their unique beginnings joined by ',', or NULL: all */
    const char *command;   /* what the user types to continue */
    train_function *train;
};

/* Returns the exit code: EXIT_DONE, EXIT_SOME_FAILED; EXIT_USAGE or EXIT_TROUBLE with an error when the sweep
 * could not start or go on; 128 + signal when SIGINT, SIGTERM or SIGHUP ended it. Progress and summary go to
 * stderr. The same call again continues what is left, the runs under way from their checkpoints. */
int runner_run(const struct plan *, const struct run_options *, struct error *);
#endif
