/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accuracy on the classes of each task after each task, mean over seeds: a panel a strategy, head, mode and width. */
#include "comparison.h"
#include "panels.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL 0.23
#define SQUARE_LEAST 1.3
#define SQUARE_MOST 2.1
#define MOST_NUMBERS 20 /* tasks; numbers of more do not fit */
#define MOST_TICS 12    /* tasks that are all numbered on the axes */
#define COLUMNS 3
#define MOST_PANELS 12  /* of a file */
#define LEFT 0.45
#define BELOW 0.4
#define ROW_GAP 0.08
#define BAR 0.78        /* colours with their numbers */

/* The panels of one file. */
struct sheet {
    const struct group *group;
    const struct series **series;
    size_t tasks;                /* the most of any */
    struct panels panels;
};

/* The tasks of the series' runs, checked to be as many in all. */
static bool find_tasks(const struct series *series, size_t *tasks, struct error *error)
{
    char *curve = format_text("/incremental/%s/accuracy", series->head);
    char *matrix = format_text("/incremental/%s/task_accuracy", series->head);
    bool ok = true;
    *tasks = 0;
    for (size_t r = 0; r < series->stacks[0].count && ok; r++) {
        ok = run_reals(series->stacks[0].runs[r], curve, tasks, error) != NULL;
        size_t elements = *tasks * *tasks;
        ok = ok && run_reals(series->stacks[0].runs[r], matrix, &elements, error);
    }
    free(curve);
    free(matrix);
    return ok;
}

static double mean_accuracy(const struct series *series, size_t element)
{
    char *path = format_text("/incremental/%s/task_accuracy", series->head);
    double sum = 0;
    for (size_t r = 0; r < series->stacks[0].count; r++)
        sum += 100 * ((const double *)record_find(series->stacks[0].runs[r], path)->data)[element];
    free(path);
    return sum / (double)series->stacks[0].count;
}

static bool put_data(FILE *out, const struct series *series, size_t index, size_t *most, struct error *error)
{
    size_t tasks;
    if (!find_tasks(series, &tasks, error))
        return false;
    *most = tasks > *most ? tasks : *most;
    fprintf(out, "$panel%zu << END\n# %s, %s: classes of task, after task, mean accuracy in %% over %zu seeds\n", index,
            series->name, series->variant, series->stacks[0].count);
    for (size_t after = 0; after < tasks; after++)
        for (size_t task = 0; task <= after; task++) {
            double accuracy = mean_accuracy(series, after * tasks + task);
            if (isfinite(accuracy))
                fprintf(out, "%zu %zu %.6g\n", task + 1, after + 1, accuracy);
        }
    fputs("END\n", out);
    return true;
}

static char *title_of(const struct series *series) { return format_text("%s: %s", series->name, series->variant); }

static void put_panel(const struct page *page, const struct sheet *sheet, size_t i)
{
    FILE *out = page->script;
    bool lowest = panel_is_lowest(&sheet->panels, i), first = panel_is_first(&sheet->panels, i);
    char *title = title_of(sheet->series[i]);
    page_place(page, panel_box(&sheet->panels, page, i, PANEL_TITLE, sheet->panels.height - PANEL_TITLE - ROW_GAP));
    fputs("set title ", out);
    put_text(out, title);
    free(title);
    fprintf(out, " offset 0,-0.75\nset format x '%s'\nset format y '%s'\nset xlabel '%s' offset 0,0.7\n"
                 "set ylabel '%s' offset 1,0\n",
            lowest ? "%g" : "", first ? "%g" : "", lowest ? "Classes of task" : "", first ? "After task" : "");
    fprintf(out, "plot $panel%zu using 1:2:(0.5):(0.5):3 with boxxyerror lc palette fs solid border lc rgb 'white'", i + 1);
    if (sheet->tasks <= MOST_NUMBERS) {
        double points = 72 * sheet->panels.width / (double)sheet->tasks * 0.42;
        for (int light = 0; light < 2; light++)
            fprintf(out,
                    ", \\\n     '' using 1:2:($3 %s dark ? sprintf('%%.0f', $3) : '') with labels tc rgb '%s' font ',%.2g'",
                    light ? ">=" : "<", light ? "white" : "black", fmin(6, points));
    }
    fputs("\nunset label 1\nunset colorbox\n\n", out);
}

