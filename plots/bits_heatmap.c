/* SPDX-License-Identifier: GPL-3.0-or-later
 * The final width of each tensor at each budget: a panel an allocator and mode, tensors in network order from
 * the top, the mean over seeds in each cell. */
#include "plots.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL_WIDTH 0.34
#define ROW_HEIGHT 0.165
#define GAP 0.12
#define BOTTOM 0.42       /* budgets and x label; budgets that stand upright take more */
#define TOP 0.2           /* panel title */
#define HEADING 0.2
#define BAR 0.62          /* colour bar with its numbers */
#define COLUMNS 4         /* panels side by side */
#define MOST_ROWS 30      /* of tensors below each other with all modes in one figure */

struct panel { const struct line *line; size_t row, column; };

/* The panels of one figure. A mode starts a new row. */
struct grid {
    const struct chart *chart;
    struct words budgets;        /* of all panels, so that their columns agree */
    const struct field *tensors; /* names */
    size_t tensor_count;
    struct panel *panels;
    size_t count, rows, columns;
    bool mean_widths;            /* all budgets are */
    double upright;              /* inches that the longest budget takes where it stands upright, else 0 */
};

static int by_budget(const void *left, const void *right)
{
    return compare_budgets(*(const char *const *)left, *(const char *const *)right);
}

/* The chart's budgets in order. */
static struct words chart_budgets(const struct chart *chart)
{
    struct words budgets = {0};
    for (size_t i = 0; i < chart->count; i++)
        for (size_t k = 0; k < chart->lines[i].count; k++)
            words_add(&budgets, chart->lines[i].cells[k].budget);
    qsort(budgets.items, budgets.count, sizeof *budgets.items, by_budget);
    return budgets;
}

/* Every run must have the same tensors, or the rows mean different things. */
static bool check_tensors(const struct chart *chart, const struct field **names, struct error *error)
{
    *names = NULL;
    for (size_t i = 0; i < chart->count; i++)
        for (size_t k = 0; k < chart->lines[i].count; k++)
            for (size_t r = 0; r < chart->lines[i].cells[k].count; r++) {
                const struct record *run = chart->lines[i].cells[k].runs[r];
                const struct field *found = record_find(run, "/tensors/name"),
                                   *bits = record_find(run, "/bits/final");
                const char *id = record_get_text(run, "/id", "?");
                if (!found || found->type != RECORD_TEXT || !bits || bits->type != RECORD_F32 ||
                    field_count(found) != field_count(bits))
                    return fail(error, "run %s has no /bits/final of all its /tensors/name", id);
                *names = *names ? *names : found;
                if (field_count(found) != field_count(*names))
                    return fail(error, "run %s has %zu tensors where other runs of %s have %zu", id,
                                field_count(found), chart->title, field_count(*names));
            }
    return true;
}

static double mean_width(const struct cell *cell, size_t tensor)
{
    double sum = 0;
    for (size_t r = 0; r < cell->count; r++) {
        float bits = ((const float *)record_find(cell->runs[r], "/bits/final")->data)[tensor];
        sum += bits > 0 ? bits : 32;
    }
    return sum / cell->count;
}

/* Places the lines of one mode, or of all (NULL). */
static void place_panels(struct grid *grid, const char *only)
{
    struct words modes = chart_modes(grid->chart);
    grid->count = grid->rows = grid->columns = 0;
    for (size_t m = 0; m < modes.count; m++) {
        size_t column = 0;
        for (size_t i = 0; i < grid->chart->count; i++) {
            const struct line *line = &grid->chart->lines[i];
            if (strcmp(line->mode, modes.items[m]) != 0 || (only && strcmp(only, line->mode) != 0))
                continue;
            column %= COLUMNS;
            grid->rows += column == 0;
            grid->panels[grid->count++] = (struct panel){line, grid->rows - 1, column++};
            grid->columns = column > grid->columns ? column : grid->columns;
        }
    }
    words_free(&modes);
}

static bool is_lowest(const struct grid *grid, const struct panel *panel)
{
    for (size_t i = 0; i < grid->count; i++)
        if (grid->panels[i].column == panel->column && grid->panels[i].row > panel->row)
            return false;
    return true;
}

/* ---- the script ----------------------------------------------------------------------- */

static void put_line(FILE *out, struct grid *grid, const struct line *line, size_t index)
{
    fprintf(out, "$panel%zu << END\n# %s, %s: column, row, mean width over seeds, as text\n", index,
            line->label, line->mode);
    for (size_t k = 0; k < line->count; k++)
        for (size_t t = 0; t < grid->tensor_count; t++) {
            double width = mean_width(&line->cells[k], t);
            bool whole = fabs(width - round(width)) < 0.05;
            fprintf(out, "%zu %zu %.6g %.*f\n", words_add(&grid->budgets, line->cells[k].budget), t, width,
                    whole ? 0 : 1, width);
        }
    fputs("END\n", out);
}

static void put_tics(FILE *out, const struct grid *grid, bool budgets, bool tensors)
{
    fprintf(out, "set xtics scale 0%s (", grid->upright > 0 ? " rotate by 90 right" : "");
    for (size_t b = 0; b < grid->budgets.count; b++) {
        fputs(b > 0 ? ", " : "", out);
        put_tic(out, !budgets ? "" : *grid->budgets.items[b] ? grid->budgets.items[b] : "none");
        fprintf(out, " %zu", b);
    }
    fprintf(out, ") offset 0,%g\nset ytics scale 0 (", grid->upright > 0 ? 0 : 0.4);
    for (size_t t = 0; t < grid->tensor_count; t++) {
        fputs(t > 0 ? ", " : "", out);
        put_tic(out, tensors ? ((char **)grid->tensors->data)[t] : "");
        fprintf(out, " %zu", t);
    }
    fputs(")\n", out);
}

