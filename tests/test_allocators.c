/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every allocator of the table keeps its promises on random networks; the formulas behind qbitopt and dq. */
#include "support.h"
#include "../bench/decisions.h"
#include "../bench/settings.h"
#include "../methods/allocators/allocation.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct run { struct settings settings; struct arena arena; struct net net; struct allocator allocator; uint64_t key; };

static void begin(struct run *run, struct settings settings, long steps, uint64_t key)
{
    *run = (struct run){.settings = settings, .key = key};
    const struct dataset dataset = {.rank = 1, .shape = {12}, .features = 12, .classes = 4};
    const struct mode_ops *mode = setting_plug(&run->settings, "mode");
    net_build(&run->net, &run->settings, &dataset, mode, run_quantiser(&run->settings), 8, &run->arena);
    struct pool pool = {.size = net_pool_size(&run->net)};
    pool.memory = arena_alloc(&run->arena, pool.size);
    net_use_pool(&run->net, pool);
    net_initialise(&run->net);
    allocator_begin(&run->allocator, &run->net, &run->settings, steps, &run->arena);
}

static void end(struct run *run)
{
    allocator_end(&run->allocator);
    arena_free(&run->arena);
    settings_free(&run->settings);
}

/* Steps of training on random samples and labels. */
static void train(struct run *run, long steps)
{
    for (long step = 0; step < steps; step++) {
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
    allocator_step(&run->allocator, steps);
}

Test(allocators, budgets_hold_at_every_step_on_random_networks)
{
    for (uint64_t trial = 0; trial < 40; trial++) {
        uint64_t key = rng_key(trial, STREAM_ALLOCATOR, 7, 7);
        double budget = 2 + floor(rng_uniform(key, 0) * 25) / 4;
        char *texts[4] = {
            format_text("budget=%g", budget), format_text("hidden=%d-%d", 3 + (int)(rng_uniform(key, 1) * 20), 3 + (int)(rng_uniform(key, 2) * 9)),
            format_text("mode=%s", (const char *const[]){"fp", "fqt", "hfqt"}[trial % 3]),
            format_text("solver=%s", (const char *const[]){"knapsack", "greedy", "ilp"}[trial / 3 % 3])};
        struct run run;
        begin(&run, make_settings("allocator=qbitopt", "tau=5", "fit_every=2", texts[0], texts[1], texts[2], texts[3], NULL), 40, key);
        train(&run, 40);
        const float *all_bits = allocator_logged(&run.allocator, LOG_BITS);
        const double *cost = allocator_logged(&run.allocator, LOG_COST), *omega = allocator_logged(&run.allocator, LOG_OMEGA),
                     *omega_uniform = allocator_logged(&run.allocator, LOG_OMEGA_UNIFORM);
        int tensors = run.allocator.allocation.count;
        cr_assert_eq(run.allocator.log.count, 1 + 6, "uniform at 0, then steps 5 to 30");
        for (int r = 0; r < run.allocator.log.count; r++) {
            double sum = 0;
            for (int i = 0; i < tensors; i++) {
                float bits = all_bits[r * tensors + i];
                cr_assert(bits >= 2 && bits <= 8 && bits == floorf(bits));
                sum += bits;
            }
            cr_assert(sum <= budget * tensors + 1e-9, "budget %g: %g", budget, sum / tensors);
            cr_assert(fabs(sum / tensors - cost[r]) < 1e-9);
            if (r > 0)
                cr_assert(omega[r] <= omega_uniform[r], "%s at budget %g", texts[3], budget);
        }
        cr_assert(run.allocator.largest_cost <= budget + 1e-9);
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
        run.allocator.ops->observe(run.allocator.state, step, 8, squares);
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
    run.allocator.ops->observe(run.allocator.state, 8, 8, squares);
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

/* ---- dq ---- */

static const struct quantiser_ops *dq_quantiser(void)
{
    return ((const struct alloc_ops *)plug_find(PLUG_ALLOCATOR, "dq"))->quantiser;
}

Test(dq, widths_follow_from_step_and_range)
{
    static const struct { double step, top; bool is_signed; float bits; } rows[] = {
        {0.125, 0.875, true, 4}, {0.125, 1.0, true, 5}, {0.125, 1.875, false, 4}, {0.125, 2, false, 5}, {0.25, 0.75, true, 3},
        {0.15, 0.875, true, 4}, /* 0.15 rounds to 2^-3 */
        {0.0625, 127, true, 8}, {1, 1.1, true, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct range range = {.kind = TENSOR_WEIGHT, .min_bits = 2, .max_bits = 8, .learned = true, .step = rows[i].step,
                              .top = rows[i].top, .is_signed = rows[i].is_signed};
        const float x[16] = {0};
        dq_quantiser()->fit(&range, x, 16, 16);
        cr_assert_eq(range.bits, rows[i].bits, "row %zu: %g", i, range.bits);
        cr_assert(range.hi <= code_limit(range.bits, range.is_signed));
    }
}

Test(dq, starts_at_four_bits)
{
    struct range weight = {.kind = TENSOR_WEIGHT, .min_bits = 2, .max_bits = 8};
    struct range activation = {.kind = TENSOR_ACTIVATION, .min_bits = 2, .max_bits = 8};
    float w[16] = {-0.9f, 0.3f}, a[16] = {0.5f, 3};
    dq_quantiser()->fit(&weight, w, 16, 16);
    dq_quantiser()->fit(&activation, a, 16, 16);
    cr_assert(weight.bits == 4 && weight.is_signed && weight.scale == 0.25f && weight.hi == 7);
    cr_assert(activation.bits == 4 && !activation.is_signed && activation.scale == 0.125f && activation.hi == 15);
}

Test(dq, gradients_of_step_and_range)
{
    struct settings settings = make_settings("mode=fp", "allocator=dq", "budget=4", NULL);
    struct range range = {.kind = TENSOR_WEIGHT, .min_bits = 2, .max_bits = 8, .learned = true, .step = 0.25, .top = 1.75,
                          .is_signed = true};
    float x[16] = {0.3f, -0.9f, 2, -3}, grad[16] = {1, 2, 4, 8};
    dq_quantiser()->fit(&range, x, 16, 16);
    dq_quantiser()->backward(&range, &settings, x, grad, 16);
    double step = 1 * (rint(0.3 / 0.25) - 0.3 / 0.25) + 2 * (rint(-0.9 / 0.25) + 0.9 / 0.25);
    cr_assert(fabs(range.step_grad - step) < 1e-6 && fabs(range.top_grad - (4 - 8)) < 1e-6);
    cr_assert(grad[0] == 1 && grad[1] == 2 && grad[2] == 0 && grad[3] == 0);
    settings_free(&settings);
}

/* The penalty's pull against finite differences of lambda (mean bits - budget)² with the ceiling left out. */
Test(dq, penalty_gradient_matches_the_smooth_width)
{
    struct run run;
    begin(&run, make_settings("allocator=dq", "mode=fp", "budget=2", "hidden=16", "dq_penalty=0.0001", "momentum=0", "dq_lr=0.01", NULL), 10, 5);
    allocator_step(&run.allocator, 0);
    net_forward(&run.net, 8, 0, PASS_TRAIN);
    struct range *range = &run.net.ranges[0];
    double d = range->step, top = range->top, excess = 4 - 2.0, h = 1e-6;
    run.allocator.ops->update(run.allocator.state, 0, 1);
    /* width = log2(top/d + 1) + 1, one of four tensors; the squared excess is linearised at the widths in force. */
    double slope_d = (log2(top / (d + h) + 1) - log2(top / (d - h) + 1)) / (2 * h);
    double slope_top = (log2((top + h) / d + 1) - log2((top - h) / d + 1)) / (2 * h);
    double moved_d = (d - range->step) / 0.01, moved_top = (top - range->top) / 0.01;
    cr_assert(fabs(moved_d - 0.0001 * 2 * excess / 4 * slope_d) < 1e-6 * fabs(moved_d) + 1e-9, "%g", moved_d);
    cr_assert(fabs(moved_top - 0.0001 * 2 * excess / 4 * slope_top) < 1e-6 * fabs(moved_top) + 1e-9, "%g", moved_top);
    end(&run);
}

Test(dq, a_budget_below_its_start_pulls_the_widths_down)
{
    struct run run;
    begin(&run, make_settings("allocator=dq", "mode=fqt", "budget=2.5", "hidden=16", NULL), 400, 5);
    train(&run, 400);
    float bits[4];
    net_get_bits(&run.net, bits);
    cr_assert(bits[0] + bits[1] + bits[2] + bits[3] < 14, "from 16");
    cr_assert_eq(run.allocator.log.count, 3, "steps 0, 250 and 400");
    end(&run);
}
