/* SPDX-License-Identifier: GPL-3.0-or-later
 * Grouping of runs, and the figures of a small collected file: numbers, files, and what goes wrong. */
#include "../plots/plots.h"
#include "../results/store.h"
#include "support.h"
#include "verbs.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_plot;

#define MAX_RUNS 64
#define TENSORS 4

struct file { char *folder, *path; struct record runs[MAX_RUNS]; size_t count; };

struct sample {
    const char *dataset, *mode, *allocator, *budget;
    int seed;
    double accuracy, mean_bits;
    float bits[TENSORS];
    const char *key, *value; /* one more setting, or NULL */
};

static struct record *add_run(struct file *file, struct sample s)
{
    static const char *const names[TENSORS] = {"fc_1.weight", "fc_1.input", "fc_2.weight", "fc_2.input"};
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
    record_put(run, "/tensors/name", RECORD_TEXT, 1, (size_t[]){TENSORS}, names, "", "");
    record_put(run, "/bits/final", RECORD_F32, 1, (size_t[]){TENSORS}, s.bits, "bit", "");
    return run;
}

/* Two allocators in two modes at two budgets with two seeds, and the references. */
static void add_demo(struct file *file, const char *dataset)
{
    static const char *const modes[] = {"fp", "hfqt"}, *const budgets[] = {"10", "2.5"};
    for (int seed = 1; seed <= 2; seed++) {
        add_run(file,
                (struct sample){dataset, "fp", "none", NULL, seed, 0.90 + 0.01 * seed, 32, {0}, NULL, NULL});
        for (int m = 0; m < 2; m++)
            for (int b = 0; b < 2; b++) {
                double accuracy = 0.8 + 0.02 * seed - 0.01 * m - 0.1 * b;
                add_run(file, (struct sample){dataset, modes[m], "uniform", budgets[b], seed, accuracy,
                                              b ? 2.5 : 10, {3, 3, 2, 2}, NULL, NULL});
                add_run(file, (struct sample){dataset, modes[m], "d_q", budgets[b], seed, accuracy + 0.01,
                                              3 - 0.5 * seed, {2, 3 + (float)seed, 8, 5}, NULL, NULL});
            }
    }
}

static struct file new_file(void) { return (struct file){.folder = temporary_folder()}; }

static struct file demo_file(void)
{
    struct file file = new_file();
    add_demo(&file, "shapes");
    return file;
}

