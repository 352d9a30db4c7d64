/* SPDX-License-Identifier: GPL-3.0-or-later
 * Kendall's tau against its definition, and a run's explanation against what can be computed again from the probe. */
#include "probe_support.h"
#include "../bench/explain.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include "../methods/allocators/problem.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Kendall's tau ---- */

/* tau-b from the sizes of the groups of equal values: (C - D) / √((n0 - n1)(n0 - n2)). */
static double tied_pairs(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double equal = 0;
        for (size_t j = 0; j < count; j++)
            equal += x[j] == x[i];
        sum += (equal - 1) / 2;
    }
    return sum;
}

static double naive_tau(const double *x, const double *y, size_t count)
{
    double concordant = 0, discordant = 0, pairs = (double)count * (double)(count - 1) / 2;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            double product = (x[i] - x[j]) * (y[i] - y[j]);
            concordant += product > 0;
            discordant += product < 0;
        }
    return (concordant - discordant) / sqrt((pairs - tied_pairs(x, count)) * (pairs - tied_pairs(y, count)));
}

Test(explain, kendall_tau_is_that_of_the_definition)
{
    const double x[] = {12, 2, 1, 12, 2}, y[] = {1, 4, 7, 1, 0}, rising[] = {1, 2, 3, 4, 5}, equal[] = {2, 2, 2, 2, 2};
    const double broken[] = {1, 2, NAN, 4, 5};
    cr_assert_lt(fabs(kendall_tau(x, y, 5) + 0.47140452079103173), 1e-15, "by hand: (2 - 6) / sqrt(8 × 9)");
    cr_assert(kendall_tau(rising, rising, 5) == 1 && kendall_tau(rising, y, 2) == 1);
    cr_assert(isnan(kendall_tau(equal, rising, 5)) && isnan(kendall_tau(rising, broken, 5)) && isnan(kendall_tau(x, y, 0)));
    for (uint64_t trial = 0; trial < 300; trial++) {
        double a[12], b[12];
        size_t count = 4 + trial % 9, levels = 2 + trial % 7;
        for (size_t i = 0; i < count; i++) {
            a[i] = i < 2 ? (double)i : floor(rng_uniform(trial, 2 * i) * (double)levels);
            b[i] = i < 2 ? (double)i : floor(rng_uniform(trial, 2 * i + 1) * (double)levels);
        }
        cr_assert_lt(fabs(kendall_tau(a, b, count) - naive_tau(a, b, count)), 1e-12);
    }
}

/* ---- explanations ---- */

#define COUNT 4 /* tensors of two layers */
#define NET "hidden=8", "samples=40", "batch=16", "features=6", "classes=3", "explain=true"

static void explain_widths(struct probe_test *t, struct explanation *e, const float *bits, double limit)
{
    const struct budget budget = {.cost = (const struct cost_ops *)plug_find(PLUG_COST, "mean_bits"), .limit = limit};
    const struct allocation allocation = {.settings = &t->settings, .tensors = t->net.tensors, .ranges = t->net.ranges,
                                          .count = COUNT, .budgets = &budget, .budget_count = 1};
    probe_test_train(t, bits, 6);
    explain(e, t->probe, &allocation, bits);
}

/* METHODS 3: T D²/12, D = 2m/(2^b - 2) signed, m/(2^b - 1) unsigned. */
static double naive_omega(double trace, const struct range *range, double bits)
{
    double step = range->is_signed ? 2 * range->limit / (exp2(bits) - 2) : range->limit / (exp2(bits) - 1);
    return trace * step * step / 12;
}

Test(explain, predicted_measured_and_regret_can_be_computed_again)
{
    struct probe_test t;
    struct explanation e;
    double trace[COUNT], sum = 0, best = INFINITY;
    const float bits[COUNT] = {3, 6, 2, 4}, none[COUNT] = {0};
    probe_test_begin(&t, make_settings(NET, "budget=4", NULL), NULL);
    explain_widths(&t, &e, bits, 4);
    cr_assert(e.tensors == COUNT && e.samples == 40 && e.seconds > 0);
    probe_traces(t.probe, trace);
    cr_assert_eq(probe_loss(t.probe, none), e.float_loss);
    for (int i = 0; i < COUNT; i++) {
        float alone[COUNT] = {0};
        alone[i] = bits[i];
        cr_assert_eq(probe_loss(t.probe, alone) - e.float_loss, e.measured[i]);
    }
    cr_assert_eq(probe_loss(t.probe, bits) - e.float_loss, e.total);
    for (int i = 0; i < COUNT; i++) {
        double omega = naive_omega(trace[i], probe_range(t.probe, i), bits[i]);
        cr_assert_lt(fabs(e.predicted[i] - omega), 1e-12 * omega);
        sum += omega;
    }
    for (int code = 0; code < 7 * 7 * 7 * 7; code++) {
        double omega = 0;
        int total = 0;
        for (int i = 0, rest = code; i < COUNT; i++, rest /= 7) {
            int width = 2 + rest % 7;
            total += width;
            omega += naive_omega(trace[i], probe_range(t.probe, i), width);
        }
        best = total <= 4 * COUNT && omega < best ? omega : best;
    }
    cr_assert_lt(fabs(e.omega - sum), 1e-12 * sum);
    cr_assert_lt(fabs(e.omega_optimal - best), 1e-12 * best, "%.15g, not %.15g", e.omega_optimal, best);
    cr_assert_lt(fabs(e.regret - (sum / best - 1)), 1e-9);
    double uniform = 0;
    for (int i = 0; i < COUNT; i++)
        uniform += naive_omega(trace[i], probe_range(t.probe, i), 4);
    cr_assert_lt(fabs(e.omega_uniform - uniform), 1e-12 * uniform);
    cr_assert(e.regret > 0 && e.omega_optimal <= e.omega_uniform);
    double predicted[2] = {e.predicted[0], e.predicted[2]}, measured[2] = {e.measured[0], e.measured[2]};
    cr_assert(e.tau == naive_tau(e.predicted, e.measured, COUNT) && e.tau_weights == naive_tau(predicted, measured, 2));
    probe_test_end(&t);
}

