/* SPDX-License-Identifier: GPL-3.0-or-later
 * Learning rate over the steps of a run. */
#ifndef BITSWEEP_SCHEDULE_H
#define BITSWEEP_SCHEDULE_H
#include "../bitsweep.h"

struct schedule {
    enum { SCHEDULE_CONSTANT, SCHEDULE_MULTISTEP, SCHEDULE_COSINE } kind;
    double lr, drop;
    long steps, steps_per_epoch;
    long milestones[MAX_DIMS]; /* epochs */
    size_t milestone_count;
};
void schedule_read(struct schedule *, const struct settings *, long steps, long steps_per_epoch);
/* The learning rate of a step over its initial value: 1, drop^(milestones passed), or ½(1 + cos(π step / steps)). */
double schedule_factor(const struct schedule *, long step);
double schedule_rate(const struct schedule *, long step);
#endif
