/* SPDX-License-Identifier: GPL-3.0-or-later
 * The strategies' losses against hand-computed cases and finite differences of plain formulas; what they ask of the harness;
 * the gradient and the step of BiC's correction. */
#include "support.h"
#include "../bench/exemplars.h"
#include "../bench/learner.h"
#include "../bench/settings.h"
#include "../methods/continual/correction.h"
#include "../methods/continual/losses.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 3
#define MOST 6          /* classes */
#define UNTOUCHED 123.0f

static const struct strategy_ops *strategy_named(const char *name)
{
    return (const struct strategy_ops *)plug_find(PLUG_STRATEGY, name);
}

static struct settings settings_of(const char *strategy, const char *option)
{
    char *text = format_text("strategy=%s", strategy);
    struct settings s = make_settings("scenario=incremental", "allocator=none", text, option ? option : "seed=1", NULL);
    free(text);
    return s;
}

/* ---- a batch, and the formulas written out ---- */

/* As doubles without strides, and as the harness hands it over: what stands behind the columns must be neither read nor
 * changed. */
struct batch {
    size_t old, all, rows;
    int32_t labels[ROWS];
    double logits[ROWS][MOST], before[ROWS][MOST], auxiliary[ROWS][MOST + 1];
    float as_logits[ROWS * 16], as_before[ROWS * 16], as_auxiliary[ROWS * 16];
    float gradient[ROWS * 16], auxiliary_gradient[ROWS * 16];
};

static void lay_out(double *rows, size_t stride, size_t count, size_t columns, float *out)
{
    for (size_t i = 0; i < count * 16; i++)
        out[i] = i % 16 < columns ? (float)rows[i / 16 * stride + i % 16] : NAN;
    for (size_t i = 0; i < count * 16; i++)
        if (i % 16 < columns)
            rows[i / 16 * stride + i % 16] = out[i]; /* both are the same numbers */
}

static void clear(float *gradient, size_t columns)
{
    for (size_t i = 0; i < ROWS * 16; i++)
        gradient[i] = i % 16 < columns ? 0 : UNTOUCHED;
}

static struct lesson lesson_of(struct batch *b, const struct strategy_ops *strategy, const struct settings *settings)
{
    bool later = b->old > 0;
    lay_out(b->logits[0], MOST, b->rows, b->all, b->as_logits);
    lay_out(b->before[0], MOST, b->rows, b->old, b->as_before);
    lay_out(b->auxiliary[0], MOST + 1, b->rows, b->all - b->old + 1, b->as_auxiliary);
    clear(b->gradient, b->all);
    clear(b->auxiliary_gradient, b->all - b->old + 1);
    bool expands = strategy && strategy->growth != GROWS_HEAD;
    return (struct lesson){
        .settings = settings, .task = later, .old = b->old, .all = b->all, .rows = b->rows, .labels = b->labels,
        .logits = b->as_logits, .old_logits = later && strategy && strategy->wants_old ? b->as_before : NULL,
        .auxiliary = later && expands ? b->as_auxiliary : NULL, .gradient = b->gradient,
        .auxiliary_gradient = later && expands ? b->auxiliary_gradient : NULL};
}

static double share(const double *z, size_t count, size_t which, double temperature)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++)
        sum += exp(z[c] / temperature);
    return exp(z[which] / temperature) / sum;
}

static double cross_entropy(const double *z, size_t count, size_t label) { return -log(share(z, count, label, 1)); }

static double distillation(const struct batch *b, size_t row, double temperature)
{
    double sum = 0;
    for (size_t c = 0; c < b->old; c++)
        sum -= share(b->before[row], b->old, c, temperature) * log(share(b->logits[row], b->old, c, temperature));
    return sum;
}

static double plain(const struct batch *b, size_t row)
{
    return cross_entropy(b->logits[row], b->all, (size_t)b->labels[row]);
}

static double lwf(const struct batch *b, size_t row)
{
    double new = cross_entropy(b->logits[row] + b->old, b->all - b->old, (size_t)b->labels[row] - b->old);
    return new + 3 * distillation(b, row, 2);
}

static double warm_lwf(const struct batch *b, size_t row)
{
    return lwf(b, row) - 3 * distillation(b, row, 2) + 3 * distillation(b, row, 5);
}

static double icarl(const struct batch *b, size_t row) { return plain(b, row) + distillation(b, row, 2); }
static double heavy_icarl(const struct batch *b, size_t row) { return plain(b, row) + 2.5 * distillation(b, row, 2); }

