/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs into charts, lines and cells. Nothing is averaged over any setting but the seed: a setting in which
 * the references differ makes charts of its own, any other makes lines. */
#include "plots.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---------------------------------------------------------------------------- */

size_t words_add(struct words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], text) == 0)
            return i;
    words->items = xrealloc(words->items, (words->count + 1) * sizeof *words->items);
    words->items[words->count] = text;
    return words->count++;
}

static bool words_have(const struct words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], text) == 0)
            return true;
    return false;
}

void words_free(struct words *words) { free(words->items); }

struct words chart_modes(const struct chart *chart)
{
    struct words modes = {0};
    for (size_t i = 0; i < chart->count; i++)
        words_add(&modes, chart->lines[i].mode);
    return modes;
}

struct words chart_labels(const struct chart *chart)
{
    struct words labels = {0};
    for (size_t i = 0; i < chart->count; i++)
        words_add(&labels, chart->lines[i].label);
    return labels;
}

/* ---- settings of runs ----------------------------------------------------------------- */

#define PREFIX "/settings/"

static const char *setting(const struct record *run, const char *key)
{
    char path[256];
    snprintf(path, sizeof path, PREFIX "%s", key);
    return record_get_text(run, path, "");
}

static bool is_reference(const struct record *run) { return strcmp(setting(run, "allocator"), "none") == 0; }

static bool is_finished(const struct record *run)
{
    return strcmp(record_get_text(run, "/status", ""), "done") == 0 &&
           isfinite(record_get_real(run, "/metrics/test_accuracy", NAN));
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All keys that any of the runs has, sorted. */
static struct words all_keys(const struct record **runs, size_t count)
{
    struct words keys = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < runs[i]->count; f++) {
            const char *path = runs[i]->fields[f].path;
            if (strncmp(path, PREFIX, strlen(PREFIX)) == 0)
                words_add(&keys, path + strlen(PREFIX));
        }
    if (keys.count > 0)
        qsort(keys.items, keys.count, sizeof *keys.items, compare_texts);
    return keys;
}

/* Data set and model, then every key in which two references of one data set and model differ. */
static struct words chart_keys(const struct record **runs, size_t count, const struct words *keys)
{
    struct words chosen = {0};
    words_add(&chosen, "dataset");
    words_add(&chosen, "model");
    for (size_t k = 0; k < keys->count; k++) {
        const char *key = keys->items[k];
        if (strcmp(key, "seed") == 0)
            continue;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < i && is_reference(runs[i]); j++)
                if (is_reference(runs[j]) &&
                    strcmp(setting(runs[i], "dataset"), setting(runs[j], "dataset")) == 0 &&
                    strcmp(setting(runs[i], "model"), setting(runs[j], "model")) == 0 &&
                    strcmp(setting(runs[i], key), setting(runs[j], key)) != 0) {
                    words_add(&chosen, key);
                    goto next_key;
                }
    next_key:;
    }
    return chosen;
}

/* "key=value\n" of the keys that are in `keys` and not in `except`. */
static char *signature(const struct record *run, const struct words *keys, const struct words *except)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("no memory stream");
    for (size_t k = 0; k < keys->count; k++)
        if (!words_have(except, keys->items[k]))
            fprintf(out, "%s=%s\n", keys->items[k], setting(run, keys->items[k]));
    fclose(out);
    return text;
}

/* ---- grouping ------------------------------------------------------------------------- */

/* The array with room for one more element, zeroed. */
static void *grown(void *items, size_t count, size_t size)
{
    char *larger = xrealloc(items, (count + 1) * size);
    memset(larger + count * size, 0, size);
    return larger;
}

static void add_run(const struct record ***runs, size_t *count, const struct record *run)
{
    *runs = grown(*runs, *count, sizeof **runs);
    (*runs)[(*count)++] = run;
}

static struct cell *cell_of(struct line *line, const char *budget)
{
    for (size_t i = 0; i < line->count; i++)
        if (strcmp(line->cells[i].budget, budget) == 0)
            return &line->cells[i];
    line->cells = grown(line->cells, line->count, sizeof *line->cells);
    line->cells[line->count].budget = budget;
    return &line->cells[line->count++];
}

static int by_budget(const void *left, const void *right)
{
    return compare_budgets(((const struct cell *)left)->budget, ((const struct cell *)right)->budget);
}

static const struct record *first_run(const struct line *line) { return line->cells[0].runs[0]; }

/* Whether another line of the same allocator and mode has another value of the key. */
static bool tells_apart(const struct chart *chart, const struct line *line, const char *key)
{
    for (size_t i = 0; i < chart->count; i++) {
        const struct record *a = first_run(line), *b = first_run(&chart->lines[i]);
        if (strcmp(setting(a, "mode"), setting(b, "mode")) == 0 &&
            strcmp(setting(a, "allocator"), setting(b, "allocator")) == 0 &&
            strcmp(setting(a, key), setting(b, key)) != 0)
            return true;
    }
    return false;
}

static void label_line(const struct chart *chart, struct line *line, const struct words *keys)
{
    line->label = xstrdup(setting(first_run(line), "allocator"));
    for (size_t k = 0; k < keys->count; k++) {
        const char *key = keys->items[k];
        if (strcmp(key, "seed") == 0 || strcmp(key, "budget") == 0 || !tells_apart(chart, line, key))
            continue;
        const char *value = setting(first_run(line), key);
        char *longer = format_text("%s, %s %s", line->label, key, *value ? value : "unset");
        free(line->label);
        line->label = longer;
    }
}

/* ---- names of charts ------------------------------------------------------------------ */

static const struct record *any_run(const struct chart *chart)
{
    return chart->count > 0 ? first_run(&chart->lines[0]) : chart->references[0];
}

