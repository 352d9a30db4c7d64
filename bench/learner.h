/* SPDX-License-Identifier: GPL-3.0-or-later
 * The networks of an incremental run at one task, and what a strategy may do with them. METHODS 6. */
#ifndef BITSWEEP_LEARNER_H
#define BITSWEEP_LEARNER_H
#include "batches.h"
#include "exemplars.h"
#include "nn/cut.h"
#include "strategy.h"
#include "tasks.h"

/* Logits of a task's classes as everybody but the classifier sees them: scale × logit + shift (BiC, Wu et al. 2019,
 * equation 4). */
struct correction { double scale, shift; };

/* What der and memo have frozen: networks in evaluation, with the widths and ranges that they had at the end of their
 * task. */
struct frozen {
    struct net *base;                /* memo: the generalised blocks; else NULL */
    struct net *extractors[MAX_TASKS];
    size_t count;
    struct arena arena;
};

struct learner {
    const struct settings *settings;
    const struct strategy_ops *strategy;
    const struct dataset *dataset;       /* labels in the order of the tasks */
    struct dataset seen;                 /* without samples, with the classes seen: what networks are laid out for */
    struct tasks tasks;
    size_t task, old, all;               /* 0-based; classes before it, and with it */
    size_t batch;
    uint64_t seed;
    struct batches batches;
    struct net *net;                     /* in training; net->classes == all */
    struct net *before;                  /* of the task before, for evaluation only; NULL in the first task or if
                                            nobody wants it */
    struct frozen frozen;
    struct exemplars exemplars;
    struct correction corrections[MAX_TASKS]; /* (1, 0) until a strategy says otherwise */
    uint32_t *samples, *held_out;        /* of the training part: what the task trains on, and what it holds out for
                                            finish() */
    size_t sample_count, held_out_count;
    int32_t *labels;                     /* batch: of the samples taken last */
    const uint32_t *taken;               /* those samples */
    float *old_logits;                   /* batch × row_stride(old), with corrections */
    float *old_table;                    /* the same of every training sample, where augmentation does not change samples and
                                            ranges do not depend on a batch: then once a task is enough; else NULL */
    long step;                           /* of the whole run, when the pass is one of training */
};

/* Tasks of the data set, whose labels it numbers in their order; room for exemplars. Networks come with learner_enter. */
void learner_begin(struct learner *, const struct settings *, struct dataset *, const struct standardisation *, size_t batch,
                   struct arena *);
void learner_end(struct learner *);
/* Which part of the model a task trains, and what is added to it. seen: with the classes seen by then. */
struct cut task_cut(const struct settings *, const struct tasks *, size_t task, const struct dataset *seen);
/* Builds the network of the task (0: the first) into net, which starts where the one before, learner->net, stands; freezes
 * of that what the strategy wants frozen. The old network becomes learner->before, if it is wanted: its memory must then
 * last through this task. Activations' memory comes with learner_use_pool. */
void learner_enter(struct learner *, size_t task, struct net *net, const struct quantiser_ops *, struct arena *);
size_t learner_pool_size(const struct learner *);
void learner_use_pool(struct learner *, struct pool);
/* Registers what carries over to the next step, the network in training apart. */
void learner_keep(struct learner *, struct kept *);

/* Training samples that a task will have; the same as learner_samples finds. */
size_t learner_sample_count(const struct learner *, size_t task);
/* Fills samples and held_out from the task's classes and the exemplars. */
void learner_samples(struct learner *);
/* Asks the network of the task before about these samples, if once is enough. */
void learner_tabulate(struct learner *);
/* After a task's training: the strategy's end of it, then exemplars of the new classes, at the quota of the classes seen. */
void learner_finish(struct learner *);

/* The classes' means for nearest_mean, from the exemplars as the network sees them now: all × learner_feature_count;
 * free() it. */
double *learner_class_means(struct learner *);

/* Samples first .. first + rows - 1 of a list into the networks' inputs, and their labels; frozen networks have computed
 * what the one in training reads of them. epoch as in batch_take. */
void learner_take(struct learner *, const struct part *, const uint32_t *samples, size_t first, size_t rows, long epoch);
/* learner_take and a forward pass; returns the logits without corrections, rows × row_stride(all). */
const float *learner_forward(struct learner *, const struct part *, const uint32_t *samples, size_t first, size_t rows,
                             long epoch, enum pass);
/* What the classifier has read in the last forward pass: rows × stride, learner_feature_count used. */
size_t learner_feature_count(const struct learner *);
void learner_features(const struct learner *, size_t rows, float *out, size_t stride);
/* Forward, the strategy's loss and backward on the samples taken: the sum of the losses; *correct counts. sum_squares as in
 * net_backward. */
double learner_pass(struct learner *, size_t rows, double *sum_squares, size_t *correct);

/* In place: the corrections on the logits of the first `classes` classes; the same on their gradient (the chain rule). */
void correct_logits(const struct learner *, size_t classes, float *logits, size_t rows);
void correct_gradient(const struct learner *, size_t classes, float *gradient, size_t rows);
#endif
