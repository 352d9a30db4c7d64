/* SPDX-License-Identifier: GPL-3.0-or-later
 * Statistics over the seeds of one setting. */
#ifndef BITSWEEP_STATS_H
#define BITSWEEP_STATS_H
#include <stddef.h>

struct summary {
    size_t count;
    double mean;      /* NAN if count is 0 */
    double deviation; /* sample standard deviation (count - 1); NAN if count < 2, as are the next two */
    double error;     /* standard error of the mean */
    double interval;  /* half the width of the 95 % confidence interval of the mean (Student t) */
};
struct summary summarise(const double *values, size_t count);

/* The value that |t| stays below with probability 0.95 at `freedom` >= 1 degrees of freedom. */
double student_t95(size_t freedom);
#endif
