/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curves.h"
#include "panels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEIGHT 1.5
#define LEFT 0.62       /* y label and numbers */
#define GAP 0.14
#define RIGHT 0.18
#define BELOW 0.4       /* numbers and label under the lowest row */
#define KEY_ROW 0.17
#define KEY_SPACE 0.1
#define MARGIN 0.1      /* beside the legend */
#define SAMPLE 0.32     /* of a line in the legend */
#define KEY_SAMPLE 0.5  /* that and the space beside it and its text */
#define MOST_TICS 10    /* one for each whole number */
#define MOST_MARKS 40   /* points of a curve; marks of more run together */

/* ---- how curves look ------------------------------------------------------------------ */

struct looks { struct words names, variants; size_t references; /* variants that are references */ };

static struct looks find_looks(const struct curve_page *page)
{
    struct looks looks = {0};
    for (int reference = 1; reference >= 0; reference--) {
        for (size_t p = 0; p < page->count; p++)
            for (size_t c = 0; c < page->panels[p].count; c++)
                if (page->panels[p].curves[c].reference == reference)
                    words_add(&looks.variants, page->panels[p].curves[c].variant);
        if (reference)
            looks.references = looks.variants.count;
    }
    for (size_t p = 0; p < page->count; p++)
        for (size_t c = 0; c < page->panels[p].count; c++)
            words_add(&looks.names, page->panels[p].curves[c].name);
    return looks;
}

struct look { size_t style; const char *dashes; bool mark; };

static struct look look_of(struct looks *looks, const struct curve *curve)
{
    size_t name = words_add(&looks->names, curve->name), variant = words_add(&looks->variants, curve->variant);
    bool mark = !curve->level && curve->count <= MOST_MARKS;
    if (looks->names.count > 1)
        return (struct look){line_style(name % STYLES + (variant > 0 ? STYLES : 0)), line_dashes(variant), mark};
    if (curve->reference)
        return (struct look){curve->level ? REFERENCE_STYLE : BLACK_STYLE, curve->level ? "(2,3)" : "solid", false};
    return (struct look){line_style(variant - looks->references), line_dashes(variant - looks->references), mark};
}

/* ---- data ----------------------------------------------------------------------------- */

static double error_of(const struct summary *s) { return isfinite(s->error) ? s->error : 0; }

/* gnuplot breaks a line at an empty one. */
static void put_points(FILE *out, const struct curve_page *page, const struct curve *curve)
{
    bool begun = false, gap = false;
    for (size_t i = 0; i < curve->count; i++) {
        const struct summary *s = &curve->values[i];
        if (!isfinite(s->mean)) {
            gap = begun;
            continue;
        }
        fputs(gap ? "\n" : "", out);
        for (int end = 0; end <= curve->level; end++)
            fprintf(out, "%.6g %.8g %.8g %zu\n", !curve->level ? curve->at[i] : end ? page->to : page->from, s->mean,
                    error_of(s), s->count);
        begun = true;
        gap = false;
    }
}

static void put_data(FILE *out, const struct curve_page *page)
{
    fprintf(out, "# %s, mean, standard error (0: one seed), seeds\n", page->along);
    for (size_t p = 0; p < page->count; p++)
        for (size_t c = 0; c < page->panels[p].count; c++) {
            const struct curve *curve = &page->panels[p].curves[c];
            fprintf(out, "$curve%zu_%zu << END\n# %s: %s%s%s, %s\n", p + 1, c + 1, page->panels[p].title, curve->name,
                    *curve->name ? ", " : "", curve->variant, page->measures[p / page->columns % page->measure_count].label);
            put_points(out, page, curve);
            fputs("END\n", out);
        }
    fputc('\n', out);
}

static bool is_empty(const struct curve *curve)
{
    for (size_t i = 0; i < curve->count; i++)
        if (isfinite(curve->values[i].mean))
            return false;
    return true;
}

static bool has_errors(const struct curve *curve)
{
    for (size_t i = 0; i < curve->count; i++)
        if (isfinite(curve->values[i].mean) && error_of(&curve->values[i]) > 0)
            return true;
    return false;
}

/* Of all rows of one measure. */
static void find_range(const struct curve_page *page, size_t measure, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t p = 0; p < page->count; p++)
        for (size_t c = 0; p / page->columns % page->measure_count == measure && c < page->panels[p].count; c++)
            for (size_t i = 0; i < page->panels[p].curves[c].count; i++) {
                const struct summary *s = &page->panels[p].curves[c].values[i];
                if (isfinite(s->mean)) {
                    *low = fmin(*low, s->mean - error_of(s));
                    *high = fmax(*high, s->mean + error_of(s));
                }
            }
    if (*low > *high)
        *low = 0, *high = 1;
    double pad = fmax(0.05 * (*high - *low), 0.002 * fmax(fabs(*high), 0.1));
    *low = fmax(page->measures[measure].least, *low - pad);
    *high = fmin(page->measures[measure].most, *high + pad);
}

