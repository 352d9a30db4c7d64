/* SPDX-License-Identifier: GPL-3.0-or-later
 * DQ's quantiser, widths and penalties by hand and against finite differences. */
#include "support.h"
#include "step_runs.h"
#include "../bench/settings.h"
#include "../methods/allocators/penalty.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct quantiser_ops *dq_quantiser(void)
{
    return ((const struct alloc_ops *)plug_find(PLUG_ALLOCATOR, "dq"))->quantiser;
}

static struct settings dq_settings(const char *option)
{
    return make_settings("allocator=dq", "mode=fp", "budget=weight_bytes=1,act_bytes_sum=1", option, NULL);
}

/* All tensors with the same step and range, as if they had been fitted. */
static void learn_all(struct lone_allocator *lone, double step, double top, bool is_signed)
{
    for (int i = 0; i < lone->allocation.count; i++) {
        struct range *range = &lone->ranges[i];
        range->learned = true;
        range->step = step;
        range->top = top;
        range->is_signed = is_signed;
    }
}

/* ---- the quantiser and widths ---- */

Test(dq, widths_follow_from_step_and_range)
{
    static const struct { double step, top; bool is_signed; float bits; } rows[] = {
        {0.125, 0.875, true, 4}, {0.125, 1.0, true, 5}, {0.125, 1.875, false, 4}, {0.125, 2, false, 5},
        {0.25, 0.75, true, 3},
        {0.15, 0.875, true, 4}, /* 0.15 rounds to 2^-3 */
        {0.0625, 127, true, 8}, {1, 1.1, true, 2},
    };
    struct lone_allocator lone;
    lone_make(&lone, dq_settings("dq_lr=0"), 1, 10);
    lone_begin(&lone);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        learn_all(&lone, rows[i].step, rows[i].top, rows[i].is_signed);
        lone.ops->update(lone.state, 0, 1);
        for (int k = 0; k < 2; k++) {
            const struct range *range = &lone.ranges[k];
            cr_expect_eq(range->bits, rows[i].bits, "row %zu: %g", i, (double)range->bits);
            cr_expect(range->hi >= 1 && range->hi <= code_limit((double)range->bits, range->is_signed));
            cr_expect(range->step == rows[i].step && range->top == rows[i].top, "nothing moves at rate 0");
        }
    }
    lone_end(&lone);
}

Test(dq, starts_at_four_bits)
{
    struct range weight = {.kind = TENSOR_WEIGHT, .bits = 4}, activation = {.kind = TENSOR_ACTIVATION, .bits = 4};
    float w[16] = {-0.9f, 0.3f}, a[16] = {0.5f, 3};
    dq_quantiser()->fit(&weight, w, 16, 16);
    dq_quantiser()->fit(&activation, a, 16, 16);
    cr_assert(weight.is_signed && weight.scale == 0.25f && weight.hi == 7);
    cr_assert(!activation.is_signed && activation.scale == 0.125f && activation.hi == 15);
}

Test(dq, gradients_of_step_and_range)
{
    struct range range = {.kind = TENSOR_WEIGHT, .bits = 4, .learned = true, .step = 0.25, .top = 1.75, .is_signed = true};
    float x[16] = {0.3f, -0.9f, 2, -3}, grad[16] = {1, 2, 4, 8};
    dq_quantiser()->fit(&range, x, 16, 16);
    dq_quantiser()->backward(&range, NULL, x, grad, 16);
    double step = 1 * (rint(0.3 / 0.25) - 0.3 / 0.25) + 2 * (rint(-0.9 / 0.25) + 0.9 / 0.25);
    cr_assert(fabs(range.step_grad - step) < 1e-6 && fabs(range.top_grad - (4 - 8)) < 1e-6);
    cr_assert(grad[0] == 1 && grad[1] == 2 && grad[2] == 0 && grad[3] == 0);
}

/* ---- penalties ---- */

/* The penalty's pull against finite differences of lambda (mean bits - budget)² with the ceiling left out. */
Test(dq, penalty_gradient_matches_the_smooth_width)
{
    struct step_run run;
    step_run_begin(&run, make_settings("allocator=dq", "mode=fp", "budget=2", "hidden=16", "dq_penalty=0.0001", "momentum=0",
                                       "dq_lr=0.01", NULL), 10, 5);
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
    step_run_end(&run);
}

