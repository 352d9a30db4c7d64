/* SPDX-License-Identifier: GPL-3.0-or-later
 * One run: data set -> network -> mode × allocator -> record. Knows no file format. */
#include "train.h"
#include "accounting.h"
#include "clock.h"
#include "decisions.h"
#include "diagnostics.h"
#include "nn/schedule.h"
#include "../datasets/split.h"
#include "../datasets/standardise.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_SECONDS 0.2

enum curve { TRAIN_LOSS, TRAIN_ACCURACY, VALIDATION_LOSS, VALIDATION_ACCURACY, LEARNING_RATE, CURVES };
static const struct { const char *path, *unit, *meaning; } curves[CURVES] = {
    {"/curves/train_loss", "nat", "mean cross entropy over the epoch's training batches"},
    {"/curves/train_accuracy", "fraction", "accuracy over the epoch's training batches"},
    {"/curves/validation_loss", "nat", "mean cross entropy of the validation part after the epoch"},
    {"/curves/validation_accuracy", "fraction", "accuracy on the validation part after the epoch"},
    {"/curves/learning_rate", "", "learning rate of the epoch's last step"},
};

struct score { double loss, accuracy; }; /* NaN without samples */

struct trainer {
    const struct settings *settings;
    const struct train_hooks *hooks;
    struct arena arena;
    struct dataset dataset;
    struct split split;
    struct standardisation standardisation;
    struct net net;
    struct allocator allocator;
    struct diagnostics diagnostics;
    struct schedule schedule;
    size_t batch;
    long step, steps, epochs, epoch;
    uint64_t seed;
    uint32_t *order;
    int32_t *labels;                  /* of the batch in net.input */
    double *curve[CURVES];            /* epochs */
    double bops_sum;
    double train_seconds, evaluation_seconds, last_progress;
    bool diverged;
};

/* Samples first .. first + rows - 1 of the indices, or without indices of the part. */
static void take_batch(struct trainer *t, const struct part *part, const uint32_t *indices, size_t first, size_t rows)
{
    size_t features = t->dataset.features, stride = row_stride(features);
    for (size_t i = 0; i < rows; i++) {
        size_t sample = indices ? indices[first + i] : first + i;
        memcpy(t->net.input + i * stride, part->x + sample * features, features * sizeof(float));
        t->labels[i] = part->y[sample];
    }
}

static struct score evaluate(struct trainer *t, const struct part *part, const uint32_t *indices, size_t count)
{
    const struct layer *last = &t->net.layers[t->net.count - 1];
    struct score score = {NAN, NAN};
    double loss = 0, start = now_seconds();
    size_t correct = 0;
    for (size_t i = 0; i < count; i += t->batch) {
        size_t rows = count - i < t->batch ? count - i : t->batch;
        take_batch(t, part, indices, i, rows);
        const float *logits = net_forward(&t->net, rows, t->step, PASS_EVALUATE);
        loss += softmax_cross_entropy(logits, rows, last->n, row_stride(last->n), t->labels, NULL, &correct);
    }
    if (count)
        score = (struct score){loss / (double)count, (double)correct / (double)count};
    t->evaluation_seconds += now_seconds() - start;
    return score;
}

static void report(struct trainer *t, double loss, double accuracy)
{
    double now = now_seconds();
    if (!t->hooks->progress || now - t->last_progress < PROGRESS_SECONDS)
        return;
    t->last_progress = now;
    t->hooks->progress(t->hooks->context, &(struct progress_report){
        .step = t->step, .steps = t->steps, .epoch = (int)t->epoch + 1, .epochs = (int)t->epochs,
        .loss = loss, .train_accuracy = accuracy});
}

/* One step on the batch in net.input; returns the sum of the losses. */
static double train_step(struct trainer *t, size_t rows, size_t *correct)
{
    allocator_step(&t->allocator, t->step);
    double loss = net_pass(&t->net, rows, t->labels, t->step, PASS_TRAIN, allocator_wants(&t->allocator, t->step), correct);
    double lr = schedule_rate(&t->schedule, t->step);
    allocator_after(&t->allocator, t->step, rows, schedule_factor(&t->schedule, t->step));
    net_update(&t->net, lr);
    t->bops_sum += training_bops(&t->net);
    return loss;
}

static void train_epoch(struct trainer *t)
{
    double start = now_seconds(), loss = 0;
    size_t count = t->split.train_count, correct = 0, seen = 0, rows = 0;
    uint32_t *order = t->order;
    rng_permutation(rng_key(t->seed, STREAM_ORDER, (uint64_t)t->epoch, 0), count, order);
    for (size_t i = 0; i < count; i++)
        order[i] = t->split.train[order[i]];
    for (; seen < count && !t->diverged; seen += rows, t->step++) {
        rows = count - seen < t->batch ? count - seen : t->batch;
        take_batch(t, &t->dataset.train, order, seen, rows);
        loss += train_step(t, rows, &correct);
        t->diverged = !isfinite(loss);
        report(t, loss / (double)(seen + rows), (double)correct / (double)(seen + rows));
    }
    t->train_seconds += now_seconds() - start;
    t->curve[TRAIN_LOSS][t->epoch] = loss / (double)seen;
    t->curve[TRAIN_ACCURACY][t->epoch] = (double)correct / (double)seen;
    t->curve[LEARNING_RATE][t->epoch] = schedule_rate(&t->schedule, t->step - 1);
}

