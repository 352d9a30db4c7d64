/* SPDX-License-Identifier: GPL-3.0-or-later
 * From the blocks of a sweep file to its runs: merged, in order, checked. */
#include "incremental.h"
#include "plan.h"
#include "../datasets/split.h"
#include "../methods/allocators/fixed.h"
#include "batches.h"
#include "config.h"
#include "expand.h"
#include "identity.h"
#include "rules.h"
#include "settings.h"
#include <stdlib.h>
#include <string.h>

/* ---- merging ---- */

/* A run's place in two orders. */
struct place { const char *text; long number; size_t index; };

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int by_text = a->text ? strcmp(a->text, b->text) : 0;
    if (by_text)
        return by_text;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void run_free(struct run *run)
{
    settings_free(&run->settings);
    free(run->canonical);
}

/* Moves the runs to the order of `places` and drops those that are in none; same[i]: the run that stands for
 * run i. */
static void arrange(struct plan *plan, const struct place *places, size_t count, const size_t *same)
{
    struct run *runs = xmalloc(count * sizeof *runs);
    size_t *now = xmalloc(plan->count * sizeof *now);
    for (size_t i = 0; i < count; i++) {
        runs[i] = plan->runs[places[i].index];
        now[places[i].index] = i;
    }
    for (size_t i = 0; i < plan->count; i++)
        if (same[i] != i)
            run_free(&plan->runs[i]);
    for (size_t i = 0; i < count; i++)
        if (runs[i].depends >= 0)
            runs[i].depends = (int)now[same[runs[i].depends]];
    free(plan->runs);
    free(now);
    plan->runs = runs;
    plan->count = count;
}

/* Ranks the seeds by where each first appears; seed_rank has an entry a run. */
static void rank_seeds(const struct plan *plan, long *seed_rank)
{
    struct place *places = xmalloc(plan->count * sizeof *places);
    for (size_t i = 0; i < plan->count; i++)
        places[i] = (struct place){NULL, setting_int(&plan->runs[i].settings, "seed"), i};
    qsort(places, plan->count, sizeof *places, compare_places);
    for (size_t i = 0; i < plan->count; i++) {
        bool first = i == 0 || places[i].number != places[i - 1].number;
        seed_rank[places[i].index] = first ? (long)places[i].index : seed_rank[places[i - 1].index];
    }
    free(places);
}

/* Of equal runs the first stays. The order is seed-major, within a seed the file's; a float run was added
 * just before the first run that needs it and has its seed, so it stays ahead. */
static void merge_and_sort(struct plan *plan)
{
    size_t kept = 0, *same = xmalloc(plan->count * sizeof *same);
    long *seed_rank = xmalloc(plan->count * sizeof *seed_rank);
    struct place *places = xmalloc(plan->count * sizeof *places);
    for (size_t i = 0; i < plan->count; i++)
        places[i] = (struct place){plan->runs[i].canonical, 0, i};
    qsort(places, plan->count, sizeof *places, compare_places);
    for (size_t i = 0; i < plan->count; i++) {
        bool first = i == 0 || strcmp(places[i].text, places[i - 1].text) != 0;
        same[places[i].index] = first ? places[i].index : same[places[i - 1].index];
    }
    rank_seeds(plan, seed_rank);
    for (size_t i = 0; i < plan->count; i++)
        if (same[i] == i)
            places[kept++] = (struct place){NULL, seed_rank[i], i};
    qsort(places, kept, sizeof *places, compare_places);
    arrange(plan, places, kept, same);
    free(same);
    free(seed_rank);
    free(places);
}

/* ---- checks ---- */

/* What the settings demand of the data set and the network, and the key whose place an error names. A budget is checked
 * within the rules for tensors, so after them. */
static const struct {
    bool (*check)(const struct settings *, const struct dataset *described, struct error *);
    const char *key;
} demands[] = {{incremental_check, "scenario"}, {subset_check, "subset"}, {batches_check, "dataset"},
               {limits_check, "limits"}, {pin_check, "pin"}, {tie_check, "tie"}, {fixed_check, "bits"},
               {budget_check, "budget"}};

static bool meets_demands(const struct config *config, const struct settings *settings, const struct dataset *described,
                          struct error *error)
{
    struct error problem;
    for (size_t i = 0; i < sizeof demands / sizeof *demands; i++) {
        if (demands[i].check(settings, described, &problem))
            continue;
        const struct setting *setting = settings_find(settings, demands[i].key);
        return config_fail(config, setting->line, setting->column, error, "%s", problem.text);
    }
    return true;
}

static bool check_runs(const struct config *config, struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct run *run = &plan->runs[i];
        const struct dataset *described = described_find(plan->described, &run->settings);
        run->skip = plug_check(&run->settings);
        if (!run->skip)
            run->skip = model_check(&run->settings, described);
        if (!run->skip && run->depends >= 0 && plan->runs[run->depends].skip)
            run->skip = "the FP32 run that it starts from cannot run";
        if (!run->skip && !meets_demands(config, &run->settings, described, error))
            return false;
    }
    return true;
}

/* ---- all of it ---- */

static char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path, *dot = strrchr(start, '.');
    return format_text("%.*s", (int)(dot && dot != start ? dot - start : (long)strlen(start)), start);
}

bool plan_load(const char *path, const char *const *overrides, size_t override_count, struct plan *plan,
               struct error *error)
{
    struct config config;
    *plan = (struct plan){0};
    if (!config_load(path, overrides, override_count, &config, error))
        return false;
    plan->name = base_name(path);
    plan->path = xstrdup(path);
    bool good = config_expand(&config, plan, error);
    if (good) {
        merge_and_sort(plan);
        good = check_runs(&config, plan, error);
    }
    config_free(&config);
    if (!good)
        plan_free(plan);
    return good;
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        run_free(&plan->runs[i]);
    free(plan->runs);
    free(plan->name);
    free(plan->path);
    described_free(plan->described);
    *plan = (struct plan){0};
}
