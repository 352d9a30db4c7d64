/* SPDX-License-Identifier: GPL-3.0-or-later
 * A made classification task: each class is a few Gaussian clusters in a small latent space, seen through a
 * fixed random layer with tanh. The distance of the clusters sets the difficulty. */
#include "datasets.h"
#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATENT 16
#define CLUSTERS 3 /* a class: one hyperplane per class is not enough */
#define NOISE 0.1  /* on every feature, after the map */

/* What the draws of STREAM_DATA are for. */
enum { DRAW_CENTRES, DRAW_MAP, DRAW_TRAIN, DRAW_TEST };

struct difficulty {
    const char *name;
    double spread; /* deviation of the cluster centres; a cluster's own is 1 */
};
static const struct difficulty difficulties[] = {{"easy", 2.0}, {"medium", 1.2}, {"hard", 0.82}};

struct task {
    const struct difficulty *difficulty;
    uint64_t seed;
    size_t features, classes;
    double *centres; /* classes × CLUSTERS × LATENT */
    double *map;     /* features × (LATENT weights and a bias) */
};

static const struct difficulty *find_difficulty(const struct settings *settings)
{
    for (size_t i = 0; i < sizeof difficulties / sizeof *difficulties; i++)
        if (setting_is(settings, "difficulty", difficulties[i].name))
            return &difficulties[i];
    die("difficulty '%s' is in no row", setting_text(settings, "difficulty"));
}

static void fill_normal(double *values, size_t count, double deviation, uint64_t key)
{
    for (size_t i = 0; i < count; i++)
        values[i] = deviation * rng_normal(key, i);
}

static void begin_task(struct task *task, const struct settings *settings, size_t features)
{
    task->difficulty = find_difficulty(settings);
    task->seed = (uint64_t)setting_int(settings, "data_seed");
    task->features = features;
    task->classes = (size_t)setting_int(settings, "classes");
    size_t centres = task->classes * CLUSTERS * LATENT, map = task->features * (LATENT + 1);
    task->centres = xmalloc(centres * sizeof *task->centres);
    task->map = xmalloc(map * sizeof *task->map);
    fill_normal(task->centres, centres, task->difficulty->spread,
                rng_key(task->seed, STREAM_DATA, DRAW_CENTRES, 0));
    fill_normal(task->map, map, 1 / sqrt(LATENT), rng_key(task->seed, STREAM_DATA, DRAW_MAP, 0));
}

static void end_task(struct task *task)
{
    free(task->centres);
    free(task->map);
}

static void draw_sample(const struct task *task, size_t cluster, uint64_t key, float *x /* features */)
{
    double latent[LATENT];
    for (size_t i = 0; i < LATENT; i++)
        latent[i] = task->centres[cluster * LATENT + i] + rng_normal(key, i);
    for (size_t f = 0; f < task->features; f++) {
        const double *row = task->map + f * (LATENT + 1);
        double sum = row[LATENT];
        for (size_t i = 0; i < LATENT; i++)
            sum += row[i] * latent[i];
        x[f] = (float)(tanh(sum) + NOISE * rng_normal(key, LATENT + f));
    }
}

/* Classes and their clusters take turns, so every class has its equal share. */
static void draw_part(const struct task *task, int which, struct part *part)
{
    part->x = xmalloc(part->count * task->features * sizeof *part->x);
    part->y = xmalloc(part->count * sizeof *part->y);
    for (size_t i = 0; i < part->count; i++) {
        size_t class = i % task->classes, cluster = class * CLUSTERS + i / task->classes % CLUSTERS;
        part->y[i] = (int32_t)class;
        draw_sample(task, cluster, rng_key(task->seed, STREAM_DATA, (uint64_t)which, i),
                    part->x + i * task->features);
    }
}

#define WHOLE(NAME, FALLBACK, MIN, MAX, HELP) \
    &(const struct param){.name = NAME, .type = PARAM_INT, .fallback = FALLBACK, .min = MIN, .max = MAX, \
                          .source = "ours", .help = HELP}