static void train(struct trainer *t)
{
    for (t->epoch = 0; t->epoch < t->epochs && !t->diverged; t->epoch++) {
        train_epoch(t);
        if (t->diverged)
            break;
        size_t rows = t->split.train_count < t->batch ? t->split.train_count : t->batch;
        take_batch(t, &t->dataset.train, t->order, 0, rows);
        diagnose(&t->diagnostics, rows, t->labels, t->step);
        struct score score = evaluate(t, &t->dataset.train, t->split.validation, t->split.validation_count);
        t->curve[VALIDATION_LOSS][t->epoch] = score.loss;
        t->curve[VALIDATION_ACCURACY][t->epoch] = score.accuracy;
    }
    if (!t->diverged)
        allocator_step(&t->allocator, t->steps);
}

static bool load_initial(struct trainer *t, struct error *error)
{
    const struct record *initial = t->hooks->initial;
    if (!initial)
        return true;
    for (size_t i = 0; i < t->net.count; i++) {
        struct layer *layer = &t->net.layers[i];
        char *path = format_text("/weights/%s.weight", layer->spec.name);
        char *bias_path = format_text("/weights/%s.bias", layer->spec.name);
        const struct field *w = record_find(initial, path), *bias = record_find(initial, bias_path);
        free(path);
        free(bias_path);
        if (!w || w->type != RECORD_F32 || w->rank != 2 || w->shape[0] != layer->n || w->shape[1] != layer->k
            || (layer->bias && (!bias || bias->type != RECORD_F32 || field_count(bias) != layer->n)))
            return fail(error, "the float run's file holds no weights for layer %s of %zu x %zu",
                        layer->spec.name, layer->n, layer->k);
        for (size_t row = 0; row < layer->n; row++)
            memcpy(layer->w + row * row_stride(layer->k), (const float *)w->data + row * layer->k,
                   layer->k * sizeof(float));
        if (layer->bias)
            memcpy(layer->bias, bias->data, layer->n * sizeof(float));
    }
    return true;
}

static bool prepare(struct trainer *t, struct error *error)
{
    const struct settings *s = t->settings;
    const struct dataset_ops *dataset = setting_plug(s, "dataset");
    if (!dataset)
        return fail(error, "there is no data set '%s'", setting_text(s, "dataset"));
    if (!dataset->load(s, &t->dataset, error))
        return false;
    t->seed = (uint64_t)setting_int(s, "seed");
    t->batch = (size_t)setting_int(s, "batch");
    t->epochs = setting_int(s, "epochs");
    dataset_split(&t->dataset, setting_real(s, "validation"), t->seed, &t->split);
    if (setting_is(s, "standardise", "channel")) {
        standardise_measure(&t->dataset, t->split.train, t->split.train_count, &t->standardisation);
        standardise_apply(&t->standardisation, &t->dataset);
    }
    long steps_per_epoch = (long)((t->split.train_count + t->batch - 1) / t->batch);
    t->steps = t->epochs * steps_per_epoch;
    schedule_read(&t->schedule, s, t->steps, steps_per_epoch);
    t->order = arena_alloc(&t->arena, t->split.train_count * sizeof *t->order);
    t->labels = arena_alloc(&t->arena, t->batch * sizeof *t->labels);
    for (int c = 0; c < CURVES; c++)
        t->curve[c] = arena_alloc(&t->arena, (size_t)t->epochs * sizeof(double));
    const struct mode_ops *mode = setting_plug(s, "mode");
    net_build(&t->net, s, &t->dataset, mode, run_quantiser(s), t->batch, &t->arena);
    allocator_begin(&t->allocator, &t->net, s, t->steps, &t->arena);
    diagnostics_begin(&t->diagnostics, &t->net, &t->dataset, &t->arena);
    return load_initial(t, error);
}

static void record_score(struct record *record, const char *part, struct score score)
{
    char *loss = format_text("/metrics/%s_loss", part), *accuracy = format_text("/metrics/%s_accuracy", part);
    char *meaning = format_text("mean cross entropy, %s part, after the last epoch", part);
    record_real(record, loss, score.loss, "nat", meaning);
    free(meaning);
    meaning = format_text("share of the %s part classified rightly, after the last epoch", part);
    record_real(record, accuracy, score.accuracy, "fraction", meaning);
    free(meaning);
    free(loss);
    free(accuracy);
}

