/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the two kinds of table share: rows of means over seeds, and rows of runs. */
#ifndef BITSWEEP_TABLE_H
#define BITSWEEP_TABLE_H
#include "../results/grouping.h"
#include "cli.h"
#include "grid.h"

/* A column of numbers; text and latex print value * factor in this format. */
struct metric {
    const char *name, *header, *path;
    double factor;
    const char *format;
    bool spread;
    bool if_any;                    /* of those shown by default: only where some run has it */
};

struct table {
    struct results results;
    struct names varying, constant, seeds; /* keys of settings */
    struct names keys;              /* those that the rows show */
    struct metric *metrics;
    size_t metric_count;
    struct metric *budgets;         /* limit, achieved and miss of each cost, where budgets are on other costs than
                                       mean_bits */
    size_t budget_count;
};

char *metric_text(const struct metric *, double value); /* free() it */
/* Words stand at the left of their column, numbers (budgets that are mean widths) at the right. */
bool key_is_words(const struct table *, const char *key);

/* table_groups.c */
struct grid group_grid(const struct table *, const struct groups *);
void print_groups_csv(const struct table *, const struct groups *);
struct cJSON *json_groups(const struct table *, const struct groups *);

/* table_runs.c */
struct grid run_grid(const struct table *);
void print_runs_csv(const struct table *);
struct cJSON *json_runs(const struct table *);
/* The path of the numeric column of that name in --per-run; NULL if there is none. */
const char *run_column_path(const char *name);
void names_of_run_columns(struct names *); /* the numeric ones */
#endif
