/* SPDX-License-Identifier: GPL-3.0-or-later
 * Estimates of time and disk, and the verbs plan and list. */
#include "../bench/folder.h"
#include "../bench/identity.h"
#include "../bench/memory.h"
#include "../results/store.h"
#include "support.h"
#include "verbs.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_plan, cmd_list, cmd_run, cmd_status, cmd_collect, cmd_reference, cmd_bench;

#define HEAD "dataset: synthetic\n"
/* ---- estimates ---- */

/* Writes a run file as the runner would: settings, status and times. */
static void write_run(const char *folder, const struct run *run, const char *status, double seconds)
{
    struct record record = {0};
    struct error error;
    record_text(&record, "/id", run->id, "run");
    record_text(&record, "/status", status, "how the run ended");
    record_text(&record, "/provenance/git_commit", "0000", "commit");
    record_real(&record, "/timing/train_seconds", seconds, "s", "training");
    for (size_t i = 0; i < run->settings.count; i++) {
        char *path = format_text("/settings/%s", run->settings.items[i].param->name);
        record_text(&record, path, run->settings.items[i].value, "setting");
        free(path);
    }
    char *path = folder_run_path(folder, run->id);
    cr_assert(store_write(path, &record, &error), "%s", error.text);
    free(path);
    record_free(&record);
}

/* Runs that take the same time need not take the same memory. */
Test(estimate, memory_is_that_of_each_run)
{
    struct plan plan = plan_of(HEAD "hidden: 512\nbudget: [3, 4]\nexplain: [false, true]\n", NULL);
    struct estimate estimates[4];
    char *results = temporary_folder();
    plan_estimate(&plan, results, estimates);
    for (size_t i = 0; i < 4; i++) {
        const struct settings *settings = &plan.runs[i].settings;
        cr_expect_eq(estimates[i].memory, run_memory(settings, described_find(plan.described, settings)), "run %zu", i);
    }
    cr_expect_neq(estimates[0].memory, estimates[1].memory);
    remove_folder(results);
    plan_free(&plan);
}

#define ESTIMATED HEAD "epochs: [2, 10]\nmode: [fp, fqt]\nbudget: [2, 4]\nhidden: 64\n"

Test(estimate, assumes_from_the_network)
{
    struct plan plan = plan_of(ESTIMATED, NULL), wide = plan_of(ESTIMATED, OPTIONS("hidden=6400")),
                none = plan_of(HEAD "allocator: none\n"
                                    "hidden: 6400\n",
                               NULL);
    struct estimate small[8], large[8], reference[1];
    char *results = temporary_folder();
    plan_estimate(&plan, results, small);
    plan_estimate(&wide, results, large);
    plan_estimate(&none, results, reference);
    for (size_t i = 0; i < 8; i++) {
        cr_expect(!small[i].measured && isfinite(small[i].seconds) && small[i].seconds > 0 &&
                  small[i].bytes > 0);
        cr_expect_gt(large[i].seconds, small[i].seconds);
        cr_expect_eq(setting_int(&plan.runs[i].settings, "epochs"), i < 4 ? 2 : 10);
    }
    cr_expect_gt(small[4].seconds, small[0].seconds, "more epochs take longer");
    cr_expect_gt(reference[0].bytes, 4.0 * 64 * 6400, "the float run keeps its weights");
    remove_folder(results);
    plan_free(&plan);
    plan_free(&wide);
    plan_free(&none);
}

