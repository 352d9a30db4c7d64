/* SPDX-License-Identifier: GPL-3.0-or-later
 * The sensitivity that allocators work with against the change of loss that was measured when one tensor alone is quantised:
 * a panel a budget, a mark a tensor and seed. Does it order the tensors? Kendall's tau says. */
#include "../results/stats.h"
#include "panels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 1.9
#define TOP (PANEL_TITLE + PANEL_TITLE_LINE)
#define HEIGHT 1.7
#define LEFT 0.58
#define BELOW 0.38         /* a row: numbers and label */
#define FOOT 0.42          /* legend and caption */
#define FLOOR 0.4          /* of the smallest positive value: where values of 0 or below stand */

enum { KINDS = 2 };
static const char *const kinds[KINDS] = {"weight", "activation"}, *const named[KINDS] = {"weights", "inputs"};

/* The explained tensors of a run: the first of /tensors. */
struct explained { const char *id; size_t count; const double *predicted, *measured; char **kinds; };

static bool read_explained(const struct record *run, struct explained *e, struct error *error)
{
    const struct field *predicted = record_find(run, "/explain/predicted"),
                       *measured = record_find(run, "/explain/measured"), *kind = record_find(run, "/tensors/kind");
    *e = (struct explained){.id = record_get_text(run, "/id", "?")};
    if (!predicted || !measured || !kind || predicted->type != RECORD_F64 || measured->type != RECORD_F64 ||
        kind->type != RECORD_TEXT || field_count(predicted) != field_count(measured) ||
        field_count(predicted) > field_count(kind))
        return fail(error, "run %s has no /explain/predicted and /explain/measured of its tensors", e->id);
    e->count = field_count(predicted);
    e->predicted = predicted->data;
    e->measured = measured->data;
    e->kinds = kind->data;
    return true;
}

/* ---- what all panels have in common --------------------------------------------------- */

struct extent { double low, high; }; /* of positive values */
struct survey {
    struct extent predicted, measured;
    size_t tensors, open, undefined; /* marks; of these at a floor; not drawn because a value is not finite */
};

static void widen(struct extent *extent, double value)
{
    if (value > 0) {
        extent->low = fmin(extent->low, value);
        extent->high = fmax(extent->high, value);
    }
}

static bool is_defined(const struct explained *e, size_t t) { return isfinite(e->predicted[t]) && isfinite(e->measured[t]); }
static bool is_open(const struct explained *e, size_t t) { return e->predicted[t] <= 0 || e->measured[t] <= 0; }

static void close_extent(struct extent *extent)
{
    if (extent->high < extent->low)
        *extent = (struct extent){1, 1}; /* no value is positive */
}

static bool survey_runs(const struct panels *panels, struct survey *s, struct error *error)
{
    *s = (struct survey){.predicted = {INFINITY, 0}, .measured = {INFINITY, 0}};
    for (size_t i = 0; i < panels->count; i++)
        for (size_t r = 0; r < panels->items[i].count; r++) {
            struct explained e;
            if (!read_explained(panels->items[i].runs[r], &e, error))
                return false;
            s->tensors += e.count;
            for (size_t t = 0; t < e.count; t++) {
                s->undefined += !is_defined(&e, t);
                if (!is_defined(&e, t))
                    continue;
                s->open += is_open(&e, t);
                widen(&s->predicted, e.predicted[t]);
                widen(&s->measured, e.measured[t]);
            }
        }
    close_extent(&s->predicted);
    close_extent(&s->measured);
    return true;
}

/* ---- one panel ------------------------------------------------------------------------ */

static double placed(double value, struct extent extent) { return value > 0 ? value : FLOOR * extent.low; }

static void put_points(FILE *out, const struct cell *cell, const struct survey *s, size_t index)
{
    fprintf(out, "$points%zu << END\n# predicted, measured, 0 weight or 1 input, 1: at a floor\n", index);
    for (size_t r = 0; r < cell->count; r++) {
        struct explained e;
        struct error error;
        if (!read_explained(cell->runs[r], &e, &error)) /* survey_runs has read it */
            die("%s", error.text);
        fprintf(out, "# run %s\n", e.id);
        for (size_t t = 0; t < e.count; t++)
            if (is_defined(&e, t))
                fprintf(out, "%.6g %.6g %d %d\n", placed(e.predicted[t], s->predicted), placed(e.measured[t], s->measured),
                        strcmp(e.kinds[t], kinds[0]) != 0, is_open(&e, t));
    }
    fputs("END\n", out);
}

