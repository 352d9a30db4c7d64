/* SPDX-License-Identifier: GPL-3.0-or-later
 * Grouping of runs, and the verb plot: numbers, files, and what goes wrong. */
#include "../plots/plots.h"
#include "plotted.h"
#include "support.h"
#include "verbs.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_plot;

/* ---- grouping ------------------------------------------------------------------------- */

Test(series, one_chart)
{
    struct plotted file = demo_plotted();
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
    free_plotted(&file);
}

Test(series, unfinished_runs_are_left_out)
{
    struct plotted file = demo_plotted();
    struct charts charts;
    struct error error;
    record_text(&file.runs[1], "/status", "diverged", "");
    record_real(&file.runs[2], "/metrics/test_accuracy", NAN, "1", "");
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert_eq(charts.left_out, 2);
    cr_assert_eq(charts.charts[0].lines[0].cells[0].count + charts.charts[0].lines[0].cells[1].count, 3);
    charts_free(&charts);
    cr_assert_not(charts_make(file.runs, 3, &charts, &error), "only a reference is finished");
    expect_in(error.text, "of 3 runs, 1 are finished and 0 of those quantised");
    free_plotted(&file);
}

Test(series, data_sets_make_charts)
{
    struct plotted file = demo_plotted();
    struct charts charts;
    struct error error;
    plotted_demo(&file, "har/a b");
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert_eq(charts.count, 2);
    cr_assert_str_eq(charts.charts[0].name, "shapes");
    cr_assert_str_eq(charts.charts[1].name, "har-a-b");
    cr_assert_eq(charts.charts[1].reference_count, 2);
    charts_free(&charts);
    free_plotted(&file);
}

/* grad_bits, which the reference does not read, makes lines; epochs, which it reads, makes charts. Nothing is
 * averaged. */
