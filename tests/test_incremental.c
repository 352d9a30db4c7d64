/* SPDX-License-Identifier: GPL-3.0-or-later
 * Whole incremental runs on synthetic data: what reaches training, growing networks and budgets, resuming, and what is
 * recorded. */
#include "support.h"
#include "../bench/incremental.h"
#include "../bench/parallel.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL "scenario=incremental", "model=mlp", "features=12", "classes=7", "increment=2", "batch=16", "lr=0.05", \
              "difficulty=easy"
#define QUICK "hidden=10-8", "samples=240", "init_classes=3", "epochs=3"
#define LEARNING "hidden=32-16", "samples=1400", "init_classes=3", "epochs=10"

static struct record run(const struct settings *settings, const struct train_hooks *hooks)
{
    struct record record = {0};
    struct error error = {""};
    cr_assert(train_run(settings, hooks, &record, &error), "%s", error.text);
    return record;
}

static struct record whole_run(const struct settings *settings)
{
    struct record record = run(settings, &(struct train_hooks){0});
    cr_assert_str_eq(record_get_text(&record, "/status", ""), "done");
    return record;
}

static const double *reals(const struct record *record, const char *path, size_t count)
{
    const struct field *field = record_find(record, path);
    cr_assert(field && field->type == RECORD_F64 && field_count(field) == count, "%s", path);
    return field->data;
}

/* Keys that the strategy does not read are left out by make_settings. */
static struct settings quick_run(const char *strategy, const char *a, const char *b)
{
    char *chosen = format_text("strategy=%s", strategy);
    struct settings settings = make_settings(SMALL, QUICK, "memory=14", chosen, a, b, NULL);
    free(chosen);
    return settings;
}

/* ---- what reaches training ---- */

static bool is_among(const uint32_t *list, size_t count, uint32_t sample)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == sample)
            return true;
    return false;
}

/* The classes of the present task whole, of earlier ones what the strategy may keep, of later ones nothing; each sample
 * once. */
static void expect_samples_of_task(const struct learner *l)
{
    size_t *count = xcalloc(l->tasks.classes, sizeof *count), *size = xcalloc(l->tasks.classes, sizeof *size);
    size_t all = l->sample_count + l->held_out_count;
    for (size_t i = 0; i < l->dataset->train.count; i++)
        size[l->dataset->train.y[i]]++;
    for (size_t i = 0; i < all; i++) {
        uint32_t sample = i < l->sample_count ? l->samples[i] : l->held_out[i - l->sample_count];
        cr_assert_lt(sample, l->dataset->train.count);
        count[l->dataset->train.y[sample]]++;
        cr_assert(i < l->sample_count || !is_among(l->samples, l->sample_count, sample), "held out and trained on");
        cr_assert(i >= l->sample_count || !is_among(l->samples, i, sample), "trained on twice an epoch");
    }
    for (size_t class = 0; class < l->tasks.classes; class++) {
        size_t wanted = class >= l->all ? 0 : class >= l->old || l->strategy->keeps_all ? size[class] : 0;
        if (class < l->old && l->strategy->keeps_exemplars)
            wanted = 14 / l->old;
        cr_assert_eq(count[class], wanted, "%s, task %zu, class %zu: %zu, not %zu", l->strategy->plug.name, l->task, class,
                     count[class], wanted);
    }
    cr_assert_eq(l->sample_count, learner_sample_count(l, l->task));
    free(count), free(size);
}

static void expect_only_seen_classes(const char *strategy)
{
    struct settings s = quick_run(strategy, "allocator=none", NULL);
    struct dataset dataset;
    struct error error;
    const struct dataset_ops *ops = setting_plug(&s, "dataset");
    cr_assert(ops->load(&s, &dataset, &error), "%s", error.text);
    struct arena arena = {0};
    struct standardisation none = {0};
    struct learner *l = xcalloc(1, sizeof *l);
    learner_begin(l, &s, &dataset, &none, 16, &arena);
    for (size_t task = 0; task < l->tasks.count; task++) {
        struct net *net = arena_alloc(&arena, sizeof *net);
        learner_enter(l, task, net, NULL, &arena);
        size_t size = learner_pool_size(l);
        learner_use_pool(l, (struct pool){arena_alloc(&arena, size), size});
        cr_assert_eq(net->classes, l->all);
        learner_samples(l);
        expect_samples_of_task(l);
        learner_finish(l);
        for (size_t class = 0; l->strategy->keeps_exemplars && class < l->tasks.classes; class++)
            for (size_t i = 0; i < l->exemplars.count[class]; i++)
                cr_assert_eq((size_t)dataset.train.y[l->exemplars.samples[class * l->exemplars.capacity + i]], class);
    }
    learner_end(l);
    free(l);
    arena_free(&arena);
    dataset_free(&dataset);
    settings_free(&s);
}

