/* SPDX-License-Identifier: GPL-3.0-or-later
 * The memory of an incremental run: which training samples of each class are kept, in the order of their choice.
 * METHODS 6. */
#ifndef BITSWEEP_EXEMPLARS_H
#define BITSWEEP_EXEMPLARS_H
#include "checkpoint.h"

/* Read by runs whose strategy keeps exemplars. */
extern const struct param param_memory, param_memory_of, param_exemplars;

struct exemplars {
    size_t classes, capacity;      /* of all: capacity per class */
    size_t *count;                 /* classes */
    uint32_t *samples;             /* classes × capacity: indices into the training part */
};

/* strategy_ops.check of strategies that keep exemplars: NULL, or that the memory is 0. */
const char *exemplars_check(const struct settings *);

/* How many of a class may be kept once `seen` >= 1 classes are seen: floor(memory / seen) (memory_of: all), or memory
 * (memory_of: class); 0 in a run that keeps none. iCaRL, Rebuffi et al. 2017, algorithm 5. */
size_t exemplars_quota(const struct settings *, size_t seen);

/* Empty lists for so many classes, each with room for the quota of `first` classes, but not for more than `largest`. */
void exemplars_begin(struct exemplars *, const struct settings *, size_t classes, size_t first, size_t largest,
                     struct arena *);
/* Registers the lists. */
void exemplars_keep(struct exemplars *, struct kept *);
/* Lists longer than the quota lose their last ones. */
void exemplars_truncate(struct exemplars *, size_t quota);

/* Herding (iCaRL, algorithm 4): of `count` rows of features (count × stride, `width` used) chooses `wanted` <= count one
 * after another, without replacement: argmin over the rest of ‖mean - (v + S)/k‖, S the sum of those chosen before, k their
 * number with this one, v a row divided by its length (a zero row stays), mean that of all such rows; the first of equals.
 * In double precision. chosen: wanted row numbers. */
void herding(const float *features, size_t count, size_t width, size_t stride, size_t wanted, uint32_t *chosen);
/* `wanted` <= count of 0 .. count-1, different ones, by draws keyed by (seed, class): exemplars: random. */
void draw_exemplars(uint64_t seed, size_t class, size_t count, size_t wanted, uint32_t *chosen);

/* Nearest mean of exemplars (iCaRL, algorithm 1). */
/* The mean of the rows divided by their lengths, divided by its own length. NaN without rows: nothing is nearest to it. */
void class_mean(const float *features, size_t count, size_t width, size_t stride, double *mean /* width */);
/* The class whose mean (classes × width) is nearest to the row divided by its length; the first of equals. */
size_t nearest_mean(const float *row, const double *means, size_t classes, size_t width);
#endif
