/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accuracy against one setting that says how many bits there are: of the operands in incremental runs, of the accumulators
 * in all. A panel a data set, below it the average incremental accuracy; float32 across. */
#include "comparison.h"
#include "curves.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 4 /* data sets side by side; more make further files */

static const struct { const char *path; struct measure measure; } rows[] = {
    {"/metrics/test_accuracy", {"Final accuracy (%)", 0, 100.5}},
    {"/metrics/cnn_average_accuracy", {"Average accuracy (%)", 0, 100.5}}, /* over the tasks */
};
enum { ROWS = sizeof rows / sizeof *rows };

/* A figure of this kind. */
struct against { struct comparing what; const char *label; bool in_steps; /* a step a value, whatever the number */ };

/* ---- along the axis ------------------------------------------------------------------- */

struct axis { const struct against *against; struct words values; /* that some run has, ascending */ };

static int by_value(const void *left, const void *right)
{
    return compare_budgets(*(const char *const *)left, *(const char *const *)right);
}

static struct axis axis_of(const struct against *against, const struct group *groups, size_t count)
{
    struct axis axis = {.against = against};
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++)
            for (size_t k = 0; k < groups[g].series[i].count; k++)
                if (*groups[g].series[i].stacks[k].at)
                    words_add(&axis.values, groups[g].series[i].stacks[k].at);
    if (axis.values.count > 0)
        qsort(axis.values.items, axis.values.count, sizeof *axis.values.items, by_value);
    return axis;
}

static double place_of(struct axis *axis, const char *value)
{
    return axis->against->in_steps ? (double)words_add(&axis->values, value) : strtod(value, NULL);
}

static struct curve_tic *tics_of(struct axis *axis, struct arena *arena)
{
    struct curve_tic *tics = arena_alloc(arena, axis->values.count * sizeof *tics);
    for (size_t i = 0; i < axis->values.count; i++) {
        const char *value = axis->values.items[i];
        bool unlimited = axis->against->in_steps && strcmp(value, "32") == 0;
        tics[i] = (struct curve_tic){place_of(axis, value), unlimited ? "no limit" : value};
    }
    return tics;
}

/* ---- panels --------------------------------------------------------------------------- */

static struct summary summary_of(const struct stack *stack, const char *path, struct arena *arena)
{
    double *values = arena_alloc(arena, stack->count * sizeof *values);
    for (size_t r = 0; r < stack->count; r++)
        values[r] = 100 * record_get_real(stack->runs[r], path, NAN);
    return summarise(values, stack->count);
}

/* A series that does not read the setting is a level. Along steps a value without runs, which may have failed, is a gap. */
static struct curve curve_of(const struct series *series, struct axis *axis, const char *path, struct arena *arena)
{
    const struct stack *stacks = series->stacks;
    struct summary *summaries = arena_alloc(arena, 2 * series->count * sizeof *summaries);
    double *at = arena_alloc(arena, 2 * series->count * sizeof *at);
    bool level = series->count == 1 && !*stacks[0].at;
    struct curve curve = {.name = series->name, .variant = series->variant, .level = level, .at = at, .values = summaries,
                          .reference = run_is_reference(stacks[0].runs[0])};
    for (size_t k = 0; k < series->count; k++)
        if (*stacks[k].at || level) {
            double place = level ? 0 : place_of(axis, stacks[k].at);
            if (axis->against->in_steps && curve.count > 0 && place > at[curve.count - 1] + 1) {
                at[curve.count] = place - 1;
                summaries[curve.count++] = summarise(NULL, 0);
            }
            at[curve.count] = place;
            summaries[curve.count++] = summary_of(&stacks[k], path, arena);
        }
    return curve;
}

static struct curve_panel panel_of(const struct group *group, size_t row, struct axis *axis, struct arena *arena)
{
    struct curve_panel panel = {.title = group->title, .count = group->count};
    panel.curves = arena_alloc(arena, group->count * sizeof *panel.curves);
    for (size_t i = 0; i < group->count; i++)
        panel.curves[i] = curve_of(&group->series[i], axis, rows[row].path, arena);
    return panel;
}