Test(incremental, a_task_trains_on_its_classes_and_what_is_remembered, .timeout = 120)
{
    const struct plug *strategy;
    for (size_t i = 0; (strategy = plug_at(PLUG_STRATEGY, i)); i++)
        expect_only_seen_classes(strategy->name);
}

/* ---- whole runs ---- */

Test(incremental, every_strategy_learns_and_joint_training_forgets_least, .timeout = 120)
{
    double finetuned = 0, joint = 0;
    const struct plug *strategy;
    for (size_t i = 0; (strategy = plug_at(PLUG_STRATEGY, i)); i++) {
        char *chosen = format_text("strategy=%s", strategy->name);
        struct settings s = make_settings(SMALL, LEARNING, "memory=70", "allocator=none", chosen, NULL);
        free(chosen);
        struct record record = whole_run(&s);
        const double *accuracy = reals(&record, "/incremental/cnn/accuracy", 3);
        cr_expect_gt(accuracy[0], 0.8, "%s: first task %g", strategy->name, accuracy[0]);
        cr_expect_eq(accuracy[2], record_get_real(&record, "/metrics/test_accuracy", -1));
        cr_expect_eq(accuracy[2], record_get_real(&record, "/metrics/cnn_accuracy", -1));
        expect_near(record_get_real(&record, "/metrics/cnn_average_accuracy", -1),
                    (accuracy[0] + accuracy[1] + accuracy[2]) / 3);
        const double *matrix = reals(&record, "/incremental/cnn/task_accuracy", 9);
        cr_expect(isnan(matrix[1]) && isnan(matrix[5]) && !isnan(matrix[6]), "%s", strategy->name);
        bool nme = ((const struct strategy_ops *)strategy)->nme;
        cr_expect_eq(record_find(&record, "/incremental/nme/accuracy") != NULL, nme, "%s", strategy->name);
        finetuned = strcmp(strategy->name, "finetune") == 0 ? accuracy[2] : finetuned;
        joint = strcmp(strategy->name, "joint") == 0 ? accuracy[2] : joint;
        record_free(&record);
        settings_free(&s);
    }
    cr_expect_gt(joint, finetuned + 0.2, "joint %g, finetune %g", joint, finetuned);
}

static void expect_budget_in_every_task(const char *strategy, const char *allocator, const char *budget)
{
    struct settings s = quick_run(strategy, allocator, budget);
    struct record record = whole_run(&s);
    cr_expect_leq(record_get_real(&record, "/costs/largest_in_force", INFINITY),
                  record_get_real(&record, "/costs/budget", 0) * (1 + 1e-12), "%s %s", strategy, budget);
    record_free(&record);
    settings_free(&s);
}

/* At each step the program itself ends if a guarantee is broken; here with a head that grows from 3 to 7 classes. */
Test(incremental, budgets_hold_through_the_growth_of_the_head, .timeout = 120)
{
    expect_budget_in_every_task("icarl", "allocator=uniform", "budget=3.5");
    expect_budget_in_every_task("icarl", "allocator=uniform", "budget=weight_bytes=100");
    expect_budget_in_every_task("der", "allocator=uniform", "budget=3.5");
    expect_budget_in_every_task("icarl", "allocator=qbitopt", "budget=weight_bytes=100");
}

/* The steps at which widths were decided. */
static size_t decisions(const char *reallocate, int64_t *steps /* 64 */)
{
    struct settings s = make_settings(SMALL, QUICK, "strategy=finetune", "allocator=qbitopt", "budget=3.5", "tau=5",
                                      "fit_every=1", reallocate, NULL);
    struct record record = whole_run(&s);
    const struct field *field = record_find(&record, "/reallocation/step");
    size_t count = field_count(field);
    cr_assert_lt(count, 64);
    memcpy(steps, field->data, count * sizeof *steps);
    record_free(&record);
    settings_free(&s);
    return count;
}

Test(incremental, reallocation_within_between_or_in_the_first_task, .timeout = 120)
{
    int64_t steps[64], first_task;
    struct settings s = make_settings(SMALL, QUICK, "strategy=finetune", "allocator=none", NULL);
    struct record record = whole_run(&s);
    const struct field *field = record_find(&record, "/tasks/steps");
    const int64_t *of_task = field->data;
    first_task = of_task[0];
    size_t count = decisions("reallocate=between", steps);
    cr_assert_eq(count, 3);
    cr_expect(steps[0] == 0 && steps[1] == first_task && steps[2] == first_task + of_task[1]);
    count = decisions("reallocate=first", steps);
    cr_expect_gt(count, 4);
    for (size_t i = 0; i < count; i++)
        cr_expect(steps[i] < first_task || steps[i] == first_task || steps[i] == first_task + of_task[1], "step %ld",
                  (long)steps[i]);
    size_t within = decisions("reallocate=within", steps);
    cr_expect_gt(within, count);
    record_free(&record);
    settings_free(&s);
}

