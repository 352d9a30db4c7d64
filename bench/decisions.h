/* SPDX-License-Identifier: GPL-3.0-or-later
 * The allocator inside a run: asks it before every step, checks the budget, keeps the log that proves it. */
#ifndef BITSWEEP_DECISIONS_H
#define BITSWEEP_DECISIONS_H
#include "../results/record.h"
#include "nn/net.h"

struct decision_log {
    size_t count, capacity;
    int64_t *step;
    float *bits;                     /* count × tensors */
    double *trace, *limit;           /* count × tensors */
    int8_t *is_signed;               /* count × tensors */
    double *cost, *omega, *omega_uniform, *microseconds; /* count */
    char **solver;                   /* count */
    int8_t *optimal;                 /* count */
};

struct allocator {
    const struct alloc_ops *ops;     /* with begin == NULL: nothing is quantised */
    void *state;
    struct allocation allocation;
    struct net *net;
    struct decision_log log;
    double largest_cost;             /* in force at any step */
    double seconds;                  /* spent for the allocator, estimation included */
    double *sum_squares;             /* tensors */
};

/* Quantiser that the run's tensors use: the allocator's own, or the run's setting; NULL for allocator none. */
const struct quantiser_ops *run_quantiser(const struct settings *);

void allocator_begin(struct allocator *, struct net *, const struct settings *, long steps, struct arena *);
/* Before each step, and with step == steps after the last: new widths, logged. */
void allocator_step(struct allocator *, long step);
/* Where net_backward should leave the squared gradients of this step, or NULL. */
double *allocator_wants(struct allocator *, long step);
/* After backward: estimation, learned widths, and the check that the cost in force meets a guaranteed budget. */
void allocator_after(struct allocator *, long step, size_t batch, double lr_factor);
void allocator_record(struct allocator *, struct record *);
void allocator_end(struct allocator *);
#endif
