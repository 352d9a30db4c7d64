/* SPDX-License-Identifier: GPL-3.0-or-later
 * What figures show of budgets on costs, of widths over the steps, and of sensitivities. */
#include "../plots/plots.h"
#include "../bench/cli.h"
#include "plotted.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- budgets -------------------------------------------------------------------------- */

Test(figures, order_of_budgets)
{
    static const char *const ordered[] = {
        "2", "2.5", "10", "bops=5%", "bops=25%", "bops=100%", "bops=9000000", "bops=1e+15", "bops=1e+15,weight_bytes=10",
        "weight_bytes=9", "weight_bytes=71680", "weight_bytes=71680.5", ""};
    size_t count = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = compare_budgets(ordered[i], ordered[j]);
            cr_expect((order > 0) - (order < 0) == (i > j) - (i < j), "%s against %s: %d", ordered[i], ordered[j], order);
        }
}

Test(figures, costs_of_budgets)
{
    static const struct { const char *budget, *costs;
    } rows[] = {{"", "mean_bits"},
                {"2.5", "mean_bits"},
                {"bops=25%", "bops"},
                {"bops=25%,mean_bits=4,weight_bytes=1", "bops, mean_bits, weight_bytes"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *costs = costs_of_budget(rows[i].budget);
        cr_expect_str_eq(costs, rows[i].costs);
        free(costs);
    }
}

static void set_budgets(struct record *run, size_t count, const char *const *costs, const char *const *units,
                        const double *achieved)
{
    record_put(run, "/budgets/name", RECORD_TEXT, 1, &count, costs, "", "");
    record_put(run, "/budgets/unit", RECORD_TEXT, 1, &count, units, "", "");
    record_put(run, "/budgets/achieved", RECORD_F64, 1, &count, achieved, "", "");
    record_put(run, "/budgets/limit", RECORD_F64, 1, &count, achieved, "", "");
}

#define TEXTS(...) (const char *const[]){__VA_ARGS__}

Test(figures, units_of_axes)
{
    static const struct { const char *cost, *unit; double largest, divisor; const char *label; } rows[] = {
        {"mean_bits", "bit", 8, 1, "Achieved mean bits"},
        {"weight_bytes", "byte", 800, 1, "Achieved weight_bytes (byte)"},
        {"weight_bytes", "byte", 5000, 1024, "Achieved weight_bytes (KiB)"},
        {"weight_bytes", "byte", 3e6, 1048576, "Achieved weight_bytes (MiB)"},
        {"bops", "bit operation", 4.1e10, 1e9, "Achieved bops (G bit operations)"},
        {"energy_pj", "pJ", 2.5e3, 1e3, "Achieved energy_pj (k pJ)"},
        {"latency_ms", "ms", 0.2, 1, "Achieved latency_ms (ms)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record run = {0};
        set_budgets(&run, 1, &rows[i].cost, &rows[i].unit, &rows[i].largest);
        struct cost_axis axis = cost_axis(&run, rows[i].cost, rows[i].largest);
        cr_expect_str_eq(axis.label, rows[i].label);
        cr_expect_eq(axis.unit, rows[i].divisor);
        cr_expect_eq(achieved_cost(&run, rows[i].cost), rows[i].largest);
        free((char *)axis.label);
        record_free(&run);
    }
}

/* Figures of a chart whose runs have budgets on different costs: a file each, none left out. */
Test(figures, budgets_on_costs)
{
    static const char *const budgets[] = {"bops=25%", "bops=100%", "bops=40%,weight_bytes=50%"};
    struct plotted file = demo_plotted();
    for (int i = 0; i < 3; i++) {
        const struct sample sample = {"shapes", "fp", "uniform", budgets[i], 1, 0.5 + 0.1 * i, 3 + i, {3, 3, 3, 3}, NULL,
                                      NULL};
        struct record *run = plotted_run(&file, sample);
        set_budgets(run, i == 2 ? 2 : 1, TEXTS("bops", "weight_bytes"), TEXTS("bit operation", "byte"),
                    (double[]){2e6 * (i + 1), 1000});
    }
    free(draw_plotted(&file, "--format png --figure accuracy-bits,bits-heatmap", EXIT_DONE));
    char *script = drawn_file(&file, "accuracy-bits.gp");
    expect_in(script, "# uniform, fp\n2.5 2.5 0 73 1.4142136 2\n10 10 0 83 1.4142136 2\nEND\n");
    cr_expect_not(strstr(script, "bops"));
    free(script);
    script = drawn_file(&file, "accuracy-bits-bops.gp");
    expect_in(script, "# uniform, fp\nbops=25% 2 nan 50 nan 1\nbops=100% 4 nan 60 nan 1\nEND\n");
    expect_in(script, "set xlabel 'Achieved bops (M bit operations)'");
    cr_expect_not(strstr(script, "d_q"));
    free(script);
    script = drawn_file(&file, "accuracy-bits-bops-weight_bytes.gp");
    expect_in(script, "bops=40%,weight_bytes=50% 5 nan 70 nan 1\nEND\n");
    expect_in(script, "set xlabel 'Achieved mean bits'");
    expect_in(script, "shapes, mlp, budgets on bops, weight\\_bytes, one seed");
    free(script);
    script = drawn_file(&file, "bits-heatmap.gp");
    expect_in(script, "('2.5' 0, '10' 1, 'bops=25%%' 2, 'bops=40%%,weight\\_bytes=50%%' 3, 'bops=100%%' 4)");
    expect_in(script, "set xlabel 'Budget' ");
    free(script);
    free(drawn_file(&file, "accuracy-bits-bops-weight_bytes.png"));
    free(drawn_file(&file, "bits-heatmap.png"));
    free_plotted(&file);
}

Test(figures, cost_that_no_run_tells)
{
    struct plotted file = new_plotted();
    plotted_run(&file, (struct sample){"shapes", "fp", "uniform", "bops=25%", 1, 0.5, 3, {3, 3, 3, 3}, NULL, NULL});
    char *said = draw_plotted(&file, "--figure accuracy-bits", EXIT_TROUBLE);
    expect_in(said, "run 0000000000000001 does not tell its bops");
    free(said);
    free_plotted(&file);
}

/* ---- trajectories --------------------------------------------------------------------- */

/* Adds three decisions on `tensors` tensors, the second of which repeats the first; the third gives tensor t 2 + t % 7 bits.
 */
static void add_decisions(struct record *run, size_t tensors)
{
    const size_t decisions = 3, steps = 40, shape[2] = {decisions, tensors}, costs[2] = {decisions, 1};
    char **names = xmalloc(tensors * sizeof *names), **kinds = xmalloc(tensors * sizeof *kinds);
    int64_t *layers = xmalloc(tensors * sizeof *layers);
    float *bits = xmalloc(decisions * tensors * sizeof *bits), *losses = xcalloc(steps, sizeof *losses);
    for (size_t t = 0; t < tensors; t++) {
        names[t] = format_text("fc%zu.%s", t / 2 + 1, t % 2 ? "input" : "weight");
        kinds[t] = t % 2 ? "activation" : "weight";
        layers[t] = (int64_t)t / 2;
        bits[t] = bits[tensors + t] = 4;
        bits[2 * tensors + t] = 2.0f + t % 7;
    }
    record_put(run, "/tensors/name", RECORD_TEXT, 1, &tensors, names, "", "");
    record_put(run, "/tensors/kind", RECORD_TEXT, 1, &tensors, kinds, "", "");
    record_put(run, "/tensors/layer", RECORD_I64, 1, &tensors, layers, "", "");
    record_put(run, "/bits/final", RECORD_F32, 1, &tensors, bits + 2 * tensors, "bit", "");
    record_put(run, "/reallocation/step", RECORD_I64, 1, &decisions, (int64_t[]){0, 10, 30}, "", "");
    record_put(run, "/reallocation/bits", RECORD_F32, 2, shape, bits, "bit", "");
    record_put(run, "/reallocation/cost", RECORD_F64, 2, costs, (double[]){4, 4, 3}, "", "");
    record_put(run, "/curves/step_loss", RECORD_F32, 1, &steps, losses, "nat", "");
    set_budgets(run, 1, TEXTS("mean_bits"), TEXTS("bit"), (double[]){4});
    for (size_t t = 0; t < tensors; t++)
        free(names[t]);
    free(names);
    free(kinds);
    free(layers);
    free(bits);
    free(losses);
}

static struct plotted file_with_decisions(size_t tensors)
{
    struct plotted file = new_plotted();
    for (int seed = 1; seed <= 2; seed++)
        add_decisions(plotted_run(&file, (struct sample){"shapes", "fp", "dq", "4", seed, 0.8, 4, {0}, NULL, NULL}),
                      tensors);
    return file;
}

Test(figures, trajectories_as_stairs)
{
    struct plotted file = file_with_decisions(4);
    struct record *still =
        plotted_run(&file, (struct sample){"shapes", "fp", "uniform", "4", 1, 0.8, 4, {4, 4, 4, 4}, NULL, NULL});
    add_decisions(still, 4);
    record_put(still, "/reallocation/bits", RECORD_F32, 2, (size_t[]){3, 4}, (float[]){4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, "",
               "");
    char *said = draw_plotted(&file, "--format png --figure bit-trajectories", EXIT_DONE),
         *script = drawn_file(&file, "bit-trajectories-dq-fp.gp");
    expect_in(said, "bit-trajectories: 1 of 3 runs of shapes, mlp left out: widths never change");
    expect_in(script, "fc1.weight, fc1.input, fc2.weight, fc2.input\n0 100 4 4 4 4\n30 75 2 3 4 5\n40 75 2 3 4 5\nEND\n");
    expect_in(script, "'shapes, mlp, dq, fp, seed 1 (of 2)'");
    expect_in(script, "using 1:($3+0.2625) with steps ls 1 dt solid");
    expect_in(script, "using 1:($4+0.0875) with steps ls 1 dt (9,5)");
    expect_in(script, "using 1:($6-0.2625) with steps ls 2 dt (9,5)");
    expect_in(script, "set xrange [0:40]");
    expect_in(script, "set xtics 10\n");
    free(drawn_file(&file, "bit-trajectories-dq-fp.png"));
    free(script);
    free(said);
    free_plotted(&file);
}

/* 14 tensors: seven weights in rows 0 to 6, a row of space, seven inputs. */
Test(figures, trajectories_as_rows)
{
    struct plotted file = file_with_decisions(14);
    free(draw_plotted(&file, "--format png --figure bit-trajectories", EXIT_DONE));
    char *script = drawn_file(&file, "bit-trajectories.gp");
    expect_in(script, "# from step, to step, row, width\n0 30 0 4\n30 40 0 2\n0 30 8 4\n30 40 8 3\n0 40 1 4\n0 30 9 4\n30 "
                      "40 9 5\n");
    expect_in(script, "('fc1' 0, 'fc1' 8, 'fc2' 1, 'fc2' 9,");
    expect_in(script, "set label 10 'weights' at screen");
    expect_in(script, "set yrange [14.5:-0.5]");
    free(drawn_file(&file, "bit-trajectories.png"));
    free(script);
    free_plotted(&file);
}

/* As files were before there were several budgets. */
Test(figures, trajectories_of_old_files)
{
    struct plotted file = new_plotted();
    struct record *run = plotted_run(&file, (struct sample){"shapes", "fp", "dq", "4", 1, 0.8, 4, {2, 3, 4, 5}, NULL, NULL});
    record_put(run, "/tensors/kind", RECORD_TEXT, 1, (size_t[]){PLOTTED_TENSORS},
               TEXTS("weight", "activation", "weight", "activation"), "", "");
    record_put(run, "/tensors/layer", RECORD_I64, 1, (size_t[]){PLOTTED_TENSORS}, (int64_t[]){0, 0, 1, 1}, "", "");
    record_put(run, "/reallocation/step", RECORD_I64, 1, (size_t[]){2}, (int64_t[]){0, 10}, "", "");
    record_put(run, "/reallocation/bits", RECORD_F32, 2, (size_t[]){2, PLOTTED_TENSORS}, (float[]){4, 4, 4, 4, 2, 3, 4, 5},
               "bit", "");
    record_put(run, "/reallocation/cost", RECORD_F64, 1, (size_t[]){2}, (double[]){4, 3.5}, "bit", "");
    record_real(run, "/costs/budget", 4, "bit", "");
    free(draw_plotted(&file, "--format png --figure bit-trajectories", EXIT_DONE));
    char *script = drawn_file(&file, "bit-trajectories.gp");
    expect_in(script, "0 100 4 4 4 4\n10 87.5 2 3 4 5\n11 87.5 2 3 4 5\nEND\n");
    free(script);
    free_plotted(&file);
}

Test(figures, damaged_decisions)
{
    struct plotted file = file_with_decisions(4);
    record_put(&file.runs[0], "/reallocation/cost", RECORD_F64, 1, (size_t[]){1}, (double[]){4}, "", "");
    char *said = draw_plotted(&file, "--figure bit-trajectories", EXIT_TROUBLE);
    expect_in(said, "run 0000000000000001 has no /reallocation/cost of all its decisions, tensors and budgets");
    free(said);
    free_plotted(&file);
}

/* ---- sensitivities -------------------------------------------------------------------- */

static void explain_run(struct record *run, double tau, const double *predicted, const double *measured)
{
    const size_t explained = PLOTTED_TENSORS;
    record_put(run, "/tensors/kind", RECORD_TEXT, 1, &explained, TEXTS("weight", "activation", "weight", "activation"), "",
               "");
    record_put(run, "/explain/predicted", RECORD_F64, 1, &explained, predicted, "", "");
    record_put(run, "/explain/measured", RECORD_F64, 1, &explained, measured, "nat", "");
    record_real(run, "/explain/kendall_tau", tau, "", "");
}

Test(figures, sensitivities)
{
    struct plotted file = new_plotted();
    for (int seed = 1; seed <= 2; seed++) {
        struct record *run =
            plotted_run(&file, (struct sample){"shapes", "fp", "dq", "4", seed, 0.8, 4, {4, 4, 4, 4}, NULL, NULL});
        explain_run(run, 0.25 * seed, (double[]){1e-3, 2e-2, 0, NAN}, (double[]){5e-4, -1e-4, 3e-3, 1});
    }
    plotted_run(&file, (struct sample){"shapes", "fp", "dq", "8", 1, 0.8, 8, {8, 8, 8, 8}, NULL, NULL});
    char *said = draw_plotted(&file, "--format png --figure sensitivity", EXIT_DONE), *script = drawn_file(&file, "sensitivi"
                                                                                                                  "ty.gp");
    expect_in(said, "sensitivity: 1 of 3 runs of shapes, mlp left out: not explained (explain: true)");
    expect_in(script, "# run 0000000000000001\n0.001 0.0005 0 0\n0.02 0.0002 1 1\n0.0004 0.003 0 1\n# run "
                      "0000000000000002\n");
    expect_in(script, "'budget 4'.\"\\n\".'τ = 0.38 ± 0.18'");
    expect_in(script, "Open marks: 4 of 8 tensors, change of loss or Ω not above 0; 2 without a finite value");
    free(drawn_file(&file, "sensitivity.png"));
    free(script);
    free(said);
    free_plotted(&file);
}

Test(figures, damaged_sensitivities)
{
    struct plotted file = new_plotted();
    struct record *run = plotted_run(&file, (struct sample){"shapes", "fp", "dq", "4", 1, 0.8, 4, {4, 4, 4, 4}, NULL, NULL});
    explain_run(run, 0.5, (double[]){1, 2, 3, 4}, (double[]){1, 2, 3, 4});
    record_put(run, "/explain/measured", RECORD_F64, 1, (size_t[]){2}, (double[]){1, 2}, "", "");
    char *said = draw_plotted(&file, "--figure sensitivity", EXIT_TROUBLE);
    expect_in(said, "run 0000000000000001 has no /explain/predicted and /explain/measured of its tensors");
    free(said);
    free_plotted(&file);
}
