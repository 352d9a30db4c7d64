/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which training samples are kept for validation. */
#ifndef BITSWEEP_SPLIT_H
#define BITSWEEP_SPLIT_H
#include "../bench/bitsweep.h"

/* Indices into dataset->train, rising; together each of the samples used once. */
struct split {
    uint32_t *train, *validation;
    size_t train_count, validation_count;
};

/* The training samples that a run uses, its validation part among them: the first of the set, as many as the setting
 * `subset` says (its param is in split.c, part of core_params). */
size_t subset_count(const struct settings *, const struct dataset *described);
/* False, with an error, if the set has fewer. */
bool subset_check(const struct settings *, const struct dataset *described, struct error *);

/* The setting `validation`, which incremental runs do not read: 0. */
double validation_share(const struct settings *);

/* Of the first `count` training samples keeps round(validation × count) for validation, chosen by (seed, STREAM_SPLIT)
 * alone; at least one sample stays for training. */
void dataset_split(size_t count, double validation, uint64_t seed, struct split *);
void split_free(struct split *);
#endif