static double bic(const struct batch *b, size_t row)
{
    double lambda = (double)b->old / (double)b->all;
    return (1 - lambda) * plain(b, row) + lambda * distillation(b, row, 2);
}

static double expansion(const struct batch *b, size_t row)
{
    size_t label = (size_t)b->labels[row], auxiliary = label < b->old ? 0 : label - b->old + 1;
    return plain(b, row) + (b->old ? cross_entropy(b->auxiliary[row], b->all - b->old + 1, auxiliary) : 0);
}

static double half_expansion(const struct batch *b, size_t row)
{
    return (plain(b, row) + expansion(b, row)) / 2;
}

static double smoothed(const struct batch *b, size_t row)
{
    double sum = 0.9 * plain(b, row);
    for (size_t c = 0; c < b->all; c++)
        sum += 0.1 / (double)b->all * cross_entropy(b->logits[row], b->all, c);
    return sum;
}

static double doubled(const struct batch *b, size_t row)
{
    double shares[MOST];
    for (size_t c = 0; c < b->all; c++)
        shares[c] = share(b->logits[row], b->all, c, 1);
    return cross_entropy(shares, b->all, (size_t)b->labels[row]);
}

static double double_loss(const struct lesson *l) { return add_double_cross_entropy(l, 1); }

/* ---- by hand: shares are whole parts, because the logits are logarithms ---- */

/* One row, classes 0, 1 old and 2, 3 new, label 3. Σ exp of all four: 1 + 9 + 2 + 6 = 18. At T = 2 the shares of the old
 * ones are 1/4, 3/4 now and 1/2, 1/2 before. Auxiliary shares 1/8, 2/8, 5/8, label 2. */
static struct batch hand_case(void)
{
    return (struct batch){.old = 2, .all = 4, .rows = 1, .labels = {3},
                          .logits = {{0, 2 * log(3), log(2), log(6)}}, .before = {{2 * log(7), 2 * log(7)}},
                          .auxiliary = {{log(1), log(2), log(5)}}};
}

static void expect_hand(const char *name, double loss, const double *gradient)
{
    const struct strategy_ops *strategy = strategy_named(name);
    struct settings settings = settings_of(name, NULL);
    struct batch b = hand_case();
    struct lesson lesson = lesson_of(&b, strategy, &settings);
    double found = strategy->loss(&lesson);
    cr_assert(fabs(found - loss) < 1e-6, "%s: loss %.9g, not %.9g", name, found, loss);
    for (size_t c = 0; c < 4; c++)
        cr_assert(fabs(b.gradient[c] - gradient[c]) < 1e-6, "%s, class %zu: %g, not %g", name, c, (double)b.gradient[c],
                  gradient[c]);
    settings_free(&settings);
}

Test(strategies, losses_by_hand)
{
    double kd = -(log(1. / 4) + log(3. / 4)) / 2; /* its gradient: (1/4 - 1/2) / T, (3/4 - 1/2) / T */
    expect_hand("finetune", log(3), (double[]){1. / 18, 9. / 18, 2. / 18, 6. / 18 - 1});
    expect_hand("joint", log(3), (double[]){1. / 18, 9. / 18, 2. / 18, 6. / 18 - 1});
    expect_hand("er", log(3), (double[]){1. / 18, 9. / 18, 2. / 18, 6. / 18 - 1});
    expect_hand("lwf", log(4. / 3) + 3 * kd, (double[]){-3. / 8, 3. / 8, 1. / 4, -1. / 4});
    expect_hand("icarl", log(3) + kd, (double[]){1. / 18 - 1. / 8, 9. / 18 + 1. / 8, 2. / 18, -12. / 18});
    expect_hand("bic", log(3) / 2 + kd / 2, (double[]){1. / 36 - 1. / 16, 9. / 36 + 1. / 16, 2. / 36, -12. / 36});
    expect_hand("der", log(3) + log(8. / 5), (double[]){1. / 18, 9. / 18, 2. / 18, 6. / 18 - 1});
    expect_hand("memo", log(3) + log(8. / 5), (double[]){1. / 18, 9. / 18, 2. / 18, 6. / 18 - 1});
    /* Targets 1/40, 1/40, 1/40, 37/40; -log of the shares: log 18, log 2, log 9, log 3. */
    expect_hand("template", (log(18) + log(2) + log(9) + 37 * log(3)) / 40,
                (double[]){1. / 18 - 1. / 40, 9. / 18 - 1. / 40, 2. / 18 - 1. / 40, 6. / 18 - 37. / 40});
}

