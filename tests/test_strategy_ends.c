/* SPDX-License-Identifier: GPL-3.0-or-later
 * What strategies do when a task ends: the alignment of der and memo; BiC's second stage against another minimiser. */
#include "support.h"
#include "../bench/learner.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 6          /* classes */

/* ---- the alignment of der and memo ---- */

static double length_of(const float *row, size_t columns)
{
    double sum = 0;
    for (size_t i = 0; i < columns; i++)
        sum += (double)row[i] * row[i];
    return sqrt(sum);
}

/* Normal draws, but for the padding. */
static void fill_parameters(const struct net *net)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        for (size_t k = 0; k < p->rows * p->stride; k++)
            p->value[k] = k % p->stride < p->cols ? (float)rng_normal(i, k) : 0;
    }
}

/* The classifier's weight: 5 rows of HIDDEN. */
#define HIDDEN 7
static const struct parameter *head_of(const struct net *net)
{
    const struct parameter *head = NULL;
    for (size_t i = 0; i < net->parameter_count; i++)
        if (net->parameters[i].rows == 5 && net->parameters[i].cols == HIDDEN)
            head = &net->parameters[i];
    cr_assert(head);
    return head;
}

/* Mean length of the old classes' rows over that of the new ones. */
static double naive_factor(const struct parameter *head, size_t old)
{
    double lengths[2] = {0};
    for (size_t c = 0; c < 5; c++)
        lengths[c >= old] += length_of(head->value + c * head->stride, HIDDEN) / (double)(c < old ? old : 5 - old);
    return old ? lengths[0] / lengths[1] : 1;
}

/* A learner at the end of a task with drawn weights, which its strategy aligns. */
struct ended { struct settings settings; struct arena arena; struct net net; struct learner learner; };

static struct ended *end_task(const char *strategy, const char *mode, const char *stored, size_t old)
{
    struct ended *e = xcalloc(1, sizeof *e);
    struct learner *l = &e->learner;
    struct error error;
    e->settings = make_settings("scenario=incremental", "allocator=none", "hidden=7", strategy, mode, stored, NULL);
    *l = (struct learner){.settings = &e->settings, .strategy = setting_plug(&e->settings, "strategy"), .net = &e->net,
                          .old = old, .all = 5, .task = old > 0};
    const struct dataset_ops *dataset = setting_plug(&e->settings, "dataset");
    cr_assert(dataset->describe(&e->settings, &l->seen, &error), "%s", error.text);
    l->seen.classes = 5;
    net_build(&e->net, &e->settings, &l->seen, setting_plug(&e->settings, "mode"), NULL, 2, &e->arena);
    fill_parameters(&e->net);
    return e;
}

static void end(struct ended *e)
{
    dataset_free(&e->learner.seen);
    arena_free(&e->arena);
    settings_free(&e->settings);
    free(e);
}

static void check_alignment(const char *strategy, size_t old)
{
    struct ended *e = end_task(strategy, "mode=fp", NULL, old);
    const struct net *net = &e->net;
    float *before = memcpy(xmalloc(net->value_count * sizeof *before), net->values, net->value_count * sizeof *before);
    const struct parameter *head = head_of(net);
    double factor = naive_factor(head, old);
    size_t first = (size_t)(head->value - net->values) + old * head->stride, last = first + (5 - old) * head->stride;
    e->learner.strategy->finish(&e->learner);
    for (size_t i = 0; i < net->value_count; i++) {
        double expected = before[i] * (i >= first && i < last ? factor : 1);
        cr_assert(fabs(net->values[i] - expected) <= 1e-6 * fabs(expected), "%s, value %zu", strategy, i);
    }
    memset(net->values + first, 0, (last - first) * sizeof *net->values);
    e->learner.strategy->finish(&e->learner); /* rows without length have none to scale */
    cr_assert_eq(net->values[first], 0);
    free(before);
    end(e);
}

Test(strategy_ends, new_rows_get_the_length_of_the_old_ones)
{
    check_alignment("strategy=der", 3);
    check_alignment("strategy=memo", 1);
    check_alignment("strategy=der", 0);
}

