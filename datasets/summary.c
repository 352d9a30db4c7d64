/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "summary.h"
#include "datasets.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *dataset_shape_text(const struct dataset *dataset)
{
    char *text = xstrdup("");
    for (int i = 0; i < dataset->rank; i++) {
        char *longer = format_text("%s%s%zu", text, i ? "x" : "", dataset->shape[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* Calls `visit` with each key and value of the attributes. */
static void each_attribute(const struct dataset *dataset,
                           void (*visit)(void *context, const char *key, const char *value), void *context)
{
    char *lines = xstrdup(dataset->attributes ? dataset->attributes : ""), *rest = lines, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        visit(context, line, value);
    }
    free(lines);
}

struct wanted { const char *key; char *value; };

static void keep_wanted(void *context, const char *key, const char *value)
{
    struct wanted *wanted = context;
    if (!wanted->value && strcmp(key, wanted->key) == 0)
        wanted->value = xstrdup(value);
}

char *dataset_attribute(const struct dataset *dataset, const char *key)
{
    struct wanted wanted = {key, NULL};
    each_attribute(dataset, keep_wanted, &wanted);
    return wanted.value;
}

/* ---- counts ----------------------------------------------------------------------------- */

/* Samples of one part per class, or per user. */
struct tally { size_t count; int64_t *values; size_t *train, *test; };

static void tally_part(const struct tally *tally, const int32_t *values, size_t count, size_t *out)
{
    for (size_t i = 0; values && i < count; i++)
        out[value_index(tally->values, tally->count, values[i])]++;
}

static void begin_tally(struct tally *tally, size_t count, int64_t *values)
{
    *tally = (struct tally){count, values, xcalloc(count + 1, sizeof *tally->train),
                            xcalloc(count + 1, sizeof *tally->test)};
}

static void end_tally(struct tally *tally)
{
    free(tally->values);
    free(tally->train);
    free(tally->test);
}

static void tally_classes(const struct dataset *dataset, struct tally *tally)
{
    size_t classes = (size_t)dataset->classes;
    int64_t *values = xmalloc(classes * sizeof *values);
    for (size_t c = 0; c < classes; c++)
        values[c] = (int64_t)c;
    begin_tally(tally, classes, values);
    tally_part(tally, dataset->train.y, dataset->train.count, tally->train);
    tally_part(tally, dataset->test.y, dataset->test.count, tally->test);
}

static void tally_users(const struct dataset *dataset, struct tally *tally)
{
    const struct part *parts[] = {&dataset->train, &dataset->test};
    size_t all = 0, count;
    int64_t *users = xmalloc((dataset->train.count + dataset->test.count) * sizeof *users), *distinct;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; parts[p]->user && i < parts[p]->count; i++)
            users[all++] = parts[p]->user[i];
    count = distinct_values(users, all, &distinct);
    free(users);
    begin_tally(tally, count, distinct);
    tally_part(tally, dataset->train.user, dataset->train.count, tally->train);
    tally_part(tally, dataset->test.user, dataset->test.count, tally->test);
}

static void widen_range(const struct dataset *dataset, const struct part *part, float *lowest, float *highest)
{
    for (size_t i = 0; i < part->count * dataset->features; i++) {
        *lowest = part->x[i] < *lowest ? part->x[i] : *lowest;
        *highest = part->x[i] > *highest ? part->x[i] : *highest;
    }
}

static void value_range(const struct dataset *dataset, float *lowest, float *highest)
{
    *lowest = INFINITY;
    *highest = -INFINITY;
    widen_range(dataset, &dataset->train, lowest, highest);
    widen_range(dataset, &dataset->test, lowest, highest);
}

/* ---- text --------------------------------------------------------------------------------- */

static void print_tally(const char *what, const struct tally *tally)
{
    printf("%-10s %9s %9s\n", what, "train", "test");
    for (size_t i = 0; i < tally->count; i++)
        printf("%-10" PRId64 " %9zu %9zu\n", tally->values[i], tally->train[i], tally->test[i]);
}

static void print_attribute(void *context, const char *key, const char *value)
{
    (void)context;
    printf("%-10s %s\n", key, value);
}

void dataset_print_summary(const struct dataset *dataset)
{
    struct tally classes, users;
    float lowest, highest;
    char *shape = dataset_shape_text(dataset);
    tally_classes(dataset, &classes);
    tally_users(dataset, &users);
    value_range(dataset, &lowest, &highest);
    printf("%-10s %s\n%-10s %s\n", "name", dataset->name, "sha256", dataset->sha256);
    printf("%-10s %s (%zu features)\n%-10s %d\n", "shape", shape, dataset->features, "classes",
           dataset->classes);
    printf("%-10s %g to %g\n", "values", (double)lowest, (double)highest);
    putchar('\n');
    each_attribute(dataset, print_attribute, NULL);
    printf("\n%-10s %9s %9s\n%-10s %9zu %9zu\n", "", "train", "test", "samples", dataset->train.count,
           dataset->test.count);
    putchar('\n');
    print_tally("class", &classes);
    if (users.count) {
        putchar('\n');
        print_tally("user", &users);
    }
    end_tally(&classes);
    end_tally(&users);
    free(shape);
}

void dataset_warn_of_gaps(const struct dataset *dataset)
{
    struct tally classes;
    tally_classes(dataset, &classes);
    for (size_t c = 0; c < classes.count; c++)
        if (classes.train[c] == 0 || classes.test[c] == 0)
            fprintf(stderr, "bitsweep data: warning: class %zu of %s has no %s samples\n", c, dataset->name,
                    classes.train[c] == 0 ? "training" : "test");
    end_tally(&classes);
}

/* ---- JSON --------------------------------------------------------------------------------- */

cJSON *dataset_description_json(const struct dataset *dataset)
{
    cJSON *json = cJSON_CreateObject();
    char *path = dataset_attribute(dataset, "path");
    cJSON_AddStringToObject(json, "name", dataset->name);
    if (path)
        cJSON_AddStringToObject(json, "path", path);
    cJSON_AddStringToObject(json, "sha256", dataset->sha256);
    cJSON *shape = cJSON_AddArrayToObject(json, "shape");
    for (int i = 0; i < dataset->rank; i++)
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)dataset->shape[i]));
    cJSON_AddNumberToObject(json, "classes", dataset->classes);
    cJSON_AddNumberToObject(json, "train", (double)dataset->train.count);
    cJSON_AddNumberToObject(json, "test", (double)dataset->test.count);
    free(path);
    return json;
}

