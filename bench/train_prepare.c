/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run needs before it trains: its data, and at each task its network and allocator. */
#include "trainer.h"
#include "../datasets/users.h"
#include <stdlib.h>
#include <string.h>

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
    for (size_t i = 0; t->hooks->initial && i < t->net->parameter_count; i++)
        if (!load_parameter(t->hooks->initial, &t->net->parameters[i], error))
            return false;
    net_weights_changed(t->net);
    return true;
}

static bool names_users(const struct dataset *d) { return d->train.user && (d->test.user || !d->test.count); }

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
    bool draws = draws_test_users(s) && (names_users(&t->dataset) || setting_is(s, "test_users", "seed"));
    double share = setting_has(s, "test_split") ? setting_real(s, "test_split") : 0; /* sets without users have none */
    if (draws && !split_users(&t->dataset, share, t->seed, error))
        return false;
    dataset_split(subset_count(s, &t->dataset), validation_share(s), t->seed, &t->split);
    if (setting_is(s, "standardise", "channel"))
        standardise_measure(&t->dataset, t->split.train, t->split.train_count, &t->standardisation);
    if (setting_is(s, "standardise", "range"))
        standardise_range(&t->dataset, t->split.train, t->split.train_count, &t->standardisation);
    if (t->standardisation.channels)
        standardise_apply(&t->standardisation, &t->dataset);
    return true;
}

/* Nets that run in turn share the pool; it grows with the largest. */
static void share_pool(struct trainer *t)
{
    const size_t sizes[] = {t->incremental ? learner_pool_size(&t->incremental->learner) : net_pool_size(t->net),
                            diagnostics_pool_size(&t->diagnostics), probe_pool_size(t->probe)};
    size_t size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        size = sizes[i] > size ? sizes[i] : size;
    if (size > t->pool.size) {
        arena_free(&t->pool_arena);
        t->pool = (struct pool){arena_alloc(&t->pool_arena, size), size};
    }
    net_use_pool(t->net, t->pool);
    if (t->incremental)
        learner_use_pool(&t->incremental->learner, t->pool);
    diagnostics_use_pool(&t->diagnostics, t->pool);
    probe_use_pool(t->probe, t->pool);
}

static size_t task_sample_count(const struct trainer *t, size_t task)
{
    return t->incremental ? learner_sample_count(&t->incremental->learner, task) : t->split.train_count;
}

static long epoch_steps(const struct trainer *t, size_t task)
{
    return (long)((task_sample_count(t, task) + t->batch - 1) / t->batch);
}

static void build_network(struct trainer *t, struct arena *arena)
{
    const struct settings *s = t->settings;
    struct net *net = arena_alloc(arena, sizeof *net);
    double observed = t->net ? t->net->observing_seconds : 0;
    if (t->incremental) {
        learner_enter(&t->incremental->learner, (size_t)t->place.task, net, run_quantiser(s), arena);
    } else {
        net_build(net, s, &t->dataset, setting_plug(s, "mode"), run_quantiser(s), t->batch, arena);
        net_initialise(net);
        batches_begin(&t->batches, s, &t->dataset, net, &t->standardisation);
    }
    net->observing_seconds = observed;
    t->net = net;
}

bool trainer_enter_task(struct trainer *t, struct error *error)
{
    const struct settings *s = t->settings;
    const size_t task = (size_t)t->place.task;
    const struct dataset *seen = t->incremental ? &t->incremental->learner.seen : &t->dataset;
    struct arena *arena = &t->task_arenas[task % 2], *other = &t->task_arenas[(task + 1) % 2];
    arena_free(arena);
    build_network(t, arena);
    diagnostics_follow(&t->diagnostics, t->net, seen, arena);
    t->probe = probe_wanted(s) ? probe_begin(t->net, seen, task_sample_count(t, task), arena) : NULL;
    share_pool(t);
    long steps = epoch_steps(t, task);
    schedule_read(&t->schedule, s, t->epochs * steps, steps);
    t->step_bops = 0;
    if (!allocator_follow(&t->allocator, t->net, s, seen, t->schedule.steps, (long)t->place.step, t->probe, arena, error))
        return false;
    if (!t->incremental || !t->incremental->learner.before)
        arena_free(other);
    trainer_register(t);
    return true;
}

/* What the task trains on; exemplars are there by now. */
void trainer_take_samples(struct trainer *t)
{
    t->samples = t->split.train;
    t->sample_count = t->split.train_count;
    if (t->incremental) {
        struct learner *l = &t->incremental->learner;
        learner_samples(l);
        learner_tabulate(l);
        t->samples = l->samples;
        t->sample_count = l->sample_count;
        t->labels = l->labels;
    }
    if (t->probe)
        probe_choose(t->probe, &t->dataset, t->samples, t->sample_count);
}

bool trainer_prepare(struct trainer *t, struct error *error)
{
    const struct settings *s = t->settings;
    t->seed = (uint64_t)setting_int(s, "seed");
    t->batch = (size_t)setting_int(s, "batch");
    t->epochs = setting_int(s, "epochs");
    t->tasks = 1;
    if (!prepare_data(t, error))
        return false;
    if (is_incremental(s)) {
        t->incremental = arena_alloc(&t->arena, sizeof *t->incremental);
        incremental_begin(t->incremental, s, &t->dataset, &t->standardisation, &t->arena);
        t->tasks = t->incremental->learner.tasks.count;
    }
    for (size_t task = 0; task < t->tasks; task++) {
        if (task_sample_count(t, task) == 0)
            return fail(error, "task %zu of %zu has no sample to train on: its classes have none in the training part, or "
                        "all are held out", task + 1, t->tasks);
        t->steps += t->epochs * epoch_steps(t, task);
    }
    t->order = arena_alloc(&t->arena, t->split.train_count * sizeof *t->order);
    t->labels = arena_alloc(&t->arena, t->batch * sizeof *t->labels);
    t->step_loss = arena_alloc(&t->arena, (size_t)t->steps * sizeof *t->step_loss);
    for (int c = 0; c < CURVES; c++)
        t->curve[c] = arena_alloc(&t->arena, trainer_epochs(t) * sizeof(double));
    return trainer_enter_task(t, error) && load_initial(t, error);
}