/* As they are after a training step: another rounding changes nothing. */
Test(strategy_ends, aligned_rows_are_as_wide_as_they_are_stored)
{
    struct ended *e = end_task("strategy=der", "mode=fqt", "weight_store_bits=4", 3);
    net_store_weights(&e->net);
    e->learner.strategy->finish(&e->learner);
    size_t size = e->net.value_count * sizeof(float);
    float *values = memcpy(xmalloc(size), e->net.values, size);
    net_store_weights(&e->net);
    for (size_t i = 0; i < e->net.value_count; i++)
        cr_assert(fabsf(values[i] - e->net.values[i]) <= 1e-6f * fabsf(values[i]), "value %zu", i);
    free(values);
    end(e);
}

/* ---- BiC's second stage on a real network ---- */

/* The logits of what is held out, without the newest correction. */
struct held { double logits[64][MOST]; size_t labels[64], count, old, all; double decay; };

static double cross_entropy(const double *z, size_t count, size_t label)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++)
        sum += exp(z[c] - z[label]);
    return log(sum);
}

static double held_loss(const struct held *h, double scale, double shift)
{
    double sum = 0;
    for (size_t i = 0; i < h->count; i++) {
        double z[MOST];
        for (size_t c = 0; c < h->all; c++)
            z[c] = c < h->old ? h->logits[i][c] : scale * h->logits[i][c] + shift;
        sum += cross_entropy(z, h->all, h->labels[i]) / (double)h->count;
    }
    return sum + h->decay / 2 * (scale * scale + shift * shift);
}

/* The loss is convex in both numbers, so thirds of an interval that do not hold the minimum can go. */
static double least_over_shifts(const struct held *h, double scale, double *shift)
{
    double low = -10, high = 10;
    while (high - low > 1e-7) {
        double a = low + (high - low) / 3, b = high - (high - low) / 3;
        if (held_loss(h, scale, a) < held_loss(h, scale, b))
            high = b;
        else
            low = a;
    }
    *shift = (low + high) / 2;
    return held_loss(h, scale, *shift);
}

static struct correction minimiser(const struct held *h)
{
    double low = -10, high = 10, shift;
    while (high - low > 1e-6) {
        double a = low + (high - low) / 3, b = high - (high - low) / 3;
        if (least_over_shifts(h, a, &shift) < least_over_shifts(h, b, &shift))
            high = b;
        else
            low = a;
    }
    least_over_shifts(h, (low + high) / 2, &shift);
    return (struct correction){(low + high) / 2, shift};
}

/* A learner in its second task, which ends: two classes and two more. */
struct second_task {
    struct settings settings;
    struct arena arena;
    struct dataset dataset;
    struct net nets[2];
    struct learner learner;
};

static struct second_task *begin_second_task(const char *epochs, const char *validation, const char *softmax)
{
    struct second_task *t = xcalloc(1, sizeof *t);
    struct error error;
    t->settings = make_settings("scenario=incremental", "allocator=none", "strategy=bic", "model=mlp", "hidden=6",
                                "batch=64", "samples=400", "features=8", "classes=5", "increment=2", "class_seed=sorted",
                                "lr=0.3", "weight_decay=0.01", epochs, validation, softmax, NULL);
    const struct dataset_ops *dataset = setting_plug(&t->settings, "dataset");
    struct learner *l = &t->learner;
    cr_assert(dataset->load(&t->settings, &t->dataset, &error), "%s", error.text);
    learner_begin(l, &t->settings, &t->dataset, NULL, 64, &t->arena);
    for (size_t task = 0; task < 2; task++) {
        learner_enter(l, task, &t->nets[task], NULL, &t->arena);
        struct pool pool = {.size = learner_pool_size(l)};
        pool.memory = arena_alloc(&t->arena, pool.size);
        learner_use_pool(l, pool);
        learner_samples(l);
        if (task == 0)
            learner_finish(l);
    }
    l->corrections[0] = (struct correction){1.5, -0.25}; /* must take part and stay */
    return t;
}

static void end_second_task(struct second_task *t)
{
    learner_end(&t->learner);
    dataset_free(&t->dataset);
    arena_free(&t->arena);
    settings_free(&t->settings);
    free(t);
}

