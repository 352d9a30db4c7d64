/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which users test, and dividing a set by them. */
#include "../bench/settings.h"
#include "../datasets/users.h"
#include "dataset_files.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof (array) / sizeof *(array))

Test(users, how_many_test)
{
    static const struct { size_t users, testing; double share; } cases[] = {
        {8, 1, 0.2}, {6, 1, 0.2}, {28, 5, 0.2}, {30, 6, 0.2}, {10, 3, 0.3}, {2, 1, 0.9}, {2, 1, 0.01}, {44, 8, 0.2},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        int64_t users[64], *chosen;
        for (size_t u = 0; u < cases[c].users; u++)
            users[u] = 3 * (int64_t)u - 5;
        size_t count = choose_test_users(users, cases[c].users, cases[c].share, 7, &chosen);
        cr_expect_eq(count, cases[c].testing, "%zu users: %zu test", cases[c].users, count);
        for (size_t i = 0; i < count; i++) {
            cr_expect((chosen[i] + 5) % 3 == 0 && chosen[i] >= -5 && chosen[i] < 3 * (int64_t)cases[c].users - 5);
            cr_expect(i == 0 || chosen[i] > chosen[i - 1]);
        }
        free(chosen);
    }
}

/* The last of the permutation of (seed, STREAM_SPLIT, 1, 0), and of 8 users nobody is drawn much more than the others. */
Test(users, every_user_gets_a_turn)
{
    const int64_t users[] = {1, 2, 3, 4, 5, 6, 7, 8};
    size_t turns[9] = {0};
    for (uint64_t seed = 0; seed < 800; seed++) {
        int64_t *chosen;
        uint32_t order[8];
        rng_permutation(rng_key(seed, STREAM_SPLIT, 1, 0), 8, order);
        cr_assert_eq(choose_test_users(users, 8, 0.2, seed, &chosen), 1);
        cr_assert_eq(chosen[0], users[order[7]]);
        cr_assert(seed > 0 || chosen[0] == 3, "seed 0 divides files without a test part");
        turns[chosen[0]]++;
        free(chosen);
    }
    for (int user = 1; user <= 8; user++)
        cr_expect(turns[user] > 60 && turns[user] < 140, "user %d tests %zu times in 800", user, turns[user]);
}

/* ---- dividing a set ---- */

#define FEATURES 3

/* A part whose samples can be told apart: feature k of sample i is 10 (first + i) + k. */
static struct part made_part(size_t first, size_t count, const int32_t *users)
{
    struct part part = {count, xmalloc(count * FEATURES * sizeof(float)), xmalloc(count * sizeof(int32_t)), NULL};
    for (size_t i = 0; i < count; i++) {
        part.y[i] = (int32_t)(first + i) % 4;
        for (size_t k = 0; k < FEATURES; k++)
            part.x[i * FEATURES + k] = (float)(10 * (first + i) + k);
    }
    if (users) {
        part.user = xmalloc(count * sizeof *part.user);
        memcpy(part.user, users, count * sizeof *users);
    }
    return part;
}

static const int32_t train_users[] = {4, 4, 9, 2, 9, 4, 7}, test_users[] = {1, 9, 1, 4};

static struct dataset made_set(const int32_t *train, const int32_t *test)
{
    return (struct dataset){.name = "made", .rank = 1, .shape = {FEATURES}, .features = FEATURES, .classes = 4,
                            .train = made_part(0, 7, train), .test = made_part(7, 4, test),
                            .attributes = xstrdup("path=made.h5\ntest_part=users 1\nlicense=CC0\n")};
}

static int32_t user_of(size_t sample) { return sample < 7 ? train_users[sample] : test_users[sample - 7]; }

Test(users, samples_go_where_their_users_go)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        const int64_t users[] = {1, 2, 4, 7, 9};
        int64_t *chosen;
        struct error error;
        struct dataset dataset = made_set(train_users, test_users);
        cr_assert_eq(choose_test_users(users, 5, 0.4, seed, &chosen), 2);
        cr_assert(split_users(&dataset, 0.4, seed, &error), "%s", error.text);
        size_t next[2] = {0, 0};
        for (size_t sample = 0; sample < 11; sample++) {
            bool testing = user_of(sample) == chosen[0] || user_of(sample) == chosen[1];
            const struct part *part = testing ? &dataset.test : &dataset.train;
            size_t at = next[testing]++;
            cr_assert_lt(at, part->count);
            cr_expect(part->user[at] == user_of(sample) && part->y[at] == (int32_t)sample % 4);
            for (size_t k = 0; k < FEATURES; k++)
                cr_expect_eq(part->x[at * FEATURES + k], (float)(10 * sample + k));
        }
        cr_expect(next[0] == dataset.train.count && next[1] == dataset.test.count);
        char *expected = format_text("path=made.h5\nlicense=CC0\ntest_users=%ld %ld\n", (long)chosen[0], (long)chosen[1]);
        cr_expect_str_eq(dataset.attributes, expected);
        free(expected);
        free(chosen);
        dataset_free(&dataset);
    }
}