/* Writes and collects the runs; file->path is the collected file. */
static void collect(struct file *file)
{
    char *ids[MAX_RUNS], *paths[MAX_RUNS];
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

static void file_free(struct file *file)
{
    for (size_t i = 0; i < file->count; i++)
        record_free(&file->runs[i]);
    free(file->path);
    remove_folder(file->folder);
}

/* Draws into the folder with these options; what it says on standard error, free() it. */
static char *draw(struct file *file, const char *options, int code)
{
    if (!file->path)
        collect(file);
    char *arguments = format_text("%s --out %s %s", file->path, file->folder, options);
    struct outcome outcome = run_verb(&cmd_plot, arguments);
    cr_assert_eq(outcome.code, code, "%s: exit code %d: %s", arguments, outcome.code, outcome.errors);
    free(arguments);
    free(outcome.out);
    return outcome.errors;
}

/* A file in the folder, free() it. */
static char *drawn(const struct file *file, const char *name)
{
    size_t size;
    char *path = file_in(file->folder, name), *bytes = read_bytes(path, &size);
    free(path);
    return bytes;
}

static void assert_holds(const char *text, const char *wanted)
{
    cr_assert(strstr(text, wanted), "no \"%s\" in:\n%s", wanted, text);
}

/* ---- grouping ------------------------------------------------------------------------- */

Test(series, one_chart)
{
    struct file file = demo_file();
    struct charts charts;
    struct error error;
    cr_assert(charts_make(file.runs, file.count, &charts, &error), "%s", error.text);
    cr_assert_eq(charts.count, 1);
    const struct chart *chart = &charts.charts[0];
    cr_assert_str_eq(chart->name, "");
    cr_assert_str_eq(chart->title, "shapes, mlp");
    cr_assert(chart->count == 4 && chart->reference_count == 2 && charts.left_out == 0);
    for (size_t i = 0; i < chart->count; i++) {
        const struct line *line = &chart->lines[i];
        cr_assert(line->count == 2 && line->cells[0].count == 2 && line->cells[1].count == 2);
        cr_assert_str_eq(line->cells[0].budget, "2.5");
        cr_assert_str_eq(line->cells[1].budget, "10", "budgets ascend as numbers");
    }
    cr_assert_str_eq(chart->lines[0].label, "uniform");
    cr_assert_str_eq(chart->lines[1].label, "d_q");
    charts_free(&charts);
    file_free(&file);
}

Test(series, unfinished_runs_are_left_out)
{
    struct file file = demo_file();
    struct charts charts;
    struct error error;
    record_text(&file.runs[1], "/status", "diverged", "");
    record_real(&file.runs[2], "/metrics/test_accuracy", NAN, "1", "");
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert_eq(charts.left_out, 2);
    cr_assert_eq(charts.charts[0].lines[0].cells[0].count + charts.charts[0].lines[0].cells[1].count, 3);
    charts_free(&charts);
    cr_assert_not(charts_make(file.runs, 3, &charts, &error), "only a reference is finished");
    assert_holds(error.text, "of 3 runs, 1 are finished and 0 of those quantised");
    file_free(&file);
}

Test(series, data_sets_make_charts)
{
    struct file file = demo_file();
    struct charts charts;
    struct error error;
    add_demo(&file, "har/a b");
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert_eq(charts.count, 2);
    cr_assert_str_eq(charts.charts[0].name, "shapes");
    cr_assert_str_eq(charts.charts[1].name, "har-a-b");
    cr_assert_eq(charts.charts[1].reference_count, 2);
    charts_free(&charts);
    file_free(&file);
}

/* grad_bits, which the reference does not read, makes lines; epochs, which it reads, makes charts. Nothing is
 * averaged. */
Test(series, further_settings)
{
    struct file file = new_file();
    struct charts charts;
    struct error error;
    for (int i = 0; i < 2; i++)
        add_run(&file, (struct sample){"shapes", "fqt", "dq", "4", 1, 0.8, 4, {4, 4, 4, 4}, "grad_bits",
                                       i ? "8" : "4"});
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert(charts.count == 1 && charts.charts[0].count == 2 && charts.charts[0].reference_count == 0);
    cr_assert_str_eq(charts.charts[0].lines[0].label, "dq, grad_bits 4");
    cr_assert_str_eq(charts.charts[0].lines[1].label, "dq, grad_bits 8");
    charts_free(&charts);
    for (int i = 0; i < 2; i++) {
        add_run(&file,
                (struct sample){"shapes", "fp", "none", NULL, 1, 0.9, 32, {0}, "epochs", i ? "20" : "10"});
        record_text(&file.runs[i], "/settings/epochs", i ? "20" : "10", "");
    }
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert_eq(charts.count, 2);
    cr_assert_str_eq(charts.charts[0].name, "epochs-10");
    cr_assert_str_eq(charts.charts[1].title, "shapes, mlp, epochs 20");
    cr_assert(charts.charts[1].reference_count == 1 && charts.charts[1].count == 1);
    cr_assert_str_eq(charts.charts[1].lines[0].label, "dq");
    charts_free(&charts);
    file_free(&file);
}

/* ---- the verb ------------------------------------------------------------------------- */

Test(plot, files)
{
    static const struct { const char *name, *head; } wanted[] = {
        {"accuracy-bits.gp", "# Test accuracy"},    {"accuracy-bits.pdf", "%PDF-"},
        {"accuracy-bits.png", "\x89PNG\r\n\x1a\n"}, {"accuracy-bits.svg", "<?xml"},
        {"bits-heatmap.gp", "# Final width"},       {"bits-heatmap.pdf", "%PDF-"},
        {"bits-heatmap.png", "\x89PNG\r\n\x1a\n"},  {"bits-heatmap.svg", "<?xml"}};
    struct file file = demo_file();
    size_t size, again;
    free(draw(&file, "--format svg,pdf,png", EXIT_DONE));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char *path = file_in(file.folder, wanted[i].name), *bytes = read_bytes(path, &size);
        cr_assert(size > 1000 && memcmp(bytes, wanted[i].head, strlen(wanted[i].head)) == 0, "%s",
                  wanted[i].name);
        free(path);
        free(bytes);
    }
    char *picture = file_in(file.folder, "accuracy-bits.png"), *first = read_bytes(picture, &size);
    free(draw(&file, "--format png", EXIT_DONE));
    char *second = read_bytes(picture, &again);
    cr_assert(size == again && memcmp(first, second, size) == 0, "the same data give the same picture");
    free(picture);
    free(first);
    free(second);
    file_free(&file);
}

