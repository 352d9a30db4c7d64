/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every allocator of the table keeps its promises on random networks; the formulas behind qbitopt. */
#include "support.h"
#include "../bench/decisions.h"
#include "../bench/probe.h"
#include "../bench/settings.h"
#include "../methods/allocators/qbitopt.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 32
#define FEATURES 12

struct run {
    struct settings settings;
    struct arena arena;
    struct net net;
    struct allocator allocator;
    struct dataset dataset;
    float x[SAMPLES * FEATURES];
    int32_t y[SAMPLES];
    uint64_t key;
};

static void begin(struct run *run, struct settings settings, long steps, uint64_t key)
{
    *run = (struct run){.settings = settings, .key = key};
    run->dataset = (struct dataset){.rank = 1, .shape = {FEATURES}, .features = FEATURES, .classes = 4,
                                    .train = {.count = SAMPLES, .x = run->x, .y = run->y}};
    uint32_t indices[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        indices[i] = (uint32_t)i;
        run->y[i] = (int32_t)(i % 4);
        for (size_t j = 0; j < FEATURES; j++)
            run->x[i * FEATURES + j] = (float)rng_normal(key + 2, i * FEATURES + j);
    }
    const struct mode_ops *mode = setting_plug(&run->settings, "mode");
    const struct alloc_ops *ops = setting_plug(&run->settings, "allocator");
    net_build(&run->net, &run->settings, &run->dataset, mode, run_quantiser(&run->settings), 8, &run->arena);
    struct probe *probe = ops->probes && ops->probes(&run->settings)
                              ? probe_begin(&run->net, &run->dataset, indices, SAMPLES, &run->arena) : NULL;
    size_t size = net_pool_size(&run->net), shared = probe_pool_size(probe);
    struct pool pool = {.size = size > shared ? size : shared};
    pool.memory = arena_alloc(&run->arena, pool.size);
    net_use_pool(&run->net, pool);
    probe_use_pool(probe, pool);
    net_initialise(&run->net);
    struct error error;
    cr_assert(allocator_begin(&run->allocator, &run->net, &run->settings, &run->dataset, steps, probe, &run->arena, &error), "%s",
              error.text);
}

static void end(struct run *run)
{
    allocator_end(&run->allocator);
    arena_free(&run->arena);
    settings_free(&run->settings);
}

/* Steps of training on random samples and labels. */
static void train_between(struct run *run, long first, long end)
{
    for (long step = first; step < end; step++) {
        int32_t labels[8];
        size_t correct = 0;
        for (size_t i = 0; i < 8; i++) {
            labels[i] = (int32_t)(rng_bits(run->key, 8 * (uint64_t)step + i) % 4);
            for (size_t j = 0; j < 12; j++)
                run->net.input[i * row_stride(12) + j] = (float)rng_normal(run->key + 1, ((uint64_t)step * 8 + i) * 12 + j);
        }
        allocator_step(&run->allocator, step);
        net_pass(&run->net, 8, labels, step, PASS_TRAIN, allocator_wants(&run->allocator, step), &correct);
        allocator_after(&run->allocator, step, 8, 1);
        net_update(&run->net, 0.01);
    }
}

static void train(struct run *run, long steps)
{
    train_between(run, 0, steps);
    allocator_step(&run->allocator, steps);
}

/* ---- what holds at every decision, whatever the solver and the budgets ---- */

/* Ω never above uniform's, budgets met, widths allowed, ties kept. */
static void check_decisions(const struct run *run, const char *label)
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
    const struct dataset dataset = {.rank = 1, .shape = {FEATURES}, .features = FEATURES, .classes = 4};
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
        struct run run;
        begin(&run, settings, 40, 11);
        train(&run, 40);
        check_decisions(&run, texts[2]);
        end(&run);
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
    static const char *const budgets[] = {"mean_bits=3.5,mean_bits_g=3.25", "4", "bops=30%,mean_bits_g=4.5", "bops_train=70%"};
    for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
        cr_assert(try_solver("ilp", budgets[b], "min_bits=2", "mode=fqt", "allocate=weights-activations-gradients"));
        cr_assert(try_solver("ilp", budgets[b], "tie=fc*.gradient", "mode=hfqt", "allocate=weights-activations-gradients"));
    }
    cr_assert(try_solver("knapsack", budgets[0], "min_bits=2", "mode=fqt", "allocate=weights-activations-gradients"),
              "each problem has one budget of the two");
    cr_assert(try_solver("ilp", "4", "tie=fc1.*", "mode=fqt", "allocate=weights-activations-gradients"), "a tie of both kinds");
    cr_assert(try_solver("knapsack", "mean_bits_g=3.5", "min_bits=2", "mode=fqt", "allocate=gradients"));
}

