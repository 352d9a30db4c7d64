/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "panels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEADING 0.22
#define COLUMNS 3
#define MOST_WIDTH_IN_ROW 8.0

/* ---- which runs ----------------------------------------------------------------------- */

static struct panels panels_make(const struct line *line, bool (*shows)(const struct record *))
{
    struct panels panels = {.items = xmalloc((line->count + 1) * sizeof *panels.items)};
    for (size_t k = 0; k < line->count; k++) {
        const struct cell *cell = &line->cells[k];
        const struct record **runs = xmalloc((cell->count + 1) * sizeof *runs);
        size_t count = 0;
        for (size_t r = 0; r < cell->count; r++)
            if (shows(cell->runs[r]))
                runs[count++] = cell->runs[r];
        panels.left_out += cell->count - count;
        if (count > 0)
            panels.items[panels.count++] = (struct cell){cell->budget, runs, count};
        else
            free(runs);
    }
    return panels;
}

static void panels_free(struct panels *panels)
{
    for (size_t i = 0; i < panels->count; i++)
        free(panels->items[i].runs);
    free(panels->items);
}

static bool draw_line(const struct figure *figure, const struct chart *chart, const struct line *line, struct panels *panels,
                      const struct output *output, struct error *error, const struct line_figure *f)
{
    char *part = chart->count > 1 ? format_text("%s-%s", line->label, line->mode) : xstrdup("");
    char *heading = format_text("%s, %s, %s", chart->title, line->label, line->mode);
    char *name = figure_file(figure, chart->name, part), *script = NULL;
    bool ok = f->script(panels, heading, name, &script, error) && output_script(output, name, script, error);
    free(script);
    free(name);
    free(heading);
    free(part);
    return ok;
}

bool draw_lines(const struct figure *figure, const struct chart *chart, const struct output *output, struct error *error,
                const struct line_figure *f)
{
    bool ok = true;
    size_t left_out = 0, runs = 0;
    for (size_t i = 0; i < chart->count && ok; i++) {
        struct panels panels = panels_make(&chart->lines[i], f->shows);
        for (size_t k = 0; k < chart->lines[i].count; k++)
            runs += chart->lines[i].cells[k].count;
        if (panels.count > 0)
            ok = draw_line(figure, chart, &chart->lines[i], &panels, output, error, f);
        left_out += panels.left_out;
        panels_free(&panels);
    }
    if (left_out > 0)
        fprintf(stderr, "bitsweep plot: %s: %zu of %zu runs of %s left out: %s\n", figure->name, left_out, runs,
                chart->title, f->absent);
    return ok;
}

/* ---- where they stand ----------------------------------------------------------------- */

static char *title_of(const struct cell *cell)
{
    return *cell->budget ? format_text("%s%s", is_mean_width(cell->budget) ? "budget " : "", cell->budget)
                         : xstrdup("no budget");
}

void panels_place(struct panels *panels, double least_width)
{
    panels->width = least_width;
    for (size_t i = 0; i < panels->count; i++) {
        char *title = title_of(&panels->items[i]);
        panels->width = fmax(panels->width, 1.1 * text_width(title));
        free(title);
    }
    size_t columns = (size_t)fmax(1, fmin(COLUMNS, MOST_WIDTH_IN_ROW / panels->width));
    panels->rows = (panels->count + columns - 1) / columns;
    panels->columns = (panels->count + panels->rows - 1) / panels->rows;
}

struct page panels_page(const struct panels *p, const char *heading, double right)
{
    double columns = (double)p->columns, width = p->left + columns * p->width + (columns - 1) * p->gap + right;
    return (struct page){.width = fmax(width, text_width(heading) + 0.1),
                         .height = HEADING + (double)p->rows * p->height + p->bottom};
}

void panels_begin(const struct page *page, const char *name, const char *what, const char *heading)
{
    page_begin(page, name, what);
    fputs("set multiplot\nunset key\nset label 1 ", page->script);
    put_text(page->script, heading);
    fprintf(page->script, " at screen 0.5, screen %.5f center\n", 1 - 0.55 * HEADING / page->height);
}

struct box panel_box(const struct panels *p, const struct page *page, size_t index, double from_top, double height)
{
    double row = (double)(index / p->columns), column = (double)(index % p->columns);
    return (struct box){p->left + column * (p->width + p->gap), page->height - HEADING - row * p->height - from_top - height,
                        p->width, height};
}

bool panel_is_lowest(const struct panels *p, size_t index) { return index + p->columns >= p->count; }
bool panel_is_first(const struct panels *p, size_t index) { return index % p->columns == 0; }

void put_panel_title(FILE *script, const struct panels *p, size_t index, const char *second_line)
{
    char *title = title_of(&p->items[index]);
    fputs("set title ", script);
    put_text(script, title);
    if (*second_line) {
        fputs(".\"\\n\".", script);
        put_text(script, second_line);
    }
    fputs(" offset 0,-0.7\n", script);
    free(title);
}
