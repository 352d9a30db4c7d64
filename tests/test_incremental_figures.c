/* SPDX-License-Identifier: GPL-3.0-or-later
 * Figures of incremental runs, of accumulators and of gradients: the numbers in their scripts, by hand. */
#include "../plots/plots.h"
#include "../bench/cli.h"
#include "plotted.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUANTISED {4, 4, 4, 4}

static struct record *incremental_run(struct plotted *file, const char *dataset, const char *strategy, const char *mode,
                                      int seed, double newest)
{
    bool reference = strcmp(mode, "fp") == 0;
    struct sample sample = {dataset, mode, "uniform", "4", seed, newest, 4, QUANTISED, NULL, NULL};
    if (reference)
        sample = (struct sample){dataset, mode, "none", NULL, seed, newest, 32, {0}, NULL, NULL};
    struct record *run = plotted_run(file, sample);
    make_incremental(run, strategy);
    report_head(run, "cnn", newest, 0.1);
    return run;
}

/* Two data sets, two strategies of which one has two heads, float and two modes, two seeds that are 0.02 apart. */
static struct plotted incremental_runs(void)
{
    static const char *const sets[] = {"dsads", "wisdm"}, *const modes[] = {"fp", "fqt", "hfqt"};
    struct plotted file = new_plotted();
    for (int d = 0; d < 2; d++)
        for (int m = 0; m < 3; m++)
            for (int seed = 1; seed <= 2; seed++) {
                double newest = 0.9 - 0.05 * d - 0.02 * m + 0.02 * seed;
                incremental_run(&file, sets[d], "lwf", modes[m], seed, newest - 0.3);
                report_head(incremental_run(&file, sets[d], "icarl", modes[m], seed, newest), "nme", newest - 0.04, 0.08);
            }
    return file;
}

/* ---- which runs belong together ------------------------------------------------------- */

Test(incremental_figures, charts_mix_neither_scenarios_nor_strategies)
{
    struct plotted file = incremental_runs();
    struct charts charts;
    struct error error;
    plotted_demo(&file, "dsads");
    cr_assert(charts_make(file.runs, file.count, &charts, &error), "%s", error.text);
    cr_assert_eq(charts.count, 5, "four of incremental runs, one of the others");
    cr_assert_eq(charts.run_count, file.count);
    cr_expect_str_eq(charts.charts[0].title, "dsads, mlp, incremental, lwf");
    cr_expect_str_eq(charts.charts[1].name, "dsads-incremental-icarl");
    cr_expect_str_eq(charts.charts[4].title, "dsads, mlp");
    cr_expect(charts.charts[0].count == 2 && charts.charts[0].reference_count == 2);
    charts_free(&charts);
    free_plotted(&file);
}

/* ---- accuracy and forgetting over tasks ----------------------------------------------- */

/* Seeds 0.02 apart: standard error 0.01. After task 2: mean of 0.62 and 0.52, of 0.64 and 0.54. */
Test(incremental_figures, tasks)
{
    struct plotted file = incremental_runs();
    char *said = draw_plotted(&file, "--format png --figure tasks", EXIT_DONE), *script = drawn_file(&file, "tasks.gp");
    cr_expect_str_eq(said, "");
    expect_in(script, "# dsads, mlp: lwf, cnn, FP32, Accuracy (%)\n1 63 1 2\n2 58 1 2\n3 53 1 2\n4 48 1 2\nEND\n");
    expect_in(script, "# dsads, mlp: lwf, cnn, FP32, Forgetting (%)\n2 5 ");
    expect_in(script, "# dsads, mlp: icarl, nme, hfqt, 4 bits, Accuracy (%)\n1 85 1 2\n2 81 1 2\n");
    expect_in(script, " 'icarl, nme' at ");
    expect_in(script, " 'hfqt, 4 bits' at ");
    expect_in(script, "'mean ± standard error over 2 seeds'");
    free(drawn_file(&file, "tasks.png"));
    free(script);
    free(said);
    free_plotted(&file);
}

