/* SPDX-License-Identifier: GPL-3.0-or-later
 * A thin reader over HDF5, for run files, data sets and reference files. */
#ifndef BITSWEEP_H5_H
#define BITSWEEP_H5_H
#include "record.h"

struct h5;
/* NULL and an error (absent, not HDF5, truncated) naming the file. HDF5's own error stack is never printed. */
struct h5 *h5_open(const char *path, struct error *);
void h5_close(struct h5 *);

/* Names of the links in a group in name order; *names is malloced, free each and it. 0 if absent. */
size_t h5_children(struct h5 *, const char *group, char ***names);
/* Rank and shape (at most 4) of a data set; false if there is none at that path. */
bool h5_shape(struct h5 *, const char *path, int *rank, size_t shape[4]);
/* Whether a data set holds unsigned 8-bit numbers, as images do. */
bool h5_is_byte(struct h5 *, const char *path);
/* The whole data set, converted from any numeric type to F64, F32 or I64. False: absent or not numeric (error names file
 * and path). out holds the product of the shape. */
bool h5_read(struct h5 *, const char *path, enum record_type, void *out, struct error *);
/* Scalar attributes of a group or data set; false if absent. Text: malloced. */
bool h5_attribute_real(struct h5 *, const char *path, const char *name, double *value);
bool h5_attribute_text(struct h5 *, const char *path, const char *name, char **value);
/* All scalar attributes of an object as "key=value\n" lines in name order; malloced, "" if none. */
char *h5_attribute_lines(struct h5 *, const char *path);
#endif
