/* SPDX-License-Identifier: GPL-3.0-or-later
 * From samples to a network's input: layout, and augmentation from its own random stream. */
#ifndef BITSWEEP_BATCHES_H
#define BITSWEEP_BATCHES_H
#include "bitsweep.h"
#include "nn/net.h"
#include "../datasets/standardise.h"

struct batches {
    const struct dataset *dataset;
    struct shape shape;              /* channels last; a flat network: {1, 1, features} */
    bool flat;
    const struct standardisation *standardisation; /* what was done to the samples: augmentation acts on raw values */
    size_t crop_pad;                 /* augmentation: 0 none */
    bool flip;
    float brightness;                /* factor from 1 ± this; 0 none */
    uint64_t seed;
};

/* True if the data set's samples can be augmented as the settings ask for; the error says why not. */
bool batches_check(const struct settings *, const struct dataset *described, struct error *);
/* Whether training samples are augmented. */
bool batches_augment(const struct settings *);
/* Reads the augmentation settings (params in batches.c, part of core_params). */
void batches_begin(struct batches *, const struct settings *, const struct dataset *, const struct net *,
                   const struct standardisation *);
/* Samples first .. first + rows - 1 of the indices, or without indices of the part, into net->input's layout and labels.
 * epoch >= 0: a training batch of that epoch, augmented with draws keyed by (seed, epoch, sample); -1: as they are. */
void batch_take(const struct batches *, const struct part *, const uint32_t *indices, size_t first, size_t rows, long epoch,
                float *input, int32_t *labels);
#endif
