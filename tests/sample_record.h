/* SPDX-License-Identifier: GPL-3.0-or-later
 * A record with everything that a file can hold, for the tests of the store. */
#ifndef BITSWEEP_TEST_SAMPLE_RECORD_H
#define BITSWEEP_TEST_SAMPLE_RECORD_H
#include "../results/record.h"

/* A field of every type and rank, with values at the edges. */
struct record sample_record(void);
/* Larger than what stands in headers. */
void add_large(struct record *);
void expect_equal(const struct record *, const struct record *);
/* The file holds what the record does. */
void expect_stored(const char *path, const struct record *);
void must_write(const char *path, const struct record *);
#endif
