/* SPDX-License-Identifier: GPL-3.0-or-later
 * Settings that vary, and groups of runs. */
#include "grouping.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS "/settings/"

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

bool run_number(const struct record *run, const char *path, double *value)
{
    const struct field *field = record_find(run, path);
    if (!field || field->rank > 1 || field_count(field) == 0)
        return false;
    size_t last = field_count(field) - 1;
    switch (field->type) {
    case RECORD_F64: *value = ((const double *)field->data)[last]; return true;
    case RECORD_F32: *value = ((const float *)field->data)[last]; return true;
    case RECORD_I64: *value = (double)((const int64_t *)field->data)[last]; return true;
    case RECORD_I8: *value = ((const int8_t *)field->data)[last]; return true;
    case RECORD_TEXT: break;
    }
    return false;
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

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void results_keys(const struct results *results, struct names *varying, struct names *constant)
{
    static const char *const first[] = {"dataset", "model", "mode", "allocator", "budget"};
    struct names others = {0}, all = {0};
    for (size_t i = 0; i < results->count; i++)
        for (size_t f = 0; f < results->runs[i].count; f++) {
            const char *path = results->runs[i].fields[f].path;
            if (strncmp(path, SETTINGS, strlen(SETTINGS)) == 0 && strcmp(path, SETTINGS "seed") != 0)
                names_add(&others, path + strlen(SETTINGS));
        }
    if (others.count)
        qsort(others.items, others.count, sizeof *others.items, by_name);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (constant_value(results, first[i]))
            names_add(&all, first[i]);
    for (size_t i = 0; i < others.count; i++)
        names_add(&all, others.items[i]);
    *varying = *constant = (struct names){0};
    for (size_t i = 0; i < all.count; i++)
        names_add(is_varying(results, all.items[i]) ? varying : constant, all.items[i]);
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
