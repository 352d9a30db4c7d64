/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the data-set files share: finding, reading and checking files, and writing a set out. */
#ifndef BITSWEEP_DATASETS_H
#define BITSWEEP_DATASETS_H
#include "../bench/bitsweep.h"

extern const struct dataset_ops dataset_fashion_mnist, dataset_mnist, dataset_cifar10, dataset_cifar100,
    dataset_hdf5, dataset_synthetic, dataset_dsads, dataset_hapt, dataset_uci_har, dataset_pamap2, dataset_wisdm;

/* ---- find.c ---- */

/* The folders searched, in order; NULL past the end: $BITSWEEP_DATA if set, datasets/data below the current
 * folder, /usr/share/datasets. */
const char *dataset_place(size_t index);
/* The first existing PLACE/relative, malloced, or NULL. */
char *dataset_find(const char *relative);
/* The first of these folders (NULL-terminated) in the first place that has one, malloced; or NULL, and the
 * error names folders and places. */
char *dataset_find_folder(const char *const *names, struct error *);
/* The places as a phrase for messages, malloced. */
char *dataset_search_places(void);
/* The NAMEs of all files NAME.h5 in the places, sorted, each once; returns their number. Free each
 * name and the list. */
size_t dataset_files(char ***names);
/* Ends a failed reading: the error also names the set and, unless help is NULL, says how to have good files (`data fetch`
 * where there is a provider, or `help`); what was read is freed. Returns false. */
bool dataset_fail(struct dataset *, const char *name, const char *help, struct error *);

/* ---- bytes.c ---- */

struct bytes { unsigned char *data; size_t size; };
/* The whole file. The error names it. */
bool bytes_read(const char *path, struct bytes *, struct error *);
bool bytes_are_gzip(const struct bytes *);
/* The first `limit` bytes of what a gzip file holds, or all if there are fewer: then its checksum is verified
 * and nothing may follow. The error names `path`. */
bool bytes_inflate(const struct bytes *packed, size_t limit, const char *path, struct bytes *out,
                   struct error *);
void bytes_free(struct bytes *);
/* 8-bit pixels as 0..1. */
void bytes_scale(const unsigned char *pixels, size_t count, float *out);

/* ---- whole_numbers.c ---- */

/* The distinct values in rising order; returns their number, *sorted is malloced. */
size_t distinct_values(const int64_t *values, size_t count, int64_t **sorted);
/* Where value stands in a sorted list that holds it. */
size_t value_index(const int64_t *sorted, size_t count, int64_t value);
/* "0 1 2 7", malloced. */
char *value_list(const int64_t *values, size_t count);

/* ---- convert.c ---- */

/* Writes a loaded set to a new file in the generic HDF5 layout, atomically. */
bool dataset_write(const char *path, const struct dataset *, struct error *);
#endif
