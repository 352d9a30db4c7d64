/* SPDX-License-Identifier: GPL-3.0-or-later
 * A row for each group of runs: how many, and the mean and spread of each metric. */
#include "../results/stats.h"
#include "table.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A quantity that none of the runs has defined (the sensitivities of uniform) counts as absent. */
static struct summary summarise_group(const struct group *group, const char *path)
{
    double *values = xmalloc(group->count * sizeof *values);
    size_t count = 0, undefined = 0;
    for (size_t i = 0; i < group->count; i++)
        if (run_done(group->runs[i]) && run_number(group->runs[i], path, &values[count]))
            undefined += isnan(values[count++]) != 0;
    if (undefined == count)
        count = 0;
    struct summary summary = summarise(values, count);
    free(values);
    return summary;
}

static char *metric_cell(const struct metric *metric, const struct summary *summary)
{
    if (summary->count == 0)
        return xstrdup("-");
    char *mean = metric_text(metric, summary->mean);
    if (!metric->spread)
        return mean;
    char *spread = summary->count > 1 ? metric_text(metric, summary->deviation) : xstrdup("-");
    char *cell = format_text("%s \xC2\xB1 %s", mean, spread);
    free(mean);
    free(spread);
    return cell;
}

static const char *group_value(const struct group *group, const char *key)
{
    const char *value = run_setting(group->runs[0], key);
    return value ? value : "-";
}

struct grid group_grid(const struct table *table, const struct groups *groups)
{
    size_t keys = table->keys.count, count = keys + 2 + table->metric_count;
    bool *left = xcalloc(count, sizeof *left);
    for (size_t k = 0; k < keys; k++)
        left[k] = key_is_words(table, table->keys.items[k]);
    struct grid grid = grid_new(count, left);
    free(left);
    for (size_t k = 0; k < keys; k++)
        grid_add(&grid, xstrdup(table->keys.items[k]));
    grid_add(&grid, xstrdup("n"));
    grid_add(&grid, xstrdup("failed"));
    for (size_t m = 0; m < table->metric_count; m++)
        grid_add(&grid, xstrdup(table->metrics[m].header));
    for (size_t g = 0; g < groups->count; g++) {
        const struct group *group = &groups->items[g];
        for (size_t k = 0; k < keys; k++)
            grid_add(&grid, xstrdup(group_value(group, table->keys.items[k])));
        grid_add(&grid, format_text("%zu", group->done));
        grid_add(&grid, format_text("%zu", group->count - group->done));
        for (size_t m = 0; m < table->metric_count; m++) {
            struct summary summary = summarise_group(group, table->metrics[m].path);
            grid_add(&grid, metric_cell(&table->metrics[m], &summary));
        }
    }
    return grid;
}

void print_groups_csv(const struct table *table, const struct groups *groups)
{
    for (size_t k = 0; k < table->keys.count; k++)
        print_csv_field(table->keys.items[k], false);
    fputs("n,failed", stdout);
    for (size_t m = 0; m < table->metric_count; m++) {
        const char *name = table->metrics[m].name;
        printf(",%s_mean,%s_deviation,%s_interval95", name, name, name);
    }
    putchar('\n');
    for (size_t g = 0; g < groups->count; g++) {
        const struct group *group = &groups->items[g];
        for (size_t k = 0; k < table->keys.count; k++) {
            const char *value = run_setting(group->runs[0], table->keys.items[k]);
            print_csv_field(value ? value : "", false);
        }
        printf("%zu,%zu%s", group->done, group->count - group->done, table->metric_count ? "," : "\n");
        for (size_t m = 0; m < table->metric_count; m++) {
            struct summary summary = summarise_group(group, table->metrics[m].path);
            print_csv_real(summary.mean, false);
            print_csv_real(summary.deviation, false);
            print_csv_real(summary.interval, m + 1 == table->metric_count);
        }
    }
}

static cJSON *json_group(const struct table *table, const struct group *group)
{
    cJSON *row = cJSON_CreateObject();
    for (size_t k = 0; k < table->keys.count; k++)
        cJSON_AddItemToObject(row, table->keys.items[k],
                              json_setting(run_setting(group->runs[0], table->keys.items[k])));
    cJSON_AddNumberToObject(row, "n", (double)group->done);
    cJSON_AddNumberToObject(row, "failed", (double)(group->count - group->done));
    for (size_t m = 0; m < table->metric_count; m++) {
        struct summary summary = summarise_group(group, table->metrics[m].path);
        cJSON *cell = cJSON_AddObjectToObject(row, table->metrics[m].name);
        cJSON_AddNumberToObject(cell, "count", (double)summary.count);
        cJSON_AddItemToObject(cell, "mean", json_real(summary.mean));
        cJSON_AddItemToObject(cell, "deviation", json_real(summary.deviation));
        cJSON_AddItemToObject(cell, "interval95", json_real(summary.interval));
    }
    return row;
}

cJSON *json_groups(const struct table *table, const struct groups *groups)
{
    cJSON *rows = cJSON_CreateArray();
    for (size_t g = 0; g < groups->count; g++)
        cJSON_AddItemToArray(rows, json_group(table, &groups->items[g]));
    return rows;
}