/* ---- panels --------------------------------------------------------------------------- */

/* Bands below bars below lines. Bars are vectors, since the style yerrorbars erases what lies under its marks. */
static void put_curves(FILE *out, const struct curve_page *page, struct looks *looks, size_t p)
{
    const struct curve_panel *panel = &page->panels[p];
    bool any = false;
    for (int errors = 1; errors >= 0; errors--)
        for (size_t c = 0; c < panel->count; c++) {
            const struct curve *curve = &panel->curves[c];
            struct look look = look_of(looks, curve);
            if (is_empty(curve) || (errors && !has_errors(curve)))
                continue;
            fprintf(out, "%s$curve%zu_%zu using ", any ? ", \\\n     " : "plot ", p + 1, c + 1);
            any = true;
            if (!errors)
                fprintf(out, "1:2 with %s ls %zu dt %s notitle", look.mark ? "linespoints" : "lines", look.style,
                        look.dashes);
            else if (page->bars && !curve->level)
                fprintf(out, "1:($2-$3):(0):(2*$3) with vectors heads size graph 0.012,90 ls %zu dt solid lw 0.8 notitle",
                        look.style);
            else
                fprintf(out, "1:($2-$3):($2+$3) with filledcurves ls %zu fs transparent solid 0.15 noborder notitle",
                        look.style);
        }
    fputs(any ? "\n" : "plot NaN notitle\n", out);
}

static void put_tics(FILE *out, const struct curve_page *page, bool labelled)
{
    if (page->tic_count == 0) {
        fprintf(out, "set xtics %s\n", page->to - page->from <= MOST_TICS ? "1" : "autofreq");
        return;
    }
    for (size_t i = 0; i < page->tic_count; i++) {
        fputs(i > 0 ? ", " : "set xtics (", out);
        put_tic(out, labelled ? page->tics[i].label : "");
        fprintf(out, " %.6g", page->tics[i].at);
    }
    fputs(")\n", out);
}

static void put_panel(const struct page *sheet, const struct panels *panels, const struct curve_page *page,
                      struct looks *looks, size_t p)
{
    FILE *out = sheet->script;
    const struct curve_panel *panel = &page->panels[p];
    const struct measure *measure = &page->measures[p / page->columns % page->measure_count];
    bool lowest = panel_is_lowest(panels, p), first = panel_is_first(panels, p);
    double low, high;
    find_range(page, (size_t)(measure - page->measures), &low, &high);
    page_place(sheet, panel_box(panels, sheet, p, panels->height - HEIGHT, HEIGHT));
    fputs("set title ", out);
    put_text(out, p < page->columns || page->measure_count == 1 ? panel->title : "");
    fprintf(out, " offset 0,-0.7\nset yrange [%.6g:%.6g]\n", low, high);
    put_tics(out, page, lowest);
    fprintf(out, "set format x '%s'\nset format y '%s'\nset xlabel ", lowest ? "%g" : "", first ? "%g" : "");
    put_text(out, lowest ? page->along : "");
    fputs(" offset 0,0.6\nset ylabel ", out);
    put_text(out, first ? measure->label : "");
    fputs(" offset 0.3,0\n", out);
    for (size_t i = 0; i < panel->border_count; i++)
        fprintf(out, "set arrow %zu from %.6g, graph 0 to %.6g, graph 1 nohead back lw 0.4 lc rgb '#b0b0b0'\n", i + 1,
                panel->borders[i], panel->borders[i]);
    put_curves(out, page, looks, p);
    fprintf(out, "%sunset arrow\n\n", p == 0 ? "unset label 1\n" : "");
}

/* ---- the legend ----------------------------------------------------------------------- */

/* gnuplot's own key stands too low when it has several rows; this is put together of arrows and labels. In inches. */
struct legend { const struct words *texts; size_t columns, rows; double column; };

static double entry_width(const struct words *texts)
{
    double width = 0;
    for (size_t i = 0; i < texts->count; i++)
        width = fmax(width, text_width(texts->items[i]) + KEY_SAMPLE);
    return width;
}

static struct legend legend_of(const struct words *texts, double width)
{
    struct legend legend = {.texts = texts, .column = entry_width(texts)};
    legend.columns = (size_t)fmin((double)texts->count, fmax(1, floor(width / legend.column)));
    legend.rows = (texts->count + legend.columns - 1) / legend.columns;
    legend.columns = (texts->count + legend.rows - 1) / legend.rows;
    return legend;
}

/* Of the legend's text, of names or variants. */
static struct look sample_of(const struct curve_page *page, struct looks *looks, bool of_names, size_t index)
{
    if (of_names)
        return (struct look){line_style(index % STYLES), "solid", true};
    for (size_t p = 0; p < page->count; p++)
        for (size_t c = 0; c < page->panels[p].count; c++)
            if (strcmp(page->panels[p].curves[c].variant, looks->variants.items[index]) == 0) {
                struct look look = look_of(looks, &page->panels[p].curves[c]);
                look.style = looks->names.count > 1 ? BLACK_STYLE : look.style;
                return look;
            }
    die("a legend of no curve");
}