static void record_dataset(const struct trainer *t, struct record *record)
{
    record_text(record, "/dataset/name", t->dataset.name, "data set");
    record_text(record, "/dataset/sha256", t->dataset.sha256, "checksum of its files");
    record_int(record, "/dataset/train_count", (int64_t)t->split.train_count, "", "training samples");
    record_int(record, "/dataset/validation_count", (int64_t)t->split.validation_count, "", "validation samples");
    record_int(record, "/dataset/test_count", (int64_t)t->dataset.test.count, "", "test samples");
    if (t->dataset.attributes)
        record_text(record, "/provenance/dataset_attributes", t->dataset.attributes, "attributes of the data set, key=value lines");
    const struct standardisation *s = &t->standardisation;
    if (s->channels) {
        record_put(record, "/standardisation/mean", RECORD_F64, 1, &s->channels, s->mean, "", "subtracted per channel");
        record_put(record, "/standardisation/deviation", RECORD_F64, 1, &s->channels, s->deviation, "", "divided by per channel");
    }
}

static void record_curves(const struct trainer *t, struct record *record)
{
    size_t epochs = (size_t)t->epoch + (t->diverged ? 1 : 0);
    for (int c = 0; c < CURVES; c++)
        if (t->split.validation_count || (c != VALIDATION_LOSS && c != VALIDATION_ACCURACY))
            record_put(record, curves[c].path, RECORD_F64, 1, &epochs, t->curve[c], curves[c].unit, curves[c].meaning);
}

/* The FP32 reference's weights serve `init: float`. */
static void record_weights(const struct trainer *t, struct record *record)
{
    for (size_t i = 0; i < t->net.count; i++) {
        const struct layer *layer = &t->net.layers[i];
        float *rows = xmalloc(layer->n * layer->k * sizeof *rows);
        for (size_t row = 0; row < layer->n; row++)
            memcpy(rows + row * layer->k, layer->w + row * row_stride(layer->k), layer->k * sizeof *rows);
        char *path = format_text("/weights/%s.weight", layer->spec.name);
        record_put(record, path, RECORD_F32, 2, (const size_t[]){layer->n, layer->k}, rows, "", "outputs x inputs");
        free(path);
        free(rows);
        if (!layer->bias)
            continue;
        path = format_text("/weights/%s.bias", layer->spec.name);
        record_put(record, path, RECORD_F32, 1, &layer->n, layer->bias, "", "outputs");
        free(path);
    }
}

static void record_run(struct trainer *t, struct record *record)
{
    struct score test = {NAN, NAN};
    if (!t->diverged)
        test = evaluate(t, &t->dataset.test, NULL, t->dataset.test.count);
    record_dataset(t, record);
    record_curves(t, record);
    allocator_record(&t->allocator, record);
    diagnostics_record(&t->diagnostics, record);
    record_costs(record, &t->net, t->bops_sum / (double)t->step);
    record_real(record, "/timing/train_seconds", t->train_seconds, "s", "training steps");
    record_real(record, "/timing/evaluation_seconds", t->evaluation_seconds, "s", "validation and test");
    record_real(record, "/timing/allocator_seconds", t->allocator.seconds + t->net.observing_seconds, "s",
                "the allocator alone: estimation, solver, learned widths' update");
    if (t->diverged) {
        char *message = format_text("the loss was not finite in epoch %ld, step %ld", t->epoch + 1, t->step);
        record_text(record, "/status", "diverged", "how the run ended");
        record_text(record, "/message", message, "why it failed");
        free(message);
        return;
    }
    struct score last = {t->curve[TRAIN_LOSS][t->epochs - 1], t->curve[TRAIN_ACCURACY][t->epochs - 1]};
    record_score(record, "train", last);
    if (t->split.validation_count)
        record_score(record, "validation", (struct score){t->curve[VALIDATION_LOSS][t->epochs - 1],
                                                          t->curve[VALIDATION_ACCURACY][t->epochs - 1]});
    record_score(record, "test", test);
    if (!t->net.quantiser)
        record_weights(t, record);
    record_text(record, "/status", "done", "how the run ended");
    record_text(record, "/message", "", "why it failed");
}

bool train_run(const struct settings *settings, const struct train_hooks *hooks, struct record *record,
               struct error *error)
{
    struct trainer *t = xcalloc(1, sizeof *t);
    t->settings = settings;
    t->hooks = hooks;
    openblas_set_num_threads(1);
    bool ready = prepare(t, error);
    if (ready) {
        train(t);
        record_run(t, record);
    }
    allocator_end(&t->allocator);
    diagnostics_end(&t->diagnostics);
    standardise_free(&t->standardisation);
    split_free(&t->split);
    dataset_free(&t->dataset);
    arena_free(&t->arena);
    free(t);
    return ready;
}
