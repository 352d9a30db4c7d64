/* SPDX-License-Identifier: GPL-3.0-or-later
 * Settings that vary, and groups of runs. */
#include "grouping.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS "/settings/"
#define BUDGETS "/budgets/"

bool results_load(const char *path, struct results *results, struct error *error)
{
    return store_read_runs(path, &results->runs, &results->count, &results->root, error);
}

void results_free(struct results *results)
{
    for (size_t i = 0; i < results->count; i++)
        record_free(&results->runs[i]);
    free(results->runs);
    record_free(&results->root);
}

const char *run_setting(const struct record *run, const char *key)
{
    char path[256];
    snprintf(path, sizeof path, SETTINGS "%s", key);
    return record_get_text(run, path, NULL);
}

bool run_done(const struct record *run) { return strcmp(record_get_text(run, "/status", ""), "done") == 0; }

static bool element(const struct field *field, size_t index, double *value)
{
    switch (field->type) {
    case RECORD_F64: *value = ((const double *)field->data)[index]; return true;
    case RECORD_F32: *value = ((const float *)field->data)[index]; return true;
    case RECORD_I64: *value = (double)((const int64_t *)field->data)[index]; return true;
    case RECORD_I8: *value = ((const int8_t *)field->data)[index]; return true;
    case RECORD_TEXT: break;
    }
    return false;
}

/* The largest miss of a budget as a share of its limit. */
static bool relative_miss(const struct record *run, double *value)
{
    const struct field *misses = record_find(run, BUDGETS "miss"), *limits = record_find(run, BUDGETS "limit");
    if (!misses || !limits || field_count(misses) != field_count(limits) || field_count(misses) == 0)
        return false;
    *value = 0;
    for (size_t b = 0; b < field_count(misses); b++) {
        double miss, limit;
        if (!element(misses, b, &miss) || !element(limits, b, &limit))
            return false;
        *value = fmax(*value, miss / limit);
    }
    return true;
}

/* "/budgets/achieved/bops": the value of /budgets/achieved that belongs to bops in /budgets/name. */
static bool budget_number(const struct record *run, const char *path, double *value)
{
    const char *cost = strrchr(path, '/') + 1;
    char values[256];
    if (strcmp(path, BUDGETS "relative_miss") == 0)
        return relative_miss(run, value);
    snprintf(values, sizeof values, "%.*s", (int)(cost - path - 1), path);
    const struct field *names = record_find(run, BUDGETS "name"), *field = record_find(run, values);
    if (!names || !field || names->type != RECORD_TEXT || field_count(names) != field_count(field))
        return false;
    for (size_t i = 0; i < field_count(names); i++)
        if (strcmp(((char **)names->data)[i], cost) == 0)
            return element(field, i, value);
    return false;
}

bool run_number(const struct record *run, const char *path, double *value)
{
    const struct field *field = record_find(run, path);
    if (!field && strncmp(path, BUDGETS, strlen(BUDGETS)) == 0)
        return budget_number(run, path, value);
    return field && field->rank <= 1 && field_count(field) > 0 && element(field, field_count(field) - 1, value);
}

struct names budget_costs(const struct results *results)
{
    struct names costs = {0};
    for (size_t i = 0; i < results->count; i++) {
        const struct field *names = record_find(&results->runs[i], BUDGETS "name");
        for (size_t b = 0; names && names->type == RECORD_TEXT && b < field_count(names); b++)
            names_add(&costs, ((char **)names->data)[b]);
    }
    return costs;
}

const char *constant_value(const struct results *results, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < results->count && !value; i++)
        value = run_setting(&results->runs[i], key);
    return value;
}

/* Whether a run reads a key follows from the others' values, so runs that do not read it say nothing here. */
static bool is_varying(const struct results *results, const char *key)
{
    const char *first = constant_value(results, key), *value;
    for (size_t i = 0; i < results->count; i++)
        if ((value = run_setting(&results->runs[i], key)) != NULL && strcmp(value, first) != 0)
            return true;
    return false;
}

bool draws_classes(const char *value) { return strcmp(value, "sorted") != 0; }

static bool is_seed(const struct results *results, const char *key)
{
    const char *value;
    if (strcmp(key, "class_seed") != 0)
        return strcmp(key, "seed") == 0;
    for (size_t i = 0; i < results->count; i++)
        if ((value = run_setting(&results->runs[i], key)) != NULL && !draws_classes(value))
            return false;
    return is_varying(results, key);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void results_keys(const struct results *results, struct names *varying, struct names *constant, struct names *seeds)
{
    static const char *const first[] = {"dataset", "model", "mode", "allocator", "budget"};
    struct names others = {0}, all = {0};
    for (size_t i = 0; i < results->count; i++)
        for (size_t f = 0; f < results->runs[i].count; f++) {
            const char *path = results->runs[i].fields[f].path;
            if (strncmp(path, SETTINGS, strlen(SETTINGS)) == 0)
                names_add(&others, path + strlen(SETTINGS));
        }
    if (others.count)
        qsort(others.items, others.count, sizeof *others.items, by_name);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (constant_value(results, first[i]))
            names_add(&all, first[i]);
    for (size_t i = 0; i < others.count; i++)
        names_add(&all, others.items[i]);
    *varying = *constant = *seeds = (struct names){0};
    names_add(seeds, "seed");
    for (size_t i = 0; i < all.count; i++) {
        const char *key = all.items[i];
        names_add(is_seed(results, key) ? seeds : is_varying(results, key) ? varying : constant, key);
    }
    names_free(&others);
    names_free(&all);
}

/* The run's values of the keys in one text, so that runs are quickly compared; free() it. */
static char *joined_values(const struct record *run, const struct names *keys)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < keys->count; i++) {
        const char *value = run_setting(run, keys->items[i]);
        char *longer = format_text("%s%s%s\n", text, value ? "=" : "", value ? value : "");
        free(text);
        text = longer;
    }
    return text;
}

struct groups group_runs(const struct results *results, const struct names *keys)
{
    struct groups groups = {xcalloc(results->count + 1, sizeof *groups.items), 0};
    for (size_t i = 0; i < results->count; i++) {
        char *values = joined_values(&results->runs[i], keys);
        size_t at = 0;
        while (at < groups.count && strcmp(groups.items[at].values, values) != 0)
            at++;
        struct group *group = &groups.items[at];
        if (at == groups.count) {
            groups.count++;
            group->values = values;
        } else {
            free(values);
        }
        group->runs = xrealloc(group->runs, (group->count + 1) * sizeof *group->runs);
        group->runs[group->count++] = &results->runs[i];
        group->done += run_done(&results->runs[i]);
    }
    return groups;
}

void groups_free(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        free(groups->items[i].values);
        free(groups->items[i].runs);
    }
    free(groups->items);
    *groups = (struct groups){0};
}
