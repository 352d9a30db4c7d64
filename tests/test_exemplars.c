/* SPDX-License-Identifier: GPL-3.0-or-later
 * The memory of an incremental run against naive computations: herding by brute force, nearest means, quotas, draws. */
#include "support.h"
#include "../bench/exemplars.h"
#include "../bench/settings.h"
#include "../bench/strategy.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDEST 24
#define MOST 60

/* Rows of normal draws, padded with what must not be read. */
static void fill_rows(float *x, size_t count, size_t width, size_t stride, uint64_t key)
{
    for (size_t i = 0; i < count * stride; i++)
        x[i] = i % stride < width ? (float)(1 + rng_normal(key, i)) : NAN;
}

/* ---- naive ---- */

static void naive_unit(const float *row, size_t width, long double *out)
{
    long double length = 0;
    for (size_t i = 0; i < width; i++)
        length = hypotl(length, row[i]);
    for (size_t i = 0; i < width; i++)
        out[i] = length > 0 ? row[i] / length : 0;
}

/* Distance of the whole mean to the mean of the rows chosen so far and row r: all sums from the start. */
static long double naive_miss(const float *x, size_t count, size_t width, size_t stride, const uint32_t *chosen,
                              size_t before, size_t r)
{
    long double all[WIDEST] = {0}, part[WIDEST] = {0}, unit[WIDEST], sum = 0;
    for (size_t row = 0; row < count; row++) {
        naive_unit(x + row * stride, width, unit);
        for (size_t i = 0; i < width; i++)
            all[i] += unit[i] / (long double)count;
    }
    for (size_t k = 0; k <= before; k++) {
        naive_unit(x + (k < before ? chosen[k] : r) * stride, width, unit);
        for (size_t i = 0; i < width; i++)
            part[i] += unit[i] / (long double)(before + 1);
    }
    for (size_t i = 0; i < width; i++)
        sum += (all[i] - part[i]) * (all[i] - part[i]);
    return sqrtl(sum);
}

static bool is_among(const uint32_t *list, size_t count, size_t value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

static void naive_herding(const float *x, size_t count, size_t width, size_t stride, size_t wanted, uint32_t *chosen)
{
    for (size_t k = 0; k < wanted; k++) {
        long double least = INFINITY;
        for (size_t r = 0; r < count; r++) {
            long double miss = is_among(chosen, k, r) ? INFINITY : naive_miss(x, count, width, stride, chosen, k, r);
            if (miss < least) {
                least = miss;
                chosen[k] = (uint32_t)r;
            }
        }
    }
}

/* ---- herding ---- */

Test(exemplars, herding_is_brute_force)
{
    static const struct { size_t count, width, stride, wanted; } sizes[] = {
        {1, 1, 16, 1}, {7, 3, 3, 7}, {20, 2, 16, 9}, {40, 17, 32, 40}, {MOST, WIDEST, WIDEST, 12}, {5, 4, 16, 0}};
    static float x[MOST * 32];
    uint32_t found[MOST], expected[MOST];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t trial = 0; trial < 3; trial++) {
            size_t count = sizes[s].count, width = sizes[s].width, stride = sizes[s].stride, wanted = sizes[s].wanted;
            fill_rows(x, count, width, stride, 10 * s + trial);
            memset(found, 0xff, sizeof found);
            herding(x, count, width, stride, wanted, found);
            naive_herding(x, count, width, stride, wanted, expected);
            for (size_t k = 0; k < wanted; k++)
                cr_assert_eq(found[k], expected[k], "size %zu, choice %zu: %u, not %u", s, k, found[k], expected[k]);
            cr_assert_eq(found[wanted], UINT32_MAX, "wrote past its end");
        }
}

/* The mean of the units of (2,0), (0,3), (1,1) lies on the diagonal, so the third comes first; then the others are equal.
 * Lengths do not count, nor does a copy of a row that is taken. */
Test(exemplars, herding_takes_the_first_of_equals)
{
    const float x[] = {2, 0, 0, 3, 1, 1}, copies[] = {1, 0, 5, 0, 2, 0, 0.5f, 0};
    uint32_t chosen[4];
    herding(x, 3, 2, 2, 3, chosen);
    cr_assert(chosen[0] == 2 && chosen[1] == 0 && chosen[2] == 1, "%u %u %u", chosen[0], chosen[1], chosen[2]);
    herding(copies, 4, 2, 2, 4, chosen);
    for (uint32_t k = 0; k < 4; k++)
        cr_assert_eq(chosen[k], k);
}

