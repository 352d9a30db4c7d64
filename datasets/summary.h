/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a data set holds, for people and as JSON. */
#ifndef BITSWEEP_DATASET_SUMMARY_H
#define BITSWEEP_DATASET_SUMMARY_H
#include "../bench/bitsweep.h"

struct cJSON;

/* "1x28x28", malloced. */
char *dataset_shape_text(const struct dataset *);
/* The value of a line of its attributes, malloced; NULL if there is none. */
char *dataset_attribute(const struct dataset *, const char *key);
/* Name, path, checksum, shape, classes, counts. */
struct cJSON *dataset_description_json(const struct dataset *);

/* Of a loaded set: the same, range, samples per class and user, attributes. */
struct cJSON *dataset_summary_json(const struct dataset *);
void dataset_print_summary(const struct dataset *);
/* A line on stderr for each class that lacks training or test samples. */
void dataset_warn_of_gaps(const struct dataset *);
#endif
