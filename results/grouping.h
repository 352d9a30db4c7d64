/* SPDX-License-Identifier: GPL-3.0-or-later
 * A results file as a table sees it: its runs, which settings tell them apart, and groups of runs that differ
 * in the seed alone. */
#ifndef BITSWEEP_GROUPING_H
#define BITSWEEP_GROUPING_H
#include "../bench/names.h"
#include "store.h"

struct results { struct record *runs, root; size_t count; }; /* from store_read_runs */
bool results_load(const char *path, struct results *, struct error *);
void results_free(struct results *);

/* NULL if the run does not read the key. */
const char *run_setting(const struct record *run, const char *key);
bool run_done(const struct record *run);
/* A number, or the last of a series; "/budgets/achieved/COST": that budget's of a series of one a budget;
 * "/budgets/relative_miss": the largest /budgets/miss as a share of its limit. False if there is none at that path. */
bool run_number(const struct record *run, const char *path, double *value);
/* The costs that some run has a budget of, in order of appearance; names_free() them. */
struct names budget_costs(const struct results *);

/* Keys of all settings of the runs: dataset, model, mode, allocator and budget first, then by name. A key is varying if two
 * of the runs that read it have different values, else constant; seed, and a class_seed that varies as seeds do, stand among
 * the seeds instead. names_free() all three. */
void results_keys(const struct results *, struct names *varying, struct names *constant, struct names *seeds);
/* Of class_seed: whether the value draws an order of the classes, which then differs as results of seeds do. */
bool draws_classes(const char *value);
/* The value that a constant key has. */
const char *constant_value(const struct results *, const char *key);

/* Runs that have the same values of the keys, in order of appearance. */
struct group {
    char *values; /* of the keys, joined */
    const struct record **runs;
    size_t count, done;
};
struct groups { struct group *items; size_t count; };
struct groups group_runs(const struct results *, const struct names *keys);
void groups_free(struct groups *);
#endif
