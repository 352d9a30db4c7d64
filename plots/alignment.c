/* SPDX-License-Identifier: GPL-3.0-or-later
 * Cosine between each layer's weight gradient and the float32 network's over the epochs: a panel a layer, a line a mode.
 * Long runs are shown as means of a few epochs. */
#include "comparison.h"
#include "curves.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 3
#define MOST_LAYERS 9   /* panels; of more layers, so many evenly spread */
#define MOST_POINTS 100 /* of a curve */
#define MOST_CURVES 8   /* of a panel */
#define LAYERS "/diagnostics/layer"
#define COSINE "/diagnostics/gradient_cosine"

static const struct measure measure = {"Gradient cosine", -1.02, 1.02};

/* What the runs of a group have in common. */
struct course { size_t epochs, layers; char **names; size_t bin; /* epochs a point */ };

static bool find_course(const struct group *group, struct course *course, struct error *error)
{
    *course = (struct course){0};
    for (size_t i = 0; i < group->count; i++)
        for (size_t r = 0; r < group->series[i].stacks[0].count; r++) {
            const struct record *run = group->series[i].stacks[0].runs[r];
            const struct field *names = record_find(run, LAYERS), *cosine = record_find(run, COSINE);
            const char *id = record_get_text(run, "/id", "?");
            if (!names || names->type != RECORD_TEXT || cosine->type != RECORD_F64 || cosine->rank != 2 ||
                field_count(cosine) == 0 || cosine->shape[1] != field_count(names))
                return fail(error, "run %s has no " COSINE " of all its " LAYERS, id);
            if (!course->names)
                *course = (struct course){cosine->shape[0], cosine->shape[1], names->data, 1};
            if (cosine->shape[1] != course->layers)
                return fail(error, "run %s has %zu layers where other runs of %s have %zu", id, cosine->shape[1],
                            group->title, course->layers);
            course->epochs = cosine->shape[0] > course->epochs ? cosine->shape[0] : course->epochs;
        }
    course->bin = (course->epochs + MOST_POINTS - 1) / MOST_POINTS;
    return true;
}

/* Mean of epochs from .. before `to` in which the layer has a cosine; NAN if there is none. */
static double mean_cosine(const struct record *run, size_t layer, size_t from, size_t to)
{
    const struct field *field = record_find(run, COSINE);
    const double *cosine = field->data;
    double sum = 0;
    size_t count = 0;
    for (size_t e = from; e < to && e < field->shape[0]; e++)
        if (isfinite(cosine[e * field->shape[1] + layer])) {
            sum += cosine[e * field->shape[1] + layer];
            count++;
        }
    return count ? sum / (double)count : NAN;
}

static struct curve curve_of(const struct series *series, const struct course *course, size_t layer, struct arena *arena)
{
    const struct stack *stack = &series->stacks[0];
    size_t points = (course->epochs + course->bin - 1) / course->bin;
    double *at = arena_alloc(arena, points * sizeof *at), *values = arena_alloc(arena, stack->count * sizeof *values);
    struct summary *summaries = arena_alloc(arena, points * sizeof *summaries);
    for (size_t i = 0; i < points; i++) {
        size_t from = i * course->bin, to = from + course->bin, count = 0;
        to = to < course->epochs ? to : course->epochs;
        at[i] = (double)(from + 1 + to) / 2;
        for (size_t r = 0; r < stack->count; r++) {
            double mean = mean_cosine(stack->runs[r], layer, from, to);
            if (isfinite(mean))
                values[count++] = mean;
        }
        summaries[i] = summarise(values, count);
    }
    return (struct curve){.name = "", .variant = series->variant, .count = points, .at = at, .values = summaries};
}

/* Between the epochs of two tasks; none if the run has other epochs than its tasks say. */
static size_t find_borders(const struct group *group, const struct course *course, double **borders, struct arena *arena)
{
    const struct field *field = record_find(group->series[0].stacks[0].runs[0], "/tasks/epochs");
    size_t count = field && field->type == RECORD_I64 ? field_count(field) : 0;
    const int64_t *epochs = field ? field->data : NULL;
    double sum = 0;
    *borders = arena_alloc(arena, (count + 1) * sizeof **borders);
    for (size_t t = 0; t < count; t++)
        (*borders)[t] = (sum += (double)epochs[t]) + 0.5;
    return count > 0 && sum == (double)course->epochs ? count - 1 : 0;
}

