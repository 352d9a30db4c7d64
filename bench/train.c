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

/* Processor time of this process. */
static double process_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t batch_at(const struct trainer *t, size_t first, size_t count)
{
    return count - first < t->batch ? count - first : t->batch;
}

static struct score evaluate(struct trainer *t, const struct part *part, const uint32_t *indices, size_t count)
{
    struct score score = {NAN, NAN};
    double loss = 0;
    size_t correct = 0, classes = t->net.classes;
    t->lap = now_seconds();
    for (size_t i = 0; i < count; i += t->batch) {
        size_t rows = batch_at(t, i, count);
        batch_take(&t->batches, part, indices, i, rows, -1, t->net.input, t->labels);
        const float *logits = net_forward(&t->net, rows, t->place.step, PASS_EVALUATE);
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
        .step = at->step, .steps = t->steps, .epoch = (int)at->epoch + 1, .epochs = (int)t->epochs,
        .loss = at->loss / (double)at->seen, .train_accuracy = (double)at->correct / (double)at->seen});
}

/* ---- checkpoints ---- */

static void register_state(struct trainer *t)
{
    keep(&t->kept, "place", &t->place, sizeof t->place);
    for (int c = 0; c < CURVES; c++)
        keep(&t->kept, curve_fields[c].path, t->curve[c], (size_t)t->epochs * sizeof *t->curve[c]);
    keep(&t->kept, "step_loss", t->step_loss, (size_t)t->steps * sizeof *t->step_loss);
    keep(&t->kept, "observing_seconds", &t->net.observing_seconds, sizeof t->net.observing_seconds);
    net_keep(&t->net, &t->kept);
    keep_all(&t->kept, &t->allocator.kept);
    diagnostics_keep(&t->diagnostics, &t->kept);
}

static void resume(struct trainer *t)
{
    struct error error;
    enum checkpoint_found found = checkpoint_read(t->hooks->checkpoint, &t->kept, &error);
    if (found == CHECKPOINT_UNFIT)
        fprintf(stderr, "bitsweep: note: %s; the run starts anew\n", error.text);
    if (found != CHECKPOINT_LOADED)
        return;
    net_weights_changed(&t->net);
    t->place.resumed++;
    t->resumed_from = t->place;
    fprintf(stderr, "bitsweep: note: goes on from its checkpoint, after step %ld of %ld\n", (long)t->place.step, t->steps);
}

static void save(struct trainer *t)
{
    struct error error;
    t->place.wall_seconds = t->resumed_from.wall_seconds + now_seconds() - t->started;
    t->place.cpu_seconds = t->resumed_from.cpu_seconds + process_seconds();
    if (!checkpoint_write(t->hooks->checkpoint, &t->kept, &error))
        fprintf(stderr, "bitsweep: note: %s; the run goes on without it\n", error.text);
    t->saved = t->lap = now_seconds();
}

/* After a step: whether to end, and whether it is time for a checkpoint. */
static void look_around(struct trainer *t)
{
    const struct checkpoint *checkpoint = t->hooks->checkpoint;
    t->stopped = t->hooks->stopping && t->hooks->stopping(t->hooks->context);
    if (!checkpoint)
        return;
    double since = now_seconds() - t->saved;
    bool epoch_ends = t->place.seen == t->split.train_count, timed = checkpoint->seconds > 0;
    if (t->stopped || (epoch_ends && (!timed || since >= SHORT_EPOCH)) || (timed && since >= checkpoint->seconds))
        save(t);
}

/* ---- training ---- */

/* Only a change of widths changes the price of a step. */
static void count_bops(struct trainer *t)
{
    float bits[MAX_TENSORS];
    size_t size = t->net.tensor_count * sizeof *bits;
    net_get_bits(&t->net, bits);
    if (t->step_bops == 0 || memcmp(bits, t->priced, size) != 0)
        t->step_bops = training_bops(&t->net);
    memcpy(t->priced, bits, size);
    t->place.bops_sum += t->step_bops;
}