static void take_held(struct learner *l, struct held *h)
{
    *h = (struct held){.count = l->held_out_count, .old = l->old, .all = l->all, .decay = 0.01};
    const float *z = learner_forward(l, &l->dataset->train, l->held_out, 0, h->count, -1, PASS_EVALUATE);
    for (size_t i = 0; i < h->count; i++) {
        h->labels[i] = (size_t)l->labels[i];
        for (size_t c = 0; c < h->all; c++) {
            double logit = z[i * row_stride(h->all) + c];
            h->logits[i][c] = c < 2 ? 1.5 * logit - 0.25 : logit;
        }
    }
}

Test(strategy_ends, bic_s_second_stage_finds_the_minimum)
{
    struct correction plain_found;
    for (int twice = 0; twice < 2; twice++) {
        const char *softmax = twice ? "bic_softmax=double" : "bic_softmax=plain";
        struct second_task *t = begin_second_task("epochs=500", "bic_validation=0.1", softmax);
        struct learner *l = &t->learner;
        static struct held h;
        size_t size = l->net->value_count * sizeof(float);
        float *before = memcpy(xmalloc(size), l->net->values, size);
        cr_assert_eq(l->held_out_count, 40); /* int(0.1 × 200 / 2) of each of the four classes */
        take_held(l, &h);
        l->strategy->finish(l);
        struct correction found = l->corrections[1], best = minimiser(&h);
        if (!twice) {
            cr_assert(fabs(found.scale - best.scale) < 1e-3 && fabs(found.shift - best.shift) < 1e-3, "%g %g, not %g %g",
                      found.scale, found.shift, best.scale, best.shift);
            cr_assert(held_loss(&h, found.scale, found.shift) < held_loss(&h, 1, 0));
            plain_found = found;
        } else {
            cr_assert(fabs(found.scale - plain_found.scale) + fabs(found.shift - plain_found.shift) > 1e-2, "another loss");
        }
        cr_assert(l->corrections[0].scale == 1.5 && l->corrections[0].shift == -0.25);
        cr_assert(memcmp(before, l->net->values, size) == 0, "only the correction is trained");
        free(before);
        end_second_task(t);
    }
}

/* Three epochs of one batch each: three steps, with momentum 0.9, of the learning rates 0.3 × ½(1 + cos(π step / 3)). */
Test(strategy_ends, bic_s_second_stage_step_by_step)
{
    struct second_task *t = begin_second_task("epochs=3", "bic_validation=0.1", "bic_softmax=plain");
    static struct held h;
    const double h_step = 1e-5, rates[] = {0.3, 0.3 * 0.75, 0.3 * 0.25};
    double scale = 1, shift = 0, scale_speed = 0, shift_speed = 0;
    take_held(&t->learner, &h);
    t->learner.corrections[1] = (struct correction){-3, 7}; /* it starts anew */
    t->learner.strategy->finish(&t->learner);
    for (int k = 0; k < 3; k++) { /* the decay is part of held_loss */
        double along_scale = held_loss(&h, scale + h_step, shift) - held_loss(&h, scale - h_step, shift);
        double along_shift = held_loss(&h, scale, shift + h_step) - held_loss(&h, scale, shift - h_step);
        scale_speed = 0.9 * scale_speed + along_scale / (2 * h_step);
        shift_speed = 0.9 * shift_speed + along_shift / (2 * h_step);
        scale -= rates[k] * scale_speed;
        shift -= rates[k] * shift_speed;
    }
    const struct correction found = t->learner.corrections[1];
    cr_assert(fabs(found.scale - scale) < 1e-5 && fabs(found.shift - shift) < 1e-5, "%g %g, not %g %g", found.scale,
              found.shift, scale, shift);
    end_second_task(t);
}

Test(strategy_ends, bic_corrects_nothing_that_it_cannot_measure)
{
    struct second_task *t = begin_second_task("epochs=2", "bic_validation=0", "bic_softmax=plain");
    cr_assert_eq(t->learner.held_out_count, 0);
    t->learner.strategy->finish(&t->learner);
    cr_assert(t->learner.corrections[1].scale == 1 && t->learner.corrections[1].shift == 0);
    end_second_task(t);
}
