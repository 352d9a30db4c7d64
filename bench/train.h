/* SPDX-License-Identifier: GPL-3.0-or-later
 * One run from settings to record. */
#ifndef BITSWEEP_TRAIN_H
#define BITSWEEP_TRAIN_H
#include "../results/record.h"
#include "checkpoint.h"

/* Where a run stands; the runner's child writes it for the parent's progress display. */
struct progress_report { long step, steps; int epoch, epochs; double loss, train_accuracy; };

struct train_hooks {
    void (*progress)(void *context, const struct progress_report *); /* at most a few times a second */
    /* NULL, or asked after every step: shall the run end here, to be continued later? */
    bool (*stopping)(void *context);
    void *context;
    /* NULL, or the record of the finished float run to start from (init: float). */
    const struct record *initial;
    /* NULL, or where the run keeps its state and goes on from it. A state that cannot be used is a warning on stderr. */
    const struct checkpoint *checkpoint;
};

/* Trains and fills everything but /settings, /provenance's host part and /timing's process part, which the
 * runner adds to. Sets /status to "done", "diverged", or "stopped": then hooks->stopping said so and nothing else is filled.
 * A run that goes on from a checkpoint has the same content as one that was never interrupted; /timing adds up.
 * False: an error before training (data set, check). */
bool train_run(const struct settings *, const struct train_hooks *, struct record *, struct error *);
#endif