static float final_bits(const struct record *record, const char *tensor)
{
    const struct field *names = record_find(record, "/tensors/name"), *bits = record_find(record, "/bits/final");
    for (size_t i = 0; i < field_count(names); i++)
        if (strcmp(((char *const *)names->data)[i], tensor) == 0)
            return ((const float *)bits->data)[i];
    return NAN;
}

/* Patterns mean the whole model, of which memo trains a part, with an auxiliary classifier that nobody names. */
Test(incremental, given_widths_are_those_of_the_whole_model, .timeout = 120)
{
    struct settings s = make_settings(SMALL, "samples=240", "epochs=1", "model=fcnet", "depth=4", "strategy=memo",
                                      "mode=fqt", "allocator=fixed",
                                      "bits=*.weight=4,*.input=6,first.*=8,last.weight=5", NULL);
    struct record record = whole_run(&s);
    cr_expect_eq(final_bits(&record, "auxiliary.weight"), 5);
    cr_expect_eq(final_bits(&record, "auxiliary.input"), 6);
    const struct field *bits = record_find(&record, "/bits/final");
    for (size_t i = 0; i < field_count(bits); i++)
        cr_expect_lt(((const float *)bits->data)[i], 8, "the first layer is frozen");
    record_free(&record);
    settings_free(&s);
}

/* ---- the old network's logits ---- */

static bool tabulates(const char *option)
{
    struct settings s = make_settings(SMALL, QUICK, "strategy=icarl", "sample_shape=1-4-4", "mode=fqt", "budget=4", option,
                                      NULL);
    struct dataset dataset;
    struct error error;
    struct arena arena = {0};
    struct standardisation none = {0};
    struct net nets[2];
    struct learner *l = xcalloc(1, sizeof *l);
    const struct dataset_ops *ops = setting_plug(&s, "dataset");
    cr_assert(ops->load(&s, &dataset, &error), "%s", error.text);
    learner_begin(l, &s, &dataset, &none, 16, &arena);
    for (size_t task = 0; task < 2; task++)
        learner_enter(l, task, &nets[task], NULL, &arena);
    bool found = l->old_table;
    learner_end(l);
    free(l);
    arena_free(&arena);
    dataset_free(&dataset);
    settings_free(&s);
    return found;
}

Test(incremental, the_old_network_is_asked_once_only_where_it_says_the_same_each_time)
{
    cr_expect(tabulates("augment_crop=0"));
    cr_expect_not(tabulates("augment_crop=1"));
    cr_expect_not(tabulates("augment_flip=true"));
    cr_expect_not(tabulates("act_range=batch"));
}

/* ---- stopping and going on ---- */

struct stops { uint64_t key, draw; int count; };

static bool stop_at_random(void *context)
{
    struct stops *stops = context;
    bool stop = rng_uniform(stops->key, stops->draw++) < 0.2;
    stops->count += stop;
    return stop;
}

static void expect_pieces_equal_the_whole(const struct settings *settings, uint64_t key)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.ckpt");
    struct stops stops = {.key = key};
    const struct checkpoint checkpoint = {path, "this run", 1e6};
    const struct train_hooks hooks = {.stopping = stop_at_random, .context = &stops, .checkpoint = &checkpoint};
    struct record whole = whole_run(settings), pieces = {0};
    do {
        record_free(&pieces);
        pieces = run(settings, &hooks);
    } while (strcmp(record_get_text(&pieces, "/status", ""), "stopped") == 0);
    cr_assert_gt(stops.count, 4, "hardly ever stopped");
    expect_same_content(&whole, &pieces);
    record_free(&whole), record_free(&pieces);
    free(path);
    remove_folder(folder);
}

Test(incremental, a_run_in_pieces_equals_the_whole_for_every_strategy, .timeout = 240)
{
    const struct plug *strategy;
    if (!freopen("/dev/null", "w", stderr))
        die("cannot open /dev/null");
    for (size_t i = 0; (strategy = plug_at(PLUG_STRATEGY, i)); i++) {
        struct settings s = quick_run(strategy->name, "mode=hfqt", "budget=4");
        expect_pieces_equal_the_whole(&s, i);
        settings_free(&s);
    }
}

