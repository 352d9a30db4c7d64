/* SPDX-License-Identifier: GPL-3.0-or-later
 * The allocator inside a run: asks it before every step, checks the budget, keeps the log that proves it. */
#ifndef BITSWEEP_DECISIONS_H
#define BITSWEEP_DECISIONS_H
#include "../results/record.h"
#include "budgets.h"
#include "checkpoint.h"
#include "nn/net.h"

/* Columns of the log: one value a decision, or one for each tensor. */
enum logged {
    LOG_STEP,                                             /* int64_t */
    LOG_BITS,                                             /* float × tensors */
    LOG_TRACE, LOG_RANGE,                                 /* double × tensors */
    LOG_SIGNED,                                           /* int8_t × tensors */
    LOG_COST,                                             /* double × budgets */
    LOG_OMEGA, LOG_OMEGA_UNIFORM,                         /* double */
    LOG_SOLVER,                                           /* struct solver_name */
    LOG_OPTIMAL,                                          /* int8_t */
    LOG_MICROSECONDS,                                     /* double */
    LOG_COLUMNS
};
struct solver_name { char text[48]; };
struct decision_log { int64_t count; struct growing columns[LOG_COLUMNS]; };

struct allocator {
    const struct alloc_ops *ops;     /* with begin == NULL: nothing is quantised */
    void *state;
    struct allocation allocation;
    struct net *net;
    struct decision_log log;
    struct budgets budgets;
    double largest_cost[MAX_BUDGETS]; /* in force at any step */
    float priced[MAX_TENSORS];       /* the widths in force, and what they cost; all 0: not known yet */
    double prices[MAX_BUDGETS];
    float measured[MAX_TENSORS];     /* widths that the codes of some samples needed last (measured.h); 0: never */
    double seconds;                  /* spent for the allocator, estimation included */
    double *sum_squares;             /* weights and activations */
    long first_step;                 /* of the task, in the run */
    struct kept kept;                /* its state, the log included */
};

/* Quantiser that the run's tensors use: the allocator's own, else the mode's own, else the run's setting; NULL for allocator
 * none. */
const struct quantiser_ops *run_quantiser(const struct settings *);

/* The allocator must stay where it is. probe: NULL unless the allocator wants one. False: a budget cannot be priced. */
bool allocator_begin(struct allocator *, struct net *, const struct settings *, const struct dataset *described, long steps,
                     struct probe *, struct arena *, struct error *);
/* Goes on with the network of the next task, whose first step is first_step of the run; zeroed at first. The log stays
 * where the network has as many tensors as the one before, whose memory must still be there. */
bool allocator_follow(struct allocator *, struct net *, const struct settings *, const struct dataset *described, long steps,
                      long first_step, struct probe *, struct arena *, struct error *);
/* Before each step of the task, and with step == steps after the last: new widths, logged; the budgets of a guarantee
 * method are met, or the program ends. */
void allocator_step(struct allocator *, long step);
/* Where net_backward should leave the squared gradients of this step, or NULL. */
double *allocator_wants(struct allocator *, long step);
/* After backward: estimation, learned widths, and the check that the cost in force meets a guaranteed budget. */
void allocator_after(struct allocator *, long step, size_t batch, double lr_factor);
/* A column's values, decision by decision. */
const void *allocator_logged(const struct allocator *, enum logged);
void allocator_record(const struct allocator *, struct record *);
void allocator_end(struct allocator *);
#endif
