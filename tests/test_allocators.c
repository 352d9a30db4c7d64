/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every allocator of the table keeps its promises on random networks; the formulas behind qbitopt. */
#include "step_runs.h"
#include "support.h"
#include "../bench/settings.h"
#include "../methods/allocators/qbitopt.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void train(struct step_run *run, long steps)
{
    step_run_train(run, 0, steps);
    step_run_finish(run, steps);
}

/* ---- what holds at every decision, whatever the solver and the budgets ---- */

/* Ω never above uniform's, budgets met, widths allowed, ties kept. */
static void check_decisions(const struct step_run *run, const char *label)
{
    const struct allocation *a = &run->allocator.allocation;
    const float *all_bits = allocator_logged(&run->allocator, LOG_BITS);
    const double *omega = allocator_logged(&run->allocator, LOG_OMEGA), *price = allocator_logged(&run->allocator, LOG_COST),
                 *uniform = allocator_logged(&run->allocator, LOG_OMEGA_UNIFORM);
    const struct solver_name *solver = allocator_logged(&run->allocator, LOG_SOLVER);
    cr_assert_gt(run->allocator.log.count, 5, "%s", label);
    for (int r = 0; r < run->allocator.log.count; r++) {
        const float *bits = all_bits + r * a->count;
        for (int b = 0; b < a->budget_count; b++) {
            double now = budget_price(&a->budgets[b], a->tensors, a->count, bits);
            cr_assert(now <= a->budgets[b].limit * (1 + 1e-11), "%s: %g of %g", label, now, a->budgets[b].limit);
            cr_assert(fabs(now - price[r * a->budget_count + b]) <= 1e-9 * now, "%s", label);
        }
        for (int i = 0; i < a->count; i++) {
            cr_assert(tensor_allows(&a->tensors[i], (int)bits[i]) && bits[i] == floorf(bits[i]), "%s: %s has %g bits", label,
                      a->tensors[i].name, bits[i]);
            for (int j = 0; a->tensors[i].group && j < i; j++)
                cr_assert(a->tensors[i].group != a->tensors[j].group || bits[i] == bits[j], "%s", label);
        }
        if (r > 0) {
            cr_assert(omega[r] <= uniform[r], "%s: %g above uniform's %g", label, omega[r], uniform[r]);
            cr_assert_null(strstr(solver[r].text, "kept"), "%s: %s", label, solver[r].text);
        }
    }
}

/* One run, unless the solver cannot take its budgets, or nobody can; returns whether there was one. */
static bool try_solver(const char *solver, const char *budget, const char *rules, const char *mode, const char *allocate)
{
    char *texts[3] = {format_text("solver=%s", solver), format_text("budget=%s", budget),
                      format_text("%s %s %s %s", solver, budget, rules, allocate)};
    struct settings settings = make_settings("allocator=qbitopt", "tau=5", "fit_every=2", "hidden=9-14", mode, texts[0],
                                             texts[1], rules, allocate, NULL);
    const struct dataset dataset = {.rank = 1, .shape = {STEP_RUN_FEATURES}, .features = STEP_RUN_FEATURES, .classes = 4};
    struct tensor tensors[MAX_TENSORS];
    struct budgets budgets;
    struct error error = {""};
    int count = net_tensors(&settings, &dataset, tensors);
    cr_assert(budgets_open(&settings, &dataset, tensors, count, &budgets, &error), "%s: %s", texts[2], error.text);
    float bits[MAX_TENSORS];
    bool feasible = uniform_bits(tensors, count, budgets.items, budgets.count, bits);
    bool good = feasible && qbitopt_solvable(&settings, setting_plug(&settings, "solver"), tensors, count, budgets.items,
                                             budgets.count, &error);
    cr_assert(good || !feasible || strlen(error.text) > 20, "%s", texts[2]);
    budgets_close(&budgets);
    if (good) {
        struct step_run run;
        step_run_begin(&run, settings, 40, 11);
        train(&run, 40);
        check_decisions(&run, texts[2]);
        step_run_end(&run);
    } else {
        settings_free(&settings);
    }
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    return good;
}

