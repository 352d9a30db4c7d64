/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "correction.h"
#include "../../bench/nn/schedule.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Draws of order and augmentation are none of the training's, whose epochs count from 0. */
#define STAGE UINT64_MAX
#define FIRST_EPOCH (LONG_MAX / 2)

struct correction correction_gradient(const struct lesson *l, const float *logits)
{
    struct correction sum = {0, 0};
    size_t stride = row_stride(l->all);
    for (size_t i = 0; i < l->rows; i++)
        for (size_t c = l->old; c < l->all; c++) {
            double g = l->gradient[i * stride + c];
            sum.scale += g * logits[i * stride + c];
            sum.shift += g;
        }
    return sum;
}

static void descend(double *value, double *velocity, double gradient, double lr, double momentum, double decay)
{
    *velocity = momentum * *velocity + gradient + decay * *value;
    *value -= lr * *velocity;
}

void correction_step(struct correction *c, struct correction *velocity, struct correction gradient, double lr,
                     double momentum, double decay)
{
    descend(&c->scale, &velocity->scale, gradient.scale, lr, momentum, decay);
    descend(&c->shift, &velocity->shift, gradient.shift, lr, momentum, decay);
}

/* What the stage needs beside the learner. */
struct stage {
    struct learner *learner;
    double (*loss)(const struct lesson *);
    struct schedule schedule;
    double momentum, decay;
    uint32_t *order;             /* held out samples in the epoch's order */
    float *corrected, *gradient; /* batch × row_stride(all) */
    struct correction velocity;
    long step;                   /* of this stage */
};

static void train_batch(struct stage *s, size_t first, size_t rows, long epoch)
{
    struct learner *l = s->learner;
    size_t size = rows * row_stride(l->all) * sizeof *s->corrected;
    const float *logits = learner_forward(l, &l->dataset->train, s->order, first, rows, epoch, PASS_TRAIN);
    memcpy(s->corrected, logits, size);
    correct_logits(l, l->all, s->corrected, rows);
    memset(s->gradient, 0, size);
    const struct lesson lesson = {.settings = l->settings, .task = l->task, .old = l->old, .all = l->all, .rows = rows,
                                  .labels = l->labels, .logits = s->corrected, .gradient = s->gradient};
    s->loss(&lesson);
    correction_step(&l->corrections[l->task], &s->velocity, correction_gradient(&lesson, logits),
                    schedule_rate(&s->schedule, s->step++), s->momentum, s->decay);
}

static void train_epoch(struct stage *s, long epoch)
{
    const struct learner *l = s->learner;
    size_t count = l->held_out_count;
    rng_permutation(rng_key(l->seed, STREAM_ORDER, (uint64_t)epoch, STAGE), count, s->order);
    for (size_t i = 0; i < count; i++)
        s->order[i] = l->held_out[s->order[i]];
    for (size_t first = 0; first < count; first += l->batch)
        train_batch(s, first, count - first < l->batch ? count - first : l->batch, FIRST_EPOCH + epoch);
}

void correction_train(struct learner *l, double (*loss)(const struct lesson *))
{
    size_t values = l->batch * row_stride(l->all);
    long epochs = setting_int(l->settings, "epochs"), steps = (long)((l->held_out_count + l->batch - 1) / l->batch);
    struct stage s = {
        .learner = l, .loss = loss, .momentum = setting_real(l->settings, "momentum"),
        .decay = setting_real(l->settings, "weight_decay"), .order = xmalloc(l->held_out_count * sizeof *s.order),
        .corrected = xmalloc(values * sizeof(float)), .gradient = xmalloc(values * sizeof(float))};
    schedule_read(&s.schedule, l->settings, epochs * steps, steps);
    l->corrections[l->task] = (struct correction){1, 0};
    for (long epoch = 0; epoch < epochs; epoch++)
        train_epoch(&s, (long)l->task * epochs + epoch);
    free(s.order);
    free(s.corrected);
    free(s.gradient);
}