/* Features behind a ReLU can all be zero. */
Test(exemplars, zero_rows_stay_zero)
{
    const float x[] = {0, 0, 3, 0, 0, 0, 4, 0};
    uint32_t chosen[4];
    double mean[2];
    herding(x, 4, 2, 2, 4, chosen); /* mean (1/2, 0): the first is as near as any, then the first that mends it */
    cr_assert(chosen[0] == 0 && chosen[1] == 1 && chosen[2] == 2 && chosen[3] == 3);
    class_mean(x, 4, 2, 2, mean);
    cr_assert(mean[0] == 1 && mean[1] == 0);
    class_mean(x, 1, 2, 2, mean);
    cr_assert(mean[0] == 0 && mean[1] == 0);
}

Test(exemplars, no_more_than_there_are_by_herding, .exit_code = 1)
{
    const float x[] = {1, 2};
    uint32_t chosen[3];
    herding(x, 2, 1, 1, 3, chosen);
}

Test(exemplars, no_more_than_there_are_by_chance, .exit_code = 1)
{
    uint32_t chosen[3];
    draw_exemplars(1, 0, 2, 3, chosen);
}

/* ---- draws ---- */

Test(exemplars, draws_are_different_and_repeat)
{
    uint32_t first[20], again[20], fewer[7], other[20];
    size_t seen[50] = {0};
    draw_exemplars(3, 5, 50, 20, first);
    draw_exemplars(3, 5, 50, 20, again);
    draw_exemplars(3, 5, 50, 7, fewer);
    cr_assert(memcmp(first, again, sizeof first) == 0);
    cr_assert(memcmp(first, fewer, sizeof fewer) == 0, "a smaller memory keeps the first");
    for (size_t i = 0; i < 20; i++)
        cr_assert(first[i] < 50 && seen[first[i]]++ == 0);
    draw_exemplars(4, 5, 50, 20, other);
    cr_assert(memcmp(first, other, sizeof first) != 0, "other seeds draw others");
    draw_exemplars(3, 6, 50, 20, other);
    cr_assert(memcmp(first, other, sizeof first) != 0, "other classes draw others");
}

Test(exemplars, draws_are_even)
{
    size_t seen[10] = {0};
    uint32_t chosen[3];
    for (size_t class = 0; class < 4000; class++) {
        draw_exemplars(1, class, 10, 3, chosen);
        for (size_t i = 0; i < 3; i++)
            seen[chosen[i]]++;
    }
    for (size_t i = 0; i < 10; i++) /* 1200 expected, deviation 29 */
        cr_assert(seen[i] > 1050 && seen[i] < 1350, "%zu: %zu", i, seen[i]);
}

/* ---- nearest mean ---- */

Test(exemplars, means_and_the_nearest_are_naive_ones)
{
    enum { CLASSES = 5, ROWS = 9, WIDTH = 13, STRIDE = 16 };
    static float x[CLASSES * ROWS * STRIDE], queries[40 * STRIDE];
    double means[CLASSES * WIDTH];
    long double expected[CLASSES][WIDTH] = {{0}}, unit[WIDTH];
    fill_rows(x, CLASSES * ROWS, WIDTH, STRIDE, 77);
    fill_rows(queries, 40, WIDTH, STRIDE, 78);
    for (size_t c = 0; c < CLASSES; c++) {
        class_mean(x + c * ROWS * STRIDE, ROWS, WIDTH, STRIDE, means + c * WIDTH);
        long double length = 0;
        for (size_t r = 0; r < ROWS; r++) {
            naive_unit(x + (c * ROWS + r) * STRIDE, WIDTH, unit);
            for (size_t i = 0; i < WIDTH; i++)
                expected[c][i] += unit[i] / ROWS;
        }
        for (size_t i = 0; i < WIDTH; i++)
            length = hypotl(length, expected[c][i]);
        for (size_t i = 0; i < WIDTH; i++) {
            expected[c][i] /= length;
            cr_assert(fabsl(expected[c][i] - means[c * WIDTH + i]) < 1e-14L);
        }
    }
    for (size_t q = 0; q < 40; q++) { /* among unit vectors the nearest has the largest cosine */
        long double best = -2;
        size_t nearest = 0;
        naive_unit(queries + q * STRIDE, WIDTH, unit);
        for (size_t c = 0; c < CLASSES; c++) {
            long double cosine = 0;
            for (size_t i = 0; i < WIDTH; i++)
                cosine += unit[i] * expected[c][i];
            if (cosine > best) {
                best = cosine;
                nearest = c;
            }
        }
        cr_assert_eq(nearest_mean(queries + q * STRIDE, means, CLASSES, WIDTH), nearest, "query %zu", q);
    }
}

