/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BITSWEEP_CLOCK_H
#define BITSWEEP_CLOCK_H
#include <time.h>

/* Monotonic seconds. */
static inline double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif
