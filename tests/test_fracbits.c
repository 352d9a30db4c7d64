/* SPDX-License-Identifier: GPL-3.0-or-later
 * FracBits: values and gradients between two widths, the budgets' pull, rounding against brute force, freezing, resuming. */
#include "support.h"
#include "step_runs.h"
#include "../bench/kernels/kernels.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 2080 /* more than one piece */

static const char *const inner_names[] = {"max", "lsq", "sawb", "dorefa"};

static const struct quantiser_ops *between(void)
{
    return ((const struct alloc_ops *)plug_find(PLUG_ALLOCATOR, "fracbits"))->quantiser;
}

static const struct quantiser_ops *plain(const char *name)
{
    return (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, name);
}

static struct settings fracbits_settings(const char *quantiser, const char *option)
{
    char *text = format_text("quantiser=%s", quantiser);
    struct settings settings = make_settings("allocator=fracbits", "mode=fp", "budget=4", "hidden=16", text, option, NULL);
    free(text);
    return settings;
}

static void draw(float *x, uint64_t stream, double size, bool positive)
{
    uint64_t key = rng_key(31, STREAM_DATA, stream, 0);
    for (size_t i = 0; i < COUNT; i++) {
        x[i] = (float)(size * rng_normal(key, i));
        x[i] = positive ? fabsf(x[i]) : x[i];
    }
}

/* What an inner quantiser makes of values at a whole width, with the parameters of a range that was fitted at `fitted`
 * bits. */
static void values_at(const struct quantiser_ops *ops, struct range range, int fitted, int bits, const float *x, float *y)
{
    range.bits = (float)bits;
    if (range.learned && ops->resize)
        ops->resize(&range, (float)fitted);
    ops->fit(&range, x, COUNT, COUNT);
    uint8_t codes[COUNT];
    if (ops->quantise) {
        ops->quantise(&range, x, y, COUNT);
        return;
    }
    kernels()->quantise_nearest(x, COUNT, range.scale, range.lo, range.hi, codes);
    kernels()->dequantise(codes, range.lo == 0, COUNT, range.scale, y);
}

struct setup { struct settings settings; struct range range; float x[COUNT]; };

static void set_up(struct setup *t, const char *name, enum tensor_kind kind, bool positive)
{
    t->settings = fracbits_settings(name, NULL);
    t->range = (struct range){.kind = kind, .bits = 3.25f, .elements = COUNT, .lower = 3, .upper = 4, .share = 0.25};
    draw(t->x, 1, kind == TENSOR_WEIGHT ? 0.5 : 4, positive);
    between()->begin(&t->range, &t->settings, true);
    between()->fit(&t->range, t->x, COUNT, COUNT);
}

Test(fracbits, values_lie_between_those_of_two_widths)
{
    for (int q = 0; q < 4; q++)
        for (int kind = 0; kind < 2; kind++) {
            struct setup t;
            float lower[COUNT], upper[COUNT], y[COUNT];
            set_up(&t, inner_names[q], (enum tensor_kind)kind, kind == TENSOR_ACTIVATION);
            const struct quantiser_ops *ops = plain(inner_names[q]);
            values_at(ops, t.range, 3, 3, t.x, lower);
            if (q == 2) /* sawb's coefficients depend on the width: both take the range of the lower */
                ops = plain("max");
            if (q == 2) {
                float scale = t.range.limit / (float)code_limit(4, kind == TENSOR_WEIGHT);
                int hi = (int)code_limit(4, kind == TENSOR_WEIGHT);
                for (size_t i = 0; i < COUNT; i++)
                    upper[i] = fminf(fmaxf(rintf(t.x[i] / scale), kind == TENSOR_WEIGHT ? (float)-hi : 0), (float)hi)
                               * scale;
            } else {
                values_at(ops, t.range, 3, 4, t.x, upper);
            }
            for (int quarters = 0; quarters <= 4; quarters++) {
                t.range.share = quarters / 4.0;
                between()->quantise(&t.range, t.x, y, COUNT);
                for (size_t i = 0; i < COUNT; i++) {
                    float expected = (1 - (float)t.range.share) * lower[i] + (float)t.range.share * upper[i];
                    cr_assert(fabsf(y[i] - expected) <= 1e-5f, "%s at %d/4: %g, %g", inner_names[q], quarters, (double)y[i],
                              (double)expected);
                    cr_assert(quarters % 4 || y[i] == expected, "%s: whole widths are exact", inner_names[q]);
                }
            }
            settings_free(&t.settings);
        }
}

