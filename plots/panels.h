/* SPDX-License-Identifier: GPL-3.0-or-later
 * Figures that show single runs of one line: a file a line, a panel a budget. */
#ifndef BITSWEEP_PANELS_H
#define BITSWEEP_PANELS_H
#include "plots.h"

/* The line's cells, with only the runs that the figure can show. Inches. */
struct panels {
    struct cell *items;      /* NULL if the panels show something else: then the caller places them and puts their titles */
    size_t count, columns, rows;
    size_t left_out;         /* runs */
    double left, gap, width; /* of the axes: the first's left end, between two, of one */
    double height, bottom;   /* of a row with titles; below the lowest row */
};

/* What tells a figure from the others. */
struct line_figure {
    bool (*shows)(const struct record *run);
    const char *absent;      /* why it cannot show the others */
    /* The gnuplot script, free() it. */
    bool (*script)(struct panels *, const char *heading, const char *name, char **script, struct error *);
};

/* Draws the lines of a chart; runs that it cannot show are counted on standard error. */
bool draw_lines(const struct figure *, const struct chart *, const struct output *, struct error *,
                const struct line_figure *);

/* At most three panels side by side, each at least so wide that its budget fits. left, gap, height and bottom are the
 * caller's. */
void panels_place(struct panels *, double least_width);
/* The page that they and the heading take. */
struct page panels_page(const struct panels *, const char *heading, double right);
/* Begins the script: terminal, multiplot, heading. */
void panels_begin(const struct page *, const char *name, const char *what, const char *heading);
/* Axes of a panel, from so far below its row's top. */
struct box panel_box(const struct panels *, const struct page *, size_t index, double from_top, double height);
bool panel_is_lowest(const struct panels *, size_t index);
bool panel_is_first(const struct panels *, size_t index); /* of its row */
/* set title: the budget, and a second line unless it is "". */
void put_panel_title(FILE *script, const struct panels *, size_t index, const char *second_line);
#define PANEL_TITLE 0.2
#define PANEL_TITLE_LINE 0.12 /* the second one */
#endif