Test(incremental_figures, tasks_of_float_runs_alone)
{
    struct plotted file = new_plotted();
    incremental_run(&file, "dsads", "icarl", "fp", 1, 0.9);
    char *said = draw_plotted(&file, "--format png", EXIT_DONE), *script = drawn_file(&file, "tasks.gp");
    expect_in(script, "'icarl, cnn, one seed'");
    expect_in(script, "1:2 with lines ls 101");
    expect_in(said, "accumulator: 1 of 1 data sets left out: no runs that differ in acc_bits alone");
    expect_in(said, "alignment: 1 of 1 runs left out: no gradients of few bits");
    free(drawn_file(&file, "task-matrix.png"));
    free(script);
    free(said);
    free_plotted(&file);
}

/* Beyond twelve curves in a panel, a file a head. */
Test(incremental_figures, tasks_of_many_runs)
{
    static const char *const modes[] = {"fp", "fqt", "hfqt", "luq"}, *const strategies[] = {"icarl", "bic"};
    struct plotted file = new_plotted();
    for (int i = 0; i < 8; i++)
        report_head(incremental_run(&file, "dsads", strategies[i / 4], modes[i % 4], 1, 0.9), "nme", 0.8, 0.1);
    free(draw_plotted(&file, "--format png --figure tasks", EXIT_DONE));
    char *script = drawn_file(&file, "tasks-nme.gp");
    expect_in(script, "'bic, nme'");
    cr_expect_not(strstr(script, "cnn"));
    free(script);
    free(drawn_file(&file, "tasks-cnn.png"));
    free_plotted(&file);
}

/* Beyond twelve curves of one strategy and head, further files, each with the float curve. */
Test(incremental_figures, tasks_of_many_settings)
{
    struct plotted file = new_plotted();
    incremental_run(&file, "dsads", "icarl", "fp", 1, 0.9);
    for (int i = 0; i < 13; i++) {
        char width[12];
        snprintf(width, sizeof width, "%d", 8 + i);
        record_text(incremental_run(&file, "dsads", "icarl", "hfqt", 1, 0.9), "/settings/acc_bits", width, "");
    }
    free(draw_plotted(&file, "--format png --figure tasks", EXIT_DONE));
    char *first = drawn_file(&file, "tasks-icarl-cnn.gp"), *second = drawn_file(&file, "tasks-icarl-cnn-2.gp");
    expect_in(first, "hfqt, 4 bits, acc_bits 18, Accuracy");
    cr_expect_not(strstr(first, "acc_bits 19"));
    expect_in(second, "'FP32'");
    expect_in(second, "hfqt, 4 bits, acc_bits 20, Accuracy");
    cr_expect_not(strstr(second, "acc_bits 18"));
    free(first);
    free(second);
    free_plotted(&file);
}

/* Runs with other settings are lines of their own, and say so. */
Test(incremental_figures, further_settings)
{
    struct plotted file = new_plotted();
    for (int i = 0; i < 2; i++) {
        struct record *run = incremental_run(&file, "dsads", "icarl", "hfqt", 1, 0.9);
        record_text(run, "/settings/acc_bits", i ? "32" : "8", "");
        if (i == 0)
            record_text(run, "/settings/acc_tile", "64", "");
        incremental_run(&file, "dsads", "icarl", "fp", i + 1, 0.9);
    }
    free(draw_plotted(&file, "--format png --figure tasks", EXIT_DONE));
    char *script = drawn_file(&file, "tasks.gp");
    expect_in(script, ": icarl, cnn, hfqt, 4 bits, acc_bits 8, Accuracy");
    expect_in(script, ": icarl, cnn, hfqt, 4 bits, acc_bits 32, Accuracy");
    free(script);
    free_plotted(&file);
}

/* Orders that are drawn are averaged over, with their seeds; an order that is given is a line of its own. */
Test(incremental_figures, orders_of_classes)
{
    static const char *const orders[] = {"42467", "88801", "sorted"};
    struct plotted file = new_plotted();
    for (int i = 0; i < 3; i++) {
        record_text(incremental_run(&file, "dsads", "icarl", "fp", i + 1, 0.9), "/settings/class_seed", orders[i], "");
        record_text(incremental_run(&file, "dsads", "icarl", "hfqt", i + 1, 0.9), "/settings/class_seed", orders[i], "");
    }
    free(draw_plotted(&file, "--format png --figure tasks,accuracy-bits", EXIT_DONE));
    char *script = drawn_file(&file, "tasks.gp");
    expect_in(script, ": icarl, cnn, hfqt, 4 bits, class_seed drawn, Accuracy (%)\n1 90 0 2\n");
    expect_in(script, ": icarl, cnn, hfqt, 4 bits, class_seed sorted, Accuracy (%)\n1 90 0 1\n");
    free(script);
    free(drawn_file(&file, "accuracy-bits-class_seed-sorted.png"));
    free_plotted(&file);
}