static void add_tally(cJSON *json, const char *name, const char *what, const struct tally *tally)
{
    cJSON *list = cJSON_AddArrayToObject(json, name);
    for (size_t i = 0; i < tally->count; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, what, (double)tally->values[i]);
        cJSON_AddNumberToObject(item, "train", (double)tally->train[i]);
        cJSON_AddNumberToObject(item, "test", (double)tally->test[i]);
        cJSON_AddItemToArray(list, item);
    }
}

static void add_attribute(void *context, const char *key, const char *value)
{
    cJSON_AddStringToObject(context, key, value);
}

cJSON *dataset_summary_json(const struct dataset *dataset)
{
    struct tally classes, users;
    float lowest, highest;
    cJSON *json = dataset_description_json(dataset);
    tally_classes(dataset, &classes);
    tally_users(dataset, &users);
    value_range(dataset, &lowest, &highest);
    cJSON_AddNumberToObject(json, "minimum", (double)lowest);
    cJSON_AddNumberToObject(json, "maximum", (double)highest);
    add_tally(json, "per_class", "class", &classes);
    add_tally(json, "per_user", "user", &users);
    each_attribute(dataset, add_attribute, cJSON_AddObjectToObject(json, "attributes"));
    end_tally(&classes);
    end_tally(&users);
    return json;
}
