/* SPDX-License-Identifier: GPL-3.0-or-later
 * A row for each run. */
#include "table.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A metric stays empty unless the run is done; what was measured does not. */
enum column_kind { COLUMN_TEXT, COLUMN_SETTING, COLUMN_METRIC, COLUMN_MEASURED };

/* In this order; programs may rely on the first ten. */
struct column { const char *name, *path; enum column_kind kind; };
static const struct column columns[] = {
    {"id", "/id", COLUMN_TEXT},
    {"dataset", NULL, COLUMN_SETTING},
    {"model", NULL, COLUMN_SETTING},
    {"mode", NULL, COLUMN_SETTING},
    {"allocator", NULL, COLUMN_SETTING},
    {"budget", NULL, COLUMN_SETTING},
    {"seed", NULL, COLUMN_SETTING},
    {"status", "/status", COLUMN_TEXT},
    {"test_accuracy", "/metrics/test_accuracy", COLUMN_METRIC},
    {"mean_bits", "/costs/mean_bits", COLUMN_METRIC},
    {"test_loss", "/metrics/test_loss", COLUMN_METRIC},
    {"validation_accuracy", "/metrics/validation_accuracy", COLUMN_METRIC},
    {"budget_miss", "/costs/budget_miss", COLUMN_METRIC},
    {"omega", "/reallocation/omega", COLUMN_METRIC},
    {"omega_uniform", "/reallocation/omega_uniform", COLUMN_METRIC},
    {"kendall_tau", "/explain/kendall_tau", COLUMN_METRIC},
    {"regret", "/explain/regret", COLUMN_METRIC},
    {"weight_bytes", "/costs/weight_bytes", COLUMN_METRIC},
    {"bops", "/costs/bops", COLUMN_METRIC},
    {"bops_train", "/costs/bops_train", COLUMN_METRIC},
    {"train_seconds", "/timing/train_seconds", COLUMN_MEASURED},
    {"allocator_seconds", "/timing/allocator_seconds", COLUMN_MEASURED},
    {"allocating", "/timing/allocator_share", COLUMN_MEASURED},
    {"wall_seconds", "/timing/wall_seconds", COLUMN_MEASURED},
    {"peak_memory_bytes", "/timing/peak_memory_bytes", COLUMN_MEASURED},
    {"git_commit", "/provenance/git_commit", COLUMN_TEXT},
};
#define COLUMNS (sizeof columns / sizeof *columns)

const char *run_column_path(const char *name)
{
    for (size_t c = 0; c < COLUMNS; c++)
        if (columns[c].kind >= COLUMN_METRIC && strcmp(columns[c].name, name) == 0)
            return columns[c].path;
    return NULL;
}

void names_of_run_columns(struct names *names)
{
    for (size_t c = 0; c < COLUMNS; c++)
        if (columns[c].kind >= COLUMN_METRIC)
            names_add(names, columns[c].name);
}

/* All columns: the fixed ones, budgets, the other settings and seeds that vary, the metrics asked for that have none yet. */
struct columns { struct column *items; size_t count; };

static void add_column(struct columns *all, struct column column)
{
    for (size_t c = 0; c < all->count; c++)
        if (strcmp(all->items[c].name, column.name) == 0)
            return;
    all->items[all->count++] = column;
}

static struct columns all_columns(const struct table *table)
{
    size_t most = COLUMNS + table->budget_count + table->varying.count + table->seeds.count + table->metric_count;
    struct columns all = {xmalloc(most * sizeof *all.items), 0};
    for (size_t c = 0; c < COLUMNS; c++)
        add_column(&all, columns[c]);
    for (size_t b = 0; b < table->budget_count; b++)
        add_column(&all, (struct column){table->budgets[b].name, table->budgets[b].path, COLUMN_METRIC});
    for (size_t k = 0; k < table->varying.count; k++)
        add_column(&all, (struct column){table->varying.items[k], NULL, COLUMN_SETTING});
    for (size_t k = 0; k < table->seeds.count; k++)
        add_column(&all, (struct column){table->seeds.items[k], NULL, COLUMN_SETTING});
    for (size_t m = 0; m < table->metric_count; m++)
        add_column(&all, (struct column){table->metrics[m].name, table->metrics[m].path, COLUMN_METRIC});
    return all;
}

