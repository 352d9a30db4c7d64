/* SPDX-License-Identifier: GPL-3.0-or-later
 * Whole users for training, the others for testing. */
#ifndef BITSWEEP_USERS_H
#define BITSWEEP_USERS_H
#include "../bench/bitsweep.h"

/* A param: share of the samples (of the users, where the set names them) that are kept for testing. when: its `used`; a set
 * with a test part of its own reads it only if the test users are drawn anew. */
#define TEST_SPLIT(when)                                                                                               \
    {.name = "test_split", .type = PARAM_REAL, .fallback = "0.2", .min = 0.01, .max = 0.9, .used = (when),             \
     .source = "ours",                                                                                                 \
     .help = "Share of the samples (of the users, where the set names them) kept for testing: the same in every run, " \
             "or in an incremental one drawn anew for each seed (test_users). Published: 0.2 of the users."}

/* Whether the run draws its test users by its seed if its set names users (test_users: auto or seed). Safe to ask while the
 * settings are being read. */
bool draws_test_users(const struct settings *);

/* Which of `count` distinct users test: ceil((1 - share) × count) train, at least one, and at least one tests; drawn with
 * (seed, STREAM_SPLIT). *chosen in rising order, malloced; returns their number. */
size_t choose_test_users(const int64_t *users, size_t count, double share, uint64_t seed, int64_t **chosen);

bool is_among(const int64_t *values, size_t count, int64_t value);

/* Pools both parts of a loaded set and divides them anew by choose_test_users. Samples keep the order that they have,
 * training part first. An attribute line "test_users=..." says who tests. False: the set names no users, or only one. */
bool split_users(struct dataset *, double share, uint64_t seed, struct error *);
#endif
