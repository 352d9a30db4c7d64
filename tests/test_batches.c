/* SPDX-License-Identifier: GPL-3.0-or-later
 * From samples to a network's input: the layout and the augmentation, pixel by pixel. */
#include "../bench/batches.h"
#include "../bench/settings.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAST = 3 }; /* samples of a made set: 0 .. LAST */

struct made {
    struct settings settings;
    struct dataset dataset;
    struct standardisation standardisation;
    struct net *net;
    struct batches batches;
    size_t height, width, channels, size; /* size: of one sample in the input */
};

/* Raw values 0..1 that differ from pixel to pixel. */
static float raw_value(size_t sample, size_t i) { return (float)((i * 37 + sample * 101 + 1) % 1009) / 1009; }

static void make(struct made *m, struct settings settings, int rank, size_t channels, size_t height, size_t width, bool flat,
                 bool standardised)
{
    struct dataset *d = &m->dataset;
    size_t features = channels * height * width;
    *m = (struct made){.settings = settings, .height = height, .width = width, .channels = channels};
    *d = (struct dataset){.name = "made", .rank = rank, .features = features, .classes = 2,
                          .shape = {channels, rank == 3 ? height : width, width}, .train = {.count = LAST + 1}};
    d->train.x = xmalloc((LAST + 1) * features * sizeof(float));
    d->train.y = xmalloc((LAST + 1) * sizeof(int32_t));
    for (size_t s = 0; s <= LAST; s++) {
        d->train.y[s] = (int32_t)(s * 5 % 7);
        for (size_t i = 0; i < features; i++)
            d->train.x[s * features + i] = raw_value(s, i);
    }
    if (standardised) {
        standardise_measure(d, (const uint32_t[]){0, 2}, 2, &m->standardisation);
        standardise_apply(&m->standardisation, d);
    }
    m->net = xcalloc(1, sizeof *m->net);
    m->net->flat_input = flat;
    m->net->input_shape = flat ? (struct shape){1, 1, features} : (struct shape){height, width, channels};
    m->size = flat ? row_stride(features) : height * width * row_stride(channels);
    batches_begin(&m->batches, &m->settings, d, m->net, &m->standardisation);
}

static void make_away(struct made *m)
{
    free(m->net);
    standardise_free(&m->standardisation);
    dataset_free(&m->dataset);
    settings_free(&m->settings);
}

static void check_padding(const struct made *m, const float *out)
{
    size_t stride = row_stride(m->channels);
    for (size_t i = 0; i < m->size; i++)
        cr_assert(i % stride < m->channels || out[i] == 0, "padding at %zu", i);
}

/* One sample as a training sample of that epoch; free() it. */
static float *take_one(const struct made *m, uint32_t sample, long epoch)
{
    float *out = xmalloc(m->size * sizeof *out);
    int32_t label;
    batch_take(&m->batches, &m->dataset.train, &sample, 0, 1, epoch, out, &label);
    cr_assert_eq(label, m->dataset.train.y[sample]);
    return out;
}

static size_t place(const struct made *m, size_t c, size_t y, size_t x)
{
    return m->batches.flat ? (c * m->height + y) * m->width + x : (y * m->width + x) * row_stride(m->channels) + c;
}

/* ---- layout ---- */

static const struct { int rank; size_t channels, height, width; } shapes[] = {
    {1, 1, 1, 1}, {1, 7, 1, 1}, {1, 784, 1, 1}, {2, 1, 1, 9}, {2, 6, 1, 128}, {2, 45, 1, 125}, {3, 1, 28, 28},
    {3, 3, 32, 32}, {3, 3, 5, 11}, {3, 16, 4, 3}, {3, 17, 3, 4}, {3, 128, 2, 2}, {3, 5, 1, 1},
};

static void check_layout(const struct made *m, const float *out, size_t sample)
{
    bool *seen = xcalloc(m->size, sizeof *seen);
    for (size_t c = 0; c < m->channels; c++)
        for (size_t i = 0; i < m->height * m->width; i++) {
            size_t at = place(m, c, i / m->width, i % m->width);
            cr_assert_eq(out[at], m->dataset.train.x[(sample * m->channels + c) * m->height * m->width + i]);
            seen[at] = true;
        }
    for (size_t i = 0; i < m->size; i++)
        cr_assert(seen[i] || out[i] == 0, "padding at %zu", i);
    free(seen);
}

