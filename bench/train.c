/* SPDX-License-Identifier: GPL-3.0-or-later
 * One run: data set -> network -> mode × allocator -> record, with checkpoints on the way. */
#include "accounting.h"
#include "clock.h"
#include "measured.h"
#include "trainer.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_SECONDS 0.2
#define SHORT_EPOCH 1.0 /* seconds; a checkpoint at the end of every shorter one would cost more than it could save */

/* Adds the time since the last lap. */
static void lap(struct trainer *t, double *seconds)
{
    double now = now_seconds();
    *seconds += now - t->lap;
    t->lap = now;
}

static size_t batch_at(const struct trainer *t, size_t first, size_t count)
{
    return count - first < t->batch ? count - first : t->batch;
}

static struct score evaluate(struct trainer *t, const struct part *part, const uint32_t *indices, size_t count)
{
    struct score score = {NAN, NAN};
    double loss = 0;
    size_t correct = 0, classes = t->net->classes;
    t->lap = now_seconds();
    for (size_t i = 0; i < count; i += t->batch) {
        size_t rows = batch_at(t, i, count);
        batch_take(&t->batches, part, indices, i, rows, -1, t->net->input, t->labels);
        const float *logits = net_forward(t->net, rows, t->place.step, PASS_EVALUATE);
        loss += softmax_cross_entropy(logits, rows, classes, row_stride(classes), t->labels, NULL, &correct);
    }
    if (count)
        score = (struct score){loss / (double)count, (double)correct / (double)count};
    lap(t, &t->place.evaluation_seconds);
    return score;
}

static void report(struct trainer *t)
{
    const struct place *at = &t->place;
    double now = now_seconds();
    if (!t->hooks->progress || now - t->last_progress < PROGRESS_SECONDS)
        return;
    t->last_progress = now;
    t->hooks->progress(t->hooks->context, &(struct progress_report){
        .step = at->step, .steps = t->steps, .epoch = (int)at->epoch + 1, .epochs = (int)trainer_epochs(t),
        .loss = at->loss / (double)at->seen, .train_accuracy = (double)at->correct / (double)at->seen});
}

/* After a step: whether to end, and whether it is time for a checkpoint. */
static void look_around(struct trainer *t)
{
    const struct checkpoint *checkpoint = t->hooks->checkpoint;
    t->stopped = t->hooks->stopping && t->hooks->stopping(t->hooks->context);
    if (!checkpoint)
        return;
    double since = now_seconds() - t->saved;
    bool epoch_ends = t->place.seen == t->sample_count, timed = checkpoint->seconds > 0;
    if (t->stopped || (epoch_ends && (!timed || since >= SHORT_EPOCH)) || (timed && since >= checkpoint->seconds))
        trainer_save(t);
}

/* ---- training ---- */

/* Only a change of widths changes the price of a step. */
static void count_bops(struct trainer *t)
{
    float bits[MAX_TENSORS];
    size_t size = t->net->tensor_count * sizeof *bits;
    net_get_bits(t->net, bits);
    if (t->step_bops == 0 || memcmp(bits, t->priced, size) != 0)
        t->step_bops = training_bops(t->net) + (t->incremental ? incremental_extra_bops(t->incremental) : 0);
    memcpy(t->priced, bits, size);
    t->place.bops_sum += t->step_bops;
    t->place.task_bops_sum += t->step_bops;
}

/* One step on the batch in net->input; returns the sum of the losses. */
static double train_step(struct trainer *t, size_t rows)
{
    long step = (long)t->place.task_step;
    allocator_step(&t->allocator, step);
    double *squares = allocator_wants(&t->allocator, step), loss;
    if (t->incremental)
        loss = learner_pass(&t->incremental->learner, rows, squares, &t->place.correct);
    else
        loss = net_pass(t->net, rows, t->labels, (long)t->place.step, PASS_TRAIN, squares, &t->place.correct);
    allocator_after(&t->allocator, step, rows, schedule_factor(&t->schedule, step));
    net_update(t->net, schedule_rate(&t->schedule, step));
    count_bops(t);
    return loss;
}

void order_of_epoch(const struct trainer *t, int64_t epoch, uint32_t *order)
{
    rng_permutation(rng_key(t->seed, STREAM_ORDER, (uint64_t)epoch, 0), t->sample_count, order);
    for (size_t i = 0; i < t->sample_count; i++)
        order[i] = t->samples[order[i]];
}

/* Samples first .. first + rows - 1 of the epoch's order. */
static void take(struct trainer *t, size_t first, size_t rows, int64_t epoch)
{
    if (t->incremental) {
        t->incremental->learner.step = (long)t->place.step;
        learner_take(&t->incremental->learner, &t->dataset.train, t->order, first, rows, epoch);
    } else {
        batch_take(&t->batches, &t->dataset.train, t->order, first, rows, epoch, t->net->input, t->labels);
    }
}

