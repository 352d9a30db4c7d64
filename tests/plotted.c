/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plotted.h"
#include "../results/store.h"
#include "support.h"
#include "verbs.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct command cmd_plot;

struct record *plotted_run(struct plotted *file, struct sample s)
{
    static const char *const names[PLOTTED_TENSORS] = {"fc_1.weight", "fc_1.input", "fc_2.weight", "fc_2.input"};
    const struct { const char *key, *value; } settings[] = {
        {"dataset", s.dataset}, {"model", "mlp"}, {"mode", s.mode}, {"allocator", s.allocator},
        {"budget", s.budget}, {s.key, s.value}};
    struct record *run = &file->runs[file->count++];
    char text[64];
    *run = (struct record){0};
    snprintf(text, sizeof text, "%016zx", file->count);
    record_text(run, "/id", text, "");
    record_text(run, "/status", "done", "");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (settings[i].key && settings[i].value) {
            snprintf(text, sizeof text, "/settings/%s", settings[i].key);
            record_text(run, text, settings[i].value, "");
        }
    snprintf(text, sizeof text, "%d", s.seed);
    record_text(run, "/settings/seed", text, "");
    record_real(run, "/metrics/test_accuracy", s.accuracy, "1", "");
    record_real(run, "/costs/mean_bits", s.mean_bits, "bit", "");
    record_put(run, "/tensors/name", RECORD_TEXT, 1, (size_t[]){PLOTTED_TENSORS}, names, "", "");
    record_put(run, "/bits/final", RECORD_F32, 1, (size_t[]){PLOTTED_TENSORS}, s.bits, "bit", "");
    return run;
}

void plotted_demo(struct plotted *file, const char *dataset)
{
    static const char *const modes[] = {"fp", "hfqt"}, *const budgets[] = {"10", "2.5"};
    for (int seed = 1; seed <= 2; seed++) {
        plotted_run(file,
                (struct sample){dataset, "fp", "none", NULL, seed, 0.90 + 0.01 * seed, 32, {0}, NULL, NULL});
        for (int m = 0; m < 2; m++)
            for (int b = 0; b < 2; b++) {
                double accuracy = 0.8 + 0.02 * seed - 0.01 * m - 0.1 * b;
                plotted_run(file, (struct sample){dataset, modes[m], "uniform", budgets[b], seed, accuracy,
                                              b ? 2.5 : 10, {3, 3, 2, 2}, NULL, NULL});
                plotted_run(file, (struct sample){dataset, modes[m], "d_q", budgets[b], seed, accuracy + 0.01,
                                              3 - 0.5 * seed, {2, 3 + (float)seed, 8, 5}, NULL, NULL});
            }
    }
}

struct plotted new_plotted(void) { return (struct plotted){.folder = temporary_folder()}; }

struct plotted demo_plotted(void)
{
    struct plotted file = new_plotted();
    plotted_demo(&file, "shapes");
    return file;
}

void make_incremental(struct record *run, const char *strategy)
{
    const size_t tasks = PLOTTED_TASKS;
    record_text(run, "/settings/scenario", "incremental", "");
    record_text(run, "/settings/strategy", strategy, "");
    record_text(run, "/settings/init_classes", "2", "");
    record_text(run, "/settings/increment", "2", "");
    record_put(run, "/tasks/classes", RECORD_I64, 1, &tasks, (int64_t[]){2, 2, 2, 2}, "", "");
    record_put(run, "/tasks/first", RECORD_I64, 1, &tasks, (int64_t[]){0, 2, 4, 6}, "", "");
}

void report_head(struct record *run, const char *head, double newest, double drop)
{
    enum { T = PLOTTED_TASKS };
    double matrix[T * T], accuracy[T] = {0}, forgetting[T] = {NAN}, average = 0;
    for (size_t after = 0; after < T; after++) {
        for (size_t task = 0; task < T; task++) {
            matrix[after * T + task] = task <= after ? newest - drop * (double)(after - task) : NAN;
            accuracy[after] += task <= after ? matrix[after * T + task] / (double)(after + 1) : 0;
        }
        average += accuracy[after] / T;
        if (after > 0)
            forgetting[after] = newest - accuracy[after];
    }
    const struct { const char *path; int rank; const double *data; } fields[] = {
        {"accuracy", 1, accuracy}, {"forgetting", 1, forgetting}, {"task_accuracy", 2, matrix}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char *path = format_text("/incremental/%s/%s", head, fields[i].path);
        record_put(run, path, RECORD_F64, fields[i].rank, (size_t[]){T, T}, fields[i].data, "1", "");
        free(path);
    }
    char *path = format_text("/metrics/%s_average_accuracy", head);
    record_real(run, path, average, "1", "");
    free(path);
}

void diagnose_run(struct record *run, size_t epochs, size_t layers, double cosine)
{
    char **names = xmalloc(layers * sizeof *names);
    double *values = xmalloc(epochs * layers * sizeof *values);
    for (size_t l = 0; l < layers; l++) {
        names[l] = format_text("layer_%zu", l + 1);
        for (size_t e = 0; e < epochs; e++)
            values[e * layers + l] = cosine - 0.1 * (double)l + 0.001 * (double)e;
    }
    record_text(run, "/settings/acc_bits", "auto", "");
    record_put(run, "/diagnostics/layer", RECORD_TEXT, 1, &layers, names, "", "");
    record_put(run, "/diagnostics/gradient_cosine", RECORD_F64, 2, (size_t[]){epochs, layers}, values, "", "");
    for (size_t l = 0; l < layers; l++)
        free(names[l]);
    free(names);
    free(values);
}

void collect_plotted(struct plotted *file)
{
    char *ids[MAX_PLOTTED], *paths[MAX_PLOTTED];
    struct error error;
    struct record root = {0};
    for (size_t i = 0; i < file->count; i++) {
        ids[i] = format_text("%016zx", i + 1);
        paths[i] = format_text("%s/%s.h5", file->folder, ids[i]);
        cr_assert(store_write(paths[i], &file->runs[i], &error), "%s", error.text);
    }
    record_text(&root, "/sweep", "tiny", "");
    file->path = format_text("%s/collected.h5", file->folder);
    cr_assert(store_collect(file->path, (const char *const *)ids, (const char *const *)paths, file->count,
                            &root, &error),
              "%s", error.text);
    for (size_t i = 0; i < file->count; i++) {
        free(ids[i]);
        free(paths[i]);
    }
    record_free(&root);
}

void free_plotted(struct plotted *file)
{
    for (size_t i = 0; i < file->count; i++)
        record_free(&file->runs[i]);
    free(file->path);
    remove_folder(file->folder);
}

char *draw_plotted(struct plotted *file, const char *options, int code)
{
    if (!file->path)
        collect_plotted(file);
    char *arguments = format_text("%s --out %s %s", file->path, file->folder, options);
    struct outcome outcome = run_verb(&cmd_plot, arguments);
    cr_assert_eq(outcome.code, code, "%s: exit code %d: %s", arguments, outcome.code, outcome.errors);
    free(arguments);
    free(outcome.out);
    return outcome.errors;
}

char *drawn_file(const struct plotted *file, const char *name)
{
    size_t size;
    char *path = file_in(file->folder, name), *bytes = read_bytes(path, &size);
    free(path);
    return bytes;
}

void expect_in(const char *text, const char *wanted)
{
    cr_assert(strstr(text, wanted), "no \"%s\" in:\n%s", wanted, text);
}
