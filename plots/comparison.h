/* SPDX-License-Identifier: GPL-3.0-or-later
 * Finished runs compared in one figure: groups, mostly a data set each, and in them series of runs that are equal in
 * everything but the seed and the setting along the axis. Nothing else is averaged over. */
#ifndef BITSWEEP_COMPARISON_H
#define BITSWEEP_COMPARISON_H
#include "plots.h"
#include "../results/stats.h"

/* The runs of a series at one value of the setting along the axis, which is "" for those that do not read it. */
struct stack { const char *at; const struct record **runs; size_t count; };

struct series {
    char *head;              /* of the incremental runs: "cnn", "nme"; "" where heads are not told apart */
    char *name, *variant;    /* "icarl, nme", "" offline; "FP32", "hfqt, 4 bits" */
    struct stack *stacks;    /* in the order of compare_budgets */
    size_t count;
    char *signature, *limits; /* while grouping */
};

struct group {
    char *name, *title;      /* part of file names, "" if there is only one group; "dsads_features, dense" */
    struct series *series;   /* references first */
    size_t count;
    char *signature;
};

/* The settings that no group mixes; titles tell the first BASE_KEYS by their values alone. */
#define PROTOCOL "dataset", "model", "scenario", "init_classes", "increment"
enum { BASE_KEYS = 3 };

/* What a figure compares. */
struct comparing {
    const char *const *keys; /* settings of which each combination makes a group, PROTOCOL first; then NULL */
    const char *along;       /* setting along the axis, or NULL */
    bool by_head;            /* a series for each head that the run reports */
    bool (*shows)(const struct record *run);
    const char *absent;      /* why it cannot show the others */
};

struct comparison { struct group *groups; size_t count; };

/* Counts the runs that the figure cannot show on standard error. */
void tell_absent(const struct figure *, const struct charts *, const struct comparing *);
struct comparison compare_runs(const struct charts *, const struct comparing *);
void comparison_free(struct comparison *);

/* "MEAN over 5 to 20 seeds", "one seed": of so many groups. free() it. */
char *describe_seeds(const struct group *groups, size_t count, const char *mean);
/* "mean ± standard error over ..." behind the name that all series have, if they do: "icarl, cnn, ...". free() it. */
char *describe_series(const struct group *groups, size_t count);
/* Elements of a run's field of float64, or NULL with an error. `count` elements unless it is 0, which it is then set to. */
const double *run_reals(const struct record *, const char *path, size_t *count, struct error *);
#endif