Test(batches, layout)
{
    const uint32_t indices[] = {9, 2, 0, 3};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int flat = 0; flat < 2; flat++)
            for (int listed = 0; listed < 2; listed++) {
                struct made m;
                make(&m, make_settings("dataset=mnist", "budget=4", NULL), shapes[s].rank, shapes[s].channels,
                     shapes[s].height, shapes[s].width, flat, true);
                float *out = xmalloc(4 * m.size * sizeof *out);
                int32_t labels[4] = {-1, -1, -1, -1};
                for (size_t i = 0; i < 4 * m.size; i++)
                    out[i] = NAN;
                batch_take(&m.batches, &m.dataset.train, listed ? indices : NULL, 1, 3, listed ? 5 : -1, out, labels);
                for (size_t i = 0; i < 3; i++) {
                    size_t sample = listed ? indices[1 + i] : 1 + i;
                    cr_assert_eq(labels[i], m.dataset.train.y[sample]);
                    check_layout(&m, out + i * m.size, sample);
                }
                cr_assert(labels[3] == -1 && isnan(out[3 * m.size]) && isnan(out[4 * m.size - 1]), "more than asked for");
                free(out);
                make_away(&m);
            }
}

/* ---- augmentation ---- */

/* What pixel (y, x) of the mirrored, shifted sample is, in raw values before brightening. */
static double naive_pixel(const struct made *m, size_t sample, size_t c, long y, long x, long down, long right,
                          bool mirrored)
{
    long height = (long)m->height, width = (long)m->width;
    long from_y = y + down, from_x = (mirrored ? width - 1 - x : x) + right;
    if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width)
        return 0;
    return raw_value(sample, (c * m->height + (size_t)from_y) * m->width + (size_t)from_x);
}

static double raw_of(const struct made *m, size_t c, double value)
{
    const struct standardisation *s = &m->standardisation;
    return s->channels ? value * s->deviation[c] + s->mean[c] : value;
}

static bool is_picture(const struct made *m, const float *out, size_t sample, long down, long right, bool mirrored)
{
    for (size_t c = 0; c < m->channels; c++)
        for (size_t y = 0; y < m->height; y++)
            for (size_t x = 0; x < m->width; x++) {
                double raw = raw_of(m, c, out[place(m, c, y, x)]);
                if (!(fabs(raw - naive_pixel(m, sample, c, (long)y, (long)x, down, right, mirrored)) < 1e-5))
                    return false;
            }
    return true;
}

struct seen { long down, right; bool mirrored; };

/* The one shift and mirroring that explain the picture. */
static struct seen explain(const struct made *m, const float *out, size_t sample, long pad, bool flips)
{
    struct seen seen = {0, 0, false};
    size_t found = 0;
    for (long down = -pad; down <= pad; down++)
        for (long right = -pad; right <= pad; right++)
            for (int mirrored = 0; mirrored <= flips; mirrored++)
                if (is_picture(m, out, sample, down, right, mirrored)) {
                    seen = (struct seen){down, right, mirrored};
                    found++;
                }
    cr_assert_eq(found, 1, "%zu explanations", found);
    return seen;
}

static void expect_uniform(const size_t *counts, size_t cells, size_t draws, const char *what)
{
    double expected = (double)draws / (double)cells, square = 0;
    for (size_t i = 0; i < cells; i++)
        square += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    double freedom = (double)(cells - 1);
    cr_expect_lt(fabs(square - freedom), 4 * sqrt(2 * freedom), "%s: chi square %.1f of %.0f degrees of freedom", what,
                 square, freedom);
}