/* `top` is of its first row, `label` counts the arrows and labels. */
static void put_legend(const struct page *sheet, const struct curve_page *page, struct looks *looks, struct legend legend,
                       double top, size_t *label)
{
    FILE *out = sheet->script;
    double left = (sheet->width - (double)legend.columns * legend.column) / 2;
    for (size_t i = 0; i < legend.texts->count; i++) {
        double x = left + (double)(i % legend.columns) * legend.column;
        double y = top - KEY_ROW * ((double)(i / legend.columns) + 0.5);
        struct look look = sample_of(page, looks, legend.texts == &looks->names, i);
        size_t own = ++*label;
        fprintf(out, "set arrow %zu from %.4f,%.4f to %.4f,%.4f nohead ls %zu dt %s\n", own, x, y, x + SAMPLE, y, look.style,
                look.dashes);
        if (look.mark && look.style == BLACK_STYLE)
            fprintf(out, "set label %zu '' at %.4f,%.4f point pt %d ps 0.4\n", 1000 + own, x + SAMPLE / 2, y, i > 0 ? 6 : 7);
        else if (look.mark)
            fprintf(out, "set label %zu '' at %.4f,%.4f point ls %zu\n", 1000 + own, x + SAMPLE / 2, y, look.style);
        fprintf(out, "set label %zu ", own);
        put_text(out, legend.texts->items[i]);
        fprintf(out, " at %.4f,%.4f left\n", x + SAMPLE + 0.07, y);
    }
}

/* ---- the page ------------------------------------------------------------------------- */

/* Panels wide enough for their titles and for the legend's longest entry below them. */
static struct panels place(const struct curve_page *page, const struct looks *looks)
{
    static const double widths[] = {2.8, 2.4, 2.0, 1.6};
    struct panels panels = {.count = page->count, .columns = page->columns, .rows = page->rows, .left = LEFT, .gap = GAP,
                            .width = widths[page->columns < 4 ? page->columns - 1 : 3], .height = HEIGHT + PANEL_TITLE};
    for (size_t p = 0; p < page->count; p++)
        panels.width = fmax(panels.width, 1.05 * text_width(page->panels[p].title));
    double columns = (double)panels.columns, entry = fmax(entry_width(&looks->names), entry_width(&looks->variants));
    panels.width = fmax(panels.width, (entry + MARGIN - LEFT - RIGHT - (columns - 1) * GAP) / columns);
    return panels;
}

static void put_page(const struct page *sheet, const struct panels *panels, const struct curve_page *page,
                     struct looks *looks, const struct legend *legends, size_t legend_count)
{
    FILE *out = sheet->script;
    fprintf(out, "set xrange [%.6g:%.6g]\n", page->from, page->to);
    for (size_t p = 0; p < page->count; p++)
        put_panel(sheet, panels, page, looks, p);
    double top = panels->bottom - BELOW;
    size_t label = 0;
    page_place(sheet, (struct box){0, 0, sheet->width, top});
    fputs("# legend\nunset title\nunset border\nunset tics\nunset grid\nunset xlabel\nunset ylabel\n", out);
    for (size_t i = 0; i < legend_count; i++) {
        put_legend(sheet, page, looks, legends[i], top, &label);
        top -= KEY_ROW * (double)legends[i].rows;
    }
    fprintf(out, "plot [0:%.4f] [0:%.4f] NaN notitle\n", sheet->width, panels->bottom - BELOW);
    fputs("unset multiplot\n", out);
}

bool draw_curves(const struct curve_page *page, const char *name, const struct output *output, struct error *error)
{
    char *script = NULL;
    size_t size;
    struct looks looks = find_looks(page);
    struct panels panels = place(page, &looks);
    double width = panels_page(&panels, page->heading, RIGHT).width - MARGIN;
    bool named = looks.names.count > 1;
    const struct legend legends[] = {legend_of(named ? &looks.names : &looks.variants, width),
                                     legend_of(&looks.variants, width)};
    panels.bottom = BELOW + KEY_SPACE + KEY_ROW * (double)(legends[0].rows + (named ? legends[1].rows : 0));
    struct page sheet = panels_page(&panels, page->heading, RIGHT);
    FILE *out = sheet.script = open_memstream(&script, &size);
    if (!out)
        die("no memory stream");
    panels_begin(&sheet, name, page->what, page->heading);
    put_data(out, page);
    put_page(&sheet, &panels, page, &looks, legends, named ? 2 : 1);
    fclose(out);
    bool ok = output_script(output, name, script, error);
    words_free(&looks.names);
    words_free(&looks.variants);
    free(script);
    return ok;
}