static double weighted_sum(const struct range *range, const float *x, const float *c)
{
    float y[COUNT];
    double sum = 0;
    between()->quantise(range, x, y, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        sum += (double)c[i] * (double)y[i];
    return sum;
}

/* d/d lambda of sum c Q(x; lambda): linear between the widths, so that a difference is exact; also where widths have
 * gaps. */
Test(fracbits, width_gradients_are_differences)
{
    for (int q = 0; q < 4; q++)
        for (int kind = 0; kind < 2; kind++)
            for (int gap = 1; gap <= 4; gap += 3) {
                struct setup t;
                float c[COUNT], grad[COUNT];
                set_up(&t, inner_names[q], (enum tensor_kind)kind, false);
                t.range.upper = t.range.lower + gap;
                draw(c, 2, 1, false);
                memcpy(grad, c, sizeof c);
                between()->backward(&t.range, &t.settings, t.x, grad, COUNT);
                struct range low = t.range, high = t.range;
                low.share = 0.125, high.share = 0.875;
                double slope = (weighted_sum(&high, t.x, c) - weighted_sum(&low, t.x, c)) / (0.75 * gap);
                cr_assert(fabs(slope) > 1e-3 && fabs(t.range.width_grad - slope) < 1e-3 * (1 + fabs(slope)),
                          "%s: %g instead of %g", inner_names[q], t.range.width_grad, slope);
                settings_free(&t.settings);
            }
}

/* Masks and learned parameters are mixtures of what the inner quantiser has at the two widths. */
Test(fracbits, inner_gradients_are_mixed)
{
    for (int q = 0; q < 4; q++)
        for (int kind = 0; kind < 2; kind++) {
            struct setup t;
            float c[COUNT], mixed[COUNT], at[2][COUNT];
            double step_grad = 0, top_grad = 0;
            set_up(&t, inner_names[q], (enum tensor_kind)kind, false);
            draw(c, 2, 1, false);
            for (int w = 0; w < 2; w++) {
                const struct quantiser_ops *ops = plain(inner_names[q]);
                struct range range = t.range;
                range.bits = (float)(3 + w);
                if (range.learned && ops->resize)
                    ops->resize(&range, 3);
                ops->fit(&range, t.x, COUNT, COUNT);
                memcpy(at[w], c, sizeof c);
                ops->backward(&range, &t.settings, t.x, at[w], COUNT);
                double share = w ? 0.25 : 0.75;
                step_grad += share * range.step_grad * (range.step != 0 ? range.step / t.range.step : 0);
                top_grad += share * range.top_grad;
            }
            memcpy(mixed, c, sizeof c);
            between()->backward(&t.range, &t.settings, t.x, mixed, COUNT);
            for (size_t i = 0; i < COUNT; i++)
                cr_assert(fabsf(mixed[i] - (0.75f * at[0][i] + 0.25f * at[1][i])) < 1e-5f, "%s", inner_names[q]);
            cr_assert(fabs(t.range.step_grad - step_grad) < 1e-4 * (1 + fabs(step_grad)), "%s", inner_names[q]);
            cr_assert(fabs(t.range.top_grad - top_grad) < 1e-4 * (1 + fabs(top_grad)), "%s", inner_names[q]);
            cr_assert_eq(t.range.step_grad != 0, q == 1);
            cr_assert_eq(t.range.top_grad != 0, q == 3 && kind == TENSOR_ACTIVATION);
            settings_free(&t.settings);
        }
}

/* ---- the budgets' pull ---- */

Test(fracbits, starts_half_a_bit_above_the_budget)
{
    struct lone_allocator lone;
    lone_make(&lone, fracbits_settings("max", NULL), 3, 100);
    lone_budget(&lone, "mean_bits_w", 3.25);
    lone_budget(&lone, "bops", 600 * 30.25); /* at 5.5 everywhere */
    lone.tensors[0].choices = 1 << 8, lone.tensors[0].counted = false;
    lone.tensors[3].choices = 0x1c; /* 2 to 4 */
    lone.tensors[5].choices = 1 << 4 | 1 << 8;
    lone_begin(&lone);
    cr_assert(lone.bits[0] == 8 && lone.bits[3] == 4);
    cr_expect(fabs((double)lone.bits[2] - 3.75) < 1e-6 && fabs((double)lone.bits[4] - 3.75) < 1e-6, "%g",
              (double)lone.bits[2]);
    /* bops with the pinned weight at 8 and the input at most 4: 100·8·u + 200·u·4 + 300·u² = 18150, until u reaches 4 */
    double u = (-1600 + sqrt(1600.0 * 1600 + 4 * 300 * 18150.0)) / 600;
    cr_expect(fabs((double)lone.bits[1] - (u + 0.5)) < 1e-5 && fabs((double)lone.bits[5] - (u + 0.5)) < 1e-5, "%g, %g",
              (double)lone.bits[1], u);
    cr_assert(lone.ranges[5].lower == 4 && lone.ranges[5].upper == 8);
    lone_end(&lone);
}

/* kappa |cost - budget| by hand: one of n tensors moves by rate kappa / n on each step. */
Test(fracbits, a_step_follows_the_sign_of_the_excess)
{
    for (int below = 0; below < 2; below++) {
        struct lone_allocator lone;
        lone_make(&lone, make_settings("allocator=fracbits", "mode=fp", "budget=4", "hidden=16", "momentum=0",
                                       "fracbits_lr=0.03", "fracbits_kappa=2", NULL), 2, 100);
        lone_budget(&lone, "mean_bits", 4);
        lone_begin(&lone);
        for (int i = 0; i < 4; i++)
            lone.ranges[i].width_grad = below ? 20 : 0;
        lone.ops->update(lone.state, 0, 1);
        double before = (double)lone.ranges[0].bits, by_budget = 0.5 * 0.03 * 2 / 4 * (below ? -1 : 1);
        cr_assert_eq(lone_price(&lone, 0) < lone.budgets[0].limit, below);
        lone.ranges[1].width_grad = -3;
        lone.ops->update(lone.state, 0, 0.5);
        cr_assert(fabs((double)lone.ranges[0].bits - (before - by_budget)) < 1e-6, "%g", (double)lone.ranges[0].bits);
        double expected = before - by_budget + 0.5 * 0.03 * 3;
        cr_assert(fabs((double)lone.ranges[1].bits - expected) < 1e-6 && lone.ranges[1].width_grad == 0);
        lone_end(&lone);
    }
}

/* Without a loss to learn from, the widths go to the budget from above, and from below after they were pushed there. */
Test(fracbits, widths_go_to_the_budget_from_both_sides)
{
    static const struct { const char *cost; double limit; } rows[] = {
        {"mean_bits", 4.3}, {"weight_bytes", 300}, {"bops", 9000}, {"act_bytes_sum", 350}};
    for (int r = 0; r < 4; r++) {
        struct lone_allocator lone;
        lone_make(&lone, make_settings("allocator=fracbits", "mode=fp", "budget=4", "hidden=16", "fracbits_lr=0.01", NULL),
                  3, 1000000);
        lone_budget(&lone, rows[r].cost, rows[r].limit);
        lone_begin(&lone);
        cr_assert(lone_price(&lone, 0) > 1.02 * rows[r].limit, "%s starts above", rows[r].cost);
        for (long step = 0; step < 600; step++)
            lone.ops->update(lone.state, step, 1);
        cr_expect(fabs(lone_price(&lone, 0) / rows[r].limit - 1) < 0.03, "%s from above: %g", rows[r].cost,
                  lone_price(&lone, 0));
        for (long step = 0; step < 30; step++) {
            for (int i = 0; i < 6; i++)
                lone.ranges[i].width_grad = 2;
            lone.ops->update(lone.state, step, 1);
        }
        cr_assert(lone_price(&lone, 0) < 0.9 * rows[r].limit, "%s is pushed below", rows[r].cost);
        for (long step = 0; step < 600; step++)
            lone.ops->update(lone.state, step, 1);
        cr_expect(fabs(lone_price(&lone, 0) / rows[r].limit - 1) < 0.03, "%s from below: %g", rows[r].cost,
                  lone_price(&lone, 0));
        lone_end(&lone);
    }
}

Test(fracbits, tied_tensors_share_a_width_and_its_gradient)
{
    struct lone_allocator lone;
    lone_make(&lone, make_settings("allocator=fracbits", "mode=fp", "budget=4", "hidden=16", "momentum=0",
                                   "fracbits_lr=0.01", "fracbits_kappa=0", NULL), 2, 100);
    lone_budget(&lone, "mean_bits", 4);
    lone.tensors[1].group = lone.tensors[3].group = 2;
    lone.tensors[3].choices = 0x70; /* 4 to 6 */
    lone_begin(&lone);
    cr_assert(lone.bits[1] == 4.5f && lone.bits[3] == 4.5f);
    lone.ranges[1].width_grad = 5, lone.ranges[3].width_grad = -25;
    lone.ops->update(lone.state, 0, 1);
    cr_assert(fabs((double)lone.ranges[1].bits - 4.7) < 1e-6 && lone.ranges[3].bits == lone.ranges[1].bits
              && lone.ranges[0].bits == 4.5f);
    lone.ranges[1].width_grad = 500;
    lone.ops->update(lone.state, 0, 1);
    cr_assert(lone.ranges[1].bits == 4 && lone.ranges[3].bits == 4, "no lower than all of them allow");
    lone_end(&lone);
}

/* ---- rounding ---- */

/* Widths everywhere between the limits. */
static void spread(struct lone_allocator *lone, uint64_t key)
{
    lone->ops->update(lone->state, 0, 0);
    for (int i = 0; i < lone->allocation.count; i++)
        lone->ranges[i].width_grad = 40 * rng_uniform(key, (uint64_t)i) - 20;
    lone->ops->update(lone->state, 0, 1);
}

static int nearest(uint64_t choices, double width)
{
    int best = 0;
    for (int bits = 1; bits <= MOST_WIDTH; bits++)
        if (choices >> bits & 1 && (!best || fabs(bits - width) <= fabs(best - width)))
            best = bits;
    return best;
}

/* Price over budget of the largest, of the widths rounded at an offset. */
static double used_at(const struct lone_allocator *lone, const float *real, double offset)
{
    float bits[MOST_LONE_TENSORS];
    double used = 0;
    for (int i = 0; i < lone->allocation.count; i++)
        bits[i] = (float)nearest(lone->tensors[i].choices, (double)real[i] + offset);
    for (int b = 0; b < lone->allocation.budget_count; b++)
        used = fmax(used, budget_price(&lone->budgets[b], lone->tensors, lone->allocation.count, bits)
                          / lone->budgets[b].limit);
    return used;
}

/* Against all offsets in steps of 2^-12: the result is within the tolerance, or below the budget with at least what the
 * highest good offset gives, less the last of ten halvings. */
Test(fracbits, rounding_against_brute_force)
{
    int hits = 0, stays = 0, lowered = 0;
    for (uint64_t trial = 0; trial < 300; trial++) {
        struct lone_allocator lone;
        uint64_t key = rng_key(trial, STREAM_ALLOCATOR, 8, 8);
        int layers = 2 + (int)(rng_uniform(key, 100) * 6), gap = trial % 3 == 0 ? 4 : 1;
        double width = 2.5 + 4 * rng_uniform(key, 101), tolerance = trial % 2 ? 0.01 : 0;
        lone_make(&lone, make_settings("allocator=fracbits", "mode=fp", "budget=4", "hidden=16", "momentum=0",
                                       "fracbits_lr=0.05",
                                       "fracbits_kappa=0", tolerance > 0 ? "fracbits_round=0.8" : "fracbits_tolerance=0",
                                       NULL),
                  layers, 100);
        lone_budget(&lone, "mean_bits", width);
        if (trial % 5 == 0)
            lone_budget(&lone, "bops", width * width * 50 * layers * (layers + 1));
        if (gap == 4)
            for (int i = 0; i < 2 * layers; i += 2)
                lone.tensors[i].choices = 1 << 2 | 1 << 4 | 1 << 8;
        lone_begin(&lone);
        spread(&lone, key);
        float real[MOST_LONE_TENSORS];
        for (int i = 0; i < 2 * layers; i++)
            real[i] = lone.ranges[i].bits;
        cr_assert(lone_assign(&lone, 80));
        double found = 0, highest = 1; /* of the good offsets; 1: none */
        for (int b = 0; b < lone.allocation.budget_count; b++)
            found = fmax(found, lone_price(&lone, b) / lone.budgets[b].limit);
        for (int i = 0; highest > 0 && i <= gap * 4096; i++)
            highest = used_at(&lone, real, -i / 4096.0) <= 1 ? -i / 4096.0 : highest;
        for (int i = 0; i < 2 * layers; i++)
            cr_assert(tensor_allows(&lone.tensors[i], (int)lone.bits[i]) && lone.bits[i] == floorf(lone.bits[i]));
        double at_zero = used_at(&lone, real, 0), at_least = used_at(&lone, real, -gap);
        if (at_zero <= 1 && !(fabs(at_zero - 1) <= tolerance)) {
            cr_assert_eq(found, at_zero, "already below: nothing is lowered");
            stays++;
        } else if (fabs(found - 1) <= tolerance + 1e-12) {
            hits++;
        } else if (at_least <= 1) {
            cr_assert(found <= 1 && found >= used_at(&lone, real, fmax(highest - gap / 1024.0, -gap)), "trial %d: %g",
                      (int)trial, found);
            lowered++;
        }
        lone_end(&lone);
    }
    cr_assert(hits > 30 && stays > 10 && lowered > 30, "%d %d %d", hits, stays, lowered);
}

Test(fracbits, rounding_at_the_start_or_the_end)
{
    struct lone_allocator lone;
    lone_make(&lone, fracbits_settings("max", "fracbits_round=0"), 3, 100);
    lone_budget(&lone, "mean_bits", 4);
    lone_begin(&lone);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(lone.bits[i], 4, "%g", (double)lone.bits[i]);
    lone_end(&lone);
    lone_make(&lone, fracbits_settings("max", "fracbits_round=1"), 3, 100);
    lone_budget(&lone, "mean_bits", 4);
    lone_begin(&lone);
    cr_assert_eq(lone.bits[0], 4.5f);
    cr_assert_not(lone_assign(&lone, 99));
    cr_assert(lone_assign(&lone, 100) && lone.bits[0] == 4);
    lone_end(&lone);
}

/* ---- in training ---- */

Test(fracbits, freezes_at_its_share_of_the_steps)
{
    for (int q = 0; q < 4; q++) {
        struct step_run run;
        step_run_begin(&run, fracbits_settings(inner_names[q], "pin=first.input=8"), 50, 7);
        step_run_train(&run, 0, 40);
        float learned[4], frozen[4], last[4];
        net_get_bits(&run.net, learned);
        cr_expect(learned[0] != floorf(learned[0]) || learned[2] != floorf(learned[2]), "%s: real widths", inner_names[q]);
        step_run_train(&run, 40, 41);
        net_get_bits(&run.net, frozen);
        for (int i = 0; i < 4; i++)
            cr_expect(frozen[i] == floorf(frozen[i]) && frozen[i] >= 2 && frozen[i] <= 8, "%s: %g", inner_names[q],
                      (double)frozen[i]);
        step_run_train(&run, 41, 50);
        step_run_finish(&run, 50);
        net_get_bits(&run.net, last);
        cr_expect_arr_eq(last, frozen, sizeof last);
        cr_expect(learned[1] == 8 && last[1] == 8, "the pinned one");
        const int64_t *steps = allocator_logged(&run.allocator, LOG_STEP);
        const struct solver_name *solvers = allocator_logged(&run.allocator, LOG_SOLVER);
        cr_assert(run.allocator.log.count == 3 && steps[1] == 40);
        cr_assert(strstr(solvers[1].text, "bisection") && strstr(solvers[2].text, "frozen"));
        step_run_end(&run);
    }
}

/* Frozen at the start, it is uniform with the same quantiser. */
Test(fracbits, whole_widths_train_as_without_it)
{
    for (int q = 0; q < 4; q++) {
        struct step_run run, same;
        char *text = format_text("quantiser=%s", inner_names[q]);
        step_run_begin(&run, fracbits_settings(inner_names[q], "fracbits_round=0"), 30, 7);
        step_run_begin(&same, make_settings("allocator=uniform", "mode=fp", "budget=4", "hidden=16", text, NULL), 30, 7);
        step_run_train(&run, 0, 30);
        step_run_train(&same, 0, 30);
        cr_expect(memcmp(run.net.values, same.net.values, run.net.value_count * sizeof(float)) == 0, "%s", inner_names[q]);
        for (int i = 0; i < 4; i++)
            cr_expect(run.net.ranges[i].step == same.net.ranges[i].step && run.net.ranges[i].top == same.net.ranges[i].top,
                      "%s", inner_names[q]);
        step_run_end(&run);
        step_run_end(&same);
        free(text);
    }
}

Test(fracbits, is_for_real_widths_of_weights_and_activations)
{
    static const char *const modes[] = {"mode=fqt", "mode=hfqt"};
    for (int i = 0; i < 2; i++) {
        struct settings settings = make_settings("allocator=fracbits", "budget=4", modes[i], NULL);
        const char *why = plug_check(&settings);
        cr_assert(why && strstr(why, "mode fp"), "%s", why ? why : "accepted");
        cr_assert(setting_is(&settings, "quantiser", "dorefa"), "its own default");
        settings_free(&settings);
    }
}

static bool stop_soon(void *context)
{
    int *left = context;
    return (*left)-- == 0;
}

static void expect_same_field(const struct record *a, const struct record *b, const char *path)
{
    const struct field *one = record_find(a, path), *other = record_find(b, path);
    cr_assert(one && other && field_count(one) == field_count(other), "%s", path);
    size_t size = one->type == RECORD_F32 ? sizeof(float) : sizeof(double);
    cr_assert(memcmp(one->data, other->data, field_count(one) * size) == 0, "%s", path);
}

/* A convolutional network that is stopped and taken up again, before and after the freeze; and with three quantisers. */
Test(fracbits, a_resumed_run_is_the_same, .timeout = 120)
{
    char *folder = temporary_folder();
    cr_redirect_stderr();
    for (int q = 0; q < 4; q++) {
        char *quantiser = format_text("quantiser=%s", inner_names[q]), *path = format_text("%s/%d.ckpt", folder, q);
        struct settings s = make_settings("allocator=fracbits", "mode=fp", "budget=3.5", "model=conv1d", "sample_shape=3-16",
                                          "channels=4-4", "samples=60", "epochs=3", "batch=16", "fracbits_log_every=3",
                                          quantiser, NULL);
        struct record whole = {0}, pieces = {0};
        struct error error;
        cr_assert(train_run(&s, &(struct train_hooks){0}, &whole, &error), "%s", error.text);
        const struct checkpoint checkpoint = {path, "this run", 1e6};
        int stops = 0;
        for (int left = 2; ; left = 3 + stops++) {
            const struct train_hooks hooks = {.stopping = stop_soon, .context = &left, .checkpoint = &checkpoint};
            record_free(&pieces);
            pieces = (struct record){0};
            cr_assert(train_run(&s, &hooks, &pieces, &error), "%s", error.text);
            if (strcmp(record_get_text(&pieces, "/status", ""), "done") == 0)
                break;
        }
        cr_assert(stops >= 2, "%d", stops);
        expect_same_field(&whole, &pieces, "/bits/final");
        expect_same_field(&whole, &pieces, "/reallocation/bits");
        expect_same_field(&whole, &pieces, "/metrics/test_loss");
        const struct field *final = record_find(&whole, "/bits/final");
        for (size_t i = 0; i < field_count(final); i++)
            cr_assert_eq(((const float *)final->data)[i], floorf(((const float *)final->data)[i]));
        record_free(&whole), record_free(&pieces);
        settings_free(&s);
        free(quantiser), free(path);
    }
    remove_folder(folder);
}