Test(exemplars, the_nearest_is_the_first_of_equals_and_no_empty_class)
{
    const float row[] = {10, 0};
    double means[8] = {0, 1, 0, -1, 0.6, 0.8, 0.6, -0.8};
    cr_assert_eq(nearest_mean(row, means, 4, 2), 2);
    cr_assert_eq(nearest_mean(row, means, 2, 2), 0);
    class_mean(row, 0, 2, 2, means + 4); /* nothing kept of the class */
    cr_assert(isnan(means[4]) && isnan(means[5]));
    cr_assert_eq(nearest_mean(row, means, 4, 2), 3);
    cr_assert_eq(nearest_mean(row, means + 4, 1, 2), 0);
}

/* ---- settings and lists ---- */

Test(exemplars, quotas_share_the_memory)
{
    static const struct { const char *memory, *of; size_t seen, quota; } cases[] = {
        {"memory=200", "memory_of=all", 2, 100}, {"memory=200", "memory_of=all", 19, 10},
        {"memory=200", "memory_of=all", 201, 0}, {"memory=20", "memory_of=class", 2, 20},
        {"memory=20", "memory_of=class", 100, 20}, {"memory=0", "memory_of=all", 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings s = make_settings("scenario=incremental", "allocator=none", "strategy=icarl", cases[i].memory,
                                          cases[i].of, NULL);
        cr_assert_eq(exemplars_quota(&s, cases[i].seen), cases[i].quota, "case %zu", i);
        const char *why = exemplars_check(&s);
        cr_assert_eq(why != NULL, strcmp(cases[i].memory, "memory=0") == 0, "case %zu", i);
        cr_assert(!why || strstr(why, "memory must be 1 or more"));
        settings_free(&s);
    }
}

Test(exemplars, only_strategies_with_a_memory_read_its_keys)
{
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_STRATEGY, i)); i++) {
        char *text = format_text("strategy=%s", plug->name);
        struct settings s = make_settings("scenario=incremental", "allocator=none", text, NULL);
        bool keeps = ((const struct strategy_ops *)plug)->keeps_exemplars;
        cr_assert(setting_has(&s, "memory") == keeps && setting_has(&s, "memory_of") == keeps
                  && setting_has(&s, "exemplars") == keeps, "%s", plug->name);
        cr_assert_eq(exemplars_quota(&s, 4), keeps ? 50 : 0);
        settings_free(&s);
        free(text);
    }
    struct settings offline = make_settings("allocator=none", NULL);
    cr_assert(!setting_has(&offline, "memory") && exemplars_quota(&offline, 4) == 0);
    settings_free(&offline);
}

Test(exemplars, truncation_keeps_the_first)
{
    struct settings s = make_settings("scenario=incremental", "allocator=none", "strategy=er", "memory=12", NULL);
    struct arena arena = {0};
    struct exemplars e;
    struct kept kept = {0};
    exemplars_begin(&e, &s, 4, 2, 100, &arena);
    cr_assert(e.classes == 4 && e.capacity == 6 && e.count[0] == 0 && e.count[3] == 0);
    for (uint32_t c = 0; c < 3; c++) {
        e.count[c] = 6 - c;
        for (uint32_t i = 0; i < e.count[c]; i++)
            e.samples[c * e.capacity + i] = 10 * c + i;
    }
    exemplars_truncate(&e, exemplars_quota(&s, 3));
    cr_assert(e.count[0] == 4 && e.count[1] == 4 && e.count[2] == 4 && e.count[3] == 0);
    exemplars_truncate(&e, 5);
    cr_assert_eq(e.count[0], 4, "a larger quota brings none back");
    for (uint32_t c = 0; c < 3; c++)
        for (uint32_t i = 0; i < 4; i++)
            cr_assert_eq(e.samples[c * e.capacity + i], 10 * c + i);
    exemplars_keep(&e, &kept);
    cr_assert_eq(kept_size(&kept), 4 * sizeof *e.count + 24 * sizeof *e.samples);
    kept_free(&kept);
    exemplars_begin(&e, &s, 4, 2, 5, &arena);
    cr_assert_eq(e.capacity, 5, "no class has more samples");
    arena_free(&arena);
    settings_free(&s);
}
