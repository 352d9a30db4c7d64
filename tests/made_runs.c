/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "made_runs.h"
#include "../results/collect.h"
#include "../results/store.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

const struct made made_runs[MADE] = {
    {"00000000000000f1", "fp", "none", NULL, "1", "done", 0.9, 32},
    {"00000000000000a1", "fqt", "qbitopt", "2.5", "1", "done", 0.875, 2.5},
    {"00000000000000b1", "fqt", "qbitopt", "4", "1", "done", 0.5, 4},
    {"00000000000000f2", "fp", "none", NULL, "2", "done", 0.9, 32},
    {"00000000000000a2", "fqt", "qbitopt", "2.5", "2", "done", 0.625, 2.25},
    {"00000000000000b2", "fqt", "qbitopt", "4", "2", "diverged", 0.1, 4},
};

struct record made_record(const struct made *made)
{
    static const size_t two[] = {2};
    struct record record = {0};
    record_text(&record, "/id", made->id, "");
    record_text(&record, "/status", made->status, "");
    record_text(&record, "/message", "", "");
    record_text(&record, "/canonical", made->id, "");
    record_text(&record, "/settings/dataset", "synthetic", "");
    record_text(&record, "/settings/model", "mlp", "");
    record_text(&record, "/settings/mode", made->mode, "");
    record_text(&record, "/settings/allocator", made->allocator, "");
    record_text(&record, "/settings/seed", made->seed, "");
    record_text(&record, "/settings/hidden", "128-64", "");
    record_real(&record, "/timing/train_seconds", 1.5, "s", "");
    record_real(&record, "/timing/wall_seconds", 2, "s", "");
    record_text(&record, "/provenance/git_commit", "abc", "");
    if (made->budget) {
        const double omega[] = {7, made->accuracy / 4}, uniform[] = {7, 3};
        record_text(&record, "/settings/budget", made->budget, "");
        record_text(&record, "/settings/grad_bits", "4", "");
        record_put(&record, "/reallocation/omega", RECORD_F64, 1, two, omega, "", "");
        record_put(&record, "/reallocation/omega_uniform", RECORD_F64, 1, two, uniform, "", "");
        record_real(&record, "/costs/budget_miss", 0, "bit", "");
    }
    record_real(&record, "/metrics/test_accuracy", made->accuracy, "1", "");
    record_real(&record, "/costs/mean_bits", made->mean_bits, "bit", "");
    return record;
}

void write_made(const char *folder, const struct made *made)
{
    struct error error;
    struct record record = made_record(made);
    char *path = format_text("%s/demo/runs/%s.h5", folder, made->id);
    cr_assert(store_write(path, &record, &error), "%s", error.text);
    free(path);
    record_free(&record);
}

struct plan made_plan(void)
{
    static const struct param mode = {.name = "mode"}, budget = {.name = "budget"};
    struct plan plan = {.name = "demo", .runs = xcalloc(MADE + 1, sizeof *plan.runs), .count = MADE + 1};
    for (size_t i = 0; i < MADE + 1; i++) {
        struct run *run = &plan.runs[i];
        const char *setting = i < MADE ? made_runs[i].budget : "1";
        snprintf(run->id, sizeof run->id, "%s", i < MADE ? made_runs[i].id : "00000000000000c1");
        struct setting *items = run->settings.items = xcalloc(2, sizeof *items);
        if (setting)
            items[run->settings.count++] = (struct setting){&budget, (char *)setting, 0, 0};
        char *value = (char *)(i < MADE ? made_runs[i].mode : "fqt");
        items[run->settings.count++] = (struct setting){&mode, value, 0, 0};
    }
    plan.runs[MADE].skip = "budget 1 is below the smallest mean_bits, 2";
    return plan;
}

void free_made_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->runs[i].settings.items);
    free(plan->runs);
}

char *collected(const char *folder)
{
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct error error;
    char *path;
    for (size_t i = 0; i < MADE; i++)
        write_made(folder, &made_runs[i]);
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    free_made_plan(&plan);
    return path;
}