static bool is_number(const struct column *column)
{
    return column->kind == COLUMN_METRIC || column->kind == COLUMN_MEASURED;
}

/* NULL if empty. */
static const char *column_text(const struct column *column, const struct record *run)
{
    return column->kind == COLUMN_SETTING ? run_setting(run, column->name)
                                          : record_get_text(run, column->path, NULL);
}

/* NAN if empty. */
static double column_number(const struct column *column, const struct record *run)
{
    double value;
    bool there = (column->kind == COLUMN_MEASURED || run_done(run)) && run_number(run, column->path, &value);
    return there ? value : NAN;
}

void print_runs_csv(const struct table *table)
{
    struct columns all = all_columns(table);
    for (size_t c = 0; c < all.count; c++)
        print_csv_field(all.items[c].name, c + 1 == all.count);
    for (size_t i = 0; i < table->results.count; i++)
        for (size_t c = 0; c < all.count; c++) {
            const struct record *run = &table->results.runs[i];
            const char *text = is_number(&all.items[c]) ? NULL : column_text(&all.items[c], run);
            if (is_number(&all.items[c]))
                print_csv_real(column_number(&all.items[c], run), c + 1 == all.count);
            else
                print_csv_field(text ? text : "", c + 1 == all.count);
        }
    free(all.items);
}

static cJSON *json_cell(const struct column *column, const struct record *run)
{
    if (is_number(column))
        return json_real(column_number(column, run));
    const char *text = column_text(column, run);
    if (column->kind == COLUMN_SETTING)
        return json_setting(text);
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

cJSON *json_runs(const struct table *table)
{
    struct columns all = all_columns(table);
    cJSON *rows = cJSON_CreateArray();
    for (size_t i = 0; i < table->results.count; i++) {
        cJSON *row = cJSON_CreateObject();
        for (size_t c = 0; c < all.count; c++)
            cJSON_AddItemToObject(row, all.items[c].name, json_cell(&all.items[c], &table->results.runs[i]));
        cJSON_AddItemToArray(rows, row);
    }
    free(all.items);
    return rows;
}

static char *text_or_dash(const char *text) { return xstrdup(text ? text : "-"); }

/* For reading: the settings that vary and the metrics of the other table. */
struct grid run_grid(const struct table *table)
{
    size_t keys = table->keys.count, seeds = table->seeds.count, count = keys + seeds + 2 + table->metric_count;
    bool *left = xcalloc(count, sizeof *left);
    left[0] = left[1 + keys + seeds] = true;
    for (size_t k = 0; k < keys; k++)
        left[1 + k] = key_is_words(table, table->keys.items[k]);
    struct grid grid = grid_new(count, left);
    free(left);
    grid_add(&grid, xstrdup("id"));
    for (size_t k = 0; k < keys; k++)
        grid_add(&grid, xstrdup(table->keys.items[k]));
    for (size_t k = 0; k < seeds; k++)
        grid_add(&grid, xstrdup(table->seeds.items[k]));
    grid_add(&grid, xstrdup("status"));
    for (size_t m = 0; m < table->metric_count; m++)
        grid_add(&grid, xstrdup(table->metrics[m].header));
    for (size_t i = 0; i < table->results.count; i++) {
        const struct record *run = &table->results.runs[i];
        grid_add(&grid, text_or_dash(record_get_text(run, "/id", NULL)));
        for (size_t k = 0; k < keys; k++)
            grid_add(&grid, text_or_dash(run_setting(run, table->keys.items[k])));
        for (size_t k = 0; k < seeds; k++)
            grid_add(&grid, text_or_dash(run_setting(run, table->seeds.items[k])));
        grid_add(&grid, text_or_dash(record_get_text(run, "/status", NULL)));
        for (size_t m = 0; m < table->metric_count; m++) {
            double value = NAN;
            bool there = run_done(run) && run_number(run, table->metrics[m].path, &value) && !isnan(value);
            grid_add(&grid, there ? metric_text(&table->metrics[m], value) : xstrdup("-"));
        }
    }
    return grid;
}