Test(users, sets_that_cannot_be_divided)
{
    static const int32_t one_user[7] = {0};
    static const struct { const int32_t *train, *test; const char *words; } cases[] = {
        {NULL, NULL, "made names no users, so none can be drawn for testing; valid: test_users: fixed or auto"},
        {train_users, NULL, "made names no users"},
        {NULL, test_users, "made names no users"},
        {one_user, one_user, "made has one user only"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        struct error error;
        struct dataset dataset = made_set(cases[c].train, cases[c].test);
        cr_assert(!split_users(&dataset, 0.2, 1, &error), "case %zu", c);
        cr_expect_not_null(strstr(error.text, cases[c].words), "%s", error.text);
        cr_expect(dataset.train.count == 7 && dataset.test.count == 4, "as it was");
        dataset_free(&dataset);
    }
}

Test(users, sets_without_test_part_or_attributes)
{
    struct error error;
    struct dataset dataset = {.name = "made", .features = FEATURES, .train = made_part(0, 7, train_users)};
    cr_assert(split_users(&dataset, 0.25, 3, &error), "%s", error.text);
    cr_expect_eq(dataset.train.count + dataset.test.count, 7);
    cr_expect_eq(strncmp(dataset.attributes, "test_users=", 11), 0);
    dataset_free(&dataset);
}

/* A file's own users: drawn anew they leave every sample there once. */
Test(users, a_file_divided_anew)
{
    char *folder = data_folder();
    struct dataset dataset;
    struct error error;
    bool seen[120] = {false};
    write_numbered(folder, 120, 8);
    load_or_fail(&dataset_hdf5, "made", &dataset);
    cr_assert(split_users(&dataset, 0.2, 5, &error), "%s", error.text);
    cr_expect(dataset.train.count == 105 && dataset.test.count == 15);
    cr_expect_null(attribute_line(&dataset, "test_part="));
    const struct part *parts[] = {&dataset.train, &dataset.test};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            size_t sample = (size_t)parts[p]->x[i];
            cr_assert(!seen[sample] && parts[p]->y[i] == (int32_t)sample % 4 && parts[p]->user[i] == (int32_t)sample % 8);
            seen[sample] = true;
        }
    for (size_t i = 1; i < dataset.test.count; i++)
        cr_expect_eq(dataset.test.user[i], dataset.test.user[0]);
    dataset_free(&dataset);
    remove_folder(folder);
}

/* ---- the setting ---- */

Test(users, test_split_is_read_where_it_matters)
{
    struct settings offline = settings_of("scenario", "offline", "dataset", "made", NULL),
                    drawn = settings_of("scenario", "incremental", "test_users", "auto", "dataset", "made", NULL),
                    fixed = settings_of("scenario", "incremental", "test_users", "fixed", "dataset", "made", NULL),
                    none = {0};
    cr_expect(!draws_test_users(&none) && !draws_test_users(&offline));
    cr_expect(draws_test_users(&drawn) && !draws_test_users(&fixed));

    char *folder = data_folder();
    const double x[] = {1, 2, 3, 4}, y[] = {0, 1, 0, 1}, user[] = {7, 7, 9, -1};
    const hsize_t dims[] = {4, 1};
    hid_t file = create_h5(folder, "made");
    put_array(file, "x", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y", 4, y);
    put_array(file, "x_test", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y_test", 4, y);
    bool (*used)(const struct settings *) = dataset_hdf5.plug.params[0]->used;
    H5Fclose(file);
    cr_expect(!used(&offline) && !used(&drawn) && !used(&fixed), "a test part of its own and no users");
    file = create_h5(folder, "made");
    put_array(file, "x", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y", 4, y);
    put_column(file, "user", 4, user);
    put_array(file, "x_test", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y_test", 4, y);
    put_column(file, "user_test", 4, user);
    H5Fclose(file);
    cr_expect(!used(&offline) && used(&drawn) && !used(&fixed), "both parts name users");
    remove_folder(folder);
    settings_free(&offline);
    settings_free(&drawn);
    settings_free(&fixed);
}
