/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs into charts, lines and cells. Nothing is averaged over any setting but the seed: a setting in which
 * the references differ makes charts of its own, any other makes lines. */
#include "runs.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- which charts --------------------------------------------------------------------- */

/* What always makes a chart of its own. The values need no key beside them to be understood. */
static const char *const always[] = {"dataset", "model", "scenario", "strategy"};
enum { ALWAYS = sizeof always / sizeof *always };

static bool same_base(const struct record *a, const struct record *b)
{
    bool same = true;
    for (size_t k = 0; k < ALWAYS && same; k++)
        same = strcmp(setting_of(a, always[k]), setting_of(b, always[k])) == 0;
    return same;
}

/* Those, then every key in which two references differ that agree in those. */
static struct words chart_keys(const struct record **runs, size_t count, const struct words *keys)
{
    struct words chosen = {0};
    for (size_t k = 0; k < ALWAYS; k++)
        words_add(&chosen, always[k]);
    for (size_t k = 0; k < keys->count; k++) {
        const char *key = keys->items[k];
        if (strcmp(key, "seed") == 0)
            continue;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < i && run_is_reference(runs[i]); j++)
                if (run_is_reference(runs[j]) && same_base(runs[i], runs[j]) &&
                    strcmp(setting_of(runs[i], key), setting_of(runs[j], key)) != 0) {
                    words_add(&chosen, key);
                    goto next_key;
                }
    next_key:;
    }
    return chosen;
}

/* ---- grouping ------------------------------------------------------------------------- */

static struct cell *cell_of(struct line *line, const char *budget)
{
    for (size_t i = 0; i < line->count; i++)
        if (strcmp(line->cells[i].budget, budget) == 0)
            return &line->cells[i];
    line->cells = grow(line->cells, line->count, sizeof *line->cells);
    line->cells[line->count].budget = budget;
    return &line->cells[line->count++];
}

static int by_budget(const void *left, const void *right)
{
    return compare_budgets(((const struct cell *)left)->budget, ((const struct cell *)right)->budget);
}

static const struct record *first_run(const struct line *line) { return line->cells[0].runs[0]; }

/* Whether another line of the same allocator and mode has another value of the key. A setting that only one of them reads
 * does not count: it depends on another one, which counts. */
static bool tells_apart(const struct chart *chart, const struct line *line, const char *key)
{
    const struct record *own = first_run(line);
    const char *value = setting_of(own, key);
    for (size_t i = 0; i < chart->count && *value; i++) {
        const struct record *other = first_run(&chart->lines[i]);
        const char *its_value = setting_of(other, key);
        if (*its_value && strcmp(value, its_value) != 0 &&
            strcmp(setting_of(own, "mode"), setting_of(other, "mode")) == 0 &&
            strcmp(setting_of(own, "allocator"), setting_of(other, "allocator")) == 0)
            return true;
    }
    return false;
}

static void label_line(const struct chart *chart, struct line *line, const struct words *keys)
{
    line->label = xstrdup(setting_of(first_run(line), "allocator"));
    for (size_t k = 0; k < keys->count; k++) {
        const char *key = keys->items[k];
        if (strcmp(key, "seed") == 0 || strcmp(key, "budget") == 0 || !tells_apart(chart, line, key))
            continue;
        char *longer = format_text("%s, %s %s", line->label, key, setting_of(first_run(line), key));
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
        const char *key = keys->items[k], *value = setting_of(any_run(chart), key);
        if (k < ALWAYS && (!*value || strcmp(value, "offline") == 0)) /* the usual case */
            continue;
        char *named = k < ALWAYS ? xstrdup(value) : format_text("%s %s", key, *value ? value : "unset");
        bool differs = false;
        for (size_t c = 0; c < charts->count; c++)
            differs |= strcmp(setting_of(any_run(&charts->charts[c]), key), value) != 0;
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
    char *text = run_signature(run, &g->chart_keys, &g->nothing);
    for (size_t i = 0; i < g->charts->count; i++)
        if (strcmp(g->chart_signatures[i], text) == 0) {
            free(text);
            return i;
        }
    size_t count = g->charts->count++;
    g->chart_signatures = grow(g->chart_signatures, count, sizeof *g->chart_signatures);
    g->chart_signatures[count] = text;
    g->line_signatures = grow(g->line_signatures, count, sizeof *g->line_signatures);
    g->charts->charts = grow(g->charts->charts, count, sizeof *g->charts->charts);
    return count;
}

static struct line *line_of(struct grouping *g, size_t c, const struct record *run)
{
    struct chart *chart = &g->charts->charts[c];
    char *text = run_signature(run, &g->keys, &g->line_except);
    for (size_t i = 0; i < chart->count; i++)
        if (strcmp(g->line_signatures[c][i], text) == 0) {
            free(text);
            return &chart->lines[i];
        }
    g->line_signatures[c] = grow(g->line_signatures[c], chart->count, sizeof **g->line_signatures);
    g->line_signatures[c][chart->count] = text;
    chart->lines = grow(chart->lines, chart->count, sizeof *chart->lines);
    chart->lines[chart->count].mode = setting_of(run, "mode");
    return &chart->lines[chart->count++];
}

static void place_run(struct grouping *g, const struct record *run)
{
    size_t c = chart_of(g, run);
    struct chart *chart = &g->charts->charts[c];
    if (run_is_reference(run)) {
        runs_add(&chart->references, &chart->reference_count, run);
    } else {
        struct cell *cell = cell_of(line_of(g, c, run), setting_of(run, "budget"));
        runs_add(&cell->runs, &cell->count, run);
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
    struct grouping g = {.charts = charts, .keys = setting_keys(runs, count)};
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
    size_t kept = 0, quantised = 0, incremental = 0;
    for (size_t i = 0; i < count; i++)
        if (run_is_finished(&runs[i])) {
            finished[kept++] = &runs[i];
            quantised += !run_is_reference(&runs[i]);
            incremental += run_is_incremental(&runs[i]);
        }
    *charts = (struct charts){.left_out = count - kept};
    if (quantised + incremental == 0) {
        free(finished);
        return fail(error, "nothing to draw: of %zu runs, %zu are finished and 0 of those quantised or incremental", count,
                    kept);
    }
    charts->runs = finished;
    charts->run_count = kept;
    group(finished, kept, charts);
    return true;
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
    free(charts->runs);
}
