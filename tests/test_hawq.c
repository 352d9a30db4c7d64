/* SPDX-License-Identifier: GPL-3.0-or-later
 * Hessian traces against closed forms and second differences in double precision; hawq's widths against all there are. */
#include "naive_net.h"
#include "probe_support.h"
#include "../bench/decisions.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include "../methods/allocators/hessian.h"
#include "../methods/allocators/problem.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP 1e-3

/* ---- traces ---- */

/* Independent estimates: their mean lies within five of its standard errors of the exact trace, and the more draws, the less
 * they scatter. Finite steps may add a thousandth. */
static void expect_traces(struct probe_test *t, const double *exact)
{
    enum { ESTIMATES = 24 };
    const int draws[2] = {4, 64};
    double scatter[2][MAX_LAYERS], trace[MAX_LAYERS];
    for (int d = 0; d < 2; d++) {
        double sum[MAX_LAYERS] = {0}, squares[MAX_LAYERS] = {0};
        for (uint64_t e = 0; e < ESTIMATES; e++) {
            hessian_traces(t->probe, draws[d], STEP, 100 * (uint64_t)draws[d] + e, trace);
            for (size_t i = 0; i < t->net.count; i++) {
                sum[i] += trace[i] / ESTIMATES;
                squares[i] += trace[i] * trace[i] / ESTIMATES;
            }
        }
        for (size_t i = 0; i < t->net.count; i++) {
            scatter[d][i] = sqrt(fmax(squares[i] - sum[i] * sum[i], 0));
            double allowed = 5 * scatter[d][i] / sqrt(ESTIMATES - 1) + 1e-3 * fabs(exact[i]);
            cr_assert_lt(fabs(sum[i] - exact[i]), allowed, "layer %zu, %d draws: %g, not %g +- %g", i, draws[d], sum[i],
                         exact[i], allowed);
        }
    }
    for (size_t i = 0; i < t->net.count; i++) /* 16 times the draws: a quarter of the scatter, measured with 24 estimates */
        cr_assert(scatter[1][i] < 0.5 * scatter[0][i], "layer %zu: %g, then %g", i, scatter[0][i], scatter[1][i]);
}

static void exact_traces(const struct probe_test *t, size_t samples, double *exact)
{
    const double h = 1e-4;
    double middle = naive_loss(&t->net, samples, t->labels, false, NULL, 0);
    for (size_t l = 0; l < t->net.count; l++) {
        const struct layer *layer = &t->net.layers[l];
        exact[l] = 0;
        for (size_t i = 0; i < layer->n; i++)
            for (size_t j = 0; j < layer->k; j++) {
                const float *w = layer->w + i * row_stride(layer->k) + j;
                exact[l] += (naive_loss(&t->net, samples, t->labels, false, w, h) - 2 * middle
                             + naive_loss(&t->net, samples, t->labels, false, w, -h)) / (h * h);
            }
    }
}

/* A linear softmax layer: the trace is the mean over samples of ‖x‖² × sum of p(1 - p). */
Test(hessian, trace_of_a_linear_layer_is_the_closed_form)
{
    struct probe_test t;
    probe_test_begin(&t, make_settings("samples=20", "batch=20", "features=5", "classes=4", "explain=true", "budget=4",
                                       NULL),
                     &model_linear);
    const struct layer *layer = &t.net.layers[0];
    double exact = 0, numeric;
    for (size_t i = 0; i < 20; i++) {
        double logits[4], sum = 0, norm = 0;
        const float *x = t.net.input + i * row_stride(5);
        for (size_t c = 0; c < 4; c++) {
            logits[c] = layer->bias[c];
            for (size_t j = 0; j < 5; j++)
                logits[c] += (double)layer->w[c * row_stride(5) + j] * x[j];
            sum += exp(logits[c]);
        }
        for (size_t j = 0; j < 5; j++)
            norm += (double)x[j] * x[j];
        for (size_t c = 0; c < 4; c++)
            exact += norm * exp(logits[c]) / sum * (1 - exp(logits[c]) / sum) / 20;
    }
    exact_traces(&t, 20, &numeric);
    cr_assert_lt(fabs(numeric - exact), 1e-5 * exact);
    expect_traces(&t, &exact);
    probe_test_end(&t);
}

Test(hessian, traces_of_small_networks_are_those_of_second_differences)
{
    double exact[MAX_LAYERS];
    struct probe_test t;
    probe_test_begin(&t, make_settings("hidden=4-3", "samples=12", "batch=12", "features=5", "classes=3", "explain=true",
                                       "budget=4", NULL), NULL);
    exact_traces(&t, 12, exact);
    expect_traces(&t, exact);
    probe_test_end(&t);
    probe_test_begin(&t, make_settings("model=conv1d", "channels=2", "sample_shape=2-6", "samples=8", "batch=8", "classes=2",
                                       "explain=true", "budget=4", NULL), NULL);
    exact_traces(&t, 8, exact);
    expect_traces(&t, exact);
    probe_test_end(&t);
}

