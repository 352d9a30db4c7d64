/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep plan: what a sweep would run, what is done of it, and what the rest costs. */
#include "folder.h"
#include "names.h"
#include "options.h"
#include "progress.h"
#include "settings.h"
#include "summary.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS "results"

static int run(int argc, char **argv);

const struct command cmd_plan = {
    .name = "plan",
    .arguments = "SWEEP.yaml [-s KEY=VALUE]... [-j N] [--format text|json|csv]",
    .summary = "Show the runs of a sweep, their state, and the time, memory and disk that the rest needs.",
    .details =
        "  -s KEY=VALUE        set a key in every block of the file; may be repeated; a list multiplies:\n"
        "                      -s 'seed=[1, 2, 3]'\n"
        "  -j N                workers that share the time; default: the cores that this process may use\n"
        "  --format FORMAT     text (default), json, or csv\n"
        "\n"
        "Nothing is trained and nothing is written. Memory is that at the peak of a run. Times are those of\n"
        "finished runs of the same data set, model, mode and batch where there are any, and rough assumptions\n"
        "otherwise. docs/sweep-files.md describes the file.\n"
        "\n"
        "Example: bitsweep plan bench/sweeps/demo.yaml -s 'seed=[1, 2, 3]' -j 8",
    .run = run,
};

struct totals {
    struct tally tally;
    size_t stale, measured, assumed; /* measured, assumed: of the runs to do */
    double seconds, bytes;           /* seconds: of all workers together */
    double longest, memory;          /* memory: of the largest run to do */
    int workers;
};

struct view {
    const struct plan *plan;
    struct run_result *results;
    struct estimate *estimates;
    struct labels labels;
    struct totals totals;
};

static void add_up(struct view *view, int workers)
{
    struct totals *t = &view->totals;
    *t = (struct totals){.tally = tally_runs(view->plan, view->results), .workers = workers};
    for (size_t i = 0; i < view->plan->count; i++) {
        t->stale += view->results[i].stale;
        if (view->results[i].state != RUN_TO_DO)
            continue;
        *(view->estimates[i].measured ? &t->measured : &t->assumed) += 1;
        t->seconds += view->estimates[i].seconds;
        t->bytes += view->estimates[i].bytes;
        t->longest = fmax(t->longest, view->estimates[i].seconds);
        t->memory = fmax(t->memory, view->estimates[i].memory);
    }
}

/* At most, of all workers together. */
static double memory_together(const struct totals *totals)
{
    size_t runs = totals->tally.of[RUN_TO_DO], workers = (size_t)totals->workers;
    return totals->memory * (double)(runs < workers ? runs : workers);
}

/* No number of workers makes a single run shorter. */
static double expected_seconds(const struct totals *totals)
{
    return fmax(totals->seconds / totals->workers, totals->longest);
}

/* "to do", "done", "skipped", or how a run failed. */
static const char *state_text(const struct run_result *result)
{
    return result->state == RUN_SKIPPED ? "skipped" : result->status[0] ? result->status : "to do";
}

/* ---- text ---- */

static void print_row(const struct view *view, size_t index)
{
    const struct run *run = &view->plan->runs[index];
    char duration[32], *label = run_label(&view->labels, run);
    format_duration(view->estimates[index].seconds, duration, sizeof duration);
    printf("%-16s  %-13s %12s  %s", run->id, state_text(&view->results[index]), run->skip ? "" : duration,
           label);
    if (run->depends >= 0)
        printf("%safter %s", *label ? " " : "", view->plan->runs[run->depends].id);
    if (run->skip)
        printf("%s(%s)", *label ? " " : "", run->skip);
    putchar('\n');
    free(label);
}

static const char *plural(size_t count) { return count == 1 ? "" : "s"; }

static void print_totals(const struct view *view)
{
    const struct totals *t = &view->totals;
    const size_t *of = t->tally.of;
    char duration[32];
    format_duration(expected_seconds(t), duration, sizeof duration);
    printf("\n%s: %zu run%s: %zu done, %zu failed, %zu to do, %zu skipped\n", view->plan->name,
           view->plan->count, plural(view->plan->count), of[RUN_DONE], of[RUN_FAILED], of[RUN_TO_DO],
           of[RUN_SKIPPED]);
    if (of[RUN_TO_DO] > 0)
        printf("expected: %s (%.3g hours) with %d worker%s, %.1f MB of run files; "
               "time of %zu run%s measured, of %zu assumed\n",
               duration, expected_seconds(t) / 3600, t->workers, plural((size_t)t->workers), t->bytes / 1e6,
               t->measured, plural(t->measured), t->assumed);
    if (t->memory > 0)
        printf("memory: up to %.0f MB for a run, %.0f MB for all workers together\n", t->memory / 1e6,
               memory_together(t) / 1e6);
    if (t->tally.resumable > 0)
        printf("%zu of the runs to do go%s on from a checkpoint\n", t->tally.resumable, t->tally.resumable == 1 ? "es" : "");
    if (of[RUN_FAILED] > 0)
        puts("failed runs are repeated by bitsweep run --retry");
    if (t->stale > 0)
        printf("%zu finished run%s made by another git commit (bitsweep run --redo stale repeats them)\n",
               t->stale, t->stale == 1 ? " was" : "s were");
}

static void print_text(const struct view *view)
{
    printf("%-16s  %-13s %12s  %s\n", "id", "state", "time", "settings that vary");
    for (size_t i = 0; i < view->plan->count; i++)
        print_row(view, i);
    print_totals(view);
}

/* ---- JSON ---- */

static cJSON *text_or_null(const char *text) { return text ? cJSON_CreateString(text) : cJSON_CreateNull(); }