/* Deviations of two seeds that are d apart are d/√2. */
Test(plot, numbers)
{
    struct file file = demo_file();
    free(draw(&file, "--format png", EXIT_DONE));
    char *script = drawn(&file, "accuracy-bits.gp");
    assert_holds(script, "# uniform, fp\n2.5 2.5 0 73 1.4142136 2\n10 10 0 83 1.4142136 2\nEND\n");
    assert_holds(script,
                 "# d_q, hfqt\n2.5 2.25 0.35355339 73 1.4142136 2\n10 2.25 0.35355339 83 1.4142136 2\nEND\n");
    assert_holds(script, "fp32 = 91.5\nfp32_deviation = 0.70710678\n");
    assert_holds(script, "title 'd\\_q'");
    free(script);
    script = drawn(&file, "bits-heatmap.gp");
    assert_holds(script, "# d_q, fp: column, row, mean width over seeds, as text\n"
                         "0 0 2 2\n0 1 4.5 4.5\n0 2 8 8\n0 3 5 5\n1 0 2 2\n1 1 4.5 4.5\n");
    assert_holds(script, "('fc\\_1.weight' 0, 'fc\\_1.input' 1, 'fc\\_2.weight' 2, 'fc\\_2.input' 3)");
    free(script);
    file_free(&file);
}

/* Names that mean something to gnuplot are only names. */
Test(plot, escaping)
{
    struct file file = new_file();
    add_run(&file, (struct sample){"o'ne^{2}@&~\\ `ls` $x", "fp", "a\"b%d", NULL, 1, 0.8, 4, {4, 4, 4, 4},
                                   NULL, NULL});
    free(draw(&file, "--format pdf", EXIT_DONE));
    char *script = drawn(&file, "bits-heatmap.gp");
    assert_holds(script, "'o''ne\\^\\{2\\}\\@\\&\\~\\\\ `ls` $x, mlp'");
    assert_holds(script, "'none' 0");
    free(script);
    file_free(&file);
}

/* Deep networks get a figure a mode. */
Test(plot, heat_maps_of_large_networks)
{
    enum { DEEP = 20 };
    struct file file = new_file();
    char *names[DEEP];
    float bits[DEEP];
    for (int t = 0; t < DEEP; t++) {
        names[t] = format_text("layer%d", t);
        bits[t] = 2.0f + t % 7;
    }
    for (int m = 0; m < 2; m++) {
        struct record *run = add_run(
            &file, (struct sample){"shapes", m ? "fqt" : "fp", "dq", "4", 1, 0.8, 4, {0}, NULL, NULL});
        record_put(run, "/tensors/name", RECORD_TEXT, 1, (size_t[]){DEEP}, names, "", "");
        record_put(run, "/bits/final", RECORD_F32, 1, (size_t[]){DEEP}, bits, "bit", "");
    }
    free(draw(&file, "--format png --figure bits-heatmap", EXIT_DONE));
    free(drawn(&file, "bits-heatmap-fp.png"));
    free(drawn(&file, "bits-heatmap-fqt.png"));
    for (int t = 0; t < DEEP; t++)
        free(names[t]);
    file_free(&file);
}

