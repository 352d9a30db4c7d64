/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sweep file -> sorted list of runs. */
#ifndef BITSWEEP_PLAN_H
#define BITSWEEP_PLAN_H
#include "bitsweep.h"

#define RUN_ID_LENGTH 16

struct run {
    char id[RUN_ID_LENGTH + 1];  /* first hex digits of SHA-256 of `canonical` */
    struct settings settings;
    char *canonical;             /* "key=value\n" sorted by key; dataset.sha256, plugin versions included */
    const char *skip;            /* why it cannot run, or NULL */
    int depends;                 /* index of the run whose stored weights it starts from, or -1 */
};

struct described; /* bench/identity.h */

struct plan {
    char *name;                  /* the sweep file's base name without extension */
    char *path;
    struct run *runs;            /* seed-major; a run stands after the one it depends on */
    size_t count;
    struct described *described; /* the data sets of the runs, without samples */
};

/* overrides: "key=value" strings of -s options. Errors carry file:line:column. */
bool plan_load(const char *path, const char *const *overrides, size_t override_count,
               struct plan *, struct error *);
void plan_free(struct plan *);

/* Expected seconds of one run on one core, bytes of its run file, and bytes of memory at its peak. `measured` becomes true
 * when the seconds come from finished runs of the same data set, model, mode and batch below results ("results"), in this
 * sweep's folder. All 0 for a run that cannot run. */
struct estimate { double seconds, bytes, memory; bool measured; };
void plan_estimate(const struct plan *, const char *results, struct estimate *out /* count */);
#endif