/* Titles say what tells the panels apart, and no more. */
Test(incremental_figures, panels_of_protocols)
{
    struct plotted file = new_plotted();
    incremental_run(&file, "dsads", "icarl", "fp", 1, 0.9);
    record_text(incremental_run(&file, "dsads", "icarl", "fp", 1, 0.9), "/settings/increment", "1", "");
    record_text(incremental_run(&file, "hapt", "icarl", "fp", 1, 0.9), "/settings/increment", "3", "");
    plotted_run(&file, (struct sample){"dsads", "fp", "none", NULL, 1, 0.9, 32, {0}, NULL, NULL});
    char *said = draw_plotted(&file, "--format png --figure tasks,task-matrix", EXIT_DONE),
         *script = drawn_file(&file, "tasks.gp");
    expect_in(said, "tasks: 1 of 4 runs left out: not incremental");
    expect_in(script, "set title 'dsads, mlp, increment 2'");
    expect_in(script, "set title 'dsads, mlp, increment 1'");
    expect_in(script, "set title 'hapt, mlp'");
    free(drawn_file(&file, "task-matrix-dsads-increment-1.png"));
    free(drawn_file(&file, "task-matrix-hapt.png"));
    free(script);
    free(said);
    free_plotted(&file);
}

Test(incremental_figures, damaged_tasks)
{
    struct plotted file = new_plotted();
    incremental_run(&file, "dsads", "icarl", "fp", 1, 0.9);
    struct record *damaged = incremental_run(&file, "dsads", "icarl", "fp", 2, 0.9);
    record_put(damaged, "/incremental/cnn/accuracy", RECORD_F64, 1, (size_t[]){3}, (double[]){1, 1, 1}, "1", "");
    char *said = draw_plotted(&file, "--figure tasks,task-matrix", EXIT_TROUBLE);
    expect_in(said, "tasks: run 0000000000000002 has 3 values in /incremental/cnn/accuracy where 4 belong");
    expect_in(said, "task-matrix: run 0000000000000002 has 3 values");
    free(said);
    free_plotted(&file);
}

/* ---- the matrix ----------------------------------------------------------------------- */

Test(incremental_figures, task_matrix)
{
    struct plotted file = incremental_runs();
    free(draw_plotted(&file, "--format png --figure task-matrix", EXIT_DONE));
    char *script = drawn_file(&file, "task-matrix-dsads.gp");
    expect_in(script, "# icarl, cnn, FP32: classes of task, after task, mean accuracy in % over 2 seeds\n"
                      "1 1 93\n1 2 83\n2 2 93\n1 3 73\n2 3 83\n3 3 93\n1 4 63\n2 4 73\n3 4 83\n4 4 93\nEND\n");
    const char *float_panel = strstr(script, "'icarl, nme: FP32'"), *next = strstr(script, "'icarl, nme: fqt, 4 bits'");
    cr_expect(float_panel && next && float_panel < next, "the panels of a strategy and head are neighbours");
    free(script);
    free(drawn_file(&file, "task-matrix-wisdm.png"));
    free_plotted(&file);
}

/* ---- against bits --------------------------------------------------------------------- */

Test(incremental_figures, bits)
{
    static const char *const budgets[] = {"8", "3"};
    struct plotted file = new_plotted();
    for (int seed = 1; seed <= 2; seed++) {
        incremental_run(&file, "dsads", "bic", "fp", seed, 0.8 + 0.02 * seed);
        for (int b = 0; b < 2; b++) {
            struct record *run = incremental_run(&file, "dsads", "bic", "hfqt", seed, 0.7 + 0.02 * seed - 0.1 * b);
            record_text(run, "/settings/budget", budgets[b], "");
        }
        record_text(incremental_run(&file, "dsads", "bic", "hfqt", seed, 0.1), "/settings/budget", "bops=25%", "");
    }
    char *said = draw_plotted(&file, "--format png --figure bits-incremental", EXIT_DONE),
         *script = drawn_file(&file, "bits-incremental.gp");
    expect_in(said, "bits-incremental: 2 of 8 runs left out: not incremental, or no budget of mean bits");
    expect_in(script, "bic, hfqt, Final accuracy (%)\n3 63 1 2\n8 73 1 2\nEND\n");
    expect_in(script, "bic, hfqt, Average accuracy (%)\n3 55.5 1 2\n8 65.5 1 2\nEND\n");
    expect_in(script, "bic, FP32, Final accuracy (%)\n2.6 83 1 2\n8.4 83 1 2\nEND\n");
    expect_in(script, "'bic, mean ± standard error over 2 seeds'");
    expect_in(script, "set xtics ('' 3, '' 8)");
    expect_in(script, "set xtics ('3' 3, '8' 8)");
    free(drawn_file(&file, "bits-incremental.png"));
    free(script);
    free(said);
    free_plotted(&file);
}

