/* SPDX-License-Identifier: GPL-3.0-or-later
 * Tables of measured latencies: what one row is about. `bitsweep bench kernels --write-latency` writes them, the cost
 * latency_ms reads them; docs/costs.md has the file's form. */
#ifndef BITSWEEP_LATENCY_H
#define BITSWEEP_LATENCY_H
#include "../../bench/bitsweep.h"

enum latency_kind { LATENCY_DENSE, LATENCY_CONVOLUTION, LATENCY_DEPTHWISE, LATENCY_KINDS };
extern const char *const latency_kind_names[LATENCY_KINDS]; /* "dense", "convolution", "depthwise" */

/* Kernels are square, or lie along the width where the height is 1. */
enum { SHAPE_IN_H, SHAPE_IN_W, SHAPE_IN_C, SHAPE_OUT_C, SHAPE_KERNEL, SHAPE_STRIDE, SHAPE_SIZES };
struct latency_shape { enum latency_kind kind; double sizes[SHAPE_SIZES]; };
struct latency_shape latency_shape(const struct geometry *);
bool latency_shapes_equal(const struct latency_shape *, const struct latency_shape *);

/* The columns of the file, NULL at the end. */
extern const char *const latency_columns[];

struct latency_row { int shape; double w, a, milliseconds; };
struct latency_table {
    struct latency_shape *shapes;  /* all different */
    struct latency_row *rows;
    int shape_count, row_count;
};
/* Reads the table that a setting names: PATH or PATH#CHECKSUM. */
bool latency_table_read(const char *setting, struct latency_table *, struct error *);
void latency_table_free(struct latency_table *);

/* The shape of this kind that is nearest, by the sum of the squared logarithms of its sizes' ratios (the first of equals; 0
 * if it is there); -1: the kind is missing. *factor: multiply-accumulates of the layer over those of that shape, both with
 * the padding that keeps a size. */
int latency_nearest(const struct latency_table *, const struct latency_shape *, double *factor);
/* Milliseconds of a shape of the table: the fastest of the measured widths that hold these, as narrow codes can be computed
 * like wider ones; where none does, the slowest measured. So it never falls as widths grow. */
double latency_at(const struct latency_table *, int shape, double w, double a);
#endif