Test(plot, default_folder)
{
    struct file file = demo_file();
    collect(&file);
    cr_assert_eq(chdir(file.folder), 0);
    expect_output(&cmd_plot, "collected.h5 --format png --figure accuracy-bits",
                  "results/tiny/figures/accuracy-bits.gp\nresults/tiny/figures/accuracy-bits.png\n");
    free(drawn(&file, "results/tiny/figures/accuracy-bits.png"));
    cr_assert_eq(access("results/tiny/figures/accuracy-bits.pdf", F_OK), -1);
    cr_assert_eq(chdir("/"), 0);
    file_free(&file);
}

Test(plot, without_gnuplot)
{
    struct file file = demo_file();
    setenv("PATH", file.folder, 1);
    char *said = draw(&file, "--figure accuracy-bits", EXIT_TROUBLE);
    assert_holds(said, "gnuplot cannot be started");
    assert_holds(said, "accuracy-bits.gp");
    free(said);
    free(drawn(&file, "accuracy-bits.gp"));
    file_free(&file);
}

Test(plot, bad_input)
{
    struct file file = demo_file();
    collect(&file);
    char *text = write_file(file.folder, "notes.h5", "not HDF5"), *absent = file_in(file.folder, "absent.h5"),
         *into_text = format_text(" --out %s", text);
    const struct { const char *path, *options; int code; const char *says; } cases[] = {
        {"--out", " x", EXIT_USAGE, "no file given"},
        {absent, "", EXIT_USAGE, "absent.h5"},
        {text, "", EXIT_USAGE, "notes.h5"},
        {file.path, " --figure accuracy", EXIT_USAGE,
         "unknown figure 'accuracy'; valid: accuracy-bits, bits-heatmap"},
        {file.path, " --figure bits-heatmap,", EXIT_USAGE, "unknown figure ''"},
        {file.path, " --format png,eps", EXIT_USAGE, "unknown format 'eps'; valid: pdf, png, svg"},
        {file.path, " --out", EXIT_USAGE, "--out needs a value"},
        {file.path, " --frobnicate", EXIT_USAGE,
         "unknown option --frobnicate; valid: --out, --format, --figure, --list, --help"},
        {file.path, " other.h5", EXIT_USAGE, "one file at a time, not also other.h5"},
        {file.path, into_text, EXIT_TROUBLE, "cannot make the folder"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *arguments = format_text("%s%s", cases[i].path, cases[i].options);
        expect_trouble(&cmd_plot, arguments, cases[i].code, cases[i].says);
        free(arguments);
    }
    free(text);
    free(into_text);
    free(absent);
    file_free(&file);
}

Test(plot, nothing_to_draw)
{
    struct file file = new_file();
    add_run(&file, (struct sample){"shapes", "fp", "none", NULL, 1, 0.9, 32, {0}, NULL, NULL});
    char *said = draw(&file, "--format png", EXIT_USAGE);
    assert_holds(said, "collected.h5: nothing to draw");
    free(said);
    file_free(&file);
}

Test(plot, damaged_widths)
{
    struct file file = new_file();
    struct record *run = add_run(
        &file, (struct sample){"shapes", "fp", "dq", "4", 1, 0.8, 4, {4, 4, 4, 4}, NULL, NULL});
    record_put(run, "/bits/final", RECORD_F32, 1, (size_t[]){3}, (float[]){4, 4, 4}, "bit", "");
    char *said = draw(&file, "--figure bits-heatmap", EXIT_TROUBLE);
    assert_holds(said, "run 0000000000000001 has no /bits/final of all its /tensors/name");
    free(said);
    file_free(&file);
}

Test(plot, list)
{
    char *text = output_of(&cmd_plot, "--list"), *rest = text;
    for (size_t i = 0; figures[i]; i++) {
        const char *line = strsep(&rest, "\n");
        cr_assert(line && strncmp(line, figures[i]->name, strlen(figures[i]->name)) == 0 &&
                  strstr(line, figures[i]->help));
    }
    free(text);
}
