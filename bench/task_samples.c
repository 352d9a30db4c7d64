/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which training samples a task of an incremental run has: those of its classes, and what is remembered of the earlier
 * ones. */
#include "learner.h"
#include "../datasets/split.h"
#include <stdlib.h>
#include <string.h>

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t class_size(const struct learner *l, size_t class)
{
    size_t count = 0;
    for (size_t i = 0; i < l->seen.train.count; i++)
        count += (size_t)l->dataset->train.y[i] == class;
    return count;
}

void learner_begin(struct learner *l, const struct settings *settings, struct dataset *dataset,
                   const struct standardisation *standardisation, size_t batch, struct arena *arena)
{
    *l = (struct learner){.settings = settings, .strategy = setting_plug(settings, "strategy"), .dataset = dataset,
                          .seen = *dataset, .batch = batch, .seed = (uint64_t)setting_int(settings, "seed"),
                          .batches = {.standardisation = standardisation}};
    size_t classes = (size_t)dataset->classes, largest = 0;
    tasks_make(&l->tasks, settings, classes);
    tasks_relabel(&l->tasks, dataset);
    l->seen.train.count = subset_count(settings, dataset);
    for (size_t i = 0; i < MAX_TASKS; i++)
        l->corrections[i] = (struct correction){1, 0};
    l->samples = arena_alloc(arena, l->seen.train.count * sizeof *l->samples);
    l->held_out = arena_alloc(arena, l->seen.train.count * sizeof *l->held_out);
    l->labels = arena_alloc(arena, batch * sizeof *l->labels);
    for (size_t c = 0; c < classes; c++)
        largest = class_size(l, c) > largest ? class_size(l, c) : largest;
    if (l->strategy->keeps_exemplars)
        exemplars_begin(&l->exemplars, settings, classes, l->tasks.first[1], largest, arena);
}

void learner_end(struct learner *l)
{
    arena_free(&l->frozen.arena);
    tasks_free(&l->tasks);
}

/* How many samples of a class the task has, before some are held out. */
static size_t available(const struct learner *l, size_t task, size_t class)
{
    size_t old = l->tasks.first[task], size = class_size(l, class);
    if (class >= old || l->strategy->keeps_all)
        return size;
    return l->strategy->keeps_exemplars ? least(exemplars_quota(l->settings, old), size) : 0;
}

static size_t held_out(const struct learner *l, size_t task)
{
    return task > 0 && l->strategy->holds_out ? l->strategy->holds_out(l->settings, l->tasks.first[task]) : 0;
}

size_t learner_sample_count(const struct learner *l, size_t task)
{
    size_t count = 0;
    for (size_t class = 0; class < l->tasks.first[task + 1]; class++) {
        size_t all = available(l, task, class);
        count += all - least(all, held_out(l, task));
    }
    return count;
}

/* The task's samples of a class; returns their number. */
static size_t list_class(const struct learner *l, size_t class, uint32_t *out)
{
    size_t count = 0;
    if (class < l->old && !l->strategy->keeps_all) {
        if (!l->strategy->keeps_exemplars)
            return 0;
        count = l->exemplars.count[class];
        memcpy(out, l->exemplars.samples + class * l->exemplars.capacity, count * sizeof *out);
        return count;
    }
    for (size_t i = 0; i < l->seen.train.count; i++)
        if ((size_t)l->dataset->train.y[i] == class)
            out[count++] = (uint32_t)i;
    return count;
}

void learner_samples(struct learner *l)
{
    size_t out = held_out(l, l->task);
    uint32_t *class_samples = xmalloc(l->seen.train.count * sizeof *class_samples);
    uint32_t *order = xmalloc(l->seen.train.count * sizeof *order);
    l->sample_count = l->held_out_count = 0;
    for (size_t class = 0; class < l->all; class++) {
        size_t count = list_class(l, class, class_samples), kept_out = least(out, count);
        rng_permutation(rng_key(l->seed, STREAM_SPLIT, 2 + l->task, class), count, order);
        for (size_t i = 0; i < count; i++) {
            uint32_t sample = class_samples[order[i]];
            if (i < kept_out)
                l->held_out[l->held_out_count++] = sample;
            else
                l->samples[l->sample_count++] = sample;
        }
    }
    free(order);
    free(class_samples);
    for (size_t i = 0; i < l->sample_count; i++)
        if ((size_t)l->dataset->train.y[l->samples[i]] >= l->all)
            die("task %zu trains on a class that comes later", l->task + 1);
}

/* ---- exemplars ---- */

/* Features of the samples in evaluation, without augmentation: count × row_stride(learner_feature_count). */
static float *features_of(struct learner *l, const uint32_t *samples, size_t count)
{
    size_t stride = row_stride(learner_feature_count(l));
    float *features = xmalloc(count * stride * sizeof *features);
    for (size_t first = 0; first < count; first += l->batch) {
        size_t rows = least(l->batch, count - first);
        learner_forward(l, &l->dataset->train, samples, first, rows, -1, PASS_EVALUATE);
        learner_features(l, rows, features + first * stride, stride);
    }
    return features;
}

static void choose_exemplars(struct learner *l, size_t class, size_t quota)
{
    uint32_t *samples = xmalloc(l->seen.train.count * sizeof *samples), *chosen = xmalloc(quota * sizeof *chosen);
    size_t count = list_class(l, class, samples), wanted = least(quota, count);
    size_t width = learner_feature_count(l);
    if (setting_is(l->settings, "exemplars", "herding")) {
        float *features = features_of(l, samples, count);
        herding(features, count, width, row_stride(width), wanted, chosen);
        free(features);
    } else {
        draw_exemplars(l->seed, class, count, wanted, chosen);
    }
    for (size_t i = 0; i < wanted; i++)
        l->exemplars.samples[class * l->exemplars.capacity + i] = samples[chosen[i]];
    l->exemplars.count[class] = wanted;
    free(chosen);
    free(samples);
}

void learner_finish(struct learner *l)
{
    if (l->strategy->finish)
        l->strategy->finish(l);
    if (!l->strategy->keeps_exemplars)
        return;
    size_t quota = exemplars_quota(l->settings, l->all);
    exemplars_truncate(&l->exemplars, quota);
    for (size_t class = l->old; class < l->all; class++)
        choose_exemplars(l, class, quota);
}

double *learner_class_means(struct learner *l)
{
    size_t width = learner_feature_count(l);
    double *means = xmalloc(l->all * width * sizeof *means);
    for (size_t class = 0; class < l->all; class++) {
        size_t count = l->exemplars.count[class];
        float *features = features_of(l, l->exemplars.samples + class * l->exemplars.capacity, count);
        class_mean(features, count, width, row_stride(width), means + class * width);
        free(features);
    }
    return means;
}
