/* SPDX-License-Identifier: GPL-3.0-or-later
 * Class orders against numpy's and the published ones, tasks, labels. */
#include "../bench/settings.h"
#include "../bench/tasks.h"
#include "dataset_files.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof (array) / sizeof *(array))

/* Outputs of the authors' mt19937ar.c, also in the C++ standard (26.6.6). */
Test(tasks, mersenne_twister)
{
    struct mersenne m;
    uint32_t value = 0;
    mersenne_seed(&m, 5489);
    cr_expect_eq(mersenne_bits(&m), 3499211612u);
    for (int i = 2; i <= 10000; i++)
        value = mersenne_bits(&m);
    cr_expect_eq(value, 4123659995u);
}

static void expect_order(uint32_t seed, const int32_t *expected, size_t count)
{
    int32_t *order = xmalloc(count * sizeof *order);
    class_order(seed, count, order);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(order[i], expected[i], "seed %u of %zu, place %zu: %d", seed, count, i, order[i]);
    free(order);
}
#define EXPECT_ORDER(seed, ...) expect_order(seed, (const int32_t[]){__VA_ARGS__}, COUNT(((const int32_t[]){__VA_ARGS__})))

/* numpy.random.seed(SEED); numpy.random.permutation(COUNT) of numpy 1.24. */
Test(tasks, orders_are_numpys)
{
    EXPECT_ORDER(42467, 8, 18, 9, 4, 5, 7, 3, 12, 0, 2, 13, 6, 17, 14, 10, 15, 1, 11, 16);
    EXPECT_ORDER(88801, 15, 2, 7, 10, 4, 6, 17, 1, 9, 16, 12, 18, 5, 3, 14, 0, 13, 11, 8);
    EXPECT_ORDER(91280, 6, 12, 14, 17, 7, 13, 9, 2, 11, 4, 5, 15, 1, 8, 10, 16, 3, 0);
    EXPECT_ORDER(1, 2, 3, 4, 10, 1, 6, 0, 7, 11, 9, 8, 5);
    EXPECT_ORDER(UINT32_MAX, 1, 4, 5, 0, 2, 3);
    EXPECT_ORDER(0, 1, 0);
    EXPECT_ORDER(0, 0);
}

/* The state is renewed on the way. */
Test(tasks, a_long_order_is_numpys)
{
    static const int32_t first[] = {595, 115, 424, 138, 236, 57, 235, 383}, last[] = {502, 537, 196, 175};
    int32_t order[700];
    int64_t sum = 0;
    class_order(7, 700, order);
    cr_expect_arr_eq(order, first, sizeof first);
    cr_expect_arr_eq(order + 696, last, sizeof last);
    for (int64_t i = 0; i < 700; i++)
        sum += i * order[i];
    cr_expect_eq(sum, 84219942);
}

/* The orders of PAMAP2's 11 labels that the HDQT paper's figures show. */
Test(tasks, the_published_orders)
{
    static const int32_t labels[] = {1, 2, 3, 4, 5, 6, 7, 12, 13, 16, 17};
    static const struct { uint32_t seed; int32_t order[11]; } published[] = {
        {42467, {17, 16, 5, 6, 4, 7, 3, 2, 13, 12, 1}},
        {88801, {5, 3, 12, 2, 17, 16, 4, 7, 1, 6, 13}},
        {91280, {6, 7, 5, 12, 2, 17, 3, 13, 16, 4, 1}},
    };
    for (size_t p = 0; p < COUNT(published); p++) {
        int32_t order[11];
        class_order(published[p].seed, 11, order);
        for (size_t i = 0; i < 11; i++)
            cr_expect_eq(labels[order[i]], published[p].order[i], "seed %u, place %zu", published[p].seed, i);
    }
}

/* ---- tasks ---- */

static struct settings tasks_settings(const char *init_classes, const char *increment, const char *class_seed)
{
    return settings_of("init_classes", init_classes, "increment", increment, "class_seed", class_seed, "seed", "42467",
                       NULL);
}

static void expect_first(const char *init_classes, const char *increment, size_t classes, const char *expected)
{
    struct settings settings = tasks_settings(init_classes, increment, "sorted");
    struct tasks tasks;
    char text[1024] = "";
    cr_assert_null(tasks_check(&settings, classes));
    tasks_make(&tasks, &settings, classes);
    cr_expect_eq(tasks.classes, classes);
    for (size_t t = 0; t <= tasks.count; t++)
        sprintf(text + strlen(text), " %zu", tasks.first[t]);
    cr_expect_str_eq(text, expected, "init_classes %s, increment %s, %zu classes", init_classes, increment, classes);
    tasks_free(&tasks);
    cr_expect_null(tasks.order);
    settings_free(&settings);
}