/* One step on the batch in net.input; returns the sum of the losses. */
static double train_step(struct trainer *t, size_t rows)
{
    long step = (long)t->place.step;
    allocator_step(&t->allocator, step);
    double *squares = allocator_wants(&t->allocator, step);
    double loss = net_pass(&t->net, rows, t->labels, step, PASS_TRAIN, squares, &t->place.correct);
    allocator_after(&t->allocator, step, rows, schedule_factor(&t->schedule, step));
    net_update(&t->net, schedule_rate(&t->schedule, step));
    count_bops(t);
    return loss;
}

void order_of_epoch(const struct trainer *t, int64_t epoch, uint32_t *order)
{
    size_t count = t->split.train_count;
    rng_permutation(rng_key(t->seed, STREAM_ORDER, (uint64_t)epoch, 0), count, order);
    for (size_t i = 0; i < count; i++)
        order[i] = t->split.train[order[i]];
}

/* From where the training stands to the end of the epoch. */
static void train_epoch(struct trainer *t)
{
    struct place *at = &t->place;
    size_t count = t->split.train_count;
    order_of_epoch(t, at->epoch, t->order);
    t->lap = now_seconds();
    while (at->seen < count && !t->diverged && !t->stopped) {
        size_t rows = batch_at(t, at->seen, count);
        batch_take(&t->batches, &t->dataset.train, t->order, at->seen, rows, at->epoch, t->net.input, t->labels);
        double loss = train_step(t, rows);
        t->step_loss[at->step++] = (float)(loss / (double)rows);
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
    t->curve[LEARNING_RATE][at->epoch] = schedule_rate(&t->schedule, (long)at->step - 1);
}

/* The first batch of an epoch whose order stands in t->order. */
static size_t take_first_batch(struct trainer *t, int64_t epoch)
{
    size_t rows = batch_at(t, 0, t->split.train_count);
    batch_take(&t->batches, &t->dataset.train, t->order, 0, rows, epoch, t->net.input, t->labels);
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

static void train(struct trainer *t)
{
    while (t->place.epoch < t->epochs) {
        train_epoch(t);
        if (t->diverged || t->stopped)
            return;
        finish_epoch(t);
    }
    allocator_step(&t->allocator, t->steps);
    order_of_epoch(t, t->epochs - 1, t->order);
    measure_widths(&t->allocator, take_first_batch(t, t->epochs - 1), t->steps);
}

/* ---- before training ---- */

static bool load_parameter(const struct record *initial, const struct parameter *p, struct error *error)
{
    char *path = format_text("/weights/%s", p->name);
    const struct field *field = record_find(initial, path);
    free(path);
    if (!field || field->type != RECORD_F32 || field_count(field) != p->rows * p->cols
        || (field->rank == 2 && field->shape[0] != p->rows))
        return fail(error, "the float run's file holds no %s of %zu x %zu", p->name, p->rows, p->cols);
    for (size_t row = 0; row < p->rows; row++)
        memcpy(p->value + row * p->stride, (const float *)field->data + row * p->cols, p->cols * sizeof(float));
    return true;
}

static bool load_initial(struct trainer *t, struct error *error)
{
    for (size_t i = 0; t->hooks->initial && i < t->net.parameter_count; i++)
        if (!load_parameter(t->hooks->initial, &t->net.parameters[i], error))
            return false;
    net_weights_changed(&t->net);
    return true;
}

static bool prepare_data(struct trainer *t, struct error *error)
{
    const struct settings *s = t->settings;
    const struct dataset_ops *dataset = setting_plug(s, "dataset");
    if (!dataset)
        return fail(error, "there is no data set '%s'", setting_text(s, "dataset"));
    if (!dataset->load(s, &t->dataset, error))
        return false;
    const char *unfit = model_check(s, &t->dataset);
    if (unfit)
        return fail(error, "data set %s: %s", t->dataset.name, unfit);
    dataset_split(subset_count(s, &t->dataset), setting_real(s, "validation"), t->seed, &t->split);
    if (setting_is(s, "standardise", "channel")) {
        standardise_measure(&t->dataset, t->split.train, t->split.train_count, &t->standardisation);
        standardise_apply(&t->standardisation, &t->dataset);
    }
    return true;
}

static bool prepare_network(struct trainer *t, struct error *error)
{
    const struct settings *s = t->settings;
    net_build(&t->net, s, &t->dataset, setting_plug(s, "mode"), run_quantiser(s), t->batch, &t->arena);
    diagnostics_begin(&t->diagnostics, &t->net, &t->dataset, (size_t)t->epochs, &t->arena);
    if (probe_wanted(s))
        t->probe = probe_begin(&t->net, &t->dataset, t->split.train, t->split.train_count, &t->arena);
    struct pool pool = {.size = net_pool_size(&t->net)};
    const size_t shared[] = {diagnostics_pool_size(&t->diagnostics), probe_pool_size(t->probe)};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        pool.size = shared[i] > pool.size ? shared[i] : pool.size;
    pool.memory = arena_alloc(&t->arena, pool.size);
    net_use_pool(&t->net, pool);
    diagnostics_use_pool(&t->diagnostics, pool);
    probe_use_pool(t->probe, pool);
    net_initialise(&t->net);
    batches_begin(&t->batches, s, &t->dataset, &t->net, &t->standardisation);
    return allocator_begin(&t->allocator, &t->net, s, &t->dataset, t->steps, t->probe, &t->arena, error);
}

static bool prepare(struct trainer *t, struct error *error)
{
    const struct settings *s = t->settings;
    t->seed = (uint64_t)setting_int(s, "seed");
    t->batch = (size_t)setting_int(s, "batch");
    t->epochs = setting_int(s, "epochs");
    if (!prepare_data(t, error))
        return false;
    long steps_per_epoch = (long)((t->split.train_count + t->batch - 1) / t->batch);
    t->steps = t->epochs * steps_per_epoch;
    schedule_read(&t->schedule, s, t->steps, steps_per_epoch);
    t->order = arena_alloc(&t->arena, t->split.train_count * sizeof *t->order);
    t->labels = arena_alloc(&t->arena, t->batch * sizeof *t->labels);
    t->step_loss = arena_alloc(&t->arena, (size_t)t->steps * sizeof *t->step_loss);
    for (int c = 0; c < CURVES; c++)
        t->curve[c] = arena_alloc(&t->arena, (size_t)t->epochs * sizeof(double));
    if (!prepare_network(t, error))
        return false;
    register_state(t);
    return load_initial(t, error);
}

static void finish(struct trainer *t, struct record *record)
{
    struct score test = evaluate(t, &t->dataset.test, NULL, t->dataset.test.count);
    float bits[MAX_TENSORS];
    net_get_bits(&t->net, bits);
    if (setting_has(t->settings, "explain") && setting_bool(t->settings, "explain"))
        explain(&t->explanation, t->probe, &t->allocator.allocation, bits);
    record_run(t, test, record);
}

bool train_run(const struct settings *settings, const struct train_hooks *hooks, struct record *record,
               struct error *error)
{
    struct trainer *t = xcalloc(1, sizeof *t);
    t->settings = settings;
    t->hooks = hooks;
    t->started = now_seconds();
    openblas_set_num_threads(1);
    bool ready = prepare(t, error);
    if (ready) {
        if (setting_bool(settings, "record_start"))
            record_start(t, record);
        if (hooks->checkpoint)
            resume(t);
        t->saved = now_seconds();
        train(t);
        if (t->stopped)
            record_stop(record);
        else if (t->diverged)
            record_run(t, (struct score){NAN, NAN}, record);
        else
            finish(t, record);
    }
    allocator_end(&t->allocator);
    kept_free(&t->kept);
    standardise_free(&t->standardisation);
    split_free(&t->split);
    dataset_free(&t->dataset);
    arena_free(&t->arena);
    free(t);
    return ready;
}
