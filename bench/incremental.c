/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "incremental.h"
#include "accounting.h"
#include "probe.h"
#include <math.h>
#include <stdlib.h>

bool incremental_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    if (!is_incremental(settings))
        return true;
    const struct strategy_ops *strategy = setting_plug(settings, "strategy");
    const char *name = strategy->plug.name, *why = tasks_check(settings, (size_t)described->classes);
    if (why)
        return fail(error, "%s (%s has %d classes)", why, described->name, described->classes);
    if (strategy->growth == GROWS_BLOCK && !model_block(settings, described))
        return fail(error, "strategy %s needs a model with specialised blocks, which %s has not", name,
                    setting_text(settings, "model"));
    if (strategy->growth != GROWS_HEAD && probe_wanted(settings))
        return fail(error, "strategy %s trains a part of a network, of which allocator %s can measure no sensitivities "
                    "apart from training", name, setting_text(settings, "allocator"));
    return true;
}

void incremental_begin(struct incremental *in, const struct settings *settings, struct dataset *dataset,
                       const struct standardisation *standardisation, struct arena *arena)
{
    *in = (struct incremental){0};
    learner_begin(&in->learner, settings, dataset, standardisation, (size_t)setting_int(settings, "batch"), arena);
    class_scores_begin(&in->scores, &in->learner.tasks, &dataset->test, in->learner.strategy->nme, arena);
}

void incremental_end(struct incremental *in) { learner_end(&in->learner); }

void incremental_keep(struct incremental *in, struct kept *kept)
{
    keep(kept, "task samples", in->train_count, sizeof in->train_count);
    keep(kept, "task exemplars", in->exemplars, sizeof in->exemplars);
    keep(kept, "task steps", in->steps, sizeof in->steps);
    keep(kept, "task seconds", in->seconds, sizeof in->seconds);
    keep(kept, "task bops", in->bops, sizeof in->bops);
    class_scores_keep(&in->scores, kept);
    learner_keep(&in->learner, kept);
}

double incremental_extra_bops(const struct incremental *in)
{
    const struct learner *l = &in->learner;
    double sum = l->before ? forward_bops(l->before) : 0;
    if (l->old_table) /* asked once a task */
        sum /= (double)setting_int(l->settings, "epochs");
    for (size_t i = 0; i < l->frozen.count; i++)
        sum += forward_bops(l->frozen.extractors[i]);
    return sum + (l->frozen.base ? forward_bops(l->frozen.base) : 0);
}

/* ---- evaluation ---- */

/* Test samples of the classes seen, in the set's order. */
static uint32_t *seen_samples(const struct learner *l, size_t *count)
{
    const struct part *test = &l->dataset->test;
    uint32_t *samples = xmalloc((test->count + 1) * sizeof *samples);
    *count = 0;
    for (size_t i = 0; i < test->count; i++)
        if ((size_t)test->y[i] < l->all)
            samples[(*count)++] = (uint32_t)i;
    return samples;
}

static void count_nearest(struct incremental *in, const double *means, size_t rows, float *features)
{
    const struct learner *l = &in->learner;
    size_t width = learner_feature_count(l), stride = row_stride(width);
    learner_features(l, rows, features, stride);
    for (size_t i = 0; i < rows; i++) {
        size_t label = (size_t)l->labels[i];
        bool right = nearest_mean(features + i * stride, means, l->all, width) == label;
        in->scores.right[HEAD_NME][l->task * l->tasks.classes + label] += right;
    }
}

static void count_largest(struct incremental *in, const float *logits, size_t rows)
{
    const struct learner *l = &in->learner;
    for (size_t i = 0; i < rows; i++) {
        size_t label = (size_t)l->labels[i];
        bool right = largest_of(logits + i * row_stride(l->all), l->all) == label;
        in->scores.right[HEAD_CNN][l->task * l->tasks.classes + label] += right;
    }
}

static struct score evaluate_seen(struct incremental *in)
{
    struct learner *l = &in->learner;
    size_t count, right = 0, stride = row_stride(l->all);
    uint32_t *samples = seen_samples(l, &count);
    double *means = l->strategy->nme ? learner_class_means(l) : NULL, loss = 0;
    float *features = xmalloc(l->batch * row_stride(learner_feature_count(l)) * sizeof *features);
    for (size_t first = 0; first < count; first += l->batch) {
        size_t rows = count - first < l->batch ? count - first : l->batch;
        learner_forward(l, &l->dataset->test, samples, first, rows, -1, PASS_EVALUATE);
        if (means)
            count_nearest(in, means, rows, features);
        correct_logits(l, l->all, l->net->logits, rows);
        loss += softmax_cross_entropy(l->net->logits, rows, l->all, stride, l->labels, NULL, &right);
        count_largest(in, l->net->logits, rows);
    }
    free(features);
    free(means);
    free(samples);
    return count ? (struct score){loss / (double)count, (double)right / (double)count} : (struct score){NAN, NAN};
}

struct score incremental_finish_task(struct incremental *in)
{
    const struct learner *l = &in->learner;
    learner_finish(&in->learner);
    in->train_count[l->task] = (int64_t)(l->sample_count + l->held_out_count);
    for (size_t class = 0; l->strategy->keeps_exemplars && class < l->all; class++)
        in->exemplars[l->task] += (int64_t)l->exemplars.count[class];
    return evaluate_seen(in);
}

/* ---- record ---- */

/* What exemplars take as they are usually kept: pixels as bytes, other features as float32. */
static double exemplar_bytes(const struct dataset *dataset, int64_t count)
{
    return (double)count * (double)dataset->features * (dataset->rank == 3 ? 1 : sizeof(float));
}

void incremental_record(const struct incremental *in, struct record *record)
{
    const size_t tasks = in->learner.task + 1;
    int64_t epochs[MAX_TASKS];
    double bytes[MAX_TASKS];
    for (size_t i = 0; i < tasks; i++) {
        epochs[i] = setting_int(in->learner.settings, "epochs");
        bytes[i] = exemplar_bytes(in->learner.dataset, in->exemplars[i]);
    }
    class_scores_record(&in->scores, record);
    record_put(record, "/tasks/train_count", RECORD_I64, 1, &tasks, in->train_count, "",
               "training samples of each task, exemplars and those held out included");
    record_put(record, "/tasks/exemplars", RECORD_I64, 1, &tasks, in->exemplars, "", "samples remembered after each task");
    record_put(record, "/tasks/exemplar_bytes", RECORD_F64, 1, &tasks, bytes, "byte",
               "of these samples: a byte a value of images, else four");
    record_put(record, "/tasks/epochs", RECORD_I64, 1, &tasks, epochs, "", "epochs of each task");
    record_put(record, "/tasks/steps", RECORD_I64, 1, &tasks, in->steps, "", "training steps of each task");
    record_put(record, "/tasks/bops_train", RECORD_F64, 1, &tasks, in->bops, "bit operation",
               "a sample of training in each task, forward passes of old and frozen networks included");
    record_put(record, "/timing/task_seconds", RECORD_F64, 1, &tasks, in->seconds, "s",
               "each task's training steps, the end of the task and its evaluation");
}