/* The size of the panels is known when the number of tasks is. */
static void lay_out(struct sheet *sheet)
{
    struct panels *p = &sheet->panels;
    double width = fmin(SQUARE_MOST, fmax(SQUARE_LEAST, CELL * (double)sheet->tasks));
    p->left = LEFT;
    p->gap = 0.15;
    p->height = PANEL_TITLE + width + ROW_GAP;
    p->bottom = BELOW - ROW_GAP;
    p->width = width;
    for (size_t i = 0; i < p->count; i++) {
        char *title = title_of(sheet->series[i]);
        p->width = fmax(p->width, 1.05 * text_width(title));
        free(title);
    }
    p->columns = p->count < COLUMNS ? p->count : COLUMNS;
    p->rows = (p->count + p->columns - 1) / p->columns;
}

static void put_sheet(struct sheet *sheet, const char *heading, const char *name, const char *data, char **script)
{
    size_t size;
    lay_out(sheet);
    struct page page = panels_page(&sheet->panels, heading, BAR);
    FILE *out = page.script = open_memstream(script, &size);
    if (!out)
        die("no memory stream");
    panels_begin(&page, name, "Accuracy on the classes of each task after each task", heading);
    fputs(data, out);
    double right = sheet->panels.left + (double)sheet->panels.columns * (sheet->panels.width + sheet->panels.gap) - 0.05;
    put_palette(&page, (struct colours){"Accuracy (%)", 0, 100, 20}, right, BELOW,
                fmin(2, (double)sheet->panels.rows * sheet->panels.height - PANEL_TITLE - ROW_GAP));
    fprintf(out, "unset grid\nunset border\nset xrange [0.5:%zu.5]\nset yrange [%zu.5:0.5]\n"
                 "set xtics scale 0 1%s offset 0,0.4\nset ytics scale 0 1%s offset 0.6,0\n",
            sheet->tasks, sheet->tasks, sheet->tasks > MOST_TICS ? "0" : "", sheet->tasks > MOST_TICS ? "0" : "");
    for (size_t i = 0; i < sheet->panels.count; i++)
        put_panel(&page, sheet, i);
    fputs("unset multiplot\n", out);
    fclose(out);
}

static bool draw_sheet(const struct figure *figure, struct sheet *sheet, const char *part, const struct output *output,
                       struct error *error)
{
    char *data = NULL, *script = NULL, *name = figure_file(figure, sheet->group->name, part);
    char *seeds = describe_seeds(sheet->group, 1, "mean"), *heading = format_text("%s, %s", sheet->group->title, seeds);
    size_t size;
    bool ok = true;
    FILE *out = open_memstream(&data, &size);
    if (!out)
        die("no memory stream");
    for (size_t i = 0; i < sheet->panels.count && ok; i++)
        ok = put_data(out, sheet->series[i], i + 1, &sheet->tasks, error);
    fclose(out);
    if (ok)
        put_sheet(sheet, heading, name, data, &script);
    ok = ok && output_script(output, name, script, error);
    free(data);
    free(script);
    free(name);
    free(seeds);
    free(heading);
    return ok;
}

/* Series of one name beside each other. */
static const struct series **order_by_name(const struct group *group)
{
    const struct series **ordered = xmalloc(group->count * sizeof *ordered);
    struct words names = {0};
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        words_add(&names, group->series[i].name);
    for (size_t n = 0; n < names.count; n++)
        for (size_t i = 0; i < group->count; i++)
            if (strcmp(group->series[i].name, names.items[n]) == 0)
                ordered[count++] = &group->series[i];
    words_free(&names);
    return ordered;
}

static bool draw_group(const struct figure *figure, const struct group *group, const struct output *output,
                       struct error *error)
{
    const struct series **ordered = order_by_name(group);
    bool ok = true;
    for (size_t first = 0; first < group->count && ok; first += MOST_PANELS) {
        size_t left = group->count - first;
        struct sheet sheet = {.group = group, .series = ordered + first,
                              .panels = {.count = left < MOST_PANELS ? left : MOST_PANELS}};
        char *part = first > 0 ? format_text("%zu", first / MOST_PANELS + 1) : xstrdup("");
        ok = draw_sheet(figure, &sheet, part, output, error);
        free(part);
    }
    free(ordered);
    return ok;
}

static bool draw(const struct figure *figure, const struct charts *charts, const struct output *output, struct error *error)
{
    static const char *const keys[] = {PROTOCOL, NULL};
    static const struct comparing what = {keys, NULL, true, run_is_incremental, "not incremental"};
    tell_absent(figure, charts, &what);
    struct comparison comparison = compare_runs(charts, &what);
    bool ok = true;
    for (size_t g = 0; g < comparison.count && ok; g++)
        ok = draw_group(figure, &comparison.groups[g], output, error);
    comparison_free(&comparison);
    return ok;
}

const struct figure figure_task_matrix = {
    .name = "task-matrix",
    .help = "Accuracy on the classes of each task after each task, mean over seeds: a panel a strategy, head and precision.",
    .draw_runs = draw,
};