/* In bits: all at 8 cost 8. Slopes by hand: of a sum, the tensor's share; of a product, the other width; of a maximum, only
 * the largest. */
Test(dq, excess_and_slopes_of_costs)
{
    struct lone_allocator lone;
    struct penalty penalty;
    float bits[6] = {3, 4, 5, 6, 2, 7}; /* w, a of three layers, of 100, 200 and 300 elements and MACs */
    lone_make(&lone, dq_settings("dq_lr=0"), 3, 10);
    lone_budget(&lone, "mean_bits", 4);
    lone_budget(&lone, "weight_bytes", 150);
    lone_budget(&lone, "bops", 4000);
    lone_budget(&lone, "act_bytes_max", 200);
    penalty_begin(&penalty, &lone.allocation);
    const double price[4] = {27 / 6.0, (300 + 1000 + 600) / 8.0, 1200 + 6000 + 4200, 2100 / 8.0};
    const double unit[4] = {1, 8 / 600.0, 8 / (64 * 600.0), 8 / 300.0}, limit[4] = {4, 150, 4000, 200};
    const double slopes[4][6] = {
        {1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0},
        {100 / 8.0, 0, 200 / 8.0, 0, 300 / 8.0, 0},
        {400, 300, 1200, 1000, 2100, 600},
        {0, 0, 0, 0, 0, 300 / 8.0},
    };
    for (int b = 0; b < 4; b++) {
        double slope[6] = {1, 1, 1, 1, 1, 1};
        double excess = penalty_excess(&penalty, b, bits);
        cr_expect(fabs(excess - (price[b] - limit[b]) * unit[b]) < 1e-9, "budget %d: %g", b, excess);
        penalty_slope(&penalty, b, 0.5, bits, slope);
        for (int i = 0; i < 6; i++)
            cr_expect(fabs(slope[i] - 1 - 0.5 * unit[b] * slopes[b][i]) < 1e-9, "budget %d, tensor %d: %g", b, i, slope[i]);
    }
    lone_end(&lone);
}

/* Each budget pulls its own kind, with its own weight. */
Test(dq, separate_budgets_have_separate_penalties)
{
    struct lone_allocator lone;
    lone_make(&lone, make_settings("allocator=dq", "mode=fp", "budget=mean_bits_w=2,mean_bits_a=3", "dq_penalty=0.01",
                                   "dq_penalty_a=0.02", "momentum=0", "dq_lr=0.001", NULL), 2, 10);
    lone_budget(&lone, "mean_bits_w", 2);
    lone_budget(&lone, "mean_bits_a", 3);
    lone_begin(&lone);
    learn_all(&lone, 0.125, 0.875, true);
    lone.ops->update(lone.state, 0, 1);
    double by_top = 1 / (M_LN2 * (0.875 + 0.125));
    for (int i = 0; i < 4; i++) {
        double pull = i % 2 ? 2 * 0.02 * (4 - 3) / 2 : 2 * 0.01 * (4 - 2) / 2;
        double moved = (0.875 - lone.ranges[i].top) / 0.001;
        cr_expect(fabs(moved - pull * by_top) < 1e-9, "tensor %d: %g", i, moved);
    }
    lone_end(&lone);
    struct settings mean = make_settings("allocator=dq", "mode=fp", "budget=4", NULL);
    cr_assert_not(setting_has(&mean, "dq_penalty_a"), "one budget has one weight");
    settings_free(&mean);
}

Test(dq, a_budget_below_its_start_pulls_the_widths_down)
{
    struct step_run run;
    step_run_begin(&run, make_settings("allocator=dq", "mode=fqt", "budget=2.5", "hidden=16", NULL), 400, 5);
    step_run_train(&run, 0, 400);
    step_run_finish(&run, 400);
    float bits[4];
    net_get_bits(&run.net, bits);
    cr_assert(bits[0] + bits[1] + bits[2] + bits[3] < 14, "from 16");
    cr_assert_eq(run.allocator.log.count, 3, "steps 0, 250 and 400");
    step_run_end(&run);
}