static const char *const budget_lists[] = {
    "3.75", "weight_bytes=70%", "bops=60%", "mean_bits_w=3,mean_bits_a=5.25", "act_bytes_max=90%,mean_bits=4",
    "bops=50%,weight_bytes=65%",
};
static const char *const rule_lists[] = {
    "min_bits=2", "pin=first.*=8,fc3.input=5", "limits=*.input=3..6,fc2.weight=4..", "tie=fc*.input",
    "tie=fc1.*,fc3.*",
};

Test(allocators, every_solver_meets_budgets_and_beats_uniform)
{
    const char *named = "knapsack greedy ilp relaxed exhaustive";
    for (size_t b = 0; b < sizeof budget_lists / sizeof *budget_lists; b++)
        for (size_t r = 0; r < sizeof rule_lists / sizeof *rule_lists; r++) {
            int takers = 0;
            for (size_t i = 0; plug_at(PLUG_SOLVER, i); i++)
                if (strstr(named, plug_at(PLUG_SOLVER, i)->name))
                    takers += try_solver(plug_at(PLUG_SOLVER, i)->name, budget_lists[b], rule_lists[r], "mode=fp",
                                         "allocate=weights-activations");
            cr_assert_geq(takers, 3, "%s %s", budget_lists[b], rule_lists[r]);
        }
}

Test(allocators, gradients_are_allocated_within_budgets_of_their_own)
{
    static const char *const budgets[] = {"mean_bits=3.5,mean_bits_g=3.25", "4", "bops=30%,mean_bits_g=4.5",
                                          "bops_train=70%"};
    for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
        cr_assert(try_solver("ilp", budgets[b], "min_bits=2", "mode=fqt", "allocate=weights-activations-gradients"));
        cr_assert(try_solver("ilp", budgets[b], "tie=fc*.gradient", "mode=hfqt", "allocate=weights-activations-gradients"));
    }
    cr_assert(try_solver("knapsack", budgets[0], "min_bits=2", "mode=fqt", "allocate=weights-activations-gradients"),
              "each problem has one budget of the two");
    for (int b = 0; b < 2; b++) /* ties of both problems' tensors, with budgets of their own or together */
        cr_assert(try_solver("ilp", budgets[b], "tie=fc1.*", "mode=fqt", "allocate=weights-activations-gradients"));
    cr_assert(try_solver("knapsack", "mean_bits_g=3.5", "min_bits=2", "mode=fqt", "allocate=gradients"));
}

/* Of all allocations of six tensors that meet the budget, none is better than what exhaustive and exact solvers take. */
Test(allocators, exhaustive_finds_the_optimum)
{
    double omega[3][7];
    const char *const choices[3][2] = {{"allocator=exhaustive", NULL}, {"allocator=qbitopt", "solver=knapsack"},
                                       {"allocator=qbitopt", "solver=ilp"}};
    for (int c = 0; c < 3; c++) {
        struct step_run run;
        /* One reallocation only, so that all have trained alike until then. */
        step_run_begin(&run,
                       make_settings(choices[c][0], "mode=fp", "budget=3.4", "tau=10", "freeze=0.25", "fit_every=1",
                                     "hidden=9-5", choices[c][1], NULL), 40, 3);
        step_run_train(&run, 0, 11);
        cr_assert_eq(run.allocator.log.count, 2);
        omega[c][0] = ((const double *)allocator_logged(&run.allocator, LOG_OMEGA))[1];
        cr_assert_eq(((const int8_t *)allocator_logged(&run.allocator, LOG_OPTIMAL))[1], 1);
        const double *trace = (const double *)allocator_logged(&run.allocator, LOG_TRACE) + 6,
                     *limit = (const double *)allocator_logged(&run.allocator, LOG_RANGE) + 6;
        const int8_t *is_signed = (const int8_t *)allocator_logged(&run.allocator, LOG_SIGNED) + 6;
        double best = INFINITY;
        for (int code = 0; code < 117649; code++) { /* 7^6 */
            double sum = 0;
            int total = 0;
            for (int i = 0, rest = code; i < 6; i++, rest /= 7) {
                sum += trace[i] * noise_variance(2 + rest % 7, limit[i], is_signed[i], false);
                total += 2 + rest % 7;
            }
            best = total <= 20 ? fmin(best, sum) : best; /* 6 × 3.4 = 20.4 */
        }
        cr_assert(fabs(omega[c][0] / best - 1) < 1e-9, "%s: %g, not %g", choices[c][0], omega[c][0], best);
        step_run_end(&run);
    }
}