/* From where the training stands to the end of the epoch. */
static void train_epoch(struct trainer *t)
{
    struct place *at = &t->place;
    order_of_epoch(t, at->epoch, t->order);
    t->lap = now_seconds();
    while (at->seen < t->sample_count && !t->diverged && !t->stopped) {
        size_t rows = batch_at(t, at->seen, t->sample_count);
        take(t, at->seen, rows, at->epoch);
        double loss = train_step(t, rows);
        t->step_loss[at->step++] = (float)(loss / (double)rows);
        at->task_step++;
        at->loss += loss;
        at->seen += rows;
        lap(t, &at->train_seconds);
        report(t);
        t->diverged = !isfinite(at->loss);
        if (!t->diverged)
            look_around(t);
    }
    t->curve[TRAIN_LOSS][at->epoch] = at->loss / (double)at->seen;
    t->curve[TRAIN_ACCURACY][at->epoch] = (double)at->correct / (double)at->seen;
    t->curve[LEARNING_RATE][at->epoch] = schedule_rate(&t->schedule, (long)at->task_step - 1);
}

/* The first batch of an epoch whose order stands in t->order. */
static size_t take_first_batch(struct trainer *t, int64_t epoch)
{
    size_t rows = batch_at(t, 0, t->sample_count);
    take(t, 0, rows, epoch);
    return rows;
}

static void finish_epoch(struct trainer *t)
{
    struct place *at = &t->place;
    size_t rows = take_first_batch(t, at->epoch);
    diagnose(&t->diagnostics, rows, t->labels, (long)at->step);
    measure_widths(&t->allocator, rows, (long)at->step);
    struct score score = evaluate(t, &t->dataset.train, t->split.validation, t->split.validation_count);
    t->curve[VALIDATION_LOSS][at->epoch] = score.loss;
    t->curve[VALIDATION_ACCURACY][at->epoch] = score.accuracy;
    at->epoch++;
    at->seen = at->correct = 0;
    at->loss = 0;
}

/* Exemplars, and what the heads know now of each class. */
static void finish_task(struct trainer *t)
{
    struct place *at = &t->place;
    t->lap = now_seconds();
    if (t->incremental) {
        struct incremental *in = t->incremental;
        t->test = incremental_finish_task(in);
        in->steps[at->task] = at->task_step;
        in->bops[at->task] = at->task_bops_sum / (double)at->task_step;
        lap(t, &at->evaluation_seconds);
        in->seconds[at->task] = at->train_seconds + at->evaluation_seconds - at->task_began;
        at->task_began = at->train_seconds + at->evaluation_seconds;
    } else {
        t->test = evaluate(t, &t->dataset.test, NULL, t->dataset.test.count);
    }
    at->task_bops_sum = 0;
}

static bool train_task(struct trainer *t)
{
    int64_t end = (t->place.task + 1) * t->epochs;
    while (t->place.epoch < end) {
        train_epoch(t);
        if (t->diverged || t->stopped)
            return false;
        finish_epoch(t);
    }
    allocator_step(&t->allocator, (long)t->place.task_step);
    order_of_epoch(t, end - 1, t->order);
    measure_widths(&t->allocator, take_first_batch(t, end - 1), (long)t->place.step);
    finish_task(t);
    return true;
}

static bool train(struct trainer *t, struct error *error)
{
    while (true) {
        t->lap = now_seconds();
        trainer_take_samples(t);
        lap(t, &t->place.train_seconds);
        if (!train_task(t) || t->place.task + 1 == (int64_t)t->tasks)
            return true;
        t->place.task++;
        t->place.task_step = 0;
        if (!trainer_enter_task(t, error))
            return false;
    }
}

static void finish(struct trainer *t, struct record *record)
{
    float bits[MAX_TENSORS];
    net_get_bits(t->net, bits);
    if (setting_has(t->settings, "explain") && setting_bool(t->settings, "explain"))
        explain(&t->explanation, t->probe, &t->allocator.allocation, bits);
    record_run(t, record);
}

static bool run(struct trainer *t, struct record *record, struct error *error)
{
    if (!trainer_prepare(t, error))
        return false;
    if (setting_has(t->settings, "record_start") && setting_bool(t->settings, "record_start")) {
        trainer_take_samples(t);
        record_start(t, record);
    }
    if (t->hooks->checkpoint && !trainer_resume(t, error))
        return false;
    t->saved = now_seconds();
    if (!train(t, error))
        return false;
    if (t->stopped)
        record_stop(record);
    else if (t->diverged)
        record_run(t, record);
    else
        finish(t, record);
    return true;
}

bool train_run(const struct settings *settings, const struct train_hooks *hooks, struct record *record,
               struct error *error)
{
    struct trainer *t = xcalloc(1, sizeof *t);
    t->settings = settings;
    t->hooks = hooks;
    t->started = now_seconds();
    openblas_set_num_threads(1);
    bool good = run(t, record, error);
    allocator_end(&t->allocator);
    diagnostics_end(&t->diagnostics);
    if (t->incremental)
        incremental_end(t->incremental);
    kept_free(&t->kept);
    standardise_free(&t->standardisation);
    split_free(&t->split);
    dataset_free(&t->dataset);
    arena_free(&t->pool_arena);
    for (size_t i = 0; i < 2; i++)
        arena_free(&t->task_arenas[i]);
    arena_free(&t->arena);
    free(t);
    return good;
}
