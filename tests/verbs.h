/* SPDX-License-Identifier: GPL-3.0-or-later
 * Verbs of bitsweep run in the test's own process. */
#ifndef BITSWEEP_TEST_VERBS_H
#define BITSWEEP_TEST_VERBS_H
#include "../bench/cli.h"

/* What a verb returned and wrote to standard output and standard error. */
struct outcome { int code; char *out, *errors; };

/* arguments: separated by single spaces. */
struct outcome run_verb(const struct command *, const char *arguments);
void outcome_free(struct outcome *);

/* The verb must succeed; what it wrote to standard output, free() it. */
char *output_of(const struct command *, const char *arguments);
void expect_output(const struct command *, const char *arguments, const char *expected);
/* The verb must end with this exit code, say these words on standard error and nothing on standard output. */
void expect_trouble(const struct command *, const char *arguments, int code, const char *words);
#endif