Test(allocators, fractional_widths_become_whole_at_the_freeze)
{
    static const char *const budgets[] = {"budget=3.4", "budget=weight_bytes=41%", "budget=bops=23%"};
    for (size_t b = 0; b < 3; b++) {
        struct step_run run;
        step_run_begin(&run,
                       make_settings("allocator=qbitopt", "mode=fp", "fractional=true", "solver=ilp", "tau=5", "fit_every=2",
                                     "hidden=9-14", budgets[b], NULL), 40, 5);
        train(&run, 40);
        const float *bits = allocator_logged(&run.allocator, LOG_BITS);
        const int64_t *step = allocator_logged(&run.allocator, LOG_STEP);
        const double *omega = allocator_logged(&run.allocator, LOG_OMEGA),
                     *uniform = allocator_logged(&run.allocator, LOG_OMEGA_UNIFORM);
        const struct solver_name *solver = allocator_logged(&run.allocator, LOG_SOLVER);
        int rows = (int)run.allocator.log.count;
        cr_assert_eq(step[rows - 1], 30);
        for (int r = 0; r < rows; r++) {
            bool real = false;
            for (int i = 0; i < 6; i++)
                real |= bits[6 * r + i] != floorf(bits[6 * r + i]);
            cr_assert_eq(real, r > 0 && r < rows - 1, "%s: decision %d", budgets[b], r);
            cr_assert(!real || strcmp(solver[r].text, "relaxed, real widths") == 0);
            cr_assert(r == 0 || omega[r] <= uniform[r]);
            cr_assert(budgets_met(run.allocator.budgets.items, 1, run.net.tensors, 6, bits + 6 * r), "%s", budgets[b]);
        }
        cr_assert(omega[1] < uniform[1]);
        step_run_end(&run);
    }
    struct settings integer = make_settings("allocator=qbitopt", "mode=fqt", "fractional=true", "budget=4", NULL);
    cr_assert(strstr(plug_check(&integer), "fractional"));
    settings_free(&integer);
}

/* Real widths must not stay for lack of a whole answer. */
Test(allocators, fractional_widths_end_even_when_sensitivities_are_not_finite)
{
    struct step_run run;
    step_run_begin(&run,
                   make_settings("allocator=qbitopt", "mode=fp", "fractional=true", "budget=3.4", "tau=5", "hidden=16",
                                 NULL), 40,
          5);
    step_run_train(&run, 0, 11);
    const double squares[4] = {NAN, INFINITY, 1, 1};
    run.allocator.ops->observe(run.allocator.state, &(struct observation){.step = 11, .batch = 8, .sum_squares = squares});
    allocator_step(&run.allocator, 30);
    const struct solver_name *solver = allocator_logged(&run.allocator, LOG_SOLVER);
    int64_t last = run.allocator.log.count - 1;
    const float *bits = (const float *)allocator_logged(&run.allocator, LOG_BITS) + 4 * last;
    cr_assert_str_eq(solver[last].text, "uniform: sensitivity not finite");
    for (int i = 0; i < 4; i++)
        cr_assert_eq(bits[i], floorf(bits[i]));
    step_run_end(&run);
}

