/* SPDX-License-Identifier: GPL-3.0-or-later
 * Over the plugin tables, so that a new row is tested without anyone asking: names, parameters, and a short training of
 * every combination, which must keep the promises of its entries. */
#include "support.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_param(const struct param *param, const char *owner)
{
    struct error error;
    char *canonical;
    cr_assert(param->name && param->help && strlen(param->help) > 10, "%s: a parameter without help", owner);
    cr_assert(param->source, "%s: %s has no source tag", owner, param->name);
    if (!param->fallback)
        return;
    cr_assert(param_parse(param, param->fallback, &canonical, &error), "%s: the default of %s: %s", owner, param->name,
              error.text);
    cr_assert_str_eq(canonical, param->fallback, "%s: the default of %s is not in canonical form", owner, param->name);
    free(canonical);
}

Test(plugins, names_are_unique_and_parameters_documented)
{
    for (size_t i = 0; core_params[i]; i++)
        check_param(core_params[i], "core");
    for (int kind = 0; kind < PLUG_KINDS; kind++) {
        const struct plug *plug;
        for (size_t i = 0; (plug = plug_at((enum plug_kind)kind, i)); i++) {
            cr_assert_eq(plug_find((enum plug_kind)kind, plug->name), plug, "%s %s is there twice", plug_kind_names[kind],
                         plug->name);
            cr_assert(strlen(plug->help) > 10 && plug->version >= 1, "%s", plug->name);
            for (size_t k = 0; plug->params && plug->params[k]; k++)
                check_param(plug->params[k], plug->name);
        }
        cr_assert_null(plug_find((enum plug_kind)kind, "no such plugin"));
    }
}

static double mean_bits(const float *bits, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += bits[i];
    return sum / (double)count;
}

/* What every finished run's record must show. */
static void check_record(const struct settings *s, const struct record *record, const char *label)
{
    const struct alloc_ops *allocator = setting_plug(s, "allocator");
    const struct mode_ops *mode = setting_plug(s, "mode");
    cr_assert_str_eq(record_get_text(record, "/status", ""), "done", "%s: %s", label,
                     record_get_text(record, "/message", ""));
    double accuracy = record_get_real(record, "/metrics/test_accuracy", -1);
    cr_assert(accuracy >= 0 && accuracy <= 1, "%s", label);
    const struct field *final = record_find(record, "/bits/final");
    const float *bits = final->data;
    double achieved = record_get_real(record, "/costs/mean_bits", 0);
    if (!allocator->begin) {
        cr_assert(achieved == 32 && bits[0] == 0, "%s", label);
        return;
    }
    cr_assert(fabs(achieved - mean_bits(bits, field_count(final))) < 1e-9, "%s: the cost is not that of the widths", label);
    for (size_t i = 0; i < field_count(final); i++) {
        cr_assert(bits[i] >= 2 && bits[i] <= 8, "%s: %g bits", label, bits[i]);
        cr_assert(!mode->integer || bits[i] == floorf(bits[i]), "%s: a fractional width in an integer mode", label);
    }
    double budget = setting_has(s, "budget") ? setting_real(s, "budget") : NAN;
    double miss = record_get_real(record, "/costs/budget_miss", -1);
    cr_assert(isnan(budget) || fabs(miss - fmax(0, achieved - budget)) < 1e-9, "%s", label);
    if (allocator->guarantees && !isnan(budget))
        cr_assert(record_get_real(record, "/costs/largest_in_force", 99) <= budget + 1e-9, "%s", label);
    const struct field *decided = record_find(record, "/reallocation/bits");
    cr_assert(decided && decided->shape[0] >= 1 && decided->shape[1] == field_count(final), "%s", label);
}

static void train_twice(struct settings *settings, const char *label)
{
    struct record first = {0}, second = {0};
    struct error error = {""};
    const struct train_hooks hooks = {0};
    cr_assert(train_run(settings, &hooks, &first, &error), "%s: %s", label, error.text);
    cr_assert(train_run(settings, &hooks, &second, &error), "%s: %s", label, error.text);
    check_record(settings, &first, label);
    cr_assert_eq(record_get_real(&first, "/metrics/test_loss", 0), record_get_real(&second, "/metrics/test_loss", 1),
                 "%s repeats", label);
    record_free(&first);
    record_free(&second);
}