Test(explain, narrow_widths_cost_loss_and_a_missed_budget_has_no_positive_regret)
{
    struct probe_test t;
    struct explanation e;
    const float eight[COUNT] = {8, 8, 8, 8}, two[COUNT] = {2, 2, 2, 2};
    probe_test_begin(&t, make_settings(NET, "budget=8", NULL), NULL);
    explain_widths(&t, &e, eight, 8);
    cr_assert_eq(e.regret, 0);
    double fine = e.omega, harmless = fabs(e.total);
    explain_widths(&t, &e, two, 8);
    cr_assert(e.omega > 100 * fine && fabs(e.total) > harmless, "%g and %g", e.total, harmless);
    explain_widths(&t, &e, eight, 4);
    cr_assert_lt(e.regret, 0);
    t.net.layers[0].w[0] = NAN;
    explain_widths(&t, &e, eight, 8);
    cr_assert(isnan(e.regret) && isnan(e.tau), "a diverged network is no explanation, and no crash");
    probe_test_end(&t);
}

static struct record run(struct settings settings)
{
    struct record record = {0};
    struct error error = {""};
    const struct train_hooks hooks = {0};
    cr_assert(train_run(&settings, &hooks, &record, &error), "%s", error.text);
    cr_assert_str_eq(record_get_text(&record, "/status", ""), "done");
    settings_free(&settings);
    return record;
}

#define SHORT "hidden=8", "samples=60", "batch=16", "features=6", "classes=3", "epochs=2"

Test(explain, changes_nothing_else_in_the_record)
{
    struct record plain = run(make_settings(SHORT, "budget=3.5", "allocator=qbitopt", "tau=2", NULL));
    struct record explained = run(make_settings(SHORT, "budget=3.5", "allocator=qbitopt", "tau=2", "explain=true", NULL));
    cr_assert(!record_find(&plain, "/explain/predicted") && !record_find(&plain, "/timing/explain_seconds"));
    expect_content_of(&plain, &explained);
    const struct field *predicted = record_find(&explained, "/explain/predicted");
    cr_assert(predicted && field_count(predicted) == COUNT
              && field_count(record_find(&explained, "/explain/measured")) == COUNT);
    cr_assert_eq(*(const int64_t *)record_find(&explained, "/explain/samples")->data, 54, "the tenth is for validation");
    cr_assert(record_get_real(&explained, "/explain/regret", -1) >= 0);
    cr_assert(record_get_real(&explained, "/timing/explain_seconds", 0) > 0);
    record_free(&plain);
    record_free(&explained);
}

Test(explain, every_mode_allocator_and_quantiser_can_be_explained)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt"};
    static const char *const methods[][2] = {
        {"allocator=uniform", "quantiser=lsq"}, {"allocator=dq", "budget=4"}, {"allocator=qbitopt", "tau=2"}};
    for (int m = 0; m < 3; m++)
        for (int a = 0; a < 3; a++) {
            struct record record = run(make_settings(SHORT, "budget=4", "explain=true", "grad_bits=6", modes[m],
                                                     methods[a][0], methods[a][1], NULL));
            const struct field *predicted = record_find(&record, "/explain/predicted"),
                                *measured = record_find(&record, "/explain/measured");
            for (size_t i = 0; i < field_count(predicted); i++)
                cr_assert(((const double *)predicted->data)[i] >= 0 && isfinite(((const double *)measured->data)[i]),
                          "%s %s", modes[m], methods[a][0]);
            cr_assert(isfinite(record_get_real(&record, "/explain/omega_optimal", NAN)));
            record_free(&record);
        }
}
