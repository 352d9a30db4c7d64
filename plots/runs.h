/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs as figures see them: their settings as texts, and arrays that grow. */
#ifndef BITSWEEP_PLOTS_RUNS_H
#define BITSWEEP_PLOTS_RUNS_H
#include "plots.h"

/* "" if it does not read it; "drawn" of any class_seed that draws the order of the classes: these are seeds too. */
const char *setting_of(const struct record *, const char *key);
bool run_is_reference(const struct record *);                    /* nothing is quantised */
bool run_is_finished(const struct record *);
bool run_is_incremental(const struct record *);
/* All keys that any of the runs has, sorted. words_free it. */
struct words setting_keys(const struct record **runs, size_t count);
/* "key=value\n" of the keys that are in `keys` and not in `except`; free() it. */
char *run_signature(const struct record *, const struct words *keys, const struct words *except);

/* The array with room for one more element, zeroed. */
void *grow(void *items, size_t count, size_t size);
void runs_add(const struct record ***runs, size_t *count, const struct record *);
#endif