/* Samples that a model takes, smallest first. */
static const char *const shapes[] = {"flat", "3-16", "3-8-8", "3-32-32", NULL};

/* Whether the model takes the data that these settings make. */
static bool takes(const struct settings *settings)
{
    struct dataset described;
    struct error error;
    const struct dataset_ops *dataset = setting_plug(settings, "dataset");
    cr_assert(dataset->describe(settings, &described, &error), "%s", error.text);
    bool fits = !model_check(settings, &described);
    dataset_free(&described);
    return fits;
}

/* One entry of every kind that a run can choose; solvers and quantisers where they are read. Short: two steps. */
static void train_combination(bool brief, const char *model, const char *mode, const char *allocator, const char *quantiser,
                              const char *solver)
{
    struct choice choices[20] = {
        {.key = "dataset", .text = "synthetic"}, {.key = "samples", .text = brief ? "24" : "150"},
        {.key = "batch", .text = brief ? "12" : "25"}, {.key = "epochs", .text = brief ? "1" : "2"},
        {.key = "features", .text = "20"},       {.key = "classes", .text = "3"},   {.key = "hidden", .text = "7"},
        {.key = "budget", .text = "3.5"},        {.key = "tau", .text = "2"},
        {.key = "model", .text = model},         {.key = "mode", .text = mode},     {.key = "allocator", .text = allocator},
        {.key = "quantiser", .text = quantiser}, {.key = "solver", .text = solver}, {.key = "sample_shape"},
        {.key = "channels", .text = "4-4"},      {.key = "width_multiplier", .text = "0.25"},
        {.key = "pin", .text = "none"},          {.key = "hawq_widths", .text = "2-4-8"},
        {.key = "bits", .text = "*=3"},
    };
    struct settings settings;
    struct error error;
    const struct choice *wrong;
    char *label = format_text("%s %s %s %s %s", model, mode, allocator, quantiser, solver);
    for (size_t i = 0;; i++) {
        cr_assert(shapes[i], "%s takes none of the shapes", model);
        choices[14].text = shapes[i];
        cr_assert(settings_resolve(choices, 20, &settings, &wrong, &error), "%s: %s", label, error.text);
        if (takes(&settings))
            break;
        settings_free(&settings);
    }
    bool first_quantiser = strcmp(quantiser, plug_at(PLUG_QUANTISER, 0)->name) == 0;
    bool first_solver = strcmp(solver, plug_at(PLUG_SOLVER, 0)->name) == 0;
    bool new_run = (first_quantiser || setting_has(&settings, "quantiser"))
                   && (first_solver || setting_has(&settings, "solver"));
    if (new_run && !plug_check(&settings))
        train_twice(&settings, label);
    settings_free(&settings);
    free(label);
}

#define EACH(kind, entry) const struct plug *entry = plug_at(kind, 0); entry; entry = next(kind, entry)
static const struct plug *next(enum plug_kind kind, const struct plug *plug)
{
    size_t i = 0;
    while (plug_at(kind, i) != plug)
        i++;
    return plug_at(kind, i + 1);
}

/* Every choice on the first model, which is quick; then every other model in every mode. */
Test(plugins, every_combination_trains_and_keeps_its_promises)
{
    for (EACH(PLUG_MODE, mode))
        for (EACH(PLUG_ALLOCATOR, allocator))
            for (EACH(PLUG_QUANTISER, quantiser))
                for (EACH(PLUG_SOLVER, solver))
                    train_combination(false, plug_at(PLUG_MODEL, 0)->name, mode->name, allocator->name, quantiser->name,
                                      solver->name);
}

Test(plugins, every_model_trains_in_every_mode)
{
    const char *quantiser = plug_at(PLUG_QUANTISER, 0)->name, *solver = plug_at(PLUG_SOLVER, 0)->name;
    for (EACH(PLUG_MODEL, model))
        for (EACH(PLUG_MODE, mode))
            train_combination(true, model->name, mode->name, "uniform", quantiser, solver);
}