static bool is_flat(const struct settings *settings) { return setting_is(settings, "sample_shape", "flat"); }

static const struct param *const params[] = {
    &(const struct param){.name = "difficulty", .type = PARAM_CHOICE, .fallback = "medium",
        .choices = (const char *const[]){"easy", "medium", "hard", NULL}, .source = "ours",
        .help = "Overlap of the classes: an MLP reaches about 99, 90 or 70 % on the test set."},
    &(const struct param){.name = "sample_shape", .type = PARAM_DIMS, .fallback = "flat", .min = 1, .max = 65536,
        .choices = (const char *const[]){"flat", NULL}, .source = "ours",
        .help = "A vector of `features`, or, for convolutions, channels and length or channels, height and width joined by "
                "'-': 3-16-16. Neighbours are unrelated."},
    &(const struct param){.name = "features", .type = PARAM_INT, .fallback = "64", .min = 1, .max = 65536, .used = is_flat,
        .source = "ours", .help = "Features of a sample."},
    WHOLE("classes", "10", 2, 1000, "Classes; all have the same number of samples, give or take one."),
    WHOLE("samples", "4000", 8, 1e7, "Training samples; a quarter as many are drawn for the test set."),
    WHOLE("data_seed", "0", 0, 1e9,
          "Seed of the data, apart from the run's seed: all runs of a sweep see the same data."),
    NULL
};

/* Its checksum is of this text: the entry's version and every setting. */
static char *canonical_text(const struct settings *settings)
{
    char *text = format_text("synthetic=%d\n", dataset_synthetic.plug.version);
    for (size_t i = 0; params[i]; i++) {
        if (!setting_has(settings, params[i]->name))
            continue;
        char *longer =
            format_text("%s%s=%s\n", text, params[i]->name, setting_text(settings, params[i]->name));
        free(text);
        text = longer;
    }
    return text;
}

/* The shape that the settings ask for. */
static bool shape_samples(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    long axes[MAX_DIMS];
    if (is_flat(settings)) {
        dataset->rank = 1;
        dataset->features = dataset->shape[0] = (size_t)setting_int(settings, "features");
        return true;
    }
    size_t rank = setting_dims(settings, "sample_shape", axes, MAX_DIMS);
    if (rank < 2 || rank > 3)
        return fail(error, "data set synthetic: sample_shape has %zu axes; valid: channels-length or channels-height-width",
                    rank);
    dataset->rank = (int)rank;
    dataset->features = 1;
    for (size_t i = 0; i < rank; i++)
        dataset->features *= dataset->shape[i] = (size_t)axes[i];
    return true;
}

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    size_t samples = (size_t)setting_int(settings, "samples"),
           classes = (size_t)setting_int(settings, "classes");
    *dataset = (struct dataset){.classes = (int)classes};
    if (!shape_samples(settings, dataset, error))
        return false;
    if (samples / 4 < classes)
        return fail(error,
                    "data set synthetic: samples is %zu, too few for a test sample of each of %zu classes; "
                    "valid: at least %zu",
                    samples, classes, 4 * classes);
    snprintf(dataset->name, sizeof dataset->name, "%s", dataset_synthetic.plug.name);
    dataset->train.count = samples;
    dataset->test.count = samples / 4;
    dataset->attributes = canonical_text(settings);
    SHA256Data((const uint8_t *)dataset->attributes, strlen(dataset->attributes), dataset->sha256);
    return true;
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    struct task task;
    if (!describe(settings, dataset, error))
        return false;
    begin_task(&task, settings, dataset->features);
    draw_part(&task, DRAW_TRAIN, &dataset->train);
    draw_part(&task, DRAW_TEST, &dataset->test);
    end_task(&task);
    return true;
}

const struct dataset_ops dataset_synthetic = {
    .plug = {.name = "synthetic",
             .help = "Gaussian clusters behind a random tanh layer, made from a seed.",
             .version = 1,
             .params = params},
    .describe = describe,
    .load = load,
};