Test(hessian, trace_does_not_hang_on_the_step_and_leaves_the_weights)
{
    struct probe_test t;
    double coarse[2], fine[2], again[2];
    const float all_float[4] = {0};
    probe_test_begin(&t, make_settings("hidden=6", "samples=20", "batch=8", "features=5", "classes=3", "explain=true",
                                       "budget=4", NULL),
                     NULL);
    double loss = probe_loss(t.probe, all_float);
    hessian_traces(t.probe, 8, 2e-3, 1, coarse);
    hessian_traces(t.probe, 8, 5e-4, 1, fine);
    hessian_traces(t.probe, 8, 5e-4, 1, again);
    for (int i = 0; i < 2; i++)
        cr_assert(fabs(coarse[i] - fine[i]) < 0.01 * fabs(fine[i]) && fine[i] == again[i], "%g, %g", coarse[i], fine[i]);
    cr_assert_eq(probe_loss(t.probe, all_float), loss);
    probe_test_end(&t);
}

/* ---- widths ---- */

struct hawq_test { struct probe_test t; struct allocator allocator; };

static void begin(struct hawq_test *h, struct settings settings)
{
    struct error error;
    probe_test_begin(&h->t, settings, NULL);
    cr_assert(budget_check(&h->t.settings, &h->t.dataset, &error), "%s", error.text);
    cr_assert(allocator_begin(&h->allocator, &h->t.net, &h->t.settings, &h->t.dataset, 10, h->t.probe, &h->t.arena, &error),
              "%s", error.text);
}

static void end(struct hawq_test *h)
{
    allocator_end(&h->allocator);
    probe_test_end(&h->t);
}

#define NET "allocator=hawq", "hidden=8-7-6-5", "samples=40", "batch=16", "features=6", "classes=3", "hawq_draws=8"

static const float *logged_bits(const struct hawq_test *h) { return allocator_logged(&h->allocator, LOG_BITS); }
static const char *logged_solver(const struct hawq_test *h)
{
    return ((const struct solver_name *)allocator_logged(&h->allocator, LOG_SOLVER))->text;
}

/* Layers 1 to 3 choose from two widths each; weights and inputs alike, so a layer's bits count twice. */
Test(hawq, widths_are_the_best_of_all)
{
    for (int budget = 4; budget <= 8; budget++) {
        struct hawq_test h;
        char *text = format_text("budget=%d.4", budget < 8 ? budget : 7);
        begin(&h, make_settings(NET, text, NULL));
        allocator_step(&h.allocator, 0);
        const float *bits = logged_bits(&h);
        const double *trace = allocator_logged(&h.allocator, LOG_TRACE), *omega = allocator_logged(&h.allocator, LOG_OMEGA);
        double limit = h.allocator.budgets.items[0].limit, best = INFINITY, chosen = 0;
        for (int choice = 0; choice < 8; choice++) {
            double sum = 0, mean = 0;
            for (int layer = 1; layer <= 3; layer++) {
                int width = choice >> (layer - 1) & 1 ? 8 : 4;
                double elements = (double)h.t.net.tensors[2 * layer].elements;
                sum += fmax(trace[2 * layer], 0) / elements * probe_error(h.t.probe, layer, width);
                mean += width / 3.0;
            }
            best = mean <= limit + 1e-9 && sum < best ? sum : best;
        }
        for (int layer = 0; layer < 5; layer++) {
            bool pinned = layer == 0 || layer == 4;
            cr_assert(bits[2 * layer] == bits[2 * layer + 1], "the input has the weight's width");
            cr_assert(bits[2 * layer] == 8 || (!pinned && bits[2 * layer] == 4));
            double elements = (double)h.t.net.tensors[2 * layer].elements;
            chosen += fmax(trace[2 * layer], 0) / elements * probe_error(h.t.probe, layer, (int)bits[2 * layer]);
            if (pinned)
                best += fmax(trace[2 * layer], 0) / elements * probe_error(h.t.probe, layer, 8);
        }
        cr_assert_lt(fabs(chosen - best), 1e-9 * best, "budget %g: %.12g, not %.12g", limit, chosen, best);
        cr_assert_lt(fabs(*omega - chosen), 1e-9 * chosen);
        cr_assert_str_eq(logged_solver(&h), "ilp, from untrained weights");
        cr_assert(isnan(trace[1]), "no trace of an activation");
        allocator_step(&h.allocator, 1);
        cr_assert_eq(h.allocator.log.count, 1, "once");
        end(&h);
        free(text);
    }
}

