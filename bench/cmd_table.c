/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep table: means over seeds, or a row for each run. */
#include "options.h"
#include "table.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_WIDTH 110

static int run_table(int argc, char **argv);

const struct command cmd_table = {
    .name = "table",
    .arguments = "FILE.h5 [--per-run] [--by KEY,...] [--metric NAME,...] [--format text|json|csv|latex]",
    .summary = "Print means over seeds, or a row for each run.",
    .details =
        "One row for each combination of the settings that vary, with means ± standard deviations over seeds.\n"
        "Of incremental runs also the accuracy of the head nme, the averages over the tasks, and forgetting.\n"
        "Runs that are not done are counted as failed and left out of the means. Where there are budgets on\n"
        "other costs than mean_bits, --per-run in csv and json has the columns COST_limit, COST_achieved and\n"
        "COST_miss of every cost.\n\n"
        "  --per-run           one row for each run\n"
        "  --by KEY,...        one row for each combination of these settings instead\n"
        "  --metric NAME,...   these fields instead: a column of --per-run, or the path of a number or series in\n"
        "                      the run files, as docs/results.md lists them (the last value of a series counts;\n"
        "                      /budgets/achieved/COST is that of one budget)\n"
        "  --format FORMAT     text (default), json, csv, or latex (a tabular for the package booktabs);\n"
        "                      json and csv give accuracies as fractions, and 95 % confidence intervals\n\n"
        "Example: bitsweep table results/demo.h5 --by mode,budget --metric test_loss,/costs/weight_bytes",
    .run = run_table,
};

static const struct metric default_metrics[] = {
    {"test_accuracy", "test accuracy %", "/metrics/test_accuracy", 100, "%.2f", true, false},
    {"nme_accuracy", "nme %", "/metrics/nme_accuracy", 100, "%.2f", true, true},
    {"cnn_average_accuracy", "average %", "/metrics/cnn_average_accuracy", 100, "%.2f", true, true},
    {"nme_average_accuracy", "nme average %", "/metrics/nme_average_accuracy", 100, "%.2f", true, true},
    {"cnn_forgetting", "forgetting %", "/metrics/cnn_forgetting", 100, "%.2f", true, true},
    {"nme_forgetting", "nme forgetting %", "/metrics/nme_forgetting", 100, "%.2f", true, true},
    {"mean_bits", "mean bits", "/costs/mean_bits", 1, "%.3f", false, false},
    {"omega", "omega", "/reallocation/omega", 1, "%.4g", false, false},
    {"omega_uniform", "omega_uniform", "/reallocation/omega_uniform", 1, "%.4g", false, false},
    {"budget_miss", "budget miss", "/costs/budget_miss", 1, "%.4g", false, false},
    {"relative_miss", "budget miss %", "/budgets/relative_miss", 100, "%.4g", false, true},
    {"kendall_tau", "Kendall tau", "/explain/kendall_tau", 1, "%.2f", false, true},
    {"regret", "regret %", "/explain/regret", 100, "%.2f", false, true},
    {"train_seconds", "training s", "/timing/train_seconds", 1, "%.2f", false, false},
    {"allocating", "allocating %", "/timing/allocator_share", 100, "%.2f", false, true},
};

#define DEFAULT_METRICS (sizeof default_metrics / sizeof *default_metrics)

/* ---- values ------------------------------------------------------------------------------ */

char *metric_text(const struct metric *metric, double value)
{
    char number[64];
    snprintf(number, sizeof number, metric->format, value * metric->factor);
    return xstrdup(number);
}

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return end != text && !*end;
}

bool key_is_words(const struct table *table, const char *key)
{
    for (size_t i = 0; i < table->results.count; i++) {
        const char *value = run_setting(&table->results.runs[i], key);
        if (value && !is_number(value))
            return true;
    }
    return strcmp(key, "budget") != 0;
}

/* ---- columns ----------------------------------------------------------------------------- */

struct request { const char *file, *by, *metric; bool per_run; enum format format; };

/* Calls add for every part of a list separated by commas, until it fails. */
static bool each_part(char *list, bool (*add)(struct table *, const char *part, struct error *),
                      struct table *table, struct error *error)
{
    char *rest = list, *part;
    while ((part = strsep(&rest, ",")) != NULL)
        if (!add(table, part, error))
            return false;
    return true;
}

static bool add_key(struct table *table, const char *key, struct error *error)
{
    const struct names *const lists[] = {&table->varying, &table->seeds, &table->constant};
    struct names known = {0};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            names_add(&known, lists[l]->items[i]);
    bool ok = false;
    for (size_t i = 0; i < known.count; i++)
        ok = ok || strcmp(known.items[i], key) == 0;
    if (ok) {
        names_add(&table->keys, key);
    } else {
        char *valid = names_joined(&known);
        fail(error, "--by: no run has a setting '%s'; valid: %s", key, valid);
        free(valid);
    }
    names_free(&known);
    return ok;
}

enum { LIMIT, ACHIEVED, MISS, BUDGET_PARTS };
static const char *const budget_parts[BUDGET_PARTS] = {[LIMIT] = "limit", [ACHIEVED] = "achieved", [MISS] = "miss"};

