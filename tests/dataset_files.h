/* SPDX-License-Identifier: GPL-3.0-or-later
 * Small data set files for tests, and loading them. */
#ifndef BITSWEEP_TEST_DATASET_FILES_H
#define BITSWEEP_TEST_DATASET_FILES_H
#include "../datasets/datasets.h"
#include <hdf5.h>

/* A temporary folder that is searched first; remove_folder it. */
char *data_folder(void);

/* "key", "value", ..., NULL; settings_free them. */
struct settings settings_of(const char *key, ...);
bool load_dataset(const struct dataset_ops *, const char *name, const char *test_split, struct dataset *,
                  struct error *);
void load_or_fail(const struct dataset_ops *, const char *name, struct dataset *);
/* Loading fails, says `expected` and names the set, and leaves nothing behind. what: for the report. */
void expect_failure(const struct dataset_ops *, const char *name, const char *expected, const char *what);
/* Where the text stands in the set's attributes, or NULL. */
char *attribute_line(const struct dataset *, const char *text);

/* Both free the command. shell_word: the first word that it prints, malloced. */
void run_shell(char *command);
char *shell_word(char *command);

/* The IDX files of FOLDER/mnist with 20 training and 10 test samples. */
#define PIXELS 784
enum { MADE_TRAIN = 20, MADE_TEST = 10 };
extern const char *const idx_names[4];
unsigned char made_pixel(size_t sample, size_t pixel);
unsigned char made_label(size_t sample);
void write_idx(const char *folder, int which, bool zipped, size_t count);
void write_idx_set(const char *folder, bool zipped);

/* FOLDER/NAME.h5, to be closed, and what goes into it; types are those in the file. */
hid_t create_h5(const char *folder, const char *name);
void put_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const double *values);
void put_column(hid_t file, const char *name, hsize_t count, const double *values);
void put_attribute(hid_t file, const char *name, const char *value);
/* 0, step, 2 step, ...; modulus 0: none. Malloced. */
double *count_up(size_t count, double step, double modulus);
/* made.h5 with one feature, x[i] = i, so that a sample says which one of the file it is; y = i % 4, and if
 * users > 0 user = i % users. */
void write_numbered(const char *folder, size_t count, size_t users);
#endif