/* Runs without limit read none of the settings of limits, and end every line. */
Test(incremental_figures, accumulators)
{
    static const char *const widths[] = {"32", "8", "4"}, *const overflows[] = {"saturate", "wrap"};
    struct plotted file = new_plotted();
    plotted_run(&file, (struct sample){"shapes", "fp", "none", NULL, 1, 0.9, 32, {0}, NULL, NULL});
    for (int w = 0; w < 3; w++)
        for (int o = 0; o < (w ? 2 : 1); o++) {
            double accuracy = 0.8 - 0.1 * w - 0.01 * o;
            struct sample sample = {"shapes", "hfqt", "uniform", "4", 1, accuracy, 4, QUANTISED, "acc_bits", widths[w]};
            struct record *run = plotted_run(&file, sample);
            if (w > 0)
                record_text(run, "/settings/acc_overflow", overflows[o], "");
        }
    free(draw_plotted(&file, "--format png --figure accumulator", EXIT_DONE));
    char *script = drawn_file(&file, "accumulator.gp");
    expect_in(script, ": hfqt, 4 bits, acc_overflow saturate, Final accuracy (%)\n0 60 0 1\n1 70 0 1\n2 80 0 1\nEND\n");
    expect_in(script, ": hfqt, 4 bits, acc_overflow wrap, Final accuracy (%)\n0 59 0 1\n1 69 0 1\n2 80 0 1\nEND\n");
    expect_in(script, ": FP32, Final accuracy (%)\n-0.4 90 0 1\n2.4 90 0 1\nEND\n");
    expect_in(script, "set xtics ('4' 0, '8' 1, 'no limit' 2)");
    cr_expect_not(strstr(script, "Average accuracy"), "no run has tasks");
    free(script);
    free_plotted(&file);
}

/* A number of bits whose runs failed: no line leads across it. A legend of long entries stays on the page. */
Test(incremental_figures, accumulators_that_failed)
{
    static const char *const widths[] = {"16", "12", "8", "4"};
    struct plotted file = new_plotted();
    for (int w = 0; w < 4; w++)
        for (int at = 0; at < 2; at++)
            if (w != 2 || at == 0) {
                struct sample sample = {"shapes", "hfqt", "uniform", "4", 1, 0.8 - 0.1 * w, 4, QUANTISED, "acc_bits", widths[w]};
                struct record *run = plotted_run(&file, sample);
                record_text(run, "/settings/acc_overflow", at == 0 ? "saturate_the_sums_of_every_single_tile" : "wrap", "");
            }
    free(draw_plotted(&file, "--format png --figure accumulator,accuracy-bits", EXIT_DONE));
    char *script = drawn_file(&file, "accumulator.gp");
    expect_in(script, "acc_overflow wrap, Final accuracy (%)\n0 50 0 1\n\n2 70 0 1\n3 80 0 1\nEND\n");
    expect_in(script, "every_single_tile, Final accuracy (%)\n0 50 0 1\n1 60 0 1\n2 70 0 1\n3 80 0 1\nEND\n");
    cr_expect_not(strstr(script, "from -"), "an entry of the legend begins left of the page");
    free(script);
    script = drawn_file(&file, "accuracy-bits.gp");
    double width = 0;
    cr_assert(sscanf(strstr(script, "pdfcairo size "), "pdfcairo size %lf", &width) == 1);
    cr_expect_gt(width, text_width("uniform, acc_bits 16, acc_overflow saturate_the_sums_of_every_single_tile"));
    free(script);
    free_plotted(&file);
}

/* ---- gradients ------------------------------------------------------------------------ */