/* The float pass stands in for the averages: nothing is asked of training. */
Test(allocators, float_pass_before_each_reallocation)
{
    struct step_run run;
    step_run_begin(&run,
                   make_settings("allocator=qbitopt", "mode=fqt", "fit_source=float", "budget=3.5", "tau=5", "hidden=16",
                                 NULL), 40,
          5);
    cr_assert_not(setting_has(&run.settings, "fit_momentum"));
    for (long step = 0; step < 40; step++)
        cr_assert_null(allocator_wants(&run.allocator, step));
    train(&run, 40);
    check_decisions(&run, "float pass");
    const double *trace = allocator_logged(&run.allocator, LOG_TRACE);
    for (int i = 4; i < 4 * run.allocator.log.count; i++)
        cr_assert(trace[i] > 0);
    step_run_end(&run);
}

/* A solver that can never take the run's budgets says so before the first step. */
Test(allocators, a_solver_that_cannot_take_the_budgets_ends_the_run, .exit_code = 1)
{
    struct step_run run;
    step_run_begin(&run,
                   make_settings("allocator=exhaustive", "mode=fp", "budget=4", "hidden=9-9-9-9-9-9-9-9-9", NULL), 40, 5);
}

/* Stopped in the middle of an interval and taken up from a checkpoint: the same decisions and weights. */
static void expect_resumable(const char *allocator, const char *a, const char *b, const char *c, const char *d)
{
    char *folder = temporary_folder(), *path = file_in(folder, "state"), *text = format_text("allocator=%s", allocator);
    const struct checkpoint checkpoint = {.path = path, .identity = "test"};
    struct step_run runs[2];
    struct error error;
    for (int i = 0; i < 2; i++) {
        step_run_begin(&runs[i], make_settings(text, "hidden=16-9", "budget=3.5", a, b, c, d, NULL), 40, 5);
        struct kept kept = {0};
        net_keep(&runs[i].net, &kept);
        keep_all(&kept, &runs[i].allocator.kept);
        if (i == 0) {
            step_run_train(&runs[i], 0, 15);
            cr_assert(checkpoint_write(&checkpoint, &kept, &error), "%s", error.text);
        } else {
            cr_assert_eq(checkpoint_read(&checkpoint, &kept, &error), CHECKPOINT_LOADED);
            net_weights_changed(&runs[i].net);
        }
        kept_free(&kept);
        step_run_train(&runs[i], 15, 40);
        step_run_finish(&runs[i], 40);
    }
    for (int column = 0; column < LOG_MICROSECONDS; column++) {
        const struct growing *x = &runs[0].allocator.log.columns[column], *y = &runs[1].allocator.log.columns[column];
        cr_assert_eq(x->size, y->size);
        cr_assert_arr_eq(x->data, y->data, x->size, "%s: column %d", allocator, column);
    }
    cr_assert_arr_eq(runs[0].net.values, runs[1].net.values, runs[0].net.value_count * sizeof(float), "%s", allocator);
    for (int i = 0; i < 2; i++)
        step_run_end(&runs[i]);
    free(text);
    free(path);
    remove_folder(folder);
}

Test(allocators, a_resumed_run_decides_the_same)
{
    expect_resumable("qbitopt", "mode=hfqt", "allocate=weights-activations-gradients", "tau=6", "fit_every=2");
    expect_resumable("qbitopt", "mode=fp", "fractional=true", "quantiser=lsq", "tau=6");
    expect_resumable("exhaustive", "mode=fqt", "fit_source=float", "tau=6", NULL);
    expect_resumable("dq", "mode=fqt", "tie=fc1.*", "dq_log_every=6", NULL);
    expect_resumable("fracbits", "fracbits_log_every=6", "tie=fc1.*", NULL, NULL);
    expect_resumable("fracbits", "fracbits_log_every=6", "quantiser=lsq", "fracbits_round=0.2", NULL);
    expect_resumable("hawq", "mode=fqt", "pin=none", "hawq_widths=2-3-4-8", "hawq_draws=2");
    expect_resumable("random", "mode=hfqt", "allocate=weights-activations-gradients", NULL, NULL);
    expect_resumable("template", "mode=fp", "template_every=6", "quantiser=lsq", NULL);
    expect_resumable("uniform", "mode=fp", "quantiser=sawb", NULL, NULL);
}

