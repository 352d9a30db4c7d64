/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run is while it trains: shared by training it (train.c) and telling of it (train_record.c). */
#ifndef BITSWEEP_TRAINER_H
#define BITSWEEP_TRAINER_H
#include "batches.h"
#include "decisions.h"
#include "diagnostics.h"
#include "explain.h"
#include "nn/schedule.h"
#include "train.h"
#include "../datasets/split.h"

enum curve { TRAIN_LOSS, TRAIN_ACCURACY, VALIDATION_LOSS, VALIDATION_ACCURACY, LEARNING_RATE, CURVES };
struct curve_field { const char *path, *unit, *meaning; };
extern const struct curve_field curve_fields[CURVES];

struct score { double loss, accuracy; }; /* NaN without samples */

/* How far the training is; part of a checkpoint. */
struct place {
    int64_t step, epoch;              /* done */
    size_t seen, correct;             /* in this epoch: samples */
    double loss;                      /* in this epoch: sum over the samples */
    double bops_sum;
    double train_seconds, evaluation_seconds;
    double wall_seconds, cpu_seconds; /* of all processes so far */
    int64_t resumed;                  /* times that it was taken up again */
};

struct trainer {
    const struct settings *settings;
    const struct train_hooks *hooks;
    struct arena arena;
    struct dataset dataset;
    struct split split;
    struct standardisation standardisation;
    struct batches batches;
    struct net net;
    struct allocator allocator;
    struct diagnostics diagnostics;
    struct probe *probe;              /* NULL: not wanted */
    struct explanation explanation;
    struct schedule schedule;
    struct kept kept;
    struct place place, resumed_from;
    size_t batch;
    long steps, epochs;
    uint64_t seed;
    uint32_t *order;                  /* the epoch's samples */
    int32_t *labels;                  /* of the batch in net.input */
    double *curve[CURVES];            /* epochs */
    float *step_loss;                 /* steps */
    float priced[MAX_TENSORS];     /* widths that step_bops holds for */
    double step_bops;                 /* 0: not yet known */
    double started, saved, last_progress, lap;
    bool diverged, stopped;
};

/* The epoch's samples in the order of training: indices into the data set's training part. */
void order_of_epoch(const struct trainer *, int64_t epoch, uint32_t *order);

/* What another program needs to repeat the run; before the first step. */
void record_start(struct trainer *, struct record *);
/* The finished run. test: not of a diverged one. */
void record_run(const struct trainer *, struct score test, struct record *);
/* A run that shall be continued: nothing else is told of it. */
void record_stop(struct record *);
#endif
