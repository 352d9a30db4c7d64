/* SPDX-License-Identifier: GPL-3.0-or-later
 * Made-up runs to be drawn, and what was drawn of them. */
#ifndef BITSWEEP_TEST_PLOTTED_H
#define BITSWEEP_TEST_PLOTTED_H
#include "../results/record.h"

enum { MAX_PLOTTED = 128, PLOTTED_TENSORS = 4, PLOTTED_TASKS = 4 };

struct plotted { char *folder, *path; struct record runs[MAX_PLOTTED]; size_t count; };

struct sample {
    const char *dataset, *mode, *allocator, *budget;
    int seed;
    double accuracy, mean_bits;
    float bits[PLOTTED_TENSORS];
    const char *key, *value; /* one more setting, or NULL */
};

struct plotted new_plotted(void); /* free_plotted it */
/* Adds a finished run. */
struct record *plotted_run(struct plotted *, struct sample);
/* Adds two allocators in two modes at two budgets with two seeds, and the references. */
void plotted_demo(struct plotted *, const char *dataset);
struct plotted demo_plotted(void);
/* Makes the run one of PLOTTED_TASKS tasks of two classes. The head's accuracies (shares of 1) after a task fall by `drop`
 * for each task that the classes are older, from `newest` on those of the newest task. */
void make_incremental(struct record *, const char *strategy);
void report_head(struct record *, const char *head, double newest, double drop);
/* Of a mode with accumulators. `epochs` × `layers` gradient cosines: epoch e of layer l has cosine - 0.1 l + 0.001 e. */
void diagnose_run(struct record *, size_t epochs, size_t layers, double cosine);
/* Writes and collects the runs; plotted->path is the collected file. */
void collect_plotted(struct plotted *);
void free_plotted(struct plotted *);

/* Draws into the folder with these options; what it says on standard error, free() it. */
char *draw_plotted(struct plotted *, const char *options, int code);
/* A file in the folder, free() it. */
char *drawn_file(const struct plotted *, const char *name);
void expect_in(const char *text, const char *wanted);
#endif
