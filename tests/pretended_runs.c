/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pretended_runs.h"
#include "../results/store.h"
#include "support.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *folder;
struct plan plan;
const char *ends[RUNS];

char *path_of(const char *name) { return format_text("%s/%s", folder, name); }

/* ---- pretended runs ---- */

void touch(const char *name, const char *text)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "a");
    fprintf(file, "%s\n", text);
    fclose(file);
    free(path);
}

bool exists(const char *name)
{
    char *path = path_of(name);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

/* Runs of an allocation that cannot succeed; under AddressSanitizer that would end otherwise. */
static void use_up_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    exit(EXIT_MEMORY);
#else
    volatile size_t size = (size_t)1 << 62;
    free(xmalloc(size));
#endif
}

void hang(void)
{
    for (;;)
        pause();
}

/* Makes the folder of run files unusable, as an absent disk would. */
static void lose_results(void)
{
    char *runs = path_of("results/fake/runs"), *away = path_of("away");
    if (rename(runs, away) != 0)
        die("cannot rename %s", runs);
    int file = open(runs, O_CREAT | O_WRONLY, 0666);
    close(file);
    free(runs);
    free(away);
}

static bool end_as(const char *end, const struct train_hooks *hooks, struct error *error)
{
    if (strcmp(end, "refuse") == 0)
        return fail(error, "data set nowhere is absent");
    if (strcmp(end, "exit") == 0) {
        fprintf(stderr, "reading\nbitsweep: layer 3 has no rows\n\n");
        exit(7);
    }
    if (strcmp(end, "exit0") == 0)
        exit(0);
    if (strcmp(end, "abort") == 0)
        abort();
    if (strcmp(end, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(end, "memory") == 0)
        use_up_memory();
    if (strcmp(end, "stubborn") == 0)
        signal(SIGTERM, SIG_IGN);
    if (strcmp(end, "stubborn") == 0 || strcmp(end, "hang") == 0) {
        touch("hanging", "");
        hang();
    }
    if (strcmp(end, "once") == 0 && !exists("marker")) {
        touch("marker", "");
        return fail(error, "the first time it fails");
    }
    if (strcmp(end, "lose") == 0)
        lose_results();
    if (strcmp(end, "needs") == 0 && (!hooks->initial || !record_find(hooks->initial, "/value")))
        return fail(error, "no initial record");
    return true;
}

/* Works until it is asked to stop. The second time it goes on from what it kept, and is done at once. */
static bool stops(const struct train_hooks *hooks)
{
    struct error error;
    struct kept kept = {0};
    long step = 0;
    keep(&kept, "step", &step, sizeof step);
    if (checkpoint_read(hooks->checkpoint, &kept, &error) == CHECKPOINT_LOADED && step == 17)
        return false;
    step = 17;
    while (!hooks->stopping(hooks->context)) {
        touch("hanging", "");
        usleep(1000);
    }
    if (!checkpoint_write(hooks->checkpoint, &kept, &error))
        die("%s", error.text);
    kept_free(&kept);
    return true;
}

static bool pretend(const struct settings *settings, const struct train_hooks *hooks, struct record *record,
                    struct error *error)
{
    long seed = setting_int(settings, "seed");
    const char *end = ends[seed];
    touch("ran", end); /* before it ends, however it does */
    hooks->progress(hooks->context,
                    &(struct progress_report){.step = 1, .steps = 2, .epoch = 1, .epochs = 1});
    if (!end_as(end, hooks, error))
        return false;
    if (strcmp(end, "patient") == 0 && stops(hooks)) {
        record_text(record, "/status", "stopped", "");
        return true;
    }
    record_text(record, "/status", strcmp(end, "diverge") == 0 ? "diverged" : "done", "");
    record_text(record, "/message", strcmp(end, "diverge") == 0 ? "the loss is not finite" : "", "");
    record_real(record, "/metrics/test_accuracy", 0.8841, "", "");
    record_int(record, "/value", seed, "", "");
    return true;
}

size_t started(void)
{
    char *path = path_of("ran");
    FILE *file = fopen(path, "r");
    size_t lines = 0;
    for (int c; file && (c = getc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    free(path);
    return lines;
}

/* ---- the plan ---- */

static const char sweep_text[] =
    "dataset: synthetic\n"
    "samples: 400\n"
    "mode: fp\n"
    "allocator: none\n"
    "seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n";

void add_run(const char *end, int depends, const char *skip)
{
    struct run *run = &plan.runs[plan.count];
    run->skip = skip;
    run->depends = depends;
    snprintf(run->id, sizeof run->id, "%c%015zx", "abcdef"[plan.count % 6], plan.count);
    ends[plan.count++] = end;
}

void set_up(void)
{
    struct error error;
    folder = temporary_folder();
    char *path = write_file(folder, "fake.yaml", sweep_text);
    cr_assert(plan_load(path, NULL, 0, &plan, &error), "%s", error.text);
    cr_assert_eq(plan.count, RUNS);
    plan.count = 0;
    free(path);
}

void tear_down(void)
{
    plan.count = RUNS;
    plan_free(&plan);
    remove_folder(folder);
}

/* ---- running ---- */

struct error last_error;
char said[16384];

void read_said(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(said, 1, sizeof said - 1, file) : 0;
    said[size] = '\0';
    if (file)
        fclose(file);
}

int run_with(struct run_options options)
{
    char *results = path_of("results"), *log = path_of("stderr");
    int before = dup(STDERR_FILENO), file = open(log, O_CREAT | O_TRUNC | O_WRONLY, 0666);
    options.results = options.results ? options.results : results;
    options.jobs = options.jobs ? options.jobs : 2;
    options.threads = options.threads ? options.threads : 1;
    options.command = "bitsweep run fake.yaml";
    options.train = pretend;
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    int code = runner_run(&plan, &options, &last_error);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    close(file);
    read_said(log);
    free(log);
    free(results);
    return code;
}

char *sweep_folder(void)
{
    char *results = path_of("results"), *sweep = folder_path(results, &plan);
    free(results);
    return sweep;
}

bool read_run(size_t index, struct record *record)
{
    struct error error;
    char *sweep = sweep_folder(), *path = folder_run_path(sweep, plan.runs[index].id);
    *record = (struct record){0};
    bool good = access(path, F_OK) == 0 && store_read(path, record, &error);
    free(path);
    free(sweep);
    return good;
}

/* The status of a run file and, in message, why; "" when there is no file. */
static const char *status_of(size_t index, char message[512])
{
    static char status[32];
    struct record record;
    bool there = read_run(index, &record);
    snprintf(status, sizeof status, "%s", there ? record_get_text(&record, "/status", "") : "");
    snprintf(message, 512, "%s", there ? record_get_text(&record, "/message", "") : "");
    record_free(&record);
    return status;
}

void expect(size_t index, const char *status, const char *part_of_message)
{
    char message[512];
    const char *found = status_of(index, message);
    cr_expect_str_eq(found, status, "run %zu: %s (%s), not %s", index, found, message, status);
    cr_expect(strstr(message, part_of_message), "run %zu: '%s' does not hold '%s'", index, message,
              part_of_message);
}