Test(allocators, budgets_hold_at_every_step_on_random_networks)
{
    for (uint64_t trial = 0; trial < 18; trial++) {
        uint64_t key = rng_key(trial, STREAM_ALLOCATOR, 7, 7);
        double budget = 2 + floor(rng_uniform(key, 0) * 25) / 4;
        char *texts[4] = {
            format_text("budget=%g", budget),
            format_text("hidden=%d-%d", 3 + (int)(rng_uniform(key, 1) * 20), 3 + (int)(rng_uniform(key, 2) * 9)),
            format_text("mode=%s", (const char *const[]){"fp", "fqt", "hfqt"}[trial % 3]),
            format_text("solver=%s", (const char *const[]){"knapsack", "greedy", "ilp"}[trial / 3 % 3])};
        struct step_run run;
        step_run_begin(&run,
                       make_settings("allocator=qbitopt", "tau=5", "fit_every=2", texts[0], texts[1], texts[2], texts[3],
                                     NULL), 40, key);
        train(&run, 40);
        cr_assert_eq(run.allocator.log.count, 1 + 6, "uniform at 0, then steps 5 to 30");
        check_decisions(&run, texts[3]);
        cr_assert(run.allocator.largest_cost[0] <= budget + 1e-9);
        step_run_end(&run);
        for (int i = 0; i < 4; i++)
            free(texts[i]);
    }
}

Test(allocators, qbitopt_beats_uniform_at_a_fractional_budget)
{
    struct step_run run;
    step_run_begin(&run, make_settings("allocator=qbitopt", "mode=fp", "budget=3.5", "tau=5", "hidden=16-8", NULL), 40, 5);
    train(&run, 40);
    const double *omega = allocator_logged(&run.allocator, LOG_OMEGA),
                  *uniform = allocator_logged(&run.allocator, LOG_OMEGA_UNIFORM);
    for (int r = 1; r < run.allocator.log.count; r++)
        cr_assert(omega[r] < uniform[r]);
    step_run_end(&run);
}

/* Traces against the definition: bias-corrected moving average of batch x sum of squares. */
Test(allocators, qbitopt_traces_are_the_moving_average)
{
    struct step_run run;
    step_run_begin(&run,
                   make_settings("allocator=qbitopt", "mode=fp", "budget=4", "tau=10", "hidden=16", "fit_every=1",
                                 "fit_momentum=0.8", NULL), 40, 5);
    double average[4] = {0}, weight = 0;
    struct layer *first = &run.net.layers[0];
    memset(first->w, 0, sizeof *first->w);
    for (long step = 0; step <= 10; step++) {
        allocator_step(&run.allocator, step);
        double squares[4];
        for (int i = 0; i < 4; i++) {
            squares[i] = rng_uniform(9, (uint64_t)(step * 4 + i));
            run.net.ranges[i].limit = 1;
            if (step < 10)
                average[i] = 0.8 * average[i] + 0.2 * 8 * squares[i];
        }
        weight = step < 10 ? 0.8 * weight + 0.2 : weight;
        cr_assert(run.allocator.ops->wants(run.allocator.state, step));
        run.allocator.ops->observe(run.allocator.state, &(struct observation){step, 8, squares, NULL});
    }
    const double *trace = allocator_logged(&run.allocator, LOG_TRACE);
    cr_assert_eq(run.allocator.log.count, 2);
    for (int i = 0; i < 4; i++)
        cr_assert(fabs(trace[4 + i] - average[i] / weight) < 1e-12);
    step_run_end(&run);
}