Test(estimate, learns_from_finished_runs)
{
    struct plan plan = plan_of(ESTIMATED, NULL), other = plan_of(ESTIMATED, OPTIONS("hidden=32", "mode=fqt"));
    struct estimate estimates[8];
    struct error error;
    char *results = temporary_folder(), *folder = folder_path(results, &plan);
    cr_assert(folder_create(folder, &error), "%s", error.text);
    write_run(folder, &plan.runs[0], "done", 3.0);       /* fp, 2 epochs */
    write_run(folder, &plan.runs[4], "done", 25.0);      /* fp, 10 epochs */
    write_run(folder, &plan.runs[2], "timeout", 1000.0); /* fqt */
    write_run(folder, &other.runs[0], "done", 1000.0);   /* fqt with another network */
    char *junk = format_text("%s/runs", folder);
    free(write_file(junk, "0123456789abcdef.h5", "no HDF5"));
    plan_estimate(&plan, results, estimates);
    for (size_t i = 0; i < plan.count; i++) {
        bool fp = setting_is(&plan.runs[i].settings, "mode", "fp");
        cr_expect_eq(estimates[i].measured, fp);
        if (fp) /* the mean of 1.5 and 2.5 seconds an epoch */
            cr_expect_float_eq(estimates[i].seconds, 2.0 * setting_real(&plan.runs[i].settings, "epochs"),
                               1e-9);
        else
            cr_expect_lt(estimates[i].seconds, 100);
        if (fp)
            cr_expect(estimates[i].bytes > 1000 && estimates[i].bytes < 1e6);
    }
    free(junk);
    free(folder);
    remove_folder(results);
    plan_free(&plan);
    plan_free(&other);
}

/* ---- the verbs ---- */

static double total(const cJSON *root, const char *name)
{
    const cJSON *number = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "totals"), name);
    cr_assert(cJSON_IsNumber(number), "%s", name);
    return number->valuedouble;
}

#define SHOWN HEAD "mode: [fp, fqt]\nallocator: [none, uniform]\nbudget: [2.5, 4]\n"

/* Six runs: FP32 done, fp at 2.5 bits diverged, fqt without allocator skipped. */
static char *enter_shown_folder(void)
{
    struct plan plan = plan_of(SHOWN, NULL);
    struct error error;
    char *home = temporary_folder();
    cr_assert_eq(chdir(home), 0);
    char *folder = folder_path("results", &plan);
    cr_assert(folder_create(folder, &error), "%s", error.text);
    write_run(folder, &plan.runs[0], "done", 3.0);
    write_run(folder, &plan.runs[1], "diverged", 3.0);
    free(write_file(home, "tested.sweep.yaml", SHOWN));
    free(folder);
    plan_free(&plan);
    return home;
}

Test(verbs, plan_json)
{
    char *home = enter_shown_folder(),
         *text = output_of(&cmd_plan, "tested.sweep.yaml --format json -j 1");
    static const struct { const char *name; double value; } totals[] = {
        {"runs", 6},  {"done", 1},  {"failed", 1},  {"skipped", 1},
        {"to_do", 3}, {"stale", 1}, {"workers", 1}, {"measured", 0},
    };
    cJSON *root = cJSON_Parse(text);
    cr_assert_not_null(root, "%s", text);
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        cr_expect_eq(total(root, totals[i].name), totals[i].value, "%s is %g", totals[i].name,
                     total(root, totals[i].name));
    double seconds = 0;
    const cJSON *runs = cJSON_GetObjectItem(root, "runs"), *run;
    cr_expect_eq(cJSON_GetArraySize(runs), 6);
    cJSON_ArrayForEach(run, runs)
        if (strcmp(cJSON_GetObjectItem(run, "status")->valuestring, "to do") == 0)
            seconds += cJSON_GetObjectItem(run, "seconds")->valuedouble;
    cr_expect_float_eq(total(root, "seconds"), seconds, 1e-9);
    run = cJSON_GetArrayItem(runs, 1);
    cr_expect_str_eq(cJSON_GetObjectItem(run, "status")->valuestring, "diverged");
    cr_expect_float_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(run, "settings"), "budget")->valuedouble, 2.5,
                       0);
    cJSON_Delete(root);
    free(text);
    remove_folder(home);
}

