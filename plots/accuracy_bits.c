/* SPDX-License-Identifier: GPL-3.0-or-later
 * Test accuracy against the cost that was achieved, mostly mean bits: a panel a mode, a line an allocator, the FP32
 * reference across. Budgets on different costs make figures of their own. */
#include "../results/stats.h"
#include "plots.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PANEL_WIDTH 2.05
#define PANEL_HEIGHT 1.75
#define GAP 0.14        /* between panels */
#define LEFT 0.52       /* y label and numbers */
#define BOTTOM 0.36     /* x label and numbers */
#define TOP 0.2         /* panel title, where there are several */
#define ROW_GAP 0.12
#define HEADING 0.2
#define KEY_ROW 0.17
#define KEY_SPACE 0.2  /* gnuplot centres a key of several rows too low */
#define KEY_SAMPLE 0.55 /* line sample and space beside a text */
#define COLUMNS 3

/* The runs of a chart whose budgets are on the same costs, against that cost; against mean bits where there are several. */
struct view {
    struct chart chart;    /* lines and cells are of the view alone */
    char *costs;           /* of the budgets */
    const char *cost;      /* along the axis */
    struct cost_axis axis;
};

/* The cost in the units of its axis. */
struct point { double cost, cost_deviation, accuracy, accuracy_deviation; size_t seeds; };

static struct summary accuracy_of(const struct record **runs, size_t count)
{
    double *values = xmalloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = 100 * record_get_real(runs[i], "/metrics/test_accuracy", NAN);
    struct summary summary = summarise(values, count);
    free(values);
    return summary;
}

static struct point point_of(const struct view *view, const struct cell *cell)
{
    double *values = xmalloc((cell->count + 1) * sizeof *values);
    for (size_t i = 0; i < cell->count; i++)
        values[i] = achieved_cost(cell->runs[i], view->cost) / view->axis.unit;
    struct summary cost = summarise(values, cell->count), accuracy = accuracy_of(cell->runs, cell->count);
    free(values);
    return (struct point){cost.mean, cost.deviation, accuracy.mean, accuracy.deviation, cell->count};
}

/* Ranges of both axes over all panels, deviations included. */
struct extent { double low, high; };

static void widen(struct extent *range, double middle, double deviation)
{
    double half = isfinite(deviation) ? deviation : 0;
    range->low = fmin(range->low, middle - half);
    range->high = fmax(range->high, middle + half);
}

/* Bits have a tic each. */
static bool in_bits(const struct view *view) { return strcmp(view->cost, "mean_bits") == 0; }

static void find_ranges(const struct view *view, struct extent *cost, struct extent *accuracy)
{
    const struct chart *chart = &view->chart;
    *cost = *accuracy = (struct extent){INFINITY, -INFINITY};
    for (size_t i = 0; i < chart->count; i++)
        for (size_t k = 0; k < chart->lines[i].count; k++) {
            struct point point = point_of(view, &chart->lines[i].cells[k]);
            widen(cost, point.cost, point.cost_deviation);
            widen(accuracy, point.accuracy, point.accuracy_deviation);
        }
    if (chart->reference_count > 0) {
        struct summary r = accuracy_of(chart->references, chart->reference_count);
        widen(accuracy, r.mean, r.deviation);
    }
    double pad = fmax(0.05 * (accuracy->high - accuracy->low), 0.1);
    accuracy->low = fmax(0, accuracy->low - pad);
    accuracy->high = fmin(100.5, accuracy->high + pad);
    pad = in_bits(view) ? 0.4 : fmax(0.08 * (cost->high - cost->low), 0.01 * cost->high);
    cost->low -= pad;
    cost->high += pad;
}

/* One data block a line; `$line3` is line 3 of the chart. */
static void put_data(FILE *out, const struct view *view)
{
    const struct chart *chart = &view->chart;
    fprintf(out, "# budget, %s achieved, deviation, test accuracy in %%, deviation, seeds\n", view->cost);
    for (size_t i = 0; i < chart->count; i++) {
        const struct line *line = &chart->lines[i];
        fprintf(out, "$line%zu << END\n# %s, %s\n", i + 1, line->label, line->mode);
        for (size_t k = 0; k < line->count; k++) {
            struct point point = point_of(view, &line->cells[k]);
            fprintf(out, "%s %.8g %.8g %.8g %.8g %zu\n",
                    *line->cells[k].budget ? line->cells[k].budget : "NaN", point.cost, point.cost_deviation,
                    point.accuracy, point.accuracy_deviation, point.seeds);
        }
        fputs("END\n", out);
    }
    fputc('\n', out);
}

