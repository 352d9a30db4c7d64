/* SPDX-License-Identifier: GPL-3.0-or-later
 * A layer table: tensors with their sensitivities and costs, to allocate widths to without training. JSON, CSV or a run
 * file; docs/allocate.md describes the forms. */
#ifndef BITSWEEP_LAYER_TABLE_H
#define BITSWEEP_LAYER_TABLE_H
#include "../methods/allocators/problem.h"

/* A cost that the table gives by tensor and width; a budget's context. Between the tensor's widths it is interpolated. */
struct tabled_cost {
    struct cost_ops ops;
    const struct tensor *tensors; /* of the table */
    double *values;               /* tensors × (MOST_WIDTH + 1); NAN where the table has none */
};

/* A cost that a budget on this table can name. */
struct table_cost {
    const struct cost_ops *ops;
    const void *context;
    void *opened;                 /* what ops->close takes, or NULL */
    char *missing;                /* NULL, or a sentence: why it cannot be computed for this table */
};

struct layer_table {
    char *path;
    int count;
    struct tensor *tensors;       /* count; tensors without a layer have one of their own */
    char **names;                 /* count: in full, where tensor.name is cut */
    double *omega;                /* count × (MOST_WIDTH + 1); INFINITY: not allowed */
    struct noise *noise;          /* count; NULL where some sensitivity is given by width */
    struct tabled_cost *tabled;
    int tabled_count;
    struct table_cost *costs;     /* the tabled ones, then the built-in ones that have no namesake among them */
    int cost_count;
    char *note;                   /* what the reader should know, or NULL */
};

/* paper_step: METHODS 3, `noise: paper`; a run file says itself. The error names the place. False: nothing to free. */
bool layer_table_read(const char *path, bool paper_step, struct layer_table *, struct error *);
void layer_table_free(struct layer_table *);

/* False: no such cost, or one that this table cannot price. */
bool layer_table_cost(const struct layer_table *, const char *name, struct budget *, struct error *);
/* COST=AMOUNT as for a run; shares are of the cost at 8 bits. */
bool layer_table_budget(const struct layer_table *, const char *text, struct budget *, struct error *);
/* The amount alone. */
bool layer_table_amount(const struct layer_table *, const struct budget *, const char *amount, double *value,
                        struct error *);
/* The least and the most that the cost can be, tied tensors having equal widths. */
void layer_table_range(const struct layer_table *, const struct budget *, double *least, double *most);
#endif