Test(verbs, plan_csv_and_text)
{
    char *home = enter_shown_folder(), *text = output_of(&cmd_plan, "tested.sweep.yaml --format=csv");
    size_t lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    cr_expect_eq(lines, 7);
    cr_expect_eq(strncmp(text, "id,status,skip,depends,stale,seconds,measured,bytes,", 52), 0, "%s", text);
    free(text);
    text = output_of(&cmd_plan, "-sseed=[1,2] -- tested.sweep.yaml");
    cr_expect(strstr(text, "\ntested.sweep: 12 runs: 1 done, 1 failed, 8 to do, 2 skipped\n"), "%s", text);
    cr_expect(strstr(text, "1 finished run was made by another git commit"), "%s", text);
    free(text);
    remove_folder(home);
}

/* What `list` says is what the tables hold. */
Test(verbs, list_json)
{
    char *text = output_of(&cmd_list, "--format json");
    cJSON *root = cJSON_Parse(text);
    const struct plug *plug;
    cr_assert_not_null(root);
    const cJSON *settings = cJSON_GetObjectItem(root, "settings");
    for (size_t i = 0; core_params[i]; i++)
        cr_expect_str_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(settings, (int)i), "name")->valuestring,
                         core_params[i]->name);
    for (int kind = 0; kind < PLUG_KINDS; kind++) {
        char *plural = kind == PLUG_STRATEGY ? xstrdup("strategies") : format_text("%ss", plug_kind_names[kind]);
        const cJSON *list = cJSON_GetObjectItem(root, plural);
        int count = 0;
        for (; (plug = plug_at((enum plug_kind)kind, (size_t)count)) != NULL; count++)
            cr_expect_str_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(list, count), "name")->valuestring,
                             plug->name);
        cr_expect_eq(cJSON_GetArraySize(list), count, "%s", plural);
        free(plural);
    }
    cJSON_Delete(root);
    free(text);
    text = output_of(&cmd_list, "allocators");
    cr_expect(strstr(text, "qbitopt: ") && strstr(text, "budget, must be given  (text: a number from 1 to "
                                                        "32, or COST=AMOUNT"),
              "%s", text);
    free(text);
}

Test(verbs, refuse_bad_usage)
{
    static const struct { const struct command *command; const char *arguments, *words; } rows[] = {
        {&cmd_plan, "", "no sweep file given"},
        {&cmd_plan, "a.yaml b.yaml", "one sweep file at a time, not also b.yaml"},
        {&cmd_plan, "a.yaml -j 0", "-j 0: must be a whole number from 1 to 4096"},
        {&cmd_plan, "a.yaml -j2x", "-j 2x: must be a whole number"},
        {&cmd_plan, "a.yaml -s", "-s needs a value"},
        {&cmd_plan, "a.yaml --format=", "--format needs a value"},
        {&cmd_plan, "a.yaml --format xml", "unknown format 'xml'; valid: text, json, csv\n"},
        {&cmd_plan, "--formats csv",
         "unknown option --formats; did you mean '--format'; valid: -s, -j, --format, --help"},
        {&cmd_plan, "-- -j 2", "one sweep file at a time, not also 2"},
        {&cmd_plan, "/nowhere/a.yaml", "/nowhere/a.yaml: No such file"},
        {&cmd_run, "a.yaml --quiet=yes", "--quiet takes no value"},
        {&cmd_run, "a.yaml --timeout 3", "--timeout 3: must be a positive number and s, m, h or d"},
        {&cmd_run, "a.yaml --redo all", "--redo all: valid: stale"},
        {&cmd_status, "a.yaml --format csv", "unknown format 'csv'; valid: text, json\n"},
        {&cmd_collect, "a.yaml -j 2", "unknown option -j; valid: -s, --help"},
        {&cmd_list, "plugins", "unknown kind 'plugins'; valid: settings, datasets"},
        {&cmd_list, "modes models", "one kind at a time, not also models"},
        {&cmd_list, "--format", "--format needs a value"},
        {&cmd_reference, "", "no file given"},
        {&cmd_bench, "gemv", "unknown part 'gemv'; valid: gemm"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_trouble(rows[i].command, rows[i].arguments, EXIT_USAGE, rows[i].words);
}