static bool cost_varies(const struct view *view, const struct line *line)
{
    for (size_t k = 0; k < line->count; k++) {
        struct point point = point_of(view, &line->cells[k]);
        if (point.cost_deviation > 1e-9 * point.cost)
            return true;
    }
    return false;
}

static void put_reference(FILE *out, const struct chart *chart)
{
    if (chart->reference_count == 0)
        return;
    struct summary r = accuracy_of(chart->references, chart->reference_count);
    fprintf(out, "# FP32 reference: mean and deviation over %zu seeds\nfp32 = %.8g\nfp32_deviation = %.8g\n",
            r.count, r.mean, isfinite(r.deviation) ? r.deviation : 0);
    fputs("set object 1 rectangle from graph 0, first fp32 - fp32_deviation \\\n"
          "    to graph 1, first fp32 + fp32_deviation \\\n"
          "    behind fillstyle solid noborder fillcolor rgb '#e4e4e4'\n\n",
          out);
}

/* Error bars as vectors, since the style yerrorbars erases what lies under its marks. They come first, so
 * that the marks lie on them. */
#define BAR "with vectors heads size graph 0.012,90"
static void put_panel(FILE *out, const struct view *view, struct words *labels, const char *mode)
{
    const struct chart *chart = &view->chart;
    const char *separator = "plot ";
    if (chart->reference_count > 0) {
        fprintf(out, "%sfp32 with lines ls %d notitle", separator, REFERENCE_STYLE);
        separator = ", \\\n     ";
    }
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < chart->count; i++) {
            const struct line *line = &chart->lines[i];
            if (strcmp(line->mode, mode) != 0)
                continue;
            size_t style = line_style(words_add(labels, line->label));
            if (pass == 0) {
                fprintf(out, "%s$line%zu using 2:($4-$5):(0):(2*$5) " BAR " ls %zu dt solid lw 0.8 notitle",
                        separator, i + 1, style);
                separator = ", \\\n     ";
                if (cost_varies(view, line))
                    fprintf(out,
                            "%s$line%zu using ($2-$3):4:(2*$3):(0) " BAR " ls %zu dt solid lw 0.8 notitle",
                            separator, i + 1, style);
            } else {
                fprintf(out, "%s$line%zu using 2:4 with linespoints ls %zu notitle", separator, i + 1, style);
            }
        }
    fputs("\n\n", out);
}

static void put_key(FILE *out, const struct chart *chart, const struct words *labels, size_t columns)
{
    fprintf(out, "# legend\nunset object\nunset title\nunset border\nunset tics\nunset grid\nunset xlabel\n"
                 "unset ylabel\nset key center center horizontal Left reverse maxcols %zu\n"
                 "set key samplen 3 spacing 1.1 width 1\n",
            columns);
    fputs("plot [0:1] [0:1] ", out);
    for (size_t i = 0; i < labels->count; i++) {
        fprintf(out, "%s2 with linespoints ls %zu title ", i > 0 ? ", \\\n     " : "", line_style(i));
        put_text(out, labels->items[i]);
    }
    if (chart->reference_count > 0)
        fprintf(out, ", \\\n     2 with lines ls %d title 'FP32'", REFERENCE_STYLE);
    fputc('\n', out);
}

struct layout {
    size_t panels, columns, rows, key_columns, key_rows;
    struct page page;
    double top, key_height;
};

