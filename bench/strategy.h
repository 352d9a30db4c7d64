/* SPDX-License-Identifier: GPL-3.0-or-later
 * The operations table of class-incremental strategies. METHODS 6. */
#ifndef BITSWEEP_STRATEGY_H
#define BITSWEEP_STRATEGY_H
#include "bitsweep.h"

/* One training batch as a strategy's loss sees it. Between rows of logits and of their gradients row_stride(columns). */
struct lesson {
    const struct settings *settings;
    size_t task, old, all;           /* 0-based; classes before this task, and with it */
    size_t rows;
    const int32_t *labels;           /* rows: 0 .. all - 1, in the order of the tasks */
    const float *logits;             /* rows × all, with the corrections that there are */
    const float *old_logits;         /* rows × old: of the network of the task before; NULL in the first task or if not asked
                                        for */
    const float *auxiliary;          /* rows × (all - old + 1): output 0 is any old class; NULL: no auxiliary classifier */
    float *gradient;                 /* rows × all, zeroed: to be filled with dL/dlogits of L, the mean over the rows */
    float *auxiliary_gradient;       /* as auxiliary */
};

enum growth {
    GROWS_HEAD,                      /* one network, whose classifier gets rows */
    GROWS_EXTRACTOR,                 /* a new extractor a task, the earlier ones frozen; the classifier reads them all */
    GROWS_BLOCK                      /* a new block a task (model_ops.block) on a base that is frozen after the first */
};

struct learner; /* bench/learner.h */
struct strategy_ops {
    struct plug plug;
    enum growth growth;
    bool keeps_exemplars;            /* and trains on them */
    bool keeps_all;                  /* trains on all samples of all classes seen (the upper bound) */
    bool wants_old;                  /* old_logits */
    bool head_bias;                  /* the classifier has a bias even if the model's has none */
    bool nme;                        /* the nearest mean of exemplars is reported too; asks for exemplars */
    const char *(*check)(const struct settings *); /* NULL or why not; NULL: nothing to check */
    /* Samples of each class to be held out of training, of new classes and of the exemplars (from the second task on). NULL:
     * 0. */
    size_t (*holds_out)(const struct settings *, size_t old);
    /* Fills the gradients; returns the SUM of the rows' losses. */
    double (*loss)(const struct lesson *);
    /* After a task's training, before exemplars are chosen; NULL: nothing. */
    void (*finish)(struct learner *);
};
#endif