static cJSON *run_object(const struct view *view, size_t index)
{
    const struct run *run = &view->plan->runs[index];
    const struct run_result *result = &view->results[index];
    const struct estimate *estimate = &view->estimates[index];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", run->id);
    cJSON_AddStringToObject(object, "status", state_text(result));
    cJSON_AddItemToObject(object, "skip", text_or_null(run->skip));
    cJSON_AddItemToObject(object, "depends",
                          text_or_null(run->depends < 0 ? NULL : view->plan->runs[run->depends].id));
    cJSON_AddBoolToObject(object, "stale", result->stale);
    cJSON_AddBoolToObject(object, "resumable", result->resumable);
    cJSON_AddItemToObject(object, "memory_bytes", json_real(round(estimate->memory)));
    cJSON_AddItemToObject(object, "seconds", json_real(estimate->seconds));
    cJSON_AddBoolToObject(object, "measured", estimate->measured);
    cJSON_AddItemToObject(object, "bytes", json_real(round(estimate->bytes)));
    cJSON *settings = cJSON_AddObjectToObject(object, "settings");
    for (size_t i = 0; i < run->settings.count; i++)
        cJSON_AddItemToObject(settings, run->settings.items[i].param->name,
                              json_setting(run->settings.items[i].value));
    return object;
}

static void print_as_json(const struct view *view)
{
    const struct totals *t = &view->totals;
    const struct { const char *name; double value; } numbers[] = {
        {"runs", (double)view->plan->count},
        {"done", (double)t->tally.of[RUN_DONE]},
        {"failed", (double)t->tally.of[RUN_FAILED]},
        {"to_do", (double)t->tally.of[RUN_TO_DO]},
        {"skipped", (double)t->tally.of[RUN_SKIPPED]},
        {"stale", (double)t->stale},
        {"measured", (double)t->measured},
        {"assumed", (double)t->assumed},
        {"workers", t->workers},
        {"seconds", expected_seconds(t)},
        {"hours", expected_seconds(t) / 3600},
        {"bytes", round(t->bytes)},
        {"resumable", (double)t->tally.resumable},
        {"memory_largest_bytes", round(t->memory)},
        {"memory_together_bytes", round(memory_together(t))},
    };
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "sweep", view->plan->name);
    cJSON *runs = cJSON_AddArrayToObject(root, "runs"), *totals = cJSON_AddObjectToObject(root, "totals");
    for (size_t i = 0; i < view->plan->count; i++)
        cJSON_AddItemToArray(runs, run_object(view, i));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        cJSON_AddItemToObject(totals, numbers[i].name, json_real(numbers[i].value));
    print_json(root);
}

/* ---- CSV ---- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_csv(const struct view *view)
{
    static const char *const fixed[] = {"id",      "status",   "skip",  "depends",   "stale",
                                        "seconds", "measured", "bytes", "resumable", "memory_bytes"};
    struct names keys = {0};
    for (size_t i = 0; i < view->plan->count; i++)
        for (size_t s = 0; s < view->plan->runs[i].settings.count; s++)
            names_add(&keys, view->plan->runs[i].settings.items[s].param->name);
    qsort(keys.items, keys.count, sizeof *keys.items, compare_words);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        print_csv_field(fixed[i], false);
    for (size_t k = 0; k < keys.count; k++)
        print_csv_field(keys.items[k], k + 1 == keys.count);
    for (size_t i = 0; i < view->plan->count; i++) {
        const struct run *run = &view->plan->runs[i];
        print_csv_field(run->id, false);
        print_csv_field(state_text(&view->results[i]), false);
        print_csv_field(run->skip ? run->skip : "", false);
        print_csv_field(run->depends < 0 ? "" : view->plan->runs[run->depends].id, false);
        print_csv_field(view->results[i].stale ? "true" : "false", false);
        print_csv_real(view->estimates[i].seconds, false);
        print_csv_field(view->estimates[i].measured ? "true" : "false", false);
        print_csv_real(round(view->estimates[i].bytes), false);
        print_csv_field(view->results[i].resumable ? "true" : "false", false);
        print_csv_real(round(view->estimates[i].memory), false);
        for (size_t k = 0; k < keys.count; k++) {
            const struct setting *setting = settings_find(&run->settings, keys.items[k]);
            print_csv_field(setting ? setting->value : "", k + 1 == keys.count);
        }
    }
    names_free(&keys);
}

/* ---- */

static void show(const struct plan *plan, int workers, enum format format)
{
    static void (*const print[])(const struct view *) = {
        [FORMAT_TEXT] = print_text, [FORMAT_JSON] = print_as_json, [FORMAT_CSV] = print_csv,
    };
    struct view view = {
        .plan = plan, .labels = labels_of(plan), .results = xcalloc(plan->count, sizeof *view.results),
        .estimates = xcalloc(plan->count, sizeof *view.estimates),
    };
    char *folder = folder_path(RESULTS, plan);
    folder_scan(folder, plan, view.results);
    plan_estimate(plan, RESULTS, view.estimates);
    add_up(&view, workers);
    print[format](&view);
    free(folder);
    free(view.results);
    free(view.estimates);
    labels_free(&view.labels);
}

static int run(int argc, char **argv)
{
    struct plan plan;
    int workers = usable_cores();
    enum format format = FORMAT_TEXT;
    const struct option options[] = {
        {"-j", set_workers, &workers}, {"--format", set_format_csv, &format}, {0},
    };
    if (!read_sweep(&cmd_plan, options, argc, argv, &plan))
        return EXIT_USAGE;
    show(&plan, workers, format);
    plan_free(&plan);
    return EXIT_DONE;
}