static struct layout lay_out(const struct chart *chart, const char *heading, const struct words *modes,
                             const struct words *labels)
{
    struct layout l = {.panels = modes->count, .top = modes->count > 1 ? TOP : 0.04};
    l.rows = (l.panels + COLUMNS - 1) / COLUMNS;
    l.columns = (l.panels + l.rows - 1) / l.rows;
    double panel = l.panels == 1 ? 1.35 * PANEL_WIDTH : PANEL_WIDTH;
    double entry = text_width("FP32");
    for (size_t i = 0; i < labels->count; i++)
        entry = fmax(entry, text_width(labels->items[i]));
    l.page.width = fmax(LEFT + l.columns * panel + (l.columns - 1) * GAP + 0.1,
                        fmax(text_width(heading) + 0.1, entry + KEY_SAMPLE + 0.1));
    size_t entries = labels->count + (chart->reference_count > 0);
    l.key_columns = (size_t)fmax(1, floor(l.page.width / (entry + KEY_SAMPLE)));
    l.key_rows = (entries + l.key_columns - 1) / l.key_columns;
    l.key_height = KEY_SPACE + l.key_rows * KEY_ROW;
    l.page.height = HEADING + l.rows * (l.top + PANEL_HEIGHT) + (l.rows - 1) * ROW_GAP + BOTTOM +
                    l.key_height;
    return l;
}

static void put_panels(const struct layout *l, const struct view *view, const struct words *modes, struct words *labels)
{
    FILE *out = l->page.script;
    double panel = (l->page.width - LEFT - 0.1 - (l->columns - 1) * GAP) / l->columns;
    for (size_t p = 0; p < l->panels; p++) {
        size_t row = p / l->columns, column = p % l->columns;
        bool lowest = p + l->columns >= l->panels;
        page_place(&l->page, (struct box){LEFT + column * (panel + GAP),
                                          l->page.height - HEADING - (row + 1) * (l->top + PANEL_HEIGHT) -
                                              row * ROW_GAP,
                                          panel, PANEL_HEIGHT});
        fputs("set title ", out);
        put_text(out, l->panels > 1 ? modes->items[p] : "");
        fprintf(out, " offset 0,-0.7\nset format x '%s'\nset format y '%s'\n", lowest ? "%g" : "",
                column == 0 ? "%g" : "");
        fputs("set xlabel ", out);
        put_text(out, lowest ? view->axis.label : "");
        fputs(" offset 0,0.6\n", out);
        fprintf(out, "set ylabel '%s' offset 0.3,0\n", column == 0 ? "Test accuracy (%)" : "");
        put_panel(out, view, labels, modes->items[p]);
        fputs(p == 0 ? "unset label 1\n" : "", out);
    }
}

/* "budgets on bops, weight_bytes" where the axis does not tell. */
static char *describe_runs(const struct view *view)
{
    const struct chart *chart = &view->chart;
    bool several = strcmp(view->costs, view->cost) != 0;
    char *title = format_text("%s%s%s", chart->title, several ? ", budgets on " : "", several ? view->costs : "");
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < chart->count; i++)
        for (size_t k = 0; k < chart->lines[i].count; k++) {
            size_t count = chart->lines[i].cells[k].count;
            least = count < least ? count : least;
            most = count > most ? count : most;
        }
    char *text = most == 1       ? format_text("%s, one seed", title)
                 : least == most ? format_text("%s, mean ± deviation over %zu seeds", title, most)
                                 : format_text("%s, mean ± deviation over %zu to %zu seeds", title, least, most);
    free(title);
    return text;
}

static bool draw_view(const struct figure *figure, const struct view *view, const char *part, const struct output *output,
                      struct error *error)
{
    const struct chart *chart = &view->chart;
    char *script = NULL, *name = figure_file(figure, chart->name, part), *heading = describe_runs(view);
    size_t size;
    struct words modes = chart_modes(chart), labels = chart_labels(chart);
    struct layout l = lay_out(chart, heading, &modes, &labels);
    struct extent cost, accuracy;
    find_ranges(view, &cost, &accuracy);
    FILE *out = l.page.script = open_memstream(&script, &size);
    if (!out)
        die("no memory stream");
    page_begin(&l.page, name, "Test accuracy against the cost achieved");
    put_data(out, view);
    fprintf(out, "set multiplot\nunset key\nset xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\nset xtics %s\n",
            cost.low, cost.high, accuracy.low, accuracy.high, in_bits(view) ? "1" : "autofreq");
    put_reference(out, chart);
    fputs("set label 1 ", out);
    put_text(out, heading);
    fprintf(out, " at screen 0.5, screen %.5f center\n", 1 - 0.55 * HEADING / l.page.height);
    put_panels(&l, view, &modes, &labels);
    page_place(&l.page, (struct box){0.05, 0, l.page.width - 0.1, l.key_height});
    put_key(out, chart, &labels, l.key_columns);
    fputs("unset multiplot\n", out);
    fclose(out);
    bool ok = output_script(output, name, script, error);
    words_free(&modes);
    words_free(&labels);
    free(script);
    free(name);
    free(heading);
    return ok;
}

