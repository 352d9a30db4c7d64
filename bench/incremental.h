/* SPDX-License-Identifier: GPL-3.0-or-later
 * A run whose classes come task by task: what it has beside an ordinary run. METHODS 6. */
#ifndef BITSWEEP_INCREMENTAL_H
#define BITSWEEP_INCREMENTAL_H
#include "class_scores.h"
#include "learner.h"

struct score { double loss, accuracy; }; /* NaN without samples */

struct incremental {
    struct learner learner;
    struct class_scores scores;
    /* Of each task; MAX_TASKS. bops: bit operations a training sample, the networks that only help included. */
    int64_t train_count[MAX_TASKS], exemplars[MAX_TASKS], steps[MAX_TASKS];
    double seconds[MAX_TASKS], bops[MAX_TASKS];
};

/* False, with an error, if the run is incremental and its settings and this data set do not fit. */
bool incremental_check(const struct settings *, const struct dataset *described, struct error *);

/* The data set is loaded and, if users are to be divided anew, divided. */
void incremental_begin(struct incremental *, const struct settings *, struct dataset *, const struct standardisation *,
                       struct arena *);
void incremental_end(struct incremental *);
void incremental_keep(struct incremental *, struct kept *);
/* Bit operations a sample of the forward passes that training the present task needs beside the trained network's own. */
double incremental_extra_bops(const struct incremental *);
/* After a task's training: the strategy's end of it, exemplars, and the heads on the test samples of all classes seen: the
 * classifier's score. */
struct score incremental_finish_task(struct incremental *);
void incremental_record(const struct incremental *, struct record *);
#endif