/* Every picture is the naive one of some shift and mirroring, each of which is drawn equally often. */
Test(batches, crop_and_flip)
{
    enum { PAD = 2, SIDE = 2 * PAD + 1, EPOCHS = 500, DRAWS = 4 * EPOCHS };
    for (int flat = 0; flat < 2; flat++) {
        struct made m;
        make(&m, make_settings("dataset=cifar10", "budget=4", "augment_crop=2", "augment_flip=true", NULL), 3, 3, 6, 7,
             flat, !flat);
        size_t counts[SIDE * SIDE * 2] = {0}, sides[2] = {0};
        for (long epoch = 0; epoch < EPOCHS; epoch++)
            for (uint32_t sample = 0; sample <= LAST; sample++) {
                float *out = take_one(&m, sample, epoch);
                struct seen seen = explain(&m, out, sample, PAD, true);
                counts[((seen.down + PAD) * SIDE + seen.right + PAD) * 2 + seen.mirrored]++;
                sides[seen.mirrored]++;
                free(out);
            }
        expect_uniform(counts, SIDE * SIDE * 2, DRAWS, "shifts");
        expect_uniform(sides, 2, DRAWS, "mirroring");
        make_away(&m);
    }
}

/* Alone, cropping never mirrors and mirroring never shifts. */
Test(batches, crop_alone_flip_alone)
{
    struct made m;
    make(&m, make_settings("dataset=cifar10", "budget=4", "augment_crop=5", NULL), 3, 1, 6, 9, false, true);
    for (long epoch = 0; epoch < 40; epoch++) {
        float *out = take_one(&m, 1, epoch);
        cr_expect(!explain(&m, out, 1, 5, true).mirrored);
        free(out);
    }
    make_away(&m);
    make(&m, make_settings("dataset=cifar10", "budget=4", "augment_flip=true", NULL), 3, 1, 6, 9, false, true);
    for (long epoch = 0; epoch < 40; epoch++) {
        float *out = take_one(&m, 1, epoch);
        explain(&m, out, 1, 0, true);
        free(out);
    }
    make_away(&m);
}

/* Within the range of raw values that brightening keeps below 1, every pixel has grown by one factor; above it is 1. */
static double factor_of(const struct made *m, const float *out, size_t sample)
{
    double most = 0, factor = 0;
    for (size_t i = 0; i < m->height * m->width; i++) {
        double before = naive_pixel(m, sample, 0, (long)(i / m->width), (long)(i % m->width), 0, 0, false);
        double after = raw_of(m, 0, out[place(m, 0, i / m->width, i % m->width)]);
        if (before > most && after < 0.999) {
            most = before;
            factor = after / before;
        }
    }
    return factor;
}

Test(batches, brightness)
{
    enum { EPOCHS = 400, CELLS = 8 };
    size_t counts[CELLS] = {0};
    struct made m;
    make(&m, make_settings("dataset=cifar10", "budget=4", "augment_brightness=0.4", NULL), 3, 3, 7, 70, false, true);
    for (long epoch = 0; epoch < EPOCHS; epoch++) {
        size_t sample = (size_t)epoch % (LAST + 1);
        float *out = take_one(&m, (uint32_t)sample, epoch);
        double factor = factor_of(&m, out, sample);
        cr_assert(factor > 0.5999 && factor < 1.4001, "factor %g", factor);
        counts[(size_t)fmin(fmax((factor - 0.6) / 0.8, 0) * CELLS, CELLS - 1)]++;
        for (size_t c = 0; c < 3; c++)
            for (size_t i = 0; i < 490; i++) {
                double before = naive_pixel(&m, sample, c, (long)(i / 70), (long)(i % 70), 0, 0, false);
                double after = raw_of(&m, c, out[place(&m, c, i / 70, i % 70)]);
                cr_assert_float_eq(after, fmin(before * factor, 1), 1e-5);
            }
        free(out);
    }
    expect_uniform(counts, CELLS, EPOCHS, "factors");
    make_away(&m);
}