static void put_panel(const struct page *page, struct grid *grid, struct box box, size_t index)
{
    const struct panel *panel = &grid->panels[index];
    FILE *out = page->script;
    put_line(out, grid, panel->line, index + 1);
    page_place(page, box);
    char *title = format_text("%s, %s", panel->line->label, panel->line->mode);
    fputs("set title ", out);
    put_text(out, title);
    free(title);
    bool lowest = is_lowest(grid, panel);
    fprintf(out, " offset 0,-0.75\nset xlabel '%s' offset 0,0.7\n",
            !lowest             ? ""
            : grid->mean_widths ? "Budget (mean bits)"
                                : "Budget");
    put_tics(out, grid, lowest, panel->column == 0);
    fprintf(out, "plot $panel%zu using 1:2:(0.5):(0.5):3 \\\n"
                 "         with boxxyerror lc palette fs solid border lc rgb 'white', \\\n"
                 "     '' using 1:2:($3 < dark ? strcol(4) : '') with labels tc rgb 'black' font ',6', \\\n"
                 "     '' using 1:2:($3 < dark ? '' : strcol(4)) with labels tc rgb 'white' font ',6'\n"
                 "unset label 1\nunset colorbox\n\n",
            index + 1);
}

/* Budgets that are wider than their column stand upright. */
static void measure_budgets(struct grid *grid)
{
    double widest = 0;
    grid->mean_widths = true;
    for (size_t b = 0; b < grid->budgets.count; b++) {
        widest = fmax(widest, text_width(grid->budgets.items[b]));
        grid->mean_widths &= is_mean_width(grid->budgets.items[b]);
    }
    grid->upright = widest > CELL_WIDTH ? 1.1 * widest + 0.1 : 0;
}

static double longest_name(const struct grid *grid)
{
    double longest = 0;
    for (size_t t = 0; t < grid->tensor_count; t++)
        longest = fmax(longest, text_width(((char **)grid->tensors->data)[t]));
    return longest;
}

static double panel_width(const struct grid *grid)
{
    double width = grid->budgets.count * CELL_WIDTH;
    for (size_t i = 0; i < grid->count; i++)
        width = fmax(width,
                     text_width(grid->panels[i].line->label) + text_width(grid->panels[i].line->mode) + 0.2);
    return width;
}

static void put_page(const struct page *page, struct grid *grid, const char *name, double left, double panel)
{
    double tall = TOP + grid->tensor_count * ROW_HEIGHT, bottom = BOTTOM + grid->upright;
    FILE *out = page->script;
    page_begin(page, name, "Final width of each tensor at each budget");
    fprintf(out, "set multiplot\nunset key\nunset grid\nunset border\nset xrange [-0.5:%g]\n"
                 "set yrange [%g:-0.5]\n",
            grid->budgets.count - 0.5, grid->tensor_count - 0.5);
    put_palette(page, colours_of_bits, left + grid->columns * (panel + GAP), bottom, page->height - bottom - HEADING - TOP);
    fputs("set label 1 ", out);
    put_text(out, grid->chart->title);
    fprintf(out, " at screen 0.5, screen %.5f center\n\n", 1 - 0.55 * HEADING / page->height);
    for (size_t i = 0; i < grid->count; i++)
        put_panel(page, grid,
                  (struct box){left + grid->panels[i].column * (panel + GAP),
                               page->height - HEADING - (grid->panels[i].row + 1) * tall, panel, tall - TOP},
                  i);
    fputs("unset multiplot\n", out);
}

static bool draw_grid(const struct figure *figure, struct grid *grid, const char *part,
                      const struct output *output, struct error *error)
{
    char *script = NULL, *name = figure_file(figure, grid->chart->name, part);
    size_t size;
    double left = longest_name(grid) + 0.12, panel = panel_width(grid);
    struct page page = {
        .width = fmax(left + grid->columns * (panel + GAP) + BAR, text_width(grid->chart->title) + 0.2),
        .height = HEADING + grid->rows * (TOP + grid->tensor_count * ROW_HEIGHT) + BOTTOM + grid->upright};
    page.script = open_memstream(&script, &size);
    if (!page.script)
        die("no memory stream");
    put_page(&page, grid, name, left, panel);
    fclose(page.script);
    bool ok = output_script(output, name, script, error);
    free(script);
    free(name);
    return ok;
}

/* All modes in one figure, or one figure a mode where that would be too tall. */
static bool draw(const struct figure *figure, const struct chart *chart, const struct output *output,
                 struct error *error)
{
    struct grid grid = {.chart = chart};
    if (!check_tensors(chart, &grid.tensors, error))
        return false;
    grid.tensor_count = field_count(grid.tensors);
    grid.budgets = chart_budgets(chart);
    measure_budgets(&grid);
    grid.panels = xmalloc(chart->count * sizeof *grid.panels);
    struct words modes = chart_modes(chart);
    bool ok = true;
    place_panels(&grid, NULL);
    if (modes.count == 1 || grid.rows * grid.tensor_count <= MOST_ROWS)
        ok = draw_grid(figure, &grid, "", output, error);
    else
        for (size_t m = 0; m < modes.count && ok; m++) {
            place_panels(&grid, modes.items[m]);
            ok = draw_grid(figure, &grid, modes.items[m], output, error);
        }
    words_free(&modes);
    words_free(&grid.budgets);
    free(grid.panels);
    return ok;
}

const struct figure figure_bits_heatmap = {
    .name = "bits-heatmap",
    .help = "Final width of each tensor at each budget, mean over seeds; a panel an allocator and mode.",
    .draw = draw,
};
