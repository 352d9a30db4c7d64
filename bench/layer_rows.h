/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the readers of layer tables hand over: one row a tensor, each field as text, so that all forms mean the same. */
#ifndef BITSWEEP_LAYER_ROWS_H
#define BITSWEEP_LAYER_ROWS_H
#include "bitsweep.h"
#include "layer_table.h"

struct layer_row {
    char *place;                      /* "table.csv:4", "table.json: tensor 3 (c0)" */
    char *name, *layer, *group;       /* NULL: not given, as NAN and -1 below */
    int kind, is_signed;
    double elements, macs, trace, range;
    uint64_t choices;                 /* 0: not given */
    bool uncounted;                   /* outside the means over tensors; no field of a table */
    double omega[MOST_WIDTH + 1];     /* NAN: not given */
    struct row_cost { char *name; double values[MOST_WIDTH + 1]; } *costs;
    size_t cost_count;
};
struct layer_rows { struct layer_row *items; size_t count, capacity; char *note; /* lines, or NULL */ };

/* Takes the place over. */
struct layer_row *layer_rows_add(struct layer_rows *, char *place);
void layer_rows_free(struct layer_rows *);
/* Something that the reader should know. */
void layer_rows_note(struct layer_rows *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets a field of one value (name, elements, ...); choices are joined by '-': 2-4-8. */
bool layer_row_set(struct layer_row *, const char *field, const char *text, struct error *);
/* Sets omega, or a cost if that is named, at a width. */
bool layer_row_set_width(struct layer_row *, const char *cost, const char *width, const char *text, struct error *);
/* Whether there is a field of that name, omega and costs among them; else fails with those that there are. */
bool layer_row_known(const char *place, const char *field, struct error *);

/* Whether the largest sum of values by tensor and width is a number: solvers add them up. */
bool layer_table_sum_is_finite(const struct layer_table *, const double *values, const char *what, struct error *);
/* The table's part that is about costs (layer_costs.c): its own from the rows, and which built-in ones can be computed. */
bool layer_table_add_costs(struct layer_table *, struct layer_rows *, struct error *);
void layer_table_free_costs(struct layer_table *);

/* A file's content with a '\0' behind it, free() it; NULL: errno tells why. Whether it is that of an HDF5 file. */
char *read_table_file(const char *path, size_t *size);
bool is_run_file(const char *content, size_t size);

/* Readers: text is the file's content with a '\0' behind it. */
bool layer_rows_of_json(const char *path, const char *text, struct layer_rows *, struct error *);
bool layer_rows_of_csv(const char *path, const char *text, struct layer_rows *, struct error *);
/* A run file; *paper_step as the run had it. */
bool layer_rows_of_run(const char *path, struct layer_rows *, bool *paper_step, struct error *);
#endif