/* fit_every keeps the memory in steps. */
Test(allocators, qbitopt_estimates_every_nth_step)
{
    struct step_run run;
    step_run_begin(&run,
                   make_settings("allocator=qbitopt", "mode=fp", "budget=4", "tau=12", "hidden=16", "fit_every=3", NULL),
                                 48, 5);
    for (long step = 0; step < 48; step++)
        cr_assert_eq(run.allocator.ops->wants(run.allocator.state, step), step % 3 == 0 && step <= 36);
    step_run_end(&run);
}

Test(allocators, qbitopt_keeps_its_widths_when_sensitivities_are_not_finite)
{
    struct step_run run;
    step_run_begin(&run, make_settings("allocator=qbitopt", "mode=fp", "budget=3.5", "tau=5", "hidden=16", NULL), 40, 5);
    train(&run, 11);
    float before[4], after[4];
    net_get_bits(&run.net, before);
    const double squares[4] = {NAN, INFINITY, 1, 1};
    run.allocator.ops->observe(run.allocator.state, &(struct observation){.step = 8, .batch = 8, .sum_squares = squares});
    allocator_step(&run.allocator, 15);
    net_get_bits(&run.net, after);
    const struct solver_name *solvers = allocator_logged(&run.allocator, LOG_SOLVER);
    cr_assert_arr_eq(before, after, sizeof before);
    cr_assert(strstr(solvers[run.allocator.log.count - 1].text, "not finite"));
    step_run_end(&run);
}

Test(allocators, uniform_gives_left_over_bits_in_network_order)
{
    struct step_run run;
    step_run_begin(&run, make_settings("allocator=uniform", "mode=fp", "budget=3.5", "hidden=16", NULL), 40, 5);
    train(&run, 3);
    float bits[4];
    net_get_bits(&run.net, bits);
    const float expected[4] = {4, 4, 3, 3};
    cr_assert_arr_eq(bits, expected, sizeof bits);
    cr_assert_eq(run.allocator.log.count, 1);
    step_run_end(&run);
}

/* ---- uniform ---- */

static struct tensor plain(enum tensor_kind kind, int layer, size_t elements)
{
    return (struct tensor){.kind = kind, .layer = layer, .elements = elements, .macs = (double)elements, .choices = 0x1fc,
                           .counted = true};
}

static const struct cost_ops *cost_named(const char *name) { return (const struct cost_ops *)plug_find(PLUG_COST, name); }

static void expect_uniform(const struct tensor *tensors, int count, const struct budget *budgets, int budget_count,
                           const float *expected)
{
    float bits[16];
    cr_assert(uniform_bits(tensors, count, budgets, budget_count, bits));
    for (int i = 0; i < count; i++)
        cr_assert_eq(bits[i], expected[i], "tensor %d has %g bits, not %g", i, bits[i], expected[i]);
}

/* Worked by hand. Layers of 100, 10 and 1000 weights with 8 inputs each. */
Test(uniform, left_over_bits_go_to_the_cheapest)
{
    struct tensor tensors[6];
    for (int i = 0; i < 6; i++)
        tensors[i] = plain(i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, i / 2,
                           i % 2 ? 8 : (const size_t[]){100, 10, 1000}[i / 2]);
    /* 4 bits are 555 bytes; 568.75 leave room for 10 and for 100 elements' fifth bit. Activations cost nothing here, so
     * nothing limits them. */
    const struct budget bytes = {.cost = cost_named("weight_bytes"), .limit = 568.75};
    expect_uniform(tensors, 6, &bytes, 1, (const float[]){5, 8, 5, 8, 4, 8});
    /* Two budgets apart: weights 3 and one more for the first two of equal price, activations 5. */
    const struct budget means[2] = {{.cost = cost_named("mean_bits_w"), .limit = 3.7},
                                    {.cost = cost_named("mean_bits_a"), .limit = 5.2}};
    expect_uniform(tensors, 6, means, 2, (const float[]){4, 5, 4, 5, 3, 5});
    /* Two on the same: at 3 bits of all, 416.25 bytes; then mean_bits has room for five bits more, weight_bytes for 10
     * elements' alone. */
    const struct budget both[2] = {{.cost = cost_named("mean_bits"), .limit = 3.9},
                                   {.cost = cost_named("weight_bytes"), .limit = 418}};
    expect_uniform(tensors, 6, both, 2, (const float[]){3, 4, 4, 4, 3, 4});
}