Test(tasks, sizes)
{
    expect_first("increment", "2", 19, " 0 2 4 6 8 10 12 14 16 18 19");
    expect_first("increment", "20", 100, " 0 20 40 60 80 100");
    expect_first("50", "10", 100, " 0 50 60 70 80 90 100");
    expect_first("1", "3", 5, " 0 1 4 5");
    expect_first("7", "3", 7, " 0 7");
    expect_first("2", "100", 7, " 0 2 7");
}

Test(tasks, what_makes_no_tasks)
{
    static const struct { const char *init_classes, *increment; size_t classes; const char *words; } bad[] = {
        {"20", "2", 19, "more classes than the data set"},
        {"increment", "20", 19, "more classes than the data set"},
        {"1", "1", 129, "more than 128 tasks"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct settings settings = tasks_settings(bad[i].init_classes, bad[i].increment, "0");
        const char *why = tasks_check(&settings, bad[i].classes);
        cr_assert_not_null(why, "case %zu", i);
        cr_expect_not_null(strstr(why, bad[i].words), "%s", why);
        settings_free(&settings);
    }
    struct settings most = tasks_settings("1", "1", "0");
    cr_expect_null(tasks_check(&most, 128));
    struct tasks tasks;
    tasks_make(&tasks, &most, 128);
    cr_expect(tasks.count == 128 && tasks.first[128] == 128);
    tasks_free(&tasks);
    settings_free(&most);
}

Test(tasks, whose_seed_orders_the_classes)
{
    static const struct { const char *class_seed; int32_t first[3]; } cases[] = {
        {"seed", {8, 18, 9}}, {"88801", {15, 2, 7}}, {"sorted", {0, 1, 2}}, {"4294967295", {0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings settings = tasks_settings("increment", "2", cases[i].class_seed);
        struct tasks tasks;
        tasks_make(&tasks, &settings, i == 3 ? 6 : 19);
        if (i < 3)
            cr_expect_arr_eq(tasks.order, cases[i].first, sizeof cases[i].first);
        else
            cr_expect(tasks.order[0] == 1 && tasks.order[5] == 3);
        tasks_free(&tasks);
        settings_free(&settings);
    }
}

Test(tasks, labels_in_the_order_of_the_tasks)
{
    int32_t train[] = {0, 1, 2, 3, 3}, test[] = {3, 0}, order[] = {2, 0, 3, 1};
    static const int32_t new_train[] = {1, 3, 0, 2, 2}, new_test[] = {2, 1};
    struct dataset dataset = {.classes = 4, .train = {.count = 5, .y = train}, .test = {.count = 2, .y = test}};
    struct tasks tasks = {.count = 1, .classes = 4, .first = {0, 4}, .order = order};
    tasks_relabel(&tasks, &dataset);
    cr_expect_arr_eq(train, new_train, sizeof train);
    cr_expect_arr_eq(test, new_test, sizeof test);
}

/* ---- the settings ---- */

Test(tasks, keys_are_read_by_incremental_runs_only)
{
    static const struct param *const params[] = {&param_strategy, &param_init_classes, &param_increment, &param_class_seed,
                                                 &param_test_users};
    struct settings none = {0}, offline = settings_of("scenario", "offline", NULL),
                    incremental = settings_of("scenario", "incremental", NULL);
    cr_expect(!is_incremental(&none) && !is_incremental(&offline) && is_incremental(&incremental));
    for (size_t i = 0; i < COUNT(params); i++)
        cr_expect(!params[i]->used(&none) && !params[i]->used(&offline) && params[i]->used(&incremental), "%s",
                  params[i]->name);
    settings_free(&offline);
    settings_free(&incremental);
}

Test(tasks, values_of_the_keys)
{
    static const struct { const struct param *param; const char *text, *canonical; /* NULL: refused */ } cases[] = {
        {&param_class_seed, "4294967295", "4294967295"}, {&param_class_seed, "4294967296", NULL},
        {&param_class_seed, "seed", "seed"}, {&param_class_seed, "-1", NULL}, {&param_class_seed, "shuffled", NULL},
        {&param_init_classes, "increment", "increment"}, {&param_init_classes, "0", NULL}, {&param_increment, "0", NULL},
        {&param_increment, "increment", NULL}, {&param_test_users, "seed", "seed"}, {&param_test_users, "5", NULL},
        {&param_scenario, "incremental", "incremental"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *canonical = NULL;
        struct error error;
        bool good = param_parse(cases[i].param, cases[i].text, &canonical, &error);
        cr_expect_eq(good, cases[i].canonical != NULL, "%s: %s", cases[i].param->name, cases[i].text);
        if (good && cases[i].canonical)
            cr_expect_str_eq(canonical, cases[i].canonical);
        if (good)
            free(canonical);
    }
}