Test(hawq, other_widths_ties_and_pins)
{
    struct hawq_test h;
    begin(&h, make_settings(NET, "budget=4.7", "hawq_widths=2-3-5-6", "tie=fc[34].weight", "pin=fc1.*=7,fc5.weight=4",
                            NULL));
    allocator_step(&h.allocator, 0);
    const float *bits = logged_bits(&h);
    cr_assert(bits[0] == 7 && bits[1] == 7 && bits[8] == 4 && bits[9] == 4, "the input of fc5 follows its pinned weight");
    for (int i = 2; i < 8; i++)
        cr_assert(bits[i] == 2 || bits[i] == 3 || bits[i] == 5 || bits[i] == 6);
    cr_assert(bits[4] == bits[6] && bits[4] == bits[5] && bits[6] == bits[7] && bits[2] == bits[3]);
    end(&h);

    begin(&h, make_settings(NET, "budget=weight_bytes=60%", "allocate=weights", "pin=none", NULL));
    allocator_step(&h.allocator, 0);
    for (int i = 0; i < 10; i++)
        cr_assert(logged_bits(&h)[i] == 8 || (i % 2 == 0 && logged_bits(&h)[i] == 4), "inputs are not allocated");
    end(&h);

    begin(&h, make_settings(NET, "budget=5.4", "hawq_activations=allocated", "hawq_widths=2-4-8", NULL));
    allocator_step(&h.allocator, 0);
    const double *trace = allocator_logged(&h.allocator, LOG_TRACE);
    bool apart = false;
    for (int i = 2; i < 8; i += 2)
        apart |= logged_bits(&h)[i] != logged_bits(&h)[i + 1];
    cr_assert(apart && trace[3] > 0, "inputs choose by themselves");
    end(&h);
}

Test(hawq, a_diverged_start_falls_back_to_uniform_widths)
{
    struct hawq_test h;
    begin(&h, make_settings(NET, "budget=5", NULL));
    h.t.net.layers[2].w[0] = NAN;
    allocator_step(&h.allocator, 0);
    cr_assert_str_eq(logged_solver(&h), "uniform: sensitivity not finite");
    for (int i = 0; i < 10; i++)
        cr_assert(logged_bits(&h)[i] == 4 || logged_bits(&h)[i] == 8);
    end(&h);
}

static void expect_refused(const char *what, struct settings settings)
{
    const struct dataset described = {.rank = 1, .shape = {6}, .features = 6, .classes = 3};
    struct error error = {""};
    const char *why = plug_check(&settings);
    bool good = !why && budget_check(&settings, &described, &error);
    cr_assert(!good && strstr(why ? why : error.text, what), "%s", why ? why : error.text);
    settings_free(&settings);
}

Test(hawq, impossible_demands_are_refused_before_training)
{
    expect_refused("feasible are 4 to 8 bit", make_settings(NET, "budget=3.9", NULL));
    expect_refused("hawq_widths=4-8 has no width that fc2.weight may have (5 to 7)",
                   make_settings(NET, "budget=6", "limits=fc2.*=5..7", NULL));
    expect_refused("fc2.weight has no width in common",
                   make_settings(NET, "budget=6", "pin=fc2.weight=8", "limits=fc2.input=2..4", NULL));
    expect_refused("solver knapsack cannot take",
                   make_settings(NET, "budget=bops=90%,weight_bytes=95%", "solver=knapsack", NULL));
    expect_refused("sensitivity of weights", make_settings(NET, "budget=6", "allocate=activations", NULL));
}

static struct record run(const struct settings *settings, const struct record *initial)
{
    struct record record = {0};
    struct error error = {""};
    const struct train_hooks hooks = {.initial = initial};
    cr_assert(train_run(settings, &hooks, &record, &error), "%s", error.text);
    cr_assert_str_eq(record_get_text(&record, "/status", ""), "done");
    return record;
}

Test(hawq, trains_from_a_float_run_and_repeats)
{
    struct settings none = make_settings("allocator=none", "hidden=8-7-6", "samples=60", "batch=16", "features=6",
                                         "classes=3", "epochs=2", NULL);
    struct settings s = make_settings("allocator=hawq", "init=float", "mode=fqt", "hidden=8-7-6", "samples=60", "batch=16",
                                      "features=6", "classes=3", "epochs=2", "budget=6", "hawq_draws=8", NULL);
    struct record initial = run(&none, NULL), first = run(&s, &initial), second = run(&s, &initial);
    cr_assert_str_eq(((char **)record_find(&first, "/reallocation/solver")->data)[0], "ilp");
    cr_assert_eq(record_get_real(&first, "/metrics/test_loss", 0), record_get_real(&second, "/metrics/test_loss", 1));
    cr_assert_eq(record_get_real(&first, "/costs/budget_miss", 1), 0);
    struct record scratch = run(&s, NULL); /* measured are the weights that the run begins with */
    const struct field *trace = record_find(&first, "/reallocation/trace");
    cr_assert_neq(((double *)trace->data)[2], ((double *)record_find(&scratch, "/reallocation/trace")->data)[2]);
    cr_assert(strstr(trace->meaning, "Hessian"), "%s", trace->meaning);
    record_free(&scratch);
    double share = record_get_real(&first, "/timing/allocator_share", -1);
    cr_assert(share > 0 && share <= 1, "%g", share);
    record_free(&initial);
    record_free(&first);
    record_free(&second);
    settings_free(&none);
    settings_free(&s);
}
