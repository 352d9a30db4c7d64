/* SPDX-License-Identifier: GPL-3.0-or-later
 * Making the files of sensor sets, and loading them. */
#ifndef BITSWEEP_TEST_SENSOR_SUPPORT_H
#define BITSWEEP_TEST_SENSOR_SUPPORT_H
#include "dataset_files.h"
#include <stdio.h>

/* Opens FOLDER/PATH to be written, with the folders above it. */
FILE *create_file(const char *folder, const char *path);
void put_file(const char *folder, const char *path, const char *text);
/* A normally distributed value for each column below 100 of each row. */
double made_value(int key, size_t row, size_t column);

/* keys: "key=value", ..., NULL; or NULL. */
bool read_set(const char *name, bool samples, const char *const *keys, struct dataset *, struct error *);
/* Loads, and checks that the description says the same. */
void load_set(const char *name, const char *const *keys, struct dataset *);
/* Loading fails and says `expected`; where the files are at fault it says how to get good ones, and only there. */
void expect_bad_files(const char *name, const char *const *keys, const char *expected);
void expect_bad_settings(const char *name, const char *const *keys, const char *expected);

void expect_attribute(const struct dataset *, const char *line);
/* files: words of a shell, below the folder. */
void expect_checksum(const struct dataset *, const char *folder, const char *files);
/* Samples of the class in both parts. */
size_t count_class(const struct dataset *, int class_number);
#endif
