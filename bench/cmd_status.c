/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep status: how a sweep stands, asked from any shell, whether it runs or not. */
#include "options.h"
#include "summary.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct command cmd_status = {
    .name = "status",
    .arguments = "SWEEP.yaml [-s KEY=VALUE]... [--format text|json]",
    .summary = "Show how a sweep stands: done, failed, running, to do, skipped.",
    .details =
        "  -s KEY=VALUE        as given to bitsweep run; may be repeated\n"
        "  --format FORMAT     text (default) or json\n"
        "\n"
        "Example: bitsweep status bench/sweeps/demo.yaml",
    .run = run,
};

struct view {
    const char *sweep;
    const struct plan *plan;
    char *folder;
    struct run_result *results;
    struct estimate *estimates;
    struct labels labels;
    struct board *board;  /* NULL unless running */
    pid_t holder;         /* 0 unless running; -1: unknown process */
    size_t stale;
    double left;          /* seconds */
    bool measured;        /* left stems from the runner or from finished runs */
};

static const char *const state_names[RUN_STATES] = {
    [RUN_TO_DO] = "to_do", [RUN_RUNNING] = "running", [RUN_DONE] = "done", [RUN_FAILED] = "failed",
    [RUN_SKIPPED] = "skipped",
};

/* The slot of a running run, or NULL. */
static const struct slot *slot_of(const struct view *view, const struct run *run)
{
    for (int i = 0; view->board && i < view->board->slot_count; i++)
        if (strcmp(view->board->slots[i].id, run->id) == 0)
            return &view->board->slots[i];
    return NULL;
}

/* Without a runner that knows better: all that is left, shared among the cores; none of them makes a single run shorter. */
static void estimate_left(struct view *view)
{
    double sum = 0, longest = 0;
    view->measured = true;
    for (size_t i = 0; i < view->plan->count; i++)
        if (view->results[i].state == RUN_TO_DO) {
            sum += view->estimates[i].seconds;
            longest = fmax(longest, view->estimates[i].seconds);
            view->measured = view->measured && view->estimates[i].measured;
        }
    view->left = fmax(sum / usable_cores(), longest);
}

static void look(struct view *view)
{
    char *progress = format_text("%s/progress", view->folder);
    view->holder = folder_holder(view->folder);
    view->board = view->holder ? board_read(progress) : NULL;
    folder_scan(view->folder, view->plan, view->results);
    plan_estimate(view->plan, "results", view->estimates);
    for (size_t i = 0; i < view->plan->count; i++) {
        if (slot_of(view, &view->plan->runs[i]))
            view->results[i].state = RUN_RUNNING;
        view->stale += view->results[i].state == RUN_DONE && view->results[i].stale;
    }
    estimate_left(view);
    if (view->board && !isnan(view->board->eta)) {
        view->left = view->board->eta;
        view->measured = true;
    }
    free(progress);
}

/* ---- text ---- */

static void print_state(const struct view *view)
{
    char duration[32];
    format_duration(view->left, duration, sizeof duration);
    printf("%s: %s", view->plan->name, view->holder ? "running" : "not running");
    if (view->holder > 0)
        printf(", process %ld", (long)view->holder);
    if (view->left > 0)
        printf(", %s%s left", view->measured ? "" : "roughly ", duration);
    putchar('\n');
}

/* "timeout 2, signal 1" */
static void print_statuses(const struct view *view)
{
    const char *gap = "  (";
    for (size_t i = 0; i < view->plan->count; i++) {
        size_t earlier = 0, same = 0;
        for (size_t j = 0; view->results[i].state == RUN_FAILED && j < view->plan->count; j++)
            if (view->results[j].state == RUN_FAILED &&
                strcmp(view->results[j].status, view->results[i].status) == 0) {
                earlier += j < i;
                same++;
            }
        if (same > 0 && earlier == 0) {
            printf("%s%s %zu", gap, view->results[i].status, same);
            gap = ", ";
        }
    }
    fputs(")", stdout);
}

static void print_running(const struct view *view)
{
    for (size_t i = 0; i < view->plan->count; i++) {
        const struct run *run = &view->plan->runs[i];
        const struct slot *slot = slot_of(view, run);
        if (!slot)
            continue;
        char *label = run_label(&view->labels, run);
        if (slot->steps > 0)
            printf("  %s %s  epoch %d/%d  %.0f %%  loss %.4g\n", run->id, label, slot->epoch, slot->epochs,
                   100 * slot_share(slot), slot->loss);
        else
            printf("  %s %s  starting\n", run->id, label);
        free(label);
    }
}

