/* SPDX-License-Identifier: GPL-3.0-or-later
 * What several test files use. */
#ifndef BITSWEEP_TEST_SUPPORT_H
#define BITSWEEP_TEST_SUPPORT_H
#include "../bench/bitsweep.h"

/* Ends the test as skipped: prints why, and adds a line to the file that $BITSWEEP_SKIP_LOG names, by which the
 * test script counts skips. */
_Noreturn void skip_test(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* PATH below $BITSWEEP_SHARED (default ../shared), free() it; skips the test when that file is absent. */
char *shared_file(const char *path);

/* A new empty folder, removed with everything in it by remove_folder. */
char *temporary_folder(void);
void remove_folder(char *folder); /* also frees the name */

/* The settings that these "key=value" texts make (NULL at the end), defaults included; the data set is synthetic unless one
 * says otherwise. settings_free() them. */
struct settings make_settings(const char *first, ...) __attribute__((sentinel));

/* Writes a text file in the folder; returns its path, free() it. */
char *write_file(const char *folder, const char *name, const char *text);
/* FOLDER/NAME, free() it. */
char *file_in(const char *folder, const char *name);
/* A file's bytes with a '\0' behind them, free() them; the test fails when it cannot be read. */
char *read_bytes(const char *path, size_t *size);

/* Equal to six digits. */
void expect_near(double value, double expected);

struct record; /* results/record.h */
/* What the first record holds outside /timing and /provenance, the second holds bit for bit. Returns how many fields. */
size_t expect_content_of(const struct record *, const struct record *);
/* The same both ways. */
size_t expect_same_content(const struct record *, const struct record *);

struct plan; /* bench/plan.h */
/* The plan of a sweep called "tested.sweep" with this text and options up to a NULL (or NULL: none). */
struct plan plan_of(const char *text, const char *const *options);
#define OPTIONS(...) (const char *const[]){__VA_ARGS__, NULL}
#endif