/* "τ = 0.71 ± 0.05"; free() it. */
static char *tau_text(const struct cell *cell)
{
    double *values = xmalloc((cell->count + 1) * sizeof *values);
    for (size_t r = 0; r < cell->count; r++)
        values[r] = record_get_real(cell->runs[r], "/explain/kendall_tau", NAN);
    struct summary tau = summarise(values, cell->count);
    free(values);
    if (!isfinite(tau.mean))
        return xstrdup("τ undefined");
    return tau.count > 1 ? format_text("τ = %.2f ± %.2f", tau.mean, tau.deviation) : format_text("τ = %.2f", tau.mean);
}

static void put_panel(const struct page *page, const struct panels *panels, size_t i)
{
    FILE *out = page->script;
    bool first = panel_is_first(panels, i), lowest = panel_is_lowest(panels, i);
    char *tau = tau_text(&panels->items[i]);
    page_place(page, panel_box(panels, page, i, TOP, HEIGHT));
    put_panel_title(out, panels, i, tau);
    free(tau);
    fprintf(out, "set format x '%s'\nset format y '%s'\n", lowest ? "10^{%L}" : "", first ? "10^{%L}" : "");
    fprintf(out, "set xlabel '%s' offset 0,0.5\nset ylabel '%s' offset 0.6,0\n", lowest ? "Predicted Ω" : "",
            first ? "Loss change (nat)" : "");
    for (int kind = 0; kind < KINDS; kind++)
        for (int open = 0; open < 2; open++)
            fprintf(out, "%s$points%zu using ($3==%d && $4==%d ? $1 : NaN):2 with points ls %d ps 0.5 notitle",
                    kind + open ? ", \\\n     " : "plot ", i + 1, kind, open, 1 + kind + open * STYLES);
    fputs("\nunset label 1\n\n", out);
}

/* ---- the page ------------------------------------------------------------------------- */

static void put_foot(const struct page *page, const struct survey *s)
{
    FILE *out = page->script;
    page_place(page, (struct box){0.05, 0.17, page->width - 0.1, FOOT - 0.2});
    fputs("# legend and caption\nunset logscale\nunset title\nunset border\nunset tics\nunset grid\n"
          "unset xlabel\nunset ylabel\nset key center center horizontal Left reverse samplen 1 width 1\n",
          out);
    char *undefined = s->undefined ? format_text("; %zu without a finite value", s->undefined) : xstrdup("");
    if (s->open || s->undefined)
        fprintf(out,
                "set label 2 'Open marks: %zu of %zu tensors, change of loss or Ω not above 0%s' \\\n"
                "    at screen 0.5, screen %.5f center\n",
                s->open, s->tensors, undefined, 0.1 / page->height);
    free(undefined);
    fputs("plot [0:1] [0:1] ", out);
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(out, "%s2 with points ls %d title '%s'", kind ? ", " : "", 1 + kind, named[kind]);
    fputs("\nunset multiplot\n", out);
}

static bool script_of(struct panels *panels, const char *heading, const char *name, char **script,
                      struct error *error)
{
    struct survey s;
    size_t size;
    if (!survey_runs(panels, &s, error))
        return false;
    panels_place(panels, WIDTH);
    panels->left = LEFT;
    panels->gap = 0.14;
    panels->height = TOP + HEIGHT + 0.04;
    panels->bottom = BELOW + FOOT;
    struct page page = panels_page(panels, heading, 0.2);
    FILE *out = page.script = open_memstream(script, &size);
    if (!out)
        die("no memory stream");
    panels_begin(&page, name, "Predicted sensitivity against measured change of loss, of each tensor", heading);
    for (size_t i = 0; i < panels->count; i++)
        put_points(out, &panels->items[i], &s, i + 1);
    fprintf(out, "set logscale xy\nset xrange [%.4g:%.4g]\nset yrange [%.4g:%.4g]\n", 0.6 * FLOOR * s.predicted.low,
            2 * s.predicted.high, 0.6 * FLOOR * s.measured.low, 2 * s.measured.high);
    for (size_t i = 0; i < panels->count; i++)
        put_panel(&page, panels, i);
    put_foot(&page, &s);
    fclose(out);
    return true;
}

static bool shows(const struct record *run) { return record_find(run, "/explain/predicted") != NULL; }

static bool draw(const struct figure *figure, const struct chart *chart, const struct output *output, struct error *error)
{
    static const struct line_figure lines = {shows, "not explained (explain: true)", script_of};
    return draw_lines(figure, chart, output, error, &lines);
}

const struct figure figure_sensitivity = {
    .name = "sensitivity",
    .help = "Predicted sensitivity against measured change of loss, a mark a tensor: a file an allocator and mode, a panel "
            "a budget.",
    .draw = draw,
};