static void print_text(const struct view *view)
{
    static const enum run_state order[] = {RUN_DONE, RUN_FAILED, RUN_RUNNING, RUN_TO_DO, RUN_SKIPPED};
    struct tally tally = tally_runs(view->plan, view->results);
    print_state(view);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        printf("  %-8s %5zu", order[i] == RUN_TO_DO ? "to do" : state_names[order[i]], tally.of[order[i]]);
        if (order[i] == RUN_TO_DO && tally.resumable > 0)
            printf("  (%zu from a checkpoint)", tally.resumable);
        if (order[i] == RUN_FAILED && tally.of[RUN_FAILED] > 0)
            print_statuses(view);
        putchar('\n');
    }
    if (tally.of[RUN_RUNNING] > 0)
        puts("running:");
    print_running(view);
    if (tally.of[RUN_FAILED] > 0)
        puts("failed (bitsweep run --retry repeats them):");
    print_failures(stdout, view->folder, view->plan, view->results, &view->labels, SIZE_MAX);
    if (tally.of[RUN_SKIPPED] > 0)
        puts("skipped:");
    print_skips(stdout, view->plan, view->results);
    if (view->stale > 0)
        printf("%zu finished run%s made by another git commit (bitsweep run --redo stale repeats them)\n",
               view->stale, view->stale == 1 ? " was" : "s were");
}

/* ---- JSON ---- */

static void add_progress(cJSON *object, const struct slot *slot)
{
    cJSON_AddNumberToObject(object, "process", slot->pid);
    cJSON_AddNumberToObject(object, "epoch", slot->epoch);
    cJSON_AddNumberToObject(object, "epochs", slot->epochs);
    cJSON_AddNumberToObject(object, "step", (double)slot->step);
    cJSON_AddNumberToObject(object, "steps", (double)slot->steps);
    cJSON_AddNumberToObject(object, "loss", slot->loss); /* null if not finite */
}

static void add_failure(cJSON *object, const struct view *view, const struct run *run,
                        const struct run_result *result)
{
    char *message = failure_message(view->folder, run, result), *log = failure_log(view->folder, run);
    cJSON_AddStringToObject(object, "status", result->status);
    cJSON_AddStringToObject(object, "message", message);
    cJSON_AddItemToObject(object, "log", log ? cJSON_CreateString(log) : cJSON_CreateNull());
    free(message);
    free(log);
}

static cJSON *run_object(const struct view *view, size_t index)
{
    const struct run *run = &view->plan->runs[index];
    const struct run_result *result = &view->results[index];
    cJSON *object = cJSON_CreateObject();
    char *label = run_label(&view->labels, run);
    cJSON_AddStringToObject(object, "id", run->id);
    cJSON_AddStringToObject(object, "label", label);
    cJSON_AddStringToObject(object, "state", state_names[result->state]);
    cJSON_AddBoolToObject(object, "resumable", result->resumable);
    if (result->state == RUN_RUNNING)
        add_progress(object, slot_of(view, run));
    if (result->state == RUN_FAILED)
        add_failure(object, view, run, result);
    if (result->state == RUN_SKIPPED)
        cJSON_AddStringToObject(object, "reason", run->skip);
    if (result->state == RUN_DONE)
        cJSON_AddBoolToObject(object, "stale", result->stale);
    free(label);
    return object;
}

static void print_as_json(const struct view *view)
{
    struct tally tally = tally_runs(view->plan, view->results);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "sweep", view->plan->name);
    cJSON_AddBoolToObject(root, "running", view->holder != 0);
    cJSON_AddItemToObject(root, "process",
                          view->holder > 0 ? cJSON_CreateNumber(view->holder) : cJSON_CreateNull());
    cJSON_AddNumberToObject(root, "seconds_left", view->left);
    cJSON *counts = cJSON_AddObjectToObject(root, "counts");
    for (int state = 0; state < RUN_STATES; state++)
        cJSON_AddNumberToObject(counts, state_names[state], (double)tally.of[state]);
    cJSON_AddNumberToObject(counts, "stale", (double)view->stale);
    cJSON_AddNumberToObject(counts, "resumable", (double)tally.resumable);
    cJSON *runs = cJSON_AddArrayToObject(root, "runs");
    for (size_t i = 0; i < view->plan->count; i++)
        cJSON_AddItemToArray(runs, run_object(view, i));
    print_json(root);
}

/* ---- */

static void show(const struct plan *plan, enum format format)
{
    static void (*const print[])(const struct view *) = {
        [FORMAT_TEXT] = print_text, [FORMAT_JSON] = print_as_json};
    struct view view = {
        .plan = plan, .folder = folder_path("results", plan), .labels = labels_of(plan),
        .results = xcalloc(plan->count + 1, sizeof *view.results),
        .estimates = xcalloc(plan->count + 1, sizeof *view.estimates),
    };
    look(&view);
    print[format](&view);
    free(view.board);
    free(view.folder);
    free(view.results);
    free(view.estimates);
    labels_free(&view.labels);
}

static int run(int argc, char **argv)
{
    struct plan plan;
    enum format format = FORMAT_TEXT;
    const struct option options[] = {{"--format", set_format_json, &format}, {0}};
    if (!read_sweep(&cmd_status, options, argc, argv, &plan))
        return EXIT_USAGE;
    show(&plan, format);
    plan_free(&plan);
    return EXIT_DONE;
}