static char *join(char *text, const char *separator, const char *more)
{
    char *longer = format_text("%s%s%s", text, *text ? separator : "", more);
    free(text);
    return longer;
}

static void name_chart(const struct charts *charts, struct chart *chart, const struct words *keys)
{
    chart->name = xstrdup("");
    chart->title = xstrdup("");
    for (size_t k = 0; k < keys->count; k++) {
        const char *key = keys->items[k], *value = setting(any_run(chart), key);
        char *named = k < 2 ? xstrdup(value) : format_text("%s %s", key, *value ? value : "unset");
        bool differs = false;
        for (size_t c = 0; c < charts->count; c++)
            differs |= strcmp(setting(any_run(&charts->charts[c]), key), value) != 0;
        chart->title = join(chart->title, ", ", named);
        if (differs)
            chart->name = join(chart->name, "-", named);
        free(named);
    }
    for (char *c = chart->name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(".-_", *c))
            *c = '-';
}

/* ---- charts --------------------------------------------------------------------------- */

/* Charts and lines are found by their signatures, which live only while grouping. */
struct grouping {
    struct charts *charts;
    struct words keys, chart_keys, nothing, line_except;
    char **chart_signatures;   /* of each chart */
    char ***line_signatures;   /* of each line of each chart */
};

static size_t chart_of(struct grouping *g, const struct record *run)
{
    char *text = signature(run, &g->chart_keys, &g->nothing);
    for (size_t i = 0; i < g->charts->count; i++)
        if (strcmp(g->chart_signatures[i], text) == 0) {
            free(text);
            return i;
        }
    size_t count = g->charts->count++;
    g->chart_signatures = grown(g->chart_signatures, count, sizeof *g->chart_signatures);
    g->chart_signatures[count] = text;
    g->line_signatures = grown(g->line_signatures, count, sizeof *g->line_signatures);
    g->charts->charts = grown(g->charts->charts, count, sizeof *g->charts->charts);
    return count;
}

static struct line *line_of(struct grouping *g, size_t c, const struct record *run)
{
    struct chart *chart = &g->charts->charts[c];
    char *text = signature(run, &g->keys, &g->line_except);
    for (size_t i = 0; i < chart->count; i++)
        if (strcmp(g->line_signatures[c][i], text) == 0) {
            free(text);
            return &chart->lines[i];
        }
    g->line_signatures[c] = grown(g->line_signatures[c], chart->count, sizeof **g->line_signatures);
    g->line_signatures[c][chart->count] = text;
    chart->lines = grown(chart->lines, chart->count, sizeof *chart->lines);
    chart->lines[chart->count].mode = setting(run, "mode");
    return &chart->lines[chart->count++];
}

static void place_run(struct grouping *g, const struct record *run)
{
    size_t c = chart_of(g, run);
    struct chart *chart = &g->charts->charts[c];
    if (is_reference(run)) {
        add_run(&chart->references, &chart->reference_count, run);
    } else {
        struct cell *cell = cell_of(line_of(g, c, run), setting(run, "budget"));
        add_run(&cell->runs, &cell->count, run);
    }
}

static void grouping_free(struct grouping *g)
{
    for (size_t c = 0; c < g->charts->count; c++) {
        for (size_t i = 0; i < g->charts->charts[c].count; i++)
            free(g->line_signatures[c][i]);
        free(g->line_signatures[c]);
        free(g->chart_signatures[c]);
    }
    free(g->line_signatures);
    free(g->chart_signatures);
    words_free(&g->keys);
    words_free(&g->chart_keys);
    words_free(&g->line_except);
}

static void group(const struct record **runs, size_t count, struct charts *charts)
{
    struct grouping g = {.charts = charts, .keys = all_keys(runs, count)};
    g.chart_keys = chart_keys(runs, count, &g.keys);
    words_add(&g.line_except, "seed");
    words_add(&g.line_except, "budget");
    for (size_t i = 0; i < count; i++)
        place_run(&g, runs[i]);
    for (size_t c = 0; c < charts->count; c++) {
        struct chart *chart = &charts->charts[c];
        name_chart(charts, chart, &g.chart_keys);
        for (size_t i = 0; i < chart->count; i++) {
            label_line(chart, &chart->lines[i], &g.keys);
            qsort(chart->lines[i].cells, chart->lines[i].count, sizeof(struct cell), by_budget);
        }
    }
    grouping_free(&g);
}

bool charts_make(const struct record *runs, size_t count, struct charts *charts, struct error *error)
{
    const struct record **finished = xmalloc((count + 1) * sizeof *finished);
    size_t kept = 0, quantised = 0;
    for (size_t i = 0; i < count; i++)
        if (is_finished(&runs[i])) {
            finished[kept++] = &runs[i];
            quantised += !is_reference(&runs[i]);
        }
    *charts = (struct charts){.left_out = count - kept};
    if (quantised > 0)
        group(finished, kept, charts);
    free(finished);
    return quantised > 0 ||
           fail(error, "nothing to draw: of %zu runs, %zu are finished and %zu of those quantised", count,
                kept, quantised);
}

void charts_free(struct charts *charts)
{
    for (size_t c = 0; c < charts->count; c++) {
        struct chart *chart = &charts->charts[c];
        for (size_t i = 0; i < chart->count; i++) {
            for (size_t k = 0; k < chart->lines[i].count; k++)
                free(chart->lines[i].cells[k].runs);
            free(chart->lines[i].cells);
            free(chart->lines[i].label);
        }
        free(chart->lines);
        free(chart->references);
        free(chart->name);
        free(chart->title);
    }
    free(charts->charts);
}