/* ---- pins, gaps, ties ---- */

Test(dq, widths_keep_to_what_is_allowed)
{
    struct lone_allocator lone;
    lone_make(&lone, dq_settings("dq_lr=0"), 3, 10);
    lone_budget(&lone, "mean_bits", 2);
    lone.tensors[0].choices = 1 << 6;                     /* pinned */
    lone.tensors[1].choices = 1 << 2 | 1 << 5 | 1 << 8;   /* gaps */
    lone.tensors[2].choices = 1 << 3;
    lone_begin(&lone);
    cr_assert(lone.bits[0] == 6 && lone.bits[1] == 5 && lone.bits[2] == 3 && lone.bits[3] == 4);
    static const struct { double top; float expected[4]; } rows[] = {
        {0.375, {6, 5, 3, 3}}, {0.125 * 1.01, {6, 2, 3, 2}}, {3.875, {6, 8, 3, 6}}, {100, {6, 8, 3, 8}}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        learn_all(&lone, 0.125, rows[r].top, true);
        lone.ops->update(lone.state, 0, 1);
        for (int i = 0; i < 4; i++) {
            const struct range *range = &lone.ranges[i];
            cr_expect_eq(range->bits, rows[r].expected[i], "row %zu, tensor %d: %g", r, i, (double)range->bits);
            cr_expect(range->hi <= code_limit((double)range->bits, true));
        }
    }
    lone_end(&lone);
}

/* The largest member has the group's width and its pull; a pinned tensor has none. */
Test(dq, tied_tensors_have_the_width_of_the_largest)
{
    struct lone_allocator lone;
    lone_make(&lone, make_settings("allocator=dq", "mode=fp", "budget=2", "dq_penalty=0.01", "momentum=0", "dq_lr=0.001",
                                   NULL), 2, 10);
    lone_budget(&lone, "mean_bits", 2);
    lone.tensors[0].group = lone.tensors[2].group = lone.tensors[3].group = 1;
    lone.tensors[1].choices = 1 << 8;
    lone_begin(&lone);
    learn_all(&lone, 0.125, 0.375, true);  /* 3 bits */
    lone.ranges[2].top = 1.875;            /* 5 bits */
    for (int i = 0; i < 4; i++)
        lone.ranges[i].bits = i == 1 ? 8 : 5;
    lone.ops->update(lone.state, 0, 1);
    cr_assert(lone.ranges[0].bits == 5 && lone.ranges[1].bits == 8 && lone.ranges[2].bits == 5 && lone.ranges[3].bits == 5);
    cr_assert(lone.ranges[0].top == 0.375 && lone.ranges[1].top == 0.375 && lone.ranges[3].top == 0.375);
    double excess = 23 / 4.0 - 2, pull = 2 * 0.01 * excess * 3 / 4, moved = (1.875 - lone.ranges[2].top) / 0.001;
    cr_assert(fabs(moved - pull / (M_LN2 * (1.875 + 0.125))) < 1e-9, "%g", moved);
    cr_assert(lone.ranges[0].hi == 3, "its own codes");
    lone_end(&lone);
}

Test(dq, tied_tensors_stay_equal_in_training)
{
    struct step_run run;
    step_run_begin(&run, make_settings("allocator=dq", "mode=fqt", "budget=3", "hidden=16-16", "tie=*.weight",
                                       "pin=first.input=8", "limits=fc2.input=4..", NULL), 120, 5);
    for (long step = 0; step < 120; step += 10) {
        step_run_train(&run, step, step + 10);
        const struct range *ranges = run.net.ranges;
        cr_assert(ranges[0].bits == ranges[2].bits && ranges[2].bits == ranges[4].bits);
        cr_assert(ranges[1].bits == 8 && ranges[3].bits >= 4);
    }
    step_run_end(&run);
}

Test(dq, gradients_are_not_learned)
{
    struct settings settings = make_settings("allocator=dq", "mode=fqt", "budget=4",
                                             "allocate=weights-activations-gradients", NULL);
    const char *why = plug_check(&settings);
    cr_assert(why && strstr(why, "gradients"), "%s", why ? why : "accepted");
    settings_free(&settings);
}