static bool draw_groups(const struct figure *figure, const struct against *against, const struct group *groups,
                        size_t count, const char *part, const struct output *output, struct error *error)
{
    struct arena arena = {0};
    struct axis axis = axis_of(against, groups, count);
    struct curve_panel *panels = arena_alloc(&arena, ROWS * count * sizeof *panels);
    struct measure measures[ROWS];
    bool incremental = false;
    for (size_t g = 0; g < count; g++)
        incremental |= run_is_incremental(groups[g].series[0].stacks[0].runs[0]);
    size_t used = incremental ? ROWS : 1;
    for (size_t p = 0; p < used * count; p++)
        panels[p] = panel_of(&groups[p % count], p / count, &axis, &arena);
    for (size_t row = 0; row < used; row++)
        measures[row] = rows[row].measure;
    double first = place_of(&axis, axis.values.items[0]), last = place_of(&axis, axis.values.items[axis.values.count - 1]);
    char *heading = describe_series(groups, count), *name = figure_file(figure, "", part);
    const struct curve_page page = {.what = "Accuracy against a setting", .heading = heading, .along = against->label,
                                    .tics = tics_of(&axis, &arena), .tic_count = axis.values.count, .bars = true,
                                    .from = first - 0.4, .to = last + 0.4, .measures = measures, .measure_count = used,
                                    .panels = panels, .rows = used, .columns = count,
                                    .count = used * count};
    bool ok = draw_curves(&page, name, output, error);
    words_free(&axis.values);
    free(heading);
    free(name);
    arena_free(&arena);
    return ok;
}

/* Whether the setting alone tells two of its runs apart. */
static bool varies(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        for (size_t k = 1; k < group->series[i].count; k++)
            if (*group->series[i].stacks[k].at) /* runs that do not read the setting stand last */
                return true;
    return false;
}

/* Groups with something to compare come to the front. */
static size_t keep_varied(const struct figure *figure, struct comparison *comparison, const struct against *against)
{
    size_t kept = 0;
    for (size_t g = 0; g < comparison->count; g++)
        if (varies(&comparison->groups[g])) {
            struct group group = comparison->groups[g];
            comparison->groups[g] = comparison->groups[kept];
            comparison->groups[kept++] = group;
        }
    if (kept < comparison->count)
        fprintf(stderr, "bitsweep plot: %s: %zu of %zu data sets left out: no runs that differ in %s alone\n", figure->name,
                comparison->count - kept, comparison->count, against->what.along);
    return kept;
}

static bool draw(const struct figure *figure, const struct charts *charts, const struct against *against,
                 const struct output *output, struct error *error)
{
    tell_absent(figure, charts, &against->what);
    struct comparison comparison = compare_runs(charts, &against->what);
    size_t count = keep_varied(figure, &comparison, against);
    bool ok = true;
    for (size_t first = 0; first < count && ok; first += COLUMNS) {
        char *part = first > 0 ? format_text("%zu", first / COLUMNS + 1) : xstrdup("");
        ok = draw_groups(figure, against, comparison.groups + first, count - first < COLUMNS ? count - first : COLUMNS, part,
                         output, error);
        free(part);
    }
    comparison_free(&comparison);
    return ok;
}

/* ---- the two figures ------------------------------------------------------------------ */

static const char *const keys[] = {PROTOCOL, NULL};

static bool has_mean_width(const struct record *run)
{
    const char *budget = setting_of(run, "budget");
    return run_is_incremental(run) && (run_is_reference(run) || (*budget && is_mean_width(budget)));
}

static bool draw_bits(const struct figure *figure, const struct charts *charts, const struct output *output,
                      struct error *error)
{
    static const char absent[] = "not incremental, or no budget of mean bits";
    static const struct against bits = {{keys, "budget", false, has_mean_width, absent}, "Operand bits", false};
    return draw(figure, charts, &bits, output, error);
}

/* References are the level that the others are compared with. */
static bool has_accumulators(const struct record *run) { return *setting_of(run, "acc_bits") || run_is_reference(run); }

static bool draw_accumulator(const struct figure *figure, const struct charts *charts, const struct output *output,
                             struct error *error)
{
    static const struct against accumulator = {{keys, "acc_bits", false, has_accumulators, "no accumulators of integers"},
                                               "Accumulator bits", true};
    return draw(figure, charts, &accumulator, output, error);
}

const struct figure figure_bits_incremental = {
    .name = "bits-incremental",
    .help = "Accuracy of incremental runs, final and averaged over the tasks, against operand bits: a panel a data set.",
    .draw_runs = draw_bits,
};

const struct figure figure_accumulator = {
    .name = "accumulator",
    .help = "Test accuracy against the width of the accumulators: a panel a data set, lines a mode, width and strategy.",
    .draw_runs = draw_accumulator,
};
