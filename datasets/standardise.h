/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mean 0 and deviation 1 per channel, or values from 0 to 1, measured on the training samples alone. */
#ifndef BITSWEEP_STANDARDISE_H
#define BITSWEEP_STANDARDISE_H
#include "../bench/bitsweep.h"

struct standardisation {
    size_t channels;   /* shape[0]: of a feature vector every feature, else the channels */
    double *mean;      /* channels: what is subtracted; by standardise_range the smallest value */
    double *deviation; /* channels: what divides; of the population (divided by n), or largest minus smallest; 1 where a channel
                          is constant */
};

/* Over the training samples with these indices. */
void standardise_measure(const struct dataset *, const uint32_t *indices, size_t count,
                         struct standardisation *);
/* So that these samples' values go from 0 to 1. */
void standardise_range(const struct dataset *, const uint32_t *indices, size_t count, struct standardisation *);
/* x = (x - mean) / deviation, in place, in the training and the test part. */
void standardise_apply(const struct standardisation *, struct dataset *);
void standardise_free(struct standardisation *);
#endif