/* Of all allocations of six tensors that meet the budget, none is better than what exhaustive and exact solvers take. */
Test(allocators, exhaustive_finds_the_optimum)
{
    double omega[3][7];
    const char *const choices[3][2] = {{"allocator=exhaustive", NULL}, {"allocator=qbitopt", "solver=knapsack"},
                                       {"allocator=qbitopt", "solver=ilp"}};
    for (int c = 0; c < 3; c++) {
        struct run run;
        /* One reallocation only, so that all have trained alike until then. */
        begin(&run, make_settings(choices[c][0], "mode=fp", "budget=3.4", "tau=10", "freeze=0.25", "fit_every=1", "hidden=9-5",
                                  choices[c][1], NULL), 40, 3);
        train_between(&run, 0, 11);
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
        end(&run);
    }
}

Test(allocators, fractional_widths_become_whole_at_the_freeze)
{
    static const char *const budgets[] = {"budget=3.4", "budget=weight_bytes=41%", "budget=bops=23%"};
    for (size_t b = 0; b < 3; b++) {
        struct run run;
        begin(&run, make_settings("allocator=qbitopt", "mode=fp", "fractional=true", "solver=ilp", "tau=5", "fit_every=2",
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
        end(&run);
    }
    struct settings integer = make_settings("allocator=qbitopt", "mode=fqt", "fractional=true", "budget=4", NULL);
    cr_assert(strstr(plug_check(&integer), "fractional"));
    settings_free(&integer);
}

/* Real widths must not stay for lack of a whole answer. */
Test(allocators, fractional_widths_end_even_when_sensitivities_are_not_finite)
{
    struct run run;
    begin(&run, make_settings("allocator=qbitopt", "mode=fp", "fractional=true", "budget=3.4", "tau=5", "hidden=16", NULL), 40,
          5);
    train_between(&run, 0, 11);
    const double squares[4] = {NAN, INFINITY, 1, 1};
    run.allocator.ops->observe(run.allocator.state, &(struct observation){.step = 11, .batch = 8, .sum_squares = squares});
    allocator_step(&run.allocator, 30);
    const struct solver_name *solver = allocator_logged(&run.allocator, LOG_SOLVER);
    int64_t last = run.allocator.log.count - 1;
    const float *bits = (const float *)allocator_logged(&run.allocator, LOG_BITS) + 4 * last;
    cr_assert_str_eq(solver[last].text, "uniform: sensitivity not finite");
    for (int i = 0; i < 4; i++)
        cr_assert_eq(bits[i], floorf(bits[i]));
    end(&run);
}

/* The float pass stands in for the averages: nothing is asked of training. */
Test(allocators, float_pass_before_each_reallocation)
{
    struct run run;
    begin(&run, make_settings("allocator=qbitopt", "mode=fqt", "fit_source=float", "budget=3.5", "tau=5", "hidden=16", NULL), 40,
          5);
    cr_assert_not(setting_has(&run.settings, "fit_momentum"));
    for (long step = 0; step < 40; step++)
        cr_assert_null(allocator_wants(&run.allocator, step));
    train(&run, 40);
    check_decisions(&run, "float pass");
    const double *trace = allocator_logged(&run.allocator, LOG_TRACE);
    for (int i = 4; i < 4 * run.allocator.log.count; i++)
        cr_assert(trace[i] > 0);
    end(&run);
}

/* A solver that can never take the run's budgets says so before the first step. */
Test(allocators, a_solver_that_cannot_take_the_budgets_ends_the_run, .exit_code = 1)
{
    struct run run;
    begin(&run, make_settings("allocator=exhaustive", "mode=fp", "budget=4", "hidden=9-9-9-9-9-9-9-9-9", NULL), 40, 5);
}

/* Stopped in the middle of an interval and taken up from a checkpoint: the same decisions. */
Test(allocators, a_resumed_run_decides_the_same)
{
    char *folder = temporary_folder(), *path = file_in(folder, "state");
    const struct checkpoint checkpoint = {.path = path, .identity = "test"};
    struct run runs[2];
    struct error error;
    for (int i = 0; i < 2; i++) {
        begin(&runs[i], make_settings("allocator=qbitopt", "mode=hfqt", "allocate=weights-activations-gradients", "budget=3.5",
                                      "tau=6", "fit_every=2", "solver=ilp", "hidden=16", NULL), 40, 5);
        struct kept kept = {0};
        net_keep(&runs[i].net, &kept);
        keep_all(&kept, &runs[i].allocator.kept);
        if (i == 0) {
            train_between(&runs[i], 0, 15);
            cr_assert(checkpoint_write(&checkpoint, &kept, &error), "%s", error.text);
        } else {
            cr_assert_eq(checkpoint_read(&checkpoint, &kept, &error), CHECKPOINT_LOADED);
            net_weights_changed(&runs[i].net);
        }
        kept_free(&kept);
        train_between(&runs[i], 15, 40);
    }
    cr_assert(runs[0].allocator.log.count == 6 && runs[1].allocator.log.count == 6, "steps 0, 6 to 30");
    for (int column = 0; column < LOG_MICROSECONDS; column++) {
        const struct growing *a = &runs[0].allocator.log.columns[column], *b = &runs[1].allocator.log.columns[column];
        cr_assert_eq(a->size, b->size);
        cr_assert_arr_eq(a->data, b->data, a->size, "column %d", column);
    }
    for (int i = 0; i < 2; i++)
        end(&runs[i]);
    free(path);
    remove_folder(folder);
}

Test(allocators, budgets_hold_at_every_step_on_random_networks)
{
    for (uint64_t trial = 0; trial < 18; trial++) {
        uint64_t key = rng_key(trial, STREAM_ALLOCATOR, 7, 7);
        double budget = 2 + floor(rng_uniform(key, 0) * 25) / 4;
        char *texts[4] = {
            format_text("budget=%g", budget), format_text("hidden=%d-%d", 3 + (int)(rng_uniform(key, 1) * 20), 3 + (int)(rng_uniform(key, 2) * 9)),
            format_text("mode=%s", (const char *const[]){"fp", "fqt", "hfqt"}[trial % 3]),
            format_text("solver=%s", (const char *const[]){"knapsack", "greedy", "ilp"}[trial / 3 % 3])};
        struct run run;
        begin(&run, make_settings("allocator=qbitopt", "tau=5", "fit_every=2", texts[0], texts[1], texts[2], texts[3], NULL), 40, key);
        train(&run, 40);
        cr_assert_eq(run.allocator.log.count, 1 + 6, "uniform at 0, then steps 5 to 30");
        check_decisions(&run, texts[3]);
        cr_assert(run.allocator.largest_cost[0] <= budget + 1e-9);
        end(&run);
        for (int i = 0; i < 4; i++)
            free(texts[i]);
    }
}

Test(allocators, qbitopt_beats_uniform_at_a_fractional_budget)
{
    struct run run;
    begin(&run, make_settings("allocator=qbitopt", "mode=fp", "budget=3.5", "tau=5", "hidden=16-8", NULL), 40, 5);
    train(&run, 40);
    const double *omega = allocator_logged(&run.allocator, LOG_OMEGA), *uniform = allocator_logged(&run.allocator, LOG_OMEGA_UNIFORM);
    for (int r = 1; r < run.allocator.log.count; r++)
        cr_assert(omega[r] < uniform[r]);
    end(&run);
}

/* Traces against the definition: bias-corrected moving average of batch x sum of squares. */
Test(allocators, qbitopt_traces_are_the_moving_average)
{
    struct run run;
    begin(&run, make_settings("allocator=qbitopt", "mode=fp", "budget=4", "tau=10", "hidden=16", "fit_every=1", "fit_momentum=0.8", NULL), 40, 5);
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
        run.allocator.ops->observe(run.allocator.state, &(struct observation){.step = step, .batch = 8, .sum_squares = squares});
    }
    const double *trace = allocator_logged(&run.allocator, LOG_TRACE);
    cr_assert_eq(run.allocator.log.count, 2);
    for (int i = 0; i < 4; i++)
        cr_assert(fabs(trace[4 + i] - average[i] / weight) < 1e-12);
    end(&run);
}

/* fit_every keeps the memory in steps. */
Test(allocators, qbitopt_estimates_every_nth_step)
{
    struct run run;
    begin(&run, make_settings("allocator=qbitopt", "mode=fp", "budget=4", "tau=12", "hidden=16", "fit_every=3", NULL), 48, 5);
    for (long step = 0; step < 48; step++)
        cr_assert_eq(run.allocator.ops->wants(run.allocator.state, step), step % 3 == 0 && step <= 36);
    end(&run);
}

Test(allocators, qbitopt_keeps_its_widths_when_sensitivities_are_not_finite)
{
    struct run run;
    begin(&run, make_settings("allocator=qbitopt", "mode=fp", "budget=3.5", "tau=5", "hidden=16", NULL), 40, 5);
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
    end(&run);
}

Test(allocators, uniform_gives_left_over_bits_in_network_order)
{
    struct run run;
    begin(&run, make_settings("allocator=uniform", "mode=fp", "budget=3.5", "hidden=16", NULL), 40, 5);
    train(&run, 3);
    float bits[4];
    net_get_bits(&run.net, bits);
    const float expected[4] = {4, 4, 3, 3};
    cr_assert_arr_eq(bits, expected, sizeof bits);
    cr_assert_eq(run.allocator.log.count, 1);
    end(&run);
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
        tensors[i] = plain(i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, i / 2, i % 2 ? 8 : (const size_t[]){100, 10, 1000}[i / 2]);
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
    expect_uniform(tensors, 4, &mean, 1, (const float[]){8, 8, 3, 3}); /* a pair of 6 is too much with 4: 4, 3, 3, then 8 fits */
    tensors[1].choices = 1 << 2 | 1 << 3;
    expect_uniform(tensors, 4, &mean, 1, (const float[]){8, 3, 6, 6});
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