Test(strategies, auxiliary_gradient_by_hand)
{
    struct settings settings = settings_of("der", NULL);
    struct batch b = hand_case();
    struct lesson lesson = lesson_of(&b, strategy_named("der"), &settings);
    lesson.logits = memset(b.as_logits, 0, sizeof b.as_logits);
    strategy_named("der")->loss(&lesson);
    const double expected[] = {1. / 8, 2. / 8, 5. / 8 - 1};
    for (size_t c = 0; c < 3; c++)
        cr_assert(fabs(b.auxiliary_gradient[c] - expected[c]) < 1e-6);
    b.labels[0] = 1; /* old: output 0 */
    lesson = lesson_of(&b, strategy_named("der"), &settings);
    strategy_named("der")->loss(&lesson);
    cr_assert(fabs(b.auxiliary_gradient[0] - (1. / 8 - 1)) < 1e-6 && fabs(b.auxiliary_gradient[2] - 5. / 8) < 1e-6);
    settings_free(&settings);
}

/* ---- any numbers: the sum of the plain formulas, and the finite differences of their mean ---- */

static const struct loss_case {
    const char *strategy, *option;
    double (*plain)(const struct batch *, size_t row);
} loss_cases[] = {
    {"finetune", NULL, plain}, {"joint", NULL, plain}, {"er", NULL, plain},
    {"lwf", NULL, lwf}, {"lwf", "kd_temperature=5", warm_lwf}, {"icarl", NULL, icarl},
    {"icarl", "kd_weight=2.5", heavy_icarl}, {"bic", NULL, bic}, {"der", NULL, expansion}, {"memo", NULL, expansion},
    {"memo", "auxiliary_weight=0.5", half_expansion},
    {"template", NULL, smoothed}, {"template", "template_smoothing=0", plain},
};
#define LOSS_CASES (sizeof loss_cases / sizeof *loss_cases)

static double plain_mean(const struct batch *b, double (*row_loss)(const struct batch *, size_t row))
{
    double sum = 0;
    for (size_t row = 0; row < b->rows; row++)
        sum += row_loss(b, row);
    return sum / (double)b->rows;
}

static struct batch drawn_batch(size_t old, size_t all, bool only_new, uint64_t key)
{
    struct batch b = {.old = old, .all = all, .rows = ROWS};
    for (size_t i = 0; i < ROWS; i++) {
        size_t least = only_new ? old : 0;
        b.labels[i] = (int32_t)(least + rng_bits(key, i) % (all - least));
        for (size_t c = 0; c < MOST; c++) {
            b.logits[i][c] = 3 * rng_normal(key, 100 + i * MOST + c);
            b.before[i][c] = 3 * rng_normal(key, 200 + i * MOST + c);
            b.auxiliary[i][c] = 2 * rng_normal(key, 300 + i * MOST + c);
        }
    }
    return b;
}

/* The gradient of `values` (stride doubles a row) against what the loss has written; the padding is as it was. */
static void expect_slopes(struct batch *b, double (*row_loss)(const struct batch *, size_t row), double *values,
                          size_t stride, size_t columns, const float *gradient, const char *label)
{
    const double h = 1e-5;
    for (size_t i = 0; i < b->rows * 16; i++) {
        if (i % 16 >= columns) {
            cr_assert_eq(gradient[i], UNTOUCHED, "%s: padding", label);
            continue;
        }
        double *value = values + i / 16 * stride + i % 16, at = *value;
        *value = at + h;
        double above = plain_mean(b, row_loss);
        *value = at - h;
        double slope = (above - plain_mean(b, row_loss)) / (2 * h);
        *value = at;
        cr_assert(fabs(gradient[i] - slope) < 1e-6, "%s, value %zu: %.8g, not %.8g", label, i, (double)gradient[i], slope);
    }
}

Test(strategies, losses_and_gradients_are_the_plain_formulas)
{
    static const struct { size_t old, all; } sizes[] = {{2, 5}, {3, 4}, {1, 6}, {0, 3}};
    for (size_t k = 0; k < LOSS_CASES; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const struct strategy_ops *strategy = strategy_named(loss_cases[k].strategy);
            struct settings settings = settings_of(loss_cases[k].strategy, loss_cases[k].option);
            struct batch b = drawn_batch(sizes[s].old, sizes[s].all, !strategy->keeps_exemplars, 10 * k + s);
            struct lesson lesson = lesson_of(&b, strategy, &settings);
            double sum = strategy->loss(&lesson);
            const char *label = loss_cases[k].strategy;
            double expected = plain_mean(&b, loss_cases[k].plain) * (double)b.rows;
            cr_assert(fabs(sum - expected) < 1e-9 * (1 + fabs(expected)), "%s: %.12g, not %.12g", label, sum, expected);
            expect_slopes(&b, loss_cases[k].plain, b.logits[0], MOST, b.all, b.gradient, label);
            if (lesson.auxiliary)
                expect_slopes(&b, loss_cases[k].plain, b.auxiliary[0], MOST + 1, b.all - b.old + 1, b.auxiliary_gradient,
                              label);
            settings_free(&settings);
        }
}

