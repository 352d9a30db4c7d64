/* SPDX-License-Identifier: GPL-3.0-or-later
 * Drawing the users that test, and dividing a loaded set by them. */
#include "users.h"
#include "../bench/tasks.h"
#include "datasets.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool draws_test_users(const struct settings *s)
{
    return is_incremental(s) && setting_has(s, "test_users") && !setting_is(s, "test_users", "fixed");
}

size_t choose_test_users(const int64_t *users, size_t count, double share, uint64_t seed, int64_t **chosen)
{
    /* The small term keeps a product like 0.7 × 10 from rounding up. */
    size_t train = (size_t)ceil((1 - share) * (double)count - 1e-9);
    train = train < 1 ? 1 : train < count ? train : count - 1;
    uint32_t *order = xmalloc(count * sizeof *order);
    int64_t *drawn = xmalloc((count - train) * sizeof *drawn);
    rng_permutation(rng_key(seed, STREAM_SPLIT, 1, 0), count, order);
    for (size_t i = train; i < count; i++)
        drawn[i - train] = users[order[i]];
    size_t testing = distinct_values(drawn, count - train, chosen);
    free(drawn);
    free(order);
    return testing;
}

bool is_among(const int64_t *values, size_t count, int64_t value)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] == value)
            return true;
    return false;
}

/* ---- dividing a loaded set ---- */

/* Distinct users of both parts; returns their number. */
static size_t users_of(const struct dataset *dataset, int64_t **users)
{
    const struct part *parts[] = {&dataset->train, &dataset->test};
    size_t next = 0;
    int64_t *all = xmalloc((dataset->train.count + dataset->test.count) * sizeof *all);
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++)
            all[next++] = parts[p]->user[i];
    size_t count = distinct_values(all, next, users);
    free(all);
    return count;
}

static struct part new_part(size_t count, size_t features)
{
    return (struct part){.x = xmalloc(count * features * sizeof(float)), .y = xmalloc(count * sizeof(int32_t)),
                         .user = xmalloc(count * sizeof(int32_t))};
}

static void append(struct part *to, const struct part *from, size_t sample, size_t features)
{
    memcpy(to->x + to->count * features, from->x + sample * features, features * sizeof *to->x);
    to->y[to->count] = from->y[sample];
    to->user[to->count++] = from->user[sample];
}

static void part_free(struct part *part)
{
    free(part->x);
    free(part->y);
    free(part->user);
}

static void divide(struct dataset *dataset, const int64_t *testing, size_t testing_count)
{
    struct part old[] = {dataset->train, dataset->test};
    size_t count = old[0].count + old[1].count, test = 0;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < old[p].count; i++)
            test += is_among(testing, testing_count, old[p].user[i]);
    dataset->train = new_part(count - test, dataset->features);
    dataset->test = new_part(test, dataset->features);
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < old[p].count; i++)
            append(is_among(testing, testing_count, old[p].user[i]) ? &dataset->test : &dataset->train, &old[p], i,
                   dataset->features);
        part_free(&old[p]);
    }
}

/* The line on the test part that the file was divided into no longer holds. */
static void note_users(struct dataset *dataset, const int64_t *testing, size_t count)
{
    char *list = value_list(testing, count), *lines = xstrdup(""), *rest = dataset->attributes, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (!*line || strncmp(line, "test_part=", strlen("test_part=")) == 0)
            continue;
        char *longer = format_text("%s%s\n", lines, line);
        free(lines);
        lines = longer;
    }
    free(dataset->attributes);
    dataset->attributes = format_text("%stest_users=%s\n", lines, list);
    free(lines);
    free(list);
}

bool split_users(struct dataset *dataset, double share, uint64_t seed, struct error *error)
{
    int64_t *users, *testing;
    if (!dataset->train.user || (dataset->test.count && !dataset->test.user))
        return fail(error, "%s names no users, so none can be drawn for testing; valid: test_users: fixed or auto",
                    dataset->name);
    size_t count = users_of(dataset, &users);
    if (count < 2) {
        free(users);
        return fail(error, "%s has one user only, so none can be kept for testing; valid: test_users: fixed", dataset->name);
    }
    size_t testing_count = choose_test_users(users, count, share, seed, &testing);
    divide(dataset, testing, testing_count);
    note_users(dataset, testing, testing_count);
    free(testing);
    free(users);
    return true;
}