Test(incremental_figures, alignment)
{
    static const char *const modes[] = {"hfqt", "fqt"};
    struct plotted file = new_plotted();
    for (int m = 0; m < 2; m++)
        for (int seed = 1; seed <= 2; seed++) {
            struct sample sample = {"shapes", modes[m], "uniform", "4", seed, 0.8, 4, QUANTISED, NULL, NULL};
            diagnose_run(plotted_run(&file, sample), 3, 2, 0.9 - 0.2 * m + 0.02 * seed);
        }
    free(draw_plotted(&file, "--format png --figure alignment", EXIT_DONE));
    char *script = drawn_file(&file, "alignment.gp");
    expect_in(script, "# layer_1: hfqt, 4 bits, Gradient cosine\n1 0.93 0.01 2\n2 0.931 0.01 2\n3 0.932 0.01 2\nEND\n");
    expect_in(script, "# layer_2: fqt, 4 bits, Gradient cosine\n1 0.63 0.01 2\n");
    free(script);
    free_plotted(&file);
}

/* Five accumulators of two modes are ten lines: too many for one file. */
Test(incremental_figures, alignment_of_many_runs)
{
    static const char *const modes[] = {"hfqt", "fqt"}, *const widths[] = {"4", "8", "12", "16", "32"};
    struct plotted file = new_plotted();
    for (int i = 0; i < 10; i++) {
        struct sample sample = {"shapes", modes[i % 2], "uniform", "4", 1, 0.8, 4, QUANTISED, NULL, NULL};
        struct record *run = plotted_run(&file, sample);
        diagnose_run(run, 2, 1, 0.9);
        record_text(run, "/settings/acc_bits", widths[i / 2], "");
    }
    free(draw_plotted(&file, "--format png --figure alignment", EXIT_DONE));
    char *script = drawn_file(&file, "alignment-acc_bits-12.gp");
    expect_in(script, "'shapes, mlp, acc\\_bits 12, one seed'");
    expect_in(script, ": fqt, 4 bits, Gradient cosine");
    free(drawn_file(&file, "alignment-acc_bits-32.png"));
    free(script);
    free_plotted(&file);
}

/* 12 layers and 250 epochs in tasks of 100 and 150: nine layers, means of three epochs, one border. A mean of no number is
 * left out. */
Test(incremental_figures, alignment_of_long_runs)
{
    enum { EPOCHS = 250, LAYERS = 12 };
    struct plotted file = new_plotted();
    struct record *run = incremental_run(&file, "dsads", "icarl", "hfqt", 1, 0.9);
    diagnose_run(run, EPOCHS, LAYERS, 0.9);
    record_put(run, "/tasks/epochs", RECORD_I64, 1, (size_t[]){2}, (int64_t[]){100, 150}, "", "");
    double *cosine = record_find(run, "/diagnostics/gradient_cosine")->data;
    for (int e = 0; e < 4; e++)
        cosine[e * LAYERS] = NAN;
    free(draw_plotted(&file, "--format png --figure alignment", EXIT_DONE));
    char *script = drawn_file(&file, "alignment.gp");
    expect_in(script, "# layer_1: hfqt, 4 bits, Gradient cosine\n5 0.9045 0 1\n8 0.907 0 1\n");
    expect_in(script, "\n250 1.149 0 1\nEND\n");
    expect_in(script, "Epoch (means of 3)");
    expect_in(script, "from 100.5, graph 0 to 100.5, graph 1");
    expect_in(script, "$curve9_1 << END\n# layer_12:");
    cr_expect_not(strstr(script, "from 250.5"));
    cr_expect_not(strstr(script, "$curve10_1"));
    free(script);
    free_plotted(&file);
}

Test(incremental_figures, damaged_alignment)
{
    struct plotted file = new_plotted();
    struct record *run = incremental_run(&file, "dsads", "icarl", "hfqt", 1, 0.9);
    diagnose_run(run, 2, 2, 0.9);
    record_put(run, "/diagnostics/layer", RECORD_TEXT, 1, (size_t[]){1}, (const char *const[]){"fc1"}, "", "");
    char *said = draw_plotted(&file, "--figure alignment", EXIT_TROUBLE);
    expect_in(said, "alignment: run 0000000000000001 has no /diagnostics/gradient_cosine of all its /diagnostics/layer");
    free(said);
    free_plotted(&file);
}