/* Unheard-of logits neither overflow nor make the gradient anything but finite. */
Test(strategies, losses_of_large_logits_are_finite)
{
    for (size_t k = 0; k < LOSS_CASES; k++) {
        const struct strategy_ops *strategy = strategy_named(loss_cases[k].strategy);
        struct settings settings = settings_of(loss_cases[k].strategy, loss_cases[k].option);
        struct batch b = drawn_batch(2, 5, true, k);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t c = 0; c < MOST; c++) {
                b.logits[i][c] *= 1e4;
                b.before[i][c] *= -1e4;
                b.auxiliary[i][c] *= 1e4;
            }
        struct lesson lesson = lesson_of(&b, strategy, &settings);
        cr_assert(isfinite(strategy->loss(&lesson)), "%s", loss_cases[k].strategy);
        for (size_t i = 0; i < ROWS * 16; i++)
            cr_assert(isfinite(b.gradient[i]) && isfinite(b.auxiliary_gradient[i]), "%s", loss_cases[k].strategy);
        settings_free(&settings);
    }
}

/* A label that no logit stands for is a fault of the harness. */
Test(strategies, lwf_takes_no_old_sample, .exit_code = 1)
{
    struct settings settings = settings_of("lwf", NULL);
    struct batch b = drawn_batch(2, 5, true, 1);
    b.labels[1] = 1;
    struct lesson lesson = lesson_of(&b, strategy_named("lwf"), &settings);
    strategy_named("lwf")->loss(&lesson);
}

Test(strategies, double_softmax)
{
    struct batch b = drawn_batch(2, 5, false, 9);
    struct lesson lesson = lesson_of(&b, NULL, NULL);
    double sum = double_loss(&lesson);
    cr_assert(fabs(sum - ROWS * plain_mean(&b, doubled)) < 1e-9);
    expect_slopes(&b, doubled, b.logits[0], MOST, b.all, b.gradient, "double");
}

/* ---- what they ask of the harness ---- */

Test(strategies, ask_for_what_they_need)
{
    static const struct { const char *name; enum growth growth; bool exemplars, all, old, bias, nme; } asked[] = {
        {"finetune", GROWS_HEAD, false, false, false, false, false}, {"joint", GROWS_HEAD, false, true, false, false, false},
        {"er", GROWS_HEAD, true, false, false, false, false},        {"lwf", GROWS_HEAD, false, false, true, false, false},
        {"icarl", GROWS_HEAD, true, false, true, false, true},       {"bic", GROWS_HEAD, true, false, true, true, true},
        {"der", GROWS_EXTRACTOR, true, false, false, false, false},  {"memo", GROWS_BLOCK, true, false, false, false, false},
        {"template", GROWS_HEAD, true, false, false, false, true}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const struct strategy_ops *s = strategy_named(asked[i].name);
        cr_assert(s, "%s is not in the table", asked[i].name);
        cr_assert(s->growth == asked[i].growth && s->keeps_exemplars == asked[i].exemplars
                  && s->keeps_all == asked[i].all && s->wants_old == asked[i].old && s->head_bias == asked[i].bias
                  && s->nme == asked[i].nme, "%s", asked[i].name);
        cr_assert_eq(s->holds_out != NULL, strcmp(asked[i].name, "bic") == 0);
    }
}

/* Of every entry, also of new ones. */
Test(strategies, a_memory_of_nothing_is_refused)
{
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_STRATEGY, i)); i++) {
        const struct strategy_ops *s = (const struct strategy_ops *)plug;
        struct settings some = settings_of(plug->name, NULL), none = settings_of(plug->name, "memory=0");
        const char *why = s->check ? s->check(&none) : NULL;
        cr_assert(s->loss && (!s->nme || s->keeps_exemplars), "%s", plug->name);
        cr_assert(!s->check || !s->check(&some), "%s", plug->name);
        cr_assert_eq(why != NULL, s->keeps_exemplars, "%s", plug->name);
        cr_assert(!why || strstr(why, "memory 0"), "%s: %s", plug->name, why);
        settings_free(&some);
        settings_free(&none);
    }
}