/* Of each cost that runs have budgets of; a mean width alone has the columns that are always there. */
static void describe_budgets(struct table *table)
{
    struct names costs = budget_costs(&table->results);
    bool usual = costs.count == 0 || (costs.count == 1 && strcmp(costs.items[0], "mean_bits") == 0);
    table->budgets = xmalloc((costs.count * BUDGET_PARTS + 1) * sizeof *table->budgets);
    for (size_t i = 0; !usual && i < costs.count * BUDGET_PARTS; i++) {
        const char *cost = costs.items[i / BUDGET_PARTS], *part = budget_parts[i % BUDGET_PARTS];
        table->budgets[table->budget_count++] = (struct metric){
            .name = format_text("%s_%s", cost, part),
            .header = i % BUDGET_PARTS == ACHIEVED ? xstrdup(cost) : format_text("%s %s", cost, part),
            .path = format_text("/budgets/%s/%s", part, cost), .factor = 1, .format = "%.6g"};
    }
    names_free(&costs);
}

static void free_budgets(struct table *table)
{
    for (size_t b = 0; b < table->budget_count; b++) {
        free((char *)table->budgets[b].name);
        free((char *)table->budgets[b].header);
        free((char *)table->budgets[b].path);
    }
    free(table->budgets);
}

static const struct metric *named_metric(const struct metric *metrics, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

/* One of the defaults, another column of --per-run, or a path. */
static bool find_metric(const struct table *table, const char *name, struct metric *metric, struct error *error)
{
    const struct metric *known_metric = named_metric(default_metrics, DEFAULT_METRICS, name);
    if (!known_metric)
        known_metric = named_metric(table->budgets, table->budget_count, name);
    if (known_metric) {
        *metric = *known_metric;
        return true;
    }
    const char *path = name[0] == '/' ? name : run_column_path(name);
    *metric = (struct metric){name, name, path, 1, "%.4g", true, false};
    if (path)
        return true;
    struct names known = {0};
    names_of_run_columns(&known);
    for (size_t i = 0; i < DEFAULT_METRICS; i++)
        names_add(&known, default_metrics[i].name);
    for (size_t b = 0; b < table->budget_count; b++)
        names_add(&known, table->budgets[b].name);
    char *valid = names_joined(&known);
    fail(error, "--metric: unknown '%s'; valid: %s, or a path such as /curves/train_loss", name, valid);
    free(valid);
    names_free(&known);
    return false;
}

static bool some_run_has(const struct table *table, const char *path)
{
    double value;
    for (size_t i = 0; i < table->results.count; i++)
        if (run_number(&table->results.runs[i], path, &value))
            return true;
    return false;
}

static void append_metric(struct table *table, const struct metric *metric)
{
    table->metrics = xrealloc(table->metrics, (table->metric_count + 1) * sizeof *table->metrics);
    table->metrics[table->metric_count++] = *metric;
}

static bool add_metric(struct table *table, const char *name, struct error *error)
{
    struct metric metric;
    if (!find_metric(table, name, &metric, error))
        return false;
    if (!run_column_path(name) && !some_run_has(table, metric.path))
        return fail(error, "--metric: no run has a number or a series of numbers at %s", metric.path);
    append_metric(table, &metric);
    return true;
}

/* With budgets on other costs, what these have become and the largest miss stand for the one budget's miss. */
static void add_default_metrics(struct table *table)
{
    const char *left_out = table->budget_count ? "budget_miss" : "relative_miss";
    for (size_t i = 0; i < DEFAULT_METRICS; i++) {
        const struct metric *metric = &default_metrics[i];
        if (strcmp(metric->name, left_out) != 0 && (!metric->if_any || some_run_has(table, metric->path)))
            append_metric(table, metric);
        for (size_t b = ACHIEVED; strcmp(metric->name, "mean_bits") == 0 && b < table->budget_count; b += BUDGET_PARTS)
            if (strcmp(table->budgets[b].name, "mean_bits_achieved") != 0)
                append_metric(table, &table->budgets[b]);
    }
}

/* by, metrics: lists that are split in place and pointed into, or NULL. */
static bool choose_columns(struct table *table, char *by, char *metrics, struct error *error)
{
    results_keys(&table->results, &table->varying, &table->constant, &table->seeds);
    describe_budgets(table);
    if (by && !each_part(by, add_key, table, error))
        return false;
    for (size_t i = 0; !by && i < table->varying.count; i++)
        names_add(&table->keys, table->varying.items[i]);
    if (metrics)
        return each_part(metrics, add_metric, table, error);
    add_default_metrics(table);
    return true;
}

/* ---- output ------------------------------------------------------------------------------ */

static const char *const skip_parts[] = {"/skipped/id", "/skipped/label", "/skipped/reason"};
enum { SKIP_ID, SKIP_LABEL, SKIP_REASON, SKIP_PARTS };

/* The three lists of skipped runs; returns how many there are. */
static size_t skipped_runs(const struct results *results, char ***lists)
{
    size_t count = 0;
    for (int p = 0; p < SKIP_PARTS; p++) {
        const struct field *field = record_find(&results->root, skip_parts[p]);
        if (!field || field->type != RECORD_TEXT || (p > 0 && field_count(field) != count))
            return 0;
        count = field_count(field);
        lists[p] = field->data;
    }
    return count;
}

static cJSON *json_skipped(const struct results *results)
{
    char **lists[SKIP_PARTS];
    size_t count = skipped_runs(results, lists);
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "id", lists[SKIP_ID][i]);
        cJSON_AddStringToObject(entry, "label", lists[SKIP_LABEL][i]);
        cJSON_AddStringToObject(entry, "reason", lists[SKIP_REASON][i]);
        cJSON_AddItemToArray(array, entry);
    }
    return array;
}

