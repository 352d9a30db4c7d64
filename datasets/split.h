/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which training samples are kept for validation. */
#ifndef BITSWEEP_SPLIT_H
#define BITSWEEP_SPLIT_H
#include "../bench/bitsweep.h"

/* Indices into dataset->train, rising; together every sample once. */
struct split {
    uint32_t *train, *validation;
    size_t train_count, validation_count;
};

/* Keeps round(validation × samples) for validation, chosen by (seed, STREAM_SPLIT) alone; at least one sample
 * stays for training. */
void dataset_split(const struct dataset *, double validation, uint64_t seed, struct split *);
void split_free(struct split *);
#endif