/* Of an evenly grey picture what is left of the border is black, the rest has grown by one factor. */
Test(batches, all_together)
{
    struct made m;
    make(&m, make_settings("dataset=cifar10", "budget=4", "augment_crop=3", "augment_flip=true", "augment_brightness=1",
                           NULL),
         3, 3, 8, 8, false, true);
    float grey[3];
    for (size_t c = 0; c < 3; c++) {
        grey[c] = (float)((0.4 - m.standardisation.mean[c]) / m.standardisation.deviation[c]);
        for (size_t i = 0; i < 64; i++)
            m.dataset.train.x[c * 64 + i] = grey[c];
    }
    size_t bordered = 0;
    for (long epoch = 0; epoch < 60; epoch++) {
        float *out = take_one(&m, 0, epoch);
        double middle = raw_of(&m, 1, out[place(&m, 1, 4, 4)]);
        size_t black = 0;
        cr_assert(middle >= -1e-6 && middle < 0.8 + 1e-6);
        for (size_t i = 0; i < 64; i++)
            for (size_t c = 0; c < 3; c++) {
                double raw = raw_of(&m, c, out[place(&m, c, i / 8, i % 8)]);
                cr_assert(fabs(raw) < 1e-5 || fabs(raw - middle) < 1e-5, "%g beside %g", raw, middle);
                black += fabs(raw) < 1e-5;
            }
        bordered += black > 0 && black < 192;
        check_padding(&m, out);
        free(out);
    }
    cr_expect(bordered > 50 && bordered < 60, "%zu of 60 have a border", bordered); /* but 1 of 49 */
    make_away(&m);
}

/* ---- what a draw depends on ---- */

static bool same_input(const float *a, const float *b, const struct made *m)
{
    return memcmp(a, b, m->size * sizeof *a) == 0;
}

Test(batches, draws_depend_on_seed_epoch_and_sample_alone)
{
    static const char *const seeds[] = {"seed=1", "seed=2"};
    const uint32_t one[] = {0, 1, 2, 3}, other[] = {3, 3, 1, 0};
    float *batch[2], *again;
    struct made m;
    int32_t labels[4];
    for (int s = 0; s < 2; s++) {
        make(&m, make_settings("dataset=cifar10", "budget=4", "augment_crop=4", "augment_flip=true",
                               "augment_brightness=0.4", seeds[s], NULL), 3, 3, 12, 12, false, true);
        batch[s] = xmalloc(4 * m.size * sizeof **batch);
        again = xmalloc(4 * m.size * sizeof *again);
        batch_take(&m.batches, &m.dataset.train, one, 0, 4, 7, batch[s], labels);
        batch_take(&m.batches, &m.dataset.train, other, 1, 3, 7, again, labels);
        for (size_t i = 0; i < 3; i++)
            cr_expect(same_input(again + i * m.size, batch[s] + other[1 + i] * m.size, &m), "another place in the batch");
        batch_take(&m.batches, &m.dataset.train, one, 0, 4, 8, again, labels);
        for (size_t i = 0; i < 4; i++)
            cr_expect_not(same_input(again + i * m.size, batch[s] + i * m.size, &m), "another epoch");
        batch_take(&m.batches, &m.dataset.train, one, 0, 4, -1, again, labels);
        for (size_t i = 0; i < 4; i++)
            check_layout(&m, again + i * m.size, i);
        free(again);
        if (s == 0)
            make_away(&m);
    }
    for (size_t i = 0; i < 4; i++)
        cr_expect_not(same_input(batch[0] + i * m.size, batch[1] + i * m.size, &m), "another seed");
    make_away(&m);
    free(batch[0]);
    free(batch[1]);
}

/* ---- checks ---- */

Test(batches, refused)
{
    static const struct { const char *setting; int rank; const char *expected; } cases[] = {
        {"augment_flip=true", 2, "rank 2"}, {"augment_crop=1", 1, "rank 1"}, {"augment_brightness=0.1", 2, "images"},
        {"augment_crop=5", 3, "valid: less than 5"}, {"augment_crop=4", 3, NULL}, {"augment_crop=0", 1, NULL},
        {"augment_flip=false", 2, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings s = make_settings("dataset=cifar10", "budget=4", cases[i].setting, NULL);
        struct dataset described = {.name = "small", .rank = cases[i].rank, .shape = {3, 5, 8}};
        struct error error = {""};
        cr_expect_eq(batches_check(&s, &described, &error), !cases[i].expected, "%s", cases[i].setting);
        if (cases[i].expected)
            cr_expect(strstr(error.text, cases[i].expected) && strstr(error.text, "small"), "%s", error.text);
        settings_free(&s);
    }
}
