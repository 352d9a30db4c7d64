/* SPDX-License-Identifier: GPL-3.0-or-later
 * Made-up runs of a sweep called "demo", for the verbs that read results. */
#ifndef BITSWEEP_TEST_MADE_RUNS_H
#define BITSWEEP_TEST_MADE_RUNS_H
#include "../bench/plan.h"
#include "../results/record.h"

struct made { const char *id, *mode, *allocator, *budget, *seed, *status; double accuracy, mean_bits; };
enum { MADE = 6 };
extern const struct made made_runs[MADE];

struct record made_record(const struct made *); /* record_free it */
/* Into FOLDER/demo/runs. */
void write_made(const char *folder, const struct made *);
/* The plan that these runs would come from, and one skipped run; not of plan_load. */
struct plan made_plan(void);
void free_made_plan(struct plan *);
/* FOLDER/demo.h5 of all made-up runs; free() the path. */
char *collected(const char *folder);
#endif
