/* SPDX-License-Identifier: GPL-3.0-or-later
 * A run's results in memory: named, typed arrays on HDF5-like paths. Training fills one, the
 * store writes it; neither knows the other. */
#ifndef BITSWEEP_RECORD_H
#define BITSWEEP_RECORD_H
#include "../bench/bitsweep.h"

enum record_type { RECORD_F64, RECORD_F32, RECORD_I64, RECORD_I8, RECORD_TEXT };

struct field {
    char *path;                /* "/metrics/test_accuracy" */
    enum record_type type;
    int rank;                  /* 0 scalar .. 3 */
    size_t shape[3];
    void *data;                /* RECORD_TEXT: char *[count] */
    char *unit, *meaning;      /* attributes units and long_name; "" if none */
};
struct record { struct field *fields; size_t count, capacity; };

/* Copies data. An existing path is replaced. shape: rank entries. */
void record_put(struct record *, const char *path, enum record_type, int rank, const size_t *shape,
                const void *data, const char *unit, const char *meaning);
void record_real(struct record *, const char *path, double, const char *unit, const char *meaning);
void record_int(struct record *, const char *path, int64_t, const char *unit, const char *meaning);
void record_text(struct record *, const char *path, const char *, const char *meaning);
const struct field *record_find(const struct record *, const char *path); /* NULL if absent */
double record_get_real(const struct record *, const char *path, double if_absent);
const char *record_get_text(const struct record *, const char *path, const char *if_absent);
size_t field_count(const struct field *);      /* elements */
size_t record_type_size(enum record_type);
void record_free(struct record *);
#endif