Test(strategies, bic_holds_out_a_tenth_of_a_class_s_memory)
{
    static const struct { const char *memory, *of, *share; size_t old, count; } cases[] = {
        {"memory=200", "memory_of=all", "bic_validation=0.1", 2, 10},
        {"memory=200", "memory_of=all", "bic_validation=0.1", 6, 3},
        {"memory=200", "memory_of=all", "bic_validation=0.1", 21, 0},
        {"memory=200", "memory_of=all", "bic_validation=0.1", 0, 0},
        {"memory=2000", "memory_of=all", "bic_validation=0.1", 20, 10},
        {"memory=20", "memory_of=class", "bic_validation=0.1", 9, 2},
        {"memory=200", "memory_of=all", "bic_validation=0.25", 4, 12},
        {"memory=200", "memory_of=all", "bic_validation=0", 2, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings s = make_settings("scenario=incremental", "allocator=none", "strategy=bic", cases[i].memory,
                                          cases[i].of, cases[i].share, NULL);
        cr_assert_eq(strategy_named("bic")->holds_out(&s, cases[i].old), cases[i].count, "case %zu", i);
        settings_free(&s);
    }
}

/* ---- BiC's correction ---- */

/* The batch's logits behind the correction of the classes from old on. */
static struct batch corrected(const struct batch *b, struct correction c)
{
    struct batch out = *b;
    for (size_t i = 0; i < b->rows; i++)
        for (size_t k = b->old; k < b->all; k++)
            out.logits[i][k] = c.scale * b->logits[i][k] + c.shift;
    return out;
}

static double corrected_mean(const struct batch *b, double scale, double shift,
                             double (*row_loss)(const struct batch *, size_t))
{
    struct batch out = corrected(b, (struct correction){scale, shift});
    return plain_mean(&out, row_loss);
}

static struct correction gradient_at(const struct batch *b, struct correction at, double (*loss)(const struct lesson *))
{
    struct batch raw = *b, out = corrected(b, at);
    struct lesson raw_lesson = lesson_of(&raw, NULL, NULL), lesson = lesson_of(&out, NULL, NULL);
    loss(&lesson);
    return correction_gradient(&lesson, raw_lesson.logits);
}

Test(strategies, gradient_of_the_correction)
{
    const double h = 1e-5;
    const struct correction at = {0.7, -0.4};
    for (uint64_t key = 0; key < 4; key++) {
        struct batch b = drawn_batch(2, 3 + key, false, 50 + key);
        double (*plain_loss)(const struct batch *, size_t) = key % 2 ? doubled : plain;
        struct correction g = gradient_at(&b, at, key % 2 ? double_loss : seen_cross_entropy);
        double right = corrected_mean(&b, at.scale + h, at.shift, plain_loss);
        double left = corrected_mean(&b, at.scale - h, at.shift, plain_loss);
        double above = corrected_mean(&b, at.scale, at.shift + h, plain_loss);
        double below = corrected_mean(&b, at.scale, at.shift - h, plain_loss);
        cr_assert(fabs(g.scale - (right - left) / (2 * h)) < 2e-6, "scale: %g, not %g", g.scale, (right - left) / (2 * h));
        cr_assert(fabs(g.shift - (above - below) / (2 * h)) < 2e-6, "shift: %g, not %g", g.shift, (above - below) / (2 * h));
    }
}

/* v1 = g + d c; v2 = m v1 + g + d c. */
Test(strategies, step_of_the_correction)
{
    struct correction c = {1, 0}, v = {0, 0};
    correction_step(&c, &v, (struct correction){2, -4}, 0.5, 0.9, 0.1);
    cr_assert(fabs(v.scale - 2.1) < 1e-15 && fabs(c.scale - -0.05) < 1e-15 && v.shift == -4 && c.shift == 2);
    correction_step(&c, &v, (struct correction){2, -4}, 0.5, 0.9, 0.1);
    cr_assert(fabs(v.scale - (1.89 + 2 - 0.005)) < 1e-14 && fabs(c.scale - (-0.05 - 3.885 / 2)) < 1e-14);
    cr_assert(fabs(v.shift - (-3.6 - 4 + 0.2)) < 1e-14 && fabs(c.shift - (2 + 7.4 / 2)) < 1e-14);
}