static bool draw_group(const struct figure *figure, const struct group *group, const struct output *output,
                       struct error *error)
{
    struct arena arena = {0};
    struct course course;
    double *borders;
    if (!find_course(group, &course, error))
        return false;
    size_t count = course.layers < MOST_LAYERS ? course.layers : MOST_LAYERS;
    size_t columns = count < COLUMNS ? count : COLUMNS, border_count = find_borders(group, &course, &borders, &arena);
    struct curve_panel *panels = arena_alloc(&arena, count * sizeof *panels);
    for (size_t p = 0; p < count; p++) {
        size_t layer = count > 1 ? (p * (course.layers - 1) + (count - 1) / 2) / (count - 1) : 0;
        panels[p] = (struct curve_panel){.title = course.names[layer], .count = group->count, .borders = borders,
                                         .border_count = border_count};
        panels[p].curves = arena_alloc(&arena, group->count * sizeof *panels[p].curves);
        for (size_t c = 0; c < group->count; c++)
            panels[p].curves[c] = curve_of(&group->series[c], &course, layer, &arena);
    }
    char *seeds = describe_seeds(group, 1, "mean ± standard error"), *heading = format_text("%s, %s", group->title, seeds);
    char *along = course.bin > 1 ? format_text("Epoch (means of %zu)", course.bin) : xstrdup("Epoch");
    char *name = figure_file(figure, group->name, "");
    const struct curve_page page = {.what = "Cosine between the quantised and the float32 weight gradient",
                                    .heading = heading, .along = along, .from = 0.5,
                                    .to = (double)course.epochs + 0.5, .measures = &measure, .measure_count = 1,
                                    .panels = panels, .rows = (count + columns - 1) / columns, .columns = columns,
                                    .count = count};
    bool ok = draw_curves(&page, name, output, error);
    free(seeds);
    free(heading);
    free(along);
    free(name);
    arena_free(&arena);
    return ok;
}

/* Of the modes, fp has float gradients, and no accumulators of integers. */
static bool has_few_bits(const struct record *run)
{
    return record_find(run, COSINE) != NULL && *setting_of(run, "acc_bits");
}

/* A file a strategy; if that is too many lines for a panel, also a file an allocator, then a budget, then acc_bits. */
static struct comparison compare(const struct charts *charts, struct comparing *what)
{
    enum { FINEST = 4 };
    static const char *const keys[][10] = {{PROTOCOL, "strategy", NULL},
                                           {PROTOCOL, "strategy", "allocator", NULL},
                                           {PROTOCOL, "strategy", "allocator", "budget", NULL},
                                           {PROTOCOL, "strategy", "allocator", "budget", "acc_bits", NULL}};
    for (int level = 0;; level++) {
        what->keys = keys[level];
        struct comparison comparison = compare_runs(charts, what);
        size_t most = 0;
        for (size_t g = 0; g < comparison.count; g++)
            most = comparison.groups[g].count > most ? comparison.groups[g].count : most;
        if (most <= MOST_CURVES || level + 1 == FINEST)
            return comparison;
        comparison_free(&comparison);
    }
}

static bool draw(const struct figure *figure, const struct charts *charts, const struct output *output, struct error *error)
{
    struct comparing what = {.shows = has_few_bits, .absent = "no gradients of few bits to compare"};
    tell_absent(figure, charts, &what);
    struct comparison comparison = compare(charts, &what);
    bool ok = true;
    for (size_t g = 0; g < comparison.count && ok; g++)
        ok = draw_group(figure, &comparison.groups[g], output, error);
    comparison_free(&comparison);
    return ok;
}

const struct figure figure_alignment = {
    .name = "alignment",
    .help = "Cosine between each layer's weight gradient and the float32 network's over the epochs: a file a strategy, a "
            "panel a layer, a line a mode and budget.",
    .draw_runs = draw,
};