Test(series, further_settings)
{
    struct plotted file = new_plotted();
    struct charts charts;
    struct error error;
    for (int i = 0; i < 2; i++)
        plotted_run(&file, (struct sample){"shapes", "fqt", "dq", "4", 1, 0.8, 4, {4, 4, 4, 4}, "grad_bits",
                                       i ? "8" : "4"});
    cr_assert(charts_make(file.runs, file.count, &charts, &error));
    cr_assert(charts.count == 1 && charts.charts[0].count == 2 && charts.charts[0].reference_count == 0);
    cr_assert_str_eq(charts.charts[0].lines[0].label, "dq, grad_bits 4");
    cr_assert_str_eq(charts.charts[0].lines[1].label, "dq, grad_bits 8");
    charts_free(&charts);
    for (int i = 0; i < 2; i++) {
        plotted_run(&file,
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
    free_plotted(&file);
}

/* ---- the verb ------------------------------------------------------------------------- */

Test(plot, files)
{
    static const struct { const char *name, *head; } wanted[] = {
        {"accuracy-bits.gp", "# Test accuracy"},    {"accuracy-bits.pdf", "%PDF-"},
        {"accuracy-bits.png", "\x89PNG\r\n\x1a\n"}, {"accuracy-bits.svg", "<?xml"},
        {"bits-heatmap.gp", "# Final width"},       {"bits-heatmap.pdf", "%PDF-"},
        {"bits-heatmap.png", "\x89PNG\r\n\x1a\n"},  {"bits-heatmap.svg", "<?xml"}};
    struct plotted file = demo_plotted();
    size_t size, again;
    free(draw_plotted(&file, "--format svg,pdf,png", EXIT_DONE));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char *path = file_in(file.folder, wanted[i].name), *bytes = read_bytes(path, &size);
        cr_assert(size > 1000 && memcmp(bytes, wanted[i].head, strlen(wanted[i].head)) == 0, "%s",
                  wanted[i].name);
        free(path);
        free(bytes);
    }
    char *picture = file_in(file.folder, "accuracy-bits.png"), *first = read_bytes(picture, &size);
    free(draw_plotted(&file, "--format png", EXIT_DONE));
    char *second = read_bytes(picture, &again);
    cr_assert(size == again && memcmp(first, second, size) == 0, "the same data give the same picture");
    free(picture);
    free(first);
    free(second);
    free_plotted(&file);
}

/* Deviations of two seeds that are d apart are d/√2. */
Test(plot, numbers)
{
    struct plotted file = demo_plotted();
    free(draw_plotted(&file, "--format png", EXIT_DONE));
    char *script = drawn_file(&file, "accuracy-bits.gp");
    expect_in(script, "# uniform, fp\n2.5 2.5 0 73 1.4142136 2\n10 10 0 83 1.4142136 2\nEND\n");
    expect_in(script,
                 "# d_q, hfqt\n2.5 2.25 0.35355339 73 1.4142136 2\n10 2.25 0.35355339 83 1.4142136 2\nEND\n");
    expect_in(script, "fp32 = 91.5\nfp32_deviation = 0.70710678\n");
    expect_in(script, "title 'd\\_q'");
    free(script);
    script = drawn_file(&file, "bits-heatmap.gp");
    expect_in(script, "# d_q, fp: column, row, mean width over seeds, as text\n"
                         "0 0 2 2\n0 1 4.5 4.5\n0 2 8 8\n0 3 5 5\n1 0 2 2\n1 1 4.5 4.5\n");
    expect_in(script, "('fc\\_1.weight' 0, 'fc\\_1.input' 1, 'fc\\_2.weight' 2, 'fc\\_2.input' 3)");
    free(script);
    free_plotted(&file);
}

/* Names that mean something to gnuplot are only names. */
Test(plot, escaping)
{
    struct plotted file = new_plotted();
    plotted_run(&file, (struct sample){"o'ne^{2}@&~\\ `ls` $x", "fp", "a\"b%d", NULL, 1, 0.8, 4, {4, 4, 4, 4},
                                   NULL, NULL});
    free(draw_plotted(&file, "--format pdf", EXIT_DONE));
    char *script = drawn_file(&file, "bits-heatmap.gp");
    expect_in(script, "'o''ne\\^\\{2\\}\\@\\&\\~\\\\ `ls` $x, mlp'");
    expect_in(script, "'none' 0");
    free(script);
    free_plotted(&file);
}

/* Deep networks get a figure a mode. */
Test(plot, heat_maps_of_large_networks)
{
    enum { DEEP = 20 };
    struct plotted file = new_plotted();
    char *names[DEEP];
    float bits[DEEP];
    for (int t = 0; t < DEEP; t++) {
        names[t] = format_text("layer%d", t);
        bits[t] = 2.0f + t % 7;
    }
    for (int m = 0; m < 2; m++) {
        struct record *run = plotted_run(
            &file, (struct sample){"shapes", m ? "fqt" : "fp", "dq", "4", 1, 0.8, 4, {0}, NULL, NULL});
        record_put(run, "/tensors/name", RECORD_TEXT, 1, (size_t[]){DEEP}, names, "", "");
        record_put(run, "/bits/final", RECORD_F32, 1, (size_t[]){DEEP}, bits, "bit", "");
    }
    free(draw_plotted(&file, "--format png --figure bits-heatmap", EXIT_DONE));
    free(drawn_file(&file, "bits-heatmap-fp.png"));
    free(drawn_file(&file, "bits-heatmap-fqt.png"));
    for (int t = 0; t < DEEP; t++)
        free(names[t]);
    free_plotted(&file);
}

Test(plot, default_folder)
{
    struct plotted file = demo_plotted();
    collect_plotted(&file);
    cr_assert_eq(chdir(file.folder), 0);
    expect_output(&cmd_plot, "collected.h5 --format png --figure accuracy-bits",
                  "results/tiny/figures/accuracy-bits.gp\nresults/tiny/figures/accuracy-bits.png\n");
    free(drawn_file(&file, "results/tiny/figures/accuracy-bits.png"));
    cr_assert_eq(access("results/tiny/figures/accuracy-bits.pdf", F_OK), -1);
    cr_assert_eq(chdir("/"), 0);
    free_plotted(&file);
}

Test(plot, without_gnuplot)
{
    struct plotted file = demo_plotted();
    setenv("PATH", file.folder, 1);
    char *said = draw_plotted(&file, "--figure accuracy-bits", EXIT_TROUBLE);
    expect_in(said, "gnuplot cannot be started");
    expect_in(said, "accuracy-bits.gp");
    free(said);
    free(drawn_file(&file, "accuracy-bits.gp"));
    free_plotted(&file);
}

Test(plot, bad_input)
{
    struct plotted file = demo_plotted();
    collect_plotted(&file);
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
    free_plotted(&file);
}

Test(plot, nothing_to_draw)
{
    struct plotted file = new_plotted();
    plotted_run(&file, (struct sample){"shapes", "fp", "none", NULL, 1, 0.9, 32, {0}, NULL, NULL});
    char *said = draw_plotted(&file, "--format png", EXIT_USAGE);
    expect_in(said, "collected.h5: nothing to draw");
    free(said);
    free_plotted(&file);
}

Test(plot, damaged_widths)
{
    struct plotted file = new_plotted();
    struct record *run = plotted_run(
        &file, (struct sample){"shapes", "fp", "dq", "4", 1, 0.8, 4, {4, 4, 4, 4}, NULL, NULL});
    record_put(run, "/bits/final", RECORD_F32, 1, (size_t[]){3}, (float[]){4, 4, 4}, "bit", "");
    char *said = draw_plotted(&file, "--figure bits-heatmap", EXIT_TROUBLE);
    expect_in(said, "run 0000000000000001 has no /bits/final of all its /tensors/name");
    free(said);
    free_plotted(&file);
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