static void print_constants(const struct table *table)
{
    int column = printf("the same in all:");
    for (size_t i = 0; i < table->constant.count; i++) {
        char *word = format_text(" %s=%s", table->constant.items[i],
                                 constant_value(&table->results, table->constant.items[i]));
        if (column + (int)strlen(word) > LINE_WIDTH)
            column = printf("\n   ") - 1;
        column += printf("%s", word);
        free(word);
    }
    puts("\n");
}

static void print_text(const struct table *table, const struct grid *grid, const char *file)
{
    size_t done = 0, count = table->results.count;
    char **lists[SKIP_PARTS];
    for (size_t i = 0; i < count; i++)
        done += run_done(&table->results.runs[i]);
    printf("%s: %zu run%s, %zu done\n", record_get_text(&table->results.root, "/sweep", file), count,
           count == 1 ? "" : "s", done);
    if (table->constant.count)
        print_constants(table);
    grid_print(grid);
    size_t skipped = skipped_runs(&table->results, lists);
    if (skipped)
        printf("\nskipped: %zu\n", skipped);
    for (size_t i = 0; i < skipped; i++)
        printf("  %s  %s: %s\n", lists[SKIP_ID][i], lists[SKIP_LABEL][i], lists[SKIP_REASON][i]);
}

/* A mean over more than seeds is worth a word. */
static void warn_of_mixture(const struct table *table)
{
    struct names mixed = {0}, shown = {0};
    for (size_t i = 0; i < table->keys.count; i++)
        names_add(&shown, table->keys.items[i]);
    for (size_t i = 0; i < table->varying.count; i++) {
        size_t before = shown.count;
        names_add(&shown, table->varying.items[i]);
        if (shown.count > before)
            names_add(&mixed, table->varying.items[i]);
    }
    if (mixed.count) {
        char *list = names_joined(&mixed);
        fprintf(stderr, "bitsweep table: rows mix runs that differ in %s\n", list);
        free(list);
    }
    names_free(&mixed);
    names_free(&shown);
}

static void print_grid(const struct table *table, struct grid grid, const struct request *request)
{
    if (request->format == FORMAT_LATEX)
        grid_print_latex(&grid);
    else
        print_text(table, &grid, request->file);
    grid_free(&grid);
}

static void print_table(const struct table *table, const struct request *request)
{
    struct groups groups = group_runs(&table->results, &table->keys);
    if (!request->per_run)
        warn_of_mixture(table);
    if (request->format == FORMAT_JSON) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddItemToObject(json, request->per_run ? "runs" : "rows",
                              request->per_run ? json_runs(table) : json_groups(table, &groups));
        cJSON_AddItemToObject(json, "skipped", json_skipped(&table->results));
        print_json(json);
    } else if (request->format == FORMAT_CSV) {
        if (request->per_run)
            print_runs_csv(table);
        else
            print_groups_csv(table, &groups);
    } else {
        print_grid(table, request->per_run ? run_grid(table) : group_grid(table, &groups), request);
    }
    groups_free(&groups);
}

static int run_table(int argc, char **argv)
{
    struct request request = {0};
    struct table table = {0};
    struct error error;
    const struct option options[] = {
        {"--per-run", set_flag, &request.per_run}, {"--by", set_text, &request.by},
        {"--metric", set_text, &request.metric},   {"--format", set_format_latex, &request.format},
        {0},
    };
    if (read_options(&cmd_table, options, (struct operands){"file", 1, 1}, argc, argv) < 0)
        return EXIT_USAGE;
    if (request.per_run && request.by)
        return usage_error(&cmd_table, "--by groups runs, --per-run does not: give one of them");
    request.file = argv[1];
    if (!results_load(request.file, &table.results, &error))
        return input_error(&cmd_table, &error);
    char *by = request.by ? xstrdup(request.by) : NULL;
    char *metrics = request.metric ? xstrdup(request.metric) : NULL;
    bool ok = choose_columns(&table, by, metrics, &error);
    if (ok)
        print_table(&table, &request);
    names_free(&table.keys);
    names_free(&table.varying);
    names_free(&table.constant);
    names_free(&table.seeds);
    free(table.metrics);
    free_budgets(&table);
    free(by);
    free(metrics);
    results_free(&table.results);
    return ok ? EXIT_DONE : input_error(&cmd_table, &error);
}