Test(uniform, keeps_pins_ties_and_gaps)
{
    struct tensor tensors[4];
    for (int i = 0; i < 4; i++)
        tensors[i] = plain(i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, i / 2, 10);
    const struct budget mean = {.cost = cost_named("mean_bits"), .limit = 5};
    tensors[0].choices = 1 << 8; /* pinned, outside the mean */
    tensors[0].counted = false;
    tensors[1].choices = 1 << 2 | 1 << 4 | 1 << 8;
    expect_uniform(tensors, 4, &mean, 1, (const float[]){8, 4, 6, 5}); /* 4 + 5 + 5 of 15 leave one */
    tensors[2].group = tensors[3].group = 1;
    expect_uniform(tensors, 4, &mean, 1, (const float[]){8, 4, 5, 5}); /* which a pair cannot use */
    tensors[2].choices = 1 << 3 | 1 << 6;
    tensors[3].choices = 1 << 3 | 1 << 5 | 1 << 6;
    expect_uniform(tensors, 4, &mean, 1, (const float[]){8, 8, 3, 3}); /* 4 and a pair of 6 are too much: 4, 3, 3, then 8 */
    tensors[1].choices = 1 << 2 | 1 << 3;
    expect_uniform(tensors, 4, &mean, 1, (const float[]){8, 3, 6, 6});
}

/* Ties join what no budget does; what pins leave nothing of limits nothing. */
Test(uniform, separate_budgets_with_ties_and_pins)
{
    struct tensor tensors[4];
    for (int i = 0; i < 4; i++)
        tensors[i] = plain(i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, i / 2, 10);
    struct budget means[2] = {{.cost = cost_named("mean_bits_w"), .limit = 4.5},
                              {.cost = cost_named("mean_bits_a"), .limit = 3}};
    tensors[0].group = tensors[1].group = 1;
    expect_uniform(tensors, 4, means, 2, (const float[]){3, 3, 4, 3});
    for (int i = 0; i < 4; i++) {
        tensors[i].group = 0;
        if (i % 2) {
            tensors[i].choices = 1 << 8;
            tensors[i].counted = false;
        }
    }
    means[1].limit = 0;
    expect_uniform(tensors, 4, means, 2, (const float[]){5, 8, 4, 8});
}

Test(uniform, says_when_not_even_the_least_widths_fit)
{
    struct tensor tensors[2] = {plain(TENSOR_WEIGHT, 0, 10), plain(TENSOR_ACTIVATION, 0, 10)};
    float bits[2];
    struct budget mean = {.cost = cost_named("mean_bits"), .limit = 1.99};
    cr_assert_not(uniform_bits(tensors, 2, &mean, 1, bits));
    mean.limit = 2;
    cr_assert(uniform_bits(tensors, 2, &mean, 1, bits) && bits[0] == 2 && bits[1] == 2);
}

/* D²/12 is the variance of the rounding error of evenly spread values. */
Test(allocators, noise_variance_is_that_of_the_quantiser)
{
    for (int bits = 2; bits <= 6; bits++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            double limit = 1.5, top = code_limit(bits, is_signed), step = limit / top, sum = 0;
            const int n = 200000;
            for (int i = 0; i < n; i++) {
                double x = is_signed ? limit * (2 * (i + 0.5) / n - 1) : limit * (i + 0.5) / n;
                double error = x - step * rint(x / step);
                sum += error * error;
            }
            double expected = noise_variance(bits, limit, is_signed, false);
            cr_assert(fabs(sum / n - expected) < 1e-3 * expected, "%d bits", bits);
        }
    cr_assert(fabs(noise_variance(2, 1, true, false) / noise_variance(2, 1, true, true) - 2.25) < 1e-9);
}
