/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accuracy over all classes seen, and forgetting, after each task: a panel a data set; of each strategy and head the float32
 * curve and those of few bits. */
#include "comparison.h"
#include "curves.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 4 /* data sets side by side; more make further files */
#define MOST_CURVES 12 /* in a panel */

enum { ACCURACY, FORGETTING, ROWS };
static const char *const paths[ROWS] = {"accuracy", "forgetting"};
static const struct measure measures[ROWS] = {{"Accuracy (%)", 0, 100.5}, {"Forgetting (%)", 0, 100.5}};

/* In %, over the runs; false if a run has not all of it. */
static bool fill_curve(const struct series *series, int row, struct curve *curve, struct arena *arena, struct error *error)
{
    const struct stack *stack = &series->stacks[0];
    const double **shares = arena_alloc(arena, stack->count * sizeof *shares);
    double *values = arena_alloc(arena, stack->count * sizeof *values);
    char *path = format_text("/incremental/%s/%s", series->head, paths[row]);
    size_t tasks = 0;
    bool ok = true;
    for (size_t r = 0; r < stack->count && ok; r++)
        ok = (shares[r] = run_reals(stack->runs[r], path, &tasks, error)) != NULL;
    free(path);
    if (!ok)
        return false;
    double *at = arena_alloc(arena, tasks * sizeof *at);
    struct summary *summaries = arena_alloc(arena, tasks * sizeof *summaries);
    for (size_t t = 0; t < tasks; t++) {
        at[t] = (double)t + 1;
        for (size_t r = 0; r < stack->count; r++)
            values[r] = 100 * shares[r][t];
        summaries[t] = summarise(values, stack->count);
    }
    *curve = (struct curve){.name = series->name, .variant = series->variant,
                            .reference = run_is_reference(stack->runs[0]), .count = tasks, .at = at, .values = summaries};
    return true;
}

static bool fill_panel(const struct group *group, int row, struct curve_panel *panel, struct arena *arena,
                       struct error *error)
{
    *panel = (struct curve_panel){.title = group->title, .count = group->count};
    panel->curves = arena_alloc(arena, group->count * sizeof *panel->curves);
    for (size_t i = 0; i < group->count; i++)
        if (!fill_curve(&group->series[i], row, &panel->curves[i], arena, error))
            return false;
    return true;
}

static bool draw_groups(const struct figure *figure, const struct group *groups, size_t count, const char *part,
                        const struct output *output, struct error *error)
{
    struct arena arena = {0};
    struct curve_panel *panels = arena_alloc(&arena, ROWS * count * sizeof *panels);
    size_t tasks = 1;
    bool ok = true;
    for (size_t p = 0; p < ROWS * count && ok; p++) {
        ok = fill_panel(&groups[p % count], (int)(p / count), &panels[p], &arena, error);
        for (size_t c = 0; c < panels[p].count && ok; c++)
            tasks = panels[p].curves[c].count > tasks ? panels[p].curves[c].count : tasks;
    }
    char *heading = describe_series(groups, count), *name = figure_file(figure, "", part);
    const struct curve_page page = {.what = "Accuracy over the classes seen, and forgetting, after each task",
                                    .heading = heading, .along = "Task",
                                    .from = 0.7, .to = (double)tasks + 0.3, .measures = measures, .measure_count = ROWS,
                                    .panels = panels, .rows = ROWS, .columns = count, .count = ROWS * count};
    ok = ok && draw_curves(&page, name, output, error);
    free(heading);
    free(name);
    arena_free(&arena);
    return ok;
}

/* ---- which curves go into one file ---------------------------------------------------- */

static const char *nothing(const struct series *series) { return (void)series, ""; }
static const char *head_of(const struct series *series) { return series->head; }
static const char *name_of(const struct series *series) { return series->name; }
typedef const char *part_of(const struct series *);

/* The group with the series of this part alone; free() them. */
static struct group part_of_group(const struct group *group, part_of *of, const char *part)
{
    struct group own = {.name = group->name, .title = group->title,
                        .series = xmalloc((group->count + 1) * sizeof *own.series)};
    for (size_t i = 0; i < group->count; i++)
        if (strcmp(of(&group->series[i]), part) == 0)
            own.series[own.count++] = group->series[i];
    return own;
}