/* ---- views ---------------------------------------------------------------------------- */

/* All that the chart's budgets are about, in order of appearance; the texts are to be freed. */
static struct words all_costs(const struct chart *chart)
{
    struct words all = {0};
    for (size_t i = 0; i < chart->count; i++)
        for (size_t k = 0; k < chart->lines[i].count; k++) {
            char *costs = costs_of_budget(chart->lines[i].cells[k].budget);
            size_t count = all.count;
            words_add(&all, costs);
            if (all.count == count)
                free(costs);
        }
    return all;
}

/* The line's cells with budgets on these costs; free() them. */
static struct line line_of(const struct line *from, const char *costs)
{
    struct line line = {from->mode, from->label, xcalloc(from->count + 1, sizeof *line.cells), 0};
    for (size_t k = 0; k < from->count; k++) {
        char *own = costs_of_budget(from->cells[k].budget);
        if (strcmp(own, costs) == 0)
            line.cells[line.count++] = from->cells[k];
        free(own);
    }
    return line;
}

/* The largest cost of any run, for the unit of the axis; false if a run does not tell what it cost. */
static bool find_largest(const struct view *view, double *largest, struct error *error)
{
    *largest = 0;
    for (size_t i = 0; i < view->chart.count; i++)
        for (size_t k = 0; k < view->chart.lines[i].count; k++)
            for (size_t r = 0; r < view->chart.lines[i].cells[k].count; r++) {
                const struct record *run = view->chart.lines[i].cells[k].runs[r];
                double cost = achieved_cost(run, view->cost);
                if (!isfinite(cost))
                    return fail(error, "run %s does not tell its %s", record_get_text(run, "/id", "?"), view->cost);
                *largest = fmax(*largest, cost);
            }
    return true;
}

static bool make_view(const struct chart *chart, const char *costs, struct view *view, struct error *error)
{
    double largest;
    *view = (struct view){.chart = *chart, .costs = xstrdup(costs), .axis = {1, NULL}};
    view->cost = strchr(view->costs, ',') ? "mean_bits" : view->costs;
    view->chart.lines = xcalloc(chart->count + 1, sizeof *view->chart.lines);
    view->chart.count = 0;
    for (size_t i = 0; i < chart->count; i++) {
        struct line line = line_of(&chart->lines[i], costs);
        if (line.count > 0)
            view->chart.lines[view->chart.count++] = line;
        else
            free(line.cells);
    }
    if (!find_largest(view, &largest, error))
        return false;
    view->axis = cost_axis(view->chart.lines[0].cells[0].runs[0], view->cost, largest);
    return true;
}

static void view_free(struct view *view)
{
    for (size_t i = 0; i < view->chart.count; i++)
        free(view->chart.lines[i].cells);
    free(view->chart.lines);
    free(view->costs);
    free((char *)view->axis.label);
}

static bool draw(const struct figure *figure, const struct chart *chart, const struct output *output,
                 struct error *error)
{
    struct words costs = all_costs(chart);
    bool ok = true;
    for (size_t i = 0; i < costs.count && ok; i++) {
        struct view view;
        bool usual = costs.count == 1 || strcmp(costs.items[i], "mean_bits") == 0;
        ok = make_view(chart, costs.items[i], &view, error) &&
             draw_view(figure, &view, usual ? "" : costs.items[i], output, error);
        view_free(&view);
    }
    for (size_t i = 0; i < costs.count; i++)
        free((char *)costs.items[i]);
    words_free(&costs);
    return ok;
}

const struct figure figure_accuracy_bits = {
    .name = "accuracy-bits",
    .help = "Test accuracy against achieved mean bits, or another cost: a panel a mode, a line an allocator, the FP32 "
            "reference.",
    .draw = draw,
};
