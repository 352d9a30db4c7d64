/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run is while it trains: shared by training it (train.c) and telling of it (train_record.c). */
#ifndef BITSWEEP_TRAINER_H
#define BITSWEEP_TRAINER_H
#include "batches.h"
#include "decisions.h"
#include "diagnostics.h"
#include "explain.h"
#include "incremental.h"
#include "nn/schedule.h"
#include "train.h"
#include "../datasets/split.h"

enum curve { TRAIN_LOSS, TRAIN_ACCURACY, VALIDATION_LOSS, VALIDATION_ACCURACY, LEARNING_RATE, CURVES };
struct curve_field { const char *path, *unit, *meaning; };
extern const struct curve_field curve_fields[CURVES];

/* How far the training is; part of a checkpoint. */
struct place {
    int64_t step, epoch;              /* done, in all tasks */
    int64_t task, task_step;          /* tasks done; steps done in the present one */
    size_t seen, correct;             /* in this epoch: samples */
    double loss;                      /* in this epoch: sum over the samples */
    double bops_sum, task_bops_sum;
    double task_began;                /* of train and evaluation seconds, in sum */
    double train_seconds, evaluation_seconds;
    double wall_seconds, cpu_seconds; /* of all processes so far */
    int64_t resumed;                  /* times that it was taken up again */
};

struct trainer {
    const struct settings *settings;
    const struct train_hooks *hooks;
    struct arena arena;               /* what lasts through the run */
    struct arena task_arenas[2];      /* of the present task and the one before, in turn */
    struct arena pool_arena;
    struct pool pool;
    struct dataset dataset;
    struct split split;
    struct standardisation standardisation;
    struct batches batches;
    struct net *net;                  /* in training */
    struct incremental *incremental;  /* NULL: all classes come at once */
    struct allocator allocator;
    struct diagnostics diagnostics;
    struct probe *probe;              /* NULL: not wanted */
    struct explanation explanation;
    struct schedule schedule;
    struct kept kept;
    struct place place, resumed_from;
    size_t batch, tasks;              /* tasks: 1 if all classes come at once */
    long steps, epochs;               /* of all tasks; of each */
    uint64_t seed;
    const uint32_t *samples;          /* the task's training samples: indices into the training part */
    size_t sample_count;
    uint32_t *order;                  /* the epoch's samples */
    int32_t *labels;                  /* of the batch in net->input */
    struct score test;                /* after the last task that ended */
    double *curve[CURVES];            /* tasks × epochs */
    float *step_loss;                 /* steps */
    float priced[MAX_TENSORS];     /* widths that step_bops holds for */
    double step_bops;                 /* 0: not yet known */
    double started, saved, last_progress, lap;
    bool diverged, stopped;
};

/* Loads the data set, builds the first task's network. */
bool trainer_prepare(struct trainer *, struct error *);
/* The network, allocator and diagnostics of task place.task, which start where those of the task before stand. */
bool trainer_enter_task(struct trainer *, struct error *);
/* What the task trains on; the exemplars of the tasks before are chosen. */
void trainer_take_samples(struct trainer *);
/* Epochs of all tasks. */
static inline size_t trainer_epochs(const struct trainer *t) { return t->tasks * (size_t)t->epochs; }

/* Lists the memory that carries over to the next step. */
void trainer_register(struct trainer *);
/* Goes on from the run's checkpoint, if there is a good one. False: a task of it cannot be entered. */
bool trainer_resume(struct trainer *, struct error *);
void trainer_save(struct trainer *);

/* The samples of an epoch (of the present task) in the order of training: indices into the data set's training part. */
void order_of_epoch(const struct trainer *, int64_t epoch, uint32_t *order);

/* What another program needs to repeat the run; before the first step. */
void record_start(struct trainer *, struct record *);
/* The run that has ended. */
void record_run(const struct trainer *, struct record *);
/* A run that shall be continued: nothing else is told of it. */
void record_stop(struct record *);
#endif
