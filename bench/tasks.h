/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which classes come when in an incremental run. METHODS 6. */
#ifndef BITSWEEP_TASKS_H
#define BITSWEEP_TASKS_H
#include "bitsweep.h"

#define MAX_TASKS 128

/* Classes are numbered in the order in which they come: task t brings classes first[t] .. first[t + 1] - 1. */
struct tasks {
    size_t count, classes;
    size_t first[MAX_TASKS + 1];   /* first[count] == classes */
    int32_t *order;                /* classes: the data set's number of the i-th class to come */
};

extern const struct param param_scenario, param_strategy, param_init_classes, param_increment, param_class_seed,
    param_test_users;

/* Safe to ask while the settings are being read: false until the scenario is known. */
bool is_incremental(const struct settings *);

/* The generator MT19937 (Matsumoto and Nishimura 1998), seeded as their init_genrand does; 32 bits a draw. */
#define MERSENNE_WORDS 624
struct mersenne { uint32_t words[MERSENNE_WORDS]; size_t next; };
void mersenne_seed(struct mersenne *, uint32_t seed);
uint32_t mersenne_bits(struct mersenne *);

/* Fisher-Yates with MT19937 seeded with `seed`: for i = count-1 .. 1 swaps i with j <= i drawn by masked
 * rejection, of 0, 1, ..., count-1: the class orders of the HDQT authors. */
void class_order(uint32_t seed, size_t count, int32_t *order);

/* NULL or why the settings make no tasks of so many classes (init_classes too large, more than MAX_TASKS tasks). */
const char *tasks_check(const struct settings *, size_t classes);
/* init_classes first, then `increment` each; the last task takes what is left. class_seed: a number, `seed` (the run's seed,
 * as a number for MT19937) or `sorted` (the data set's own order). The program ends if tasks_check has something to say. */
void tasks_make(struct tasks *, const struct settings *, size_t classes);
void tasks_free(struct tasks *);
/* Numbers the labels of both parts in the order of the tasks. */
void tasks_relabel(const struct tasks *, struct dataset *);
#endif
