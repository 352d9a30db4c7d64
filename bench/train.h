/* SPDX-License-Identifier: GPL-3.0-or-later
 * One run from settings to record. */
#ifndef BITSWEEP_TRAIN_H
#define BITSWEEP_TRAIN_H
#include "../results/record.h"

/* Where a run stands; the runner's child writes it for the parent's progress display. */
struct progress_report { long step, steps; int epoch, epochs; double loss, train_accuracy; };

struct train_hooks {
    void (*progress)(void *context, const struct progress_report *); /* at most a few times a second */
    void *context;
    /* NULL, or the record of the finished float run to start from (init: float). */
    const struct record *initial;
};

/* Trains and fills everything but /settings, /provenance's host part and /timing's process part, which the
 * runner adds. Sets /status to "done" or "diverged". False: an error before training (data set, check). */
bool train_run(const struct settings *, const struct train_hooks *, struct record *, struct error *);
#endif
