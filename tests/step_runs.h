/* SPDX-License-Identifier: GPL-3.0-or-later
 * A small dense network under an allocator, step by step; and an allocator alone, on made-up tensors. */
#ifndef BITSWEEP_STEP_RUNS_H
#define BITSWEEP_STEP_RUNS_H
#include "../bench/decisions.h"
#include "../methods/allocators/problem.h"

#define STEP_RUN_FEATURES 12
#define STEP_RUN_PROBED 32
struct step_run {
    struct settings settings;
    struct arena arena;
    struct net net;
    struct allocator allocator;
    struct dataset dataset;             /* what a probe looks at */
    float x[STEP_RUN_PROBED * STEP_RUN_FEATURES];
    int32_t y[STEP_RUN_PROBED];
    uint64_t key;
};

/* 12 inputs, 4 classes, batches of 8; with a probe if the allocator uses one. Takes the settings over. */
void step_run_begin(struct step_run *, struct settings, long steps, uint64_t key);
/* These steps of training on random samples and labels. */
void step_run_train(struct step_run *, long from, long to);
/* The decision after the last step. */
void step_run_finish(struct step_run *, long steps);
void step_run_end(struct step_run *);

#define MOST_LONE_TENSORS 16
struct lone_allocator {
    struct settings settings;
    struct arena arena;
    struct kept kept;
    struct tensor tensors[MOST_LONE_TENSORS];
    struct range ranges[MOST_LONE_TENSORS];
    struct budget budgets[4];
    struct allocation allocation;
    const struct alloc_ops *ops;
    void *state;
    float bits[MOST_LONE_TENSORS];      /* of the last decision */
    double trace[MOST_LONE_TENSORS], limit[MOST_LONE_TENSORS];
};
/* Weight and input of each of `layers` layers, widths 2 to 8, of 100 (layer + 1) elements and MACs, without a budget. Takes
 * the settings over. What is different is changed before lone_begin. */
void lone_make(struct lone_allocator *, struct settings, int layers, long steps);
void lone_budget(struct lone_allocator *, const char *cost, double limit);
/* Calls the allocator's begin, and assign before step 0, which takes effect. */
void lone_begin(struct lone_allocator *);
/* Whether it decided; then that takes effect. */
bool lone_assign(struct lone_allocator *, long step);
double lone_price(const struct lone_allocator *, int budget);
void lone_end(struct lone_allocator *);
#endif