/* All in one, unless that is too many for a panel: then a file a head, or a strategy and head. */
static part_of *choose_parts(const struct comparison *comparison)
{
    static part_of *const choices[] = {nothing, head_of, name_of};
    size_t choice = 0, most = SIZE_MAX;
    for (; most > MOST_CURVES; choice++) {
        most = 0;
        for (size_t g = 0; g < comparison->count; g++)
            for (size_t i = 0; i < comparison->groups[g].count; i++) {
                const struct group *group = &comparison->groups[g];
                struct group part = part_of_group(group, choices[choice], choices[choice](&group->series[i]));
                most = part.count > most ? part.count : most;
                free(part.series);
            }
        if (choices[choice] == name_of)
            return name_of;
    }
    return choices[choice - 1];
}

/* The other curves that stand beside the references in one panel. */
static size_t room_in(const struct group *group, size_t *others)
{
    size_t references = 0;
    for (size_t i = 0; i < group->count; i++)
        references += run_is_reference(group->series[i].stacks[0].runs[0]);
    *others = group->count - references;
    return references < MOST_CURVES ? MOST_CURVES - references : 1;
}

/* The references, and as many of the others as there is room for, after those of earlier sheets; free() the series. */
static struct group sheet_of_group(const struct group *group, size_t sheet)
{
    struct group own = *group;
    size_t others, room = room_in(group, &others), other = 0;
    own.series = xmalloc((group->count + 1) * sizeof *own.series);
    own.count = 0;
    for (size_t i = 0; i < group->count; i++)
        if (run_is_reference(group->series[i].stacks[0].runs[0]) || other++ / room == sheet)
            own.series[own.count++] = group->series[i];
    return own;
}

/* Groups that have something on this sheet, so many side by side. `files` counts what is written. */
static bool draw_sheet(const struct figure *figure, const struct group *groups, size_t count, size_t sheet, const char *part,
                       size_t *files, const struct output *output, struct error *error)
{
    struct group *own = xmalloc((count + 1) * sizeof *own);
    size_t used = 0;
    bool ok = true;
    for (size_t g = 0; g < count; g++) {
        size_t others, room = room_in(&groups[g], &others);
        if (sheet == 0 || others > sheet * room)
            own[used++] = sheet_of_group(&groups[g], sheet);
    }
    for (size_t first = 0; first < used && ok; first += COLUMNS) {
        char *further = (*files)++ > 0 ? format_text("%s%s%zu", part, *part ? "-" : "", *files) : xstrdup(part);
        ok = draw_groups(figure, own + first, used - first < COLUMNS ? used - first : COLUMNS, further, output, error);
        free(further);
    }
    for (size_t g = 0; g < used; g++)
        free(own[g].series);
    free(own);
    return ok;
}

static bool draw_part(const struct figure *figure, const struct comparison *comparison, part_of *of, const char *part,
                      const struct output *output, struct error *error)
{
    struct group *groups = xmalloc((comparison->count + 1) * sizeof *groups);
    size_t count = 0, sheets = 1, files = 0;
    bool ok = true;
    for (size_t g = 0; g < comparison->count; g++) {
        groups[count] = part_of_group(&comparison->groups[g], of, part);
        if (groups[count].count == 0) {
            free(groups[count].series);
            continue;
        }
        size_t others, room = room_in(&groups[count++], &others), needed = (others + room - 1) / room;
        sheets = needed > sheets ? needed : sheets;
    }
    for (size_t sheet = 0; sheet < sheets && ok; sheet++)
        ok = draw_sheet(figure, groups, count, sheet, part, &files, output, error);
    for (size_t g = 0; g < count; g++)
        free(groups[g].series);
    free(groups);
    return ok;
}

static bool draw(const struct figure *figure, const struct charts *charts, const struct output *output, struct error *error)
{
    static const char *const keys[] = {PROTOCOL, NULL};
    static const struct comparing what = {keys, NULL, true, run_is_incremental, "not incremental"};
    tell_absent(figure, charts, &what);
    struct comparison comparison = compare_runs(charts, &what);
    part_of *of = choose_parts(&comparison);
    struct words parts = {0};
    bool ok = true;
    for (size_t g = 0; g < comparison.count; g++)
        for (size_t i = 0; i < comparison.groups[g].count; i++)
            words_add(&parts, of(&comparison.groups[g].series[i]));
    for (size_t p = 0; p < parts.count && ok; p++)
        ok = draw_part(figure, &comparison, of, parts.items[p], output, error);
    words_free(&parts);
    comparison_free(&comparison);
    return ok;
}

const struct figure figure_tasks = {
    .name = "tasks",
    .help = "Accuracy and forgetting after each task of incremental runs: a panel a data set, lines a strategy, head and "
            "precision.",
    .draw_runs = draw,
};
