/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run leaves behind. Knows no file format. */
#include "accounting.h"
#include "measured.h"
#include "trainer.h"
#include <stdlib.h>
#include <string.h>

const struct curve_field curve_fields[CURVES] = {
    [TRAIN_LOSS] = {"/curves/train_loss", "nat", "mean cross entropy over the epoch's training batches"},
    [TRAIN_ACCURACY] = {"/curves/train_accuracy", "fraction", "accuracy over the epoch's training batches"},
    [VALIDATION_LOSS] = {"/curves/validation_loss", "nat", "mean cross entropy of the validation part after the epoch"},
    [VALIDATION_ACCURACY] = {"/curves/validation_accuracy", "fraction", "accuracy on the validation part after the epoch"},
    [LEARNING_RATE] = {"/curves/learning_rate", "", "learning rate of the epoch's last step"},
};

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
        record_text(record, "/provenance/dataset_attributes", t->dataset.attributes,
                    "attributes of the data set, key=value lines");
    const struct standardisation *s = &t->standardisation;
    if (s->channels) {
        record_put(record, "/standardisation/mean", RECORD_F64, 1, &s->channels, s->mean, "", "subtracted per channel");
        record_put(record, "/standardisation/deviation", RECORD_F64, 1, &s->channels, s->deviation, "",
                   "divided by per channel");
    }
}

static void record_curves(const struct trainer *t, struct record *record)
{
    size_t epochs = (size_t)t->place.epoch + (t->diverged ? 1 : 0), steps = (size_t)t->place.step;
    for (int c = 0; c < CURVES; c++) {
        const struct curve_field *field = &curve_fields[c];
        if (t->split.validation_count || (c != VALIDATION_LOSS && c != VALIDATION_ACCURACY))
            record_put(record, field->path, RECORD_F64, 1, &epochs, t->curve[c], field->unit, field->meaning);
    }
    record_put(record, "/curves/step_loss", RECORD_F32, 1, &steps, t->step_loss, "nat",
               "mean cross entropy of each training batch");
}

static const char *meaning_of(const struct net *net, const struct parameter *p)
{
    for (size_t i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        if (layer->w != p->value)
            continue;
        if (layer->shape.depthwise)
            return "channels x kernel (row, column)";
        if (!layer->product.dense)
            return "outputs x inputs (kernel row, kernel column, channel)";
        return net->flat_input ? "outputs x inputs" : "outputs x inputs (row, column, channel)";
    }
    return "one a channel or output";
}

/* The network's parameters below a path, without padding. */
static void record_parameters(const struct trainer *t, struct record *record, const char *below)
{
    for (size_t i = 0; i < t->net->parameter_count; i++) {
        const struct parameter *p = &t->net->parameters[i];
        const size_t shape[2] = {p->rows, p->cols};
        bool is_matrix = p->decays;
        float *rows = xmalloc(p->rows * p->cols * sizeof *rows);
        for (size_t row = 0; row < p->rows; row++)
            memcpy(rows + row * p->cols, p->value + row * p->stride, p->cols * sizeof *rows);
        char *path = format_text("%s/%s", below, p->name);
        record_put(record, path, RECORD_F32, is_matrix ? 2 : 1, is_matrix ? shape : &p->cols, rows, "",
                   meaning_of(t->net, p));
        free(path);
        free(rows);
    }
}

void record_start(struct trainer *t, struct record *record)
{
    size_t count = t->split.train_count;
    const size_t shape[2] = {(size_t)t->epochs, count};
    int64_t *all = xmalloc(shape[0] * count * sizeof *all);
    for (size_t epoch = 0; epoch < shape[0]; epoch++) {
        order_of_epoch(t, (int64_t)epoch, t->order);
        for (size_t i = 0; i < count; i++)
            all[epoch * count + i] = t->order[i];
    }
    record_put(record, "/start/order", RECORD_I64, 2, shape, all, "",
               "epochs x training samples: place in the data set's training set of each sample, in the order of training");
    record_parameters(t, record, "/start/weights");
    free(all);
}

static void record_timing(const struct trainer *t, struct record *record)
{
    const struct place *at = &t->place, *before = &t->resumed_from;
    record_real(record, "/timing/train_seconds", at->train_seconds, "s", "training steps");
    record_real(record, "/timing/evaluation_seconds", at->evaluation_seconds, "s", "validation and test");
    double allocating = t->allocator.seconds + t->net->observing_seconds;
    record_real(record, "/timing/allocator_seconds", allocating, "s",
                "the allocator alone: estimation, solver, learned widths' update");
    record_real(record, "/timing/allocator_share", allocating / at->train_seconds, "fraction",
                "of the time of training steps");
    /* Of earlier processes; the runner adds this one. */
    record_real(record, "/timing/wall_seconds", before->wall_seconds, "s", "");
    record_real(record, "/timing/cpu_seconds", before->cpu_seconds, "s", "");
    record_int(record, "/provenance/resumed", at->resumed, "", "times that the run was continued from a checkpoint");
}

static void record_end(struct record *record, const char *status, const char *message)
{
    record_text(record, "/status", status, "how the run ended");
    record_text(record, "/message", message, "why it failed");
}

void record_run(const struct trainer *t, struct record *record)
{
    record_dataset(t, record);
    record_curves(t, record);
    allocator_record(&t->allocator, record);
    measured_record(&t->allocator, record);
    diagnostics_record(&t->diagnostics, record);
    explain_record(&t->explanation, record);
    record_costs(record, t->net, t->incremental ? &t->incremental->learner.seen : &t->dataset,
                 t->place.bops_sum / (double)t->place.step);
    record_timing(t, record);
    if (t->diverged) {
        char *message = format_text("the loss was not finite in epoch %ld, step %ld", (long)t->place.epoch + 1,
                                    (long)t->place.step);
        record_end(record, "diverged", message);
        free(message);
        return;
    }
    size_t last = (size_t)t->place.epoch - 1;
    record_score(record, "train", (struct score){t->curve[TRAIN_LOSS][last], t->curve[TRAIN_ACCURACY][last]});
    if (t->split.validation_count)
        record_score(record, "validation",
                     (struct score){t->curve[VALIDATION_LOSS][last], t->curve[VALIDATION_ACCURACY][last]});
    record_score(record, "test", t->test);
    if (t->incremental)
        incremental_record(t->incremental, record);
    if (!t->net->quantiser) /* the FP32 reference's weights serve `init: float` */
        record_parameters(t, record, "/weights");
    record_end(record, "done", "");
}

void record_stop(struct record *record)
{
    record_free(record);
    record_end(record, "stopped", "");
}