Test(incremental, a_run_in_pieces_equals_the_whole_for_allocators_and_modes, .timeout = 240)
{
    static const struct { const char *strategy, *mode, *allocator, *option; } cases[] = {
        {"strategy=icarl", "mode=fp", "allocator=none", "schedule=multistep"},
        {"strategy=icarl", "mode=fqt", "allocator=qbitopt", "fit_every=2"},
        {"strategy=bic", "mode=fqt", "allocator=qbitopt", "fit_source=float"},
        {"strategy=der", "mode=hfqt", "allocator=qbitopt", "reallocate=between"},
        {"strategy=bic", "mode=luq", "allocator=uniform", "act_range=batch"},
        {"strategy=bic", "mode=fp", "allocator=dq", NULL},
        {"strategy=memo", "mode=fp", "allocator=dq", "model=fcnet"},
        {"strategy=icarl", "mode=fp", "allocator=fracbits", NULL},
        {"strategy=icarl", "mode=fp", "allocator=uniform", "quantiser=lsq"},
        {"strategy=icarl", "mode=fqt", "allocator=hawq", "hawq_draws=2"},
        {"strategy=er", "mode=fqt", "allocator=random", NULL},
    };
    if (!freopen("/dev/null", "w", stderr))
        die("cannot open /dev/null");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings s = make_settings(SMALL, QUICK, "memory=14", "budget=4", "tau=5", "milestones=2", "probe_samples=32",
                                          cases[i].strategy, cases[i].mode, cases[i].allocator, cases[i].option, NULL);
        expect_pieces_equal_the_whole(&s, 99 + i);
        settings_free(&s);
    }
}

Test(incremental, threads_change_nothing, .timeout = 120)
{
    struct settings s = quick_run("bic", "mode=hfqt", "budget=4");
    struct record one = whole_run(&s);
    parallel_use(3);
    struct record three = whole_run(&s);
    parallel_use(1);
    expect_same_content(&one, &three);
    record_free(&one), record_free(&three);
    settings_free(&s);
}

/* ---- what cannot be ---- */

static void expect_refused(struct settings s, const char *why)
{
    struct dataset described;
    struct error error = {""};
    const struct dataset_ops *ops = setting_plug(&s, "dataset");
    cr_assert(ops->describe(&s, &described, &error), "%s", error.text);
    cr_expect_not(incremental_check(&s, &described, &error));
    cr_expect(strstr(error.text, why), "%s", error.text);
    dataset_free(&described);
    settings_free(&s);
}

Test(incremental, what_makes_no_tasks_is_refused)
{
    expect_refused(make_settings(SMALL, "init_classes=9", "allocator=none", NULL), "more classes than the data set");
    expect_refused(make_settings(SMALL, "hidden=10", "strategy=memo", "allocator=none", NULL), "specialised blocks");
    expect_refused(make_settings(SMALL, "strategy=der", "allocator=hawq", "budget=4", NULL), "sensitivities");
}

static void expect_budget_refused(const char *strategy, const char *budget, const char *why)
{
    struct settings s = quick_run(strategy, "allocator=uniform", budget);
    struct dataset described;
    struct error error = {""};
    const struct dataset_ops *ops = setting_plug(&s, "dataset");
    cr_assert(ops->describe(&s, &described, &error), "%s", error.text);
    cr_expect_eq(budget_check(&s, &described, &error), why == NULL, "%s %s: %s", strategy, budget, error.text);
    cr_expect(!why || strstr(error.text, why), "%s", error.text);
    dataset_free(&described);
    settings_free(&s);
}

/* mlp 12-10-8-7: 256 weights at 2 bits are 64 bytes, with 3 classes 224, 56 bytes. der's last task has an auxiliary
 * classifier of 3 x 8 more and reads 2 x 8 features more for each of 7 classes: 392, 98 bytes. */
Test(incremental, budgets_that_some_task_cannot_meet_are_refused_before_training)
{
    expect_budget_refused("icarl", "budget=weight_bytes=64", NULL);
    expect_budget_refused("icarl", "budget=weight_bytes=63", "in task 3 of 3, with 7 classes");
    expect_budget_refused("icarl", "budget=weight_bytes=55", "in task 1 of 3, with 3 classes");
    expect_budget_refused("der", "budget=weight_bytes=98", NULL);
    expect_budget_refused("der", "budget=weight_bytes=97", "in task 3 of 3, with 7 classes");
}

Test(incremental, a_task_without_samples_is_refused)
{
    struct settings s = make_settings(SMALL, QUICK, "strategy=bic", "allocator=none", "memory=900", "memory_of=class",
                                      "bic_validation=0.9", NULL);
    struct record record = {0};
    struct error error = {""};
    cr_expect_not(train_run(&s, &(struct train_hooks){0}, &record, &error));
    cr_expect(strstr(error.text, "task 2 of 3 has no sample to train on"), "%s", error.text);
    record_free(&record);
    settings_free(&s);
}
