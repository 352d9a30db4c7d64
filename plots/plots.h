/* SPDX-License-Identifier: GPL-3.0-or-later
 * Figures: runs grouped over seeds, a shared style, and gnuplot. A figure is one file and one row in
 * figures.c. */
#ifndef BITSWEEP_PLOTS_H
#define BITSWEEP_PLOTS_H
#include "../results/record.h"
#include <stdio.h>

/* ---- what is drawn (series.c) --------------------------------------------------------- */

/* The finished runs of one line at one budget: they differ in the seed alone. */
struct cell {
    const char *budget; /* as asked for, canonical; "" if the allocator reads none */
    const struct record **runs;
    size_t count;
};

/* Quantised runs that are equal in everything but budget and seed. */
struct line {
    const char *mode;
    char *label; /* the allocator, and the settings that tell it from other lines of allocator and mode */
    struct cell *cells; /* in the order of compare_budgets */
    size_t count;
};

/* What one figure shows: one data set, one model, one scenario with one strategy, and one value of each setting in which the
 * FP32 references differ, so that every line of a chart has the same reference. */
struct chart {
    char *name;  /* part of file names, "fashion-mnist-mlp"; "" if there is only one chart */
    char *title; /* "fashion-mnist, mlp" */
    struct line *lines; /* none in a chart of references alone */
    size_t count;
    const struct record **references; /* finished FP32 runs */
    size_t reference_count;
};

struct charts {
    struct chart *charts;
    size_t count;
    const struct record **runs; /* the finished ones */
    size_t run_count;
    size_t left_out; /* runs that did not finish */
};

/* Groups the runs, which must outlive the charts. False (and nothing to free) if no quantised or incremental run is
 * finished. */
bool charts_make(const struct record *runs, size_t count, struct charts *, struct error *);
void charts_free(struct charts *);

/* Distinct texts in order of first appearance: the rows and columns of panels. Texts are borrowed. */
struct words { const char **items; size_t count; };
size_t words_add(struct words *, const char *); /* the text's index */
bool words_have(const struct words *, const char *);
void words_free(struct words *);
/* The chart's modes and its labels. */
struct words chart_modes(const struct chart *);
struct words chart_labels(const struct chart *);

/* ---- budgets (budgets.c) -------------------------------------------------------------- */

/* As of qsort: mean widths ascending, then costs with limits, whose numbers count as numbers; "" (none) last. */
int compare_budgets(const char *, const char *);
/* Whether the budget is a mean width, or none. */
bool is_mean_width(const char *budget);
/* The costs it is about, joined: "mean_bits", "bops", "bops, weight_bytes"; free() it. */
char *costs_of_budget(const char *budget);

/* What a run's final widths cost; NAN if the run does not tell. */
double achieved_cost(const struct record *run, const char *cost);
/* A cost as an axis shows it: divided by `unit`. free() the label, which names both. */
struct cost_axis { double unit; const char *label; };
struct cost_axis cost_axis(const struct record *run, const char *cost, double largest);

/* ---- how it looks (style.c) ----------------------------------------------------------- */

/* Sizes are inches; a paper's column is 3.4, its text 7 wide. */
struct box { double left, bottom, width, height; };
struct page { FILE *script; double width, height; };

/* The terminal for the format asked for, fonts, borders and line styles; what says in a comment what the data
 * are. */
void page_begin(const struct page *, const char *name, const char *what);
/* The next plot's axes fill the box. */
void page_place(const struct page *, struct box);
/* A single-quoted gnuplot string of plain text: nothing in it is markup. */
void put_text(FILE *script, const char *text);
/* The same as the label of a tic, which gnuplot takes for a number's format. */
void put_tic(FILE *script, const char *text);
/* Line styles 1.. tell lines apart by colour, dashes and mark; REFERENCE_STYLE is the FP32
 * reference's, or a limit's; BLACK_STYLE a plain line's. */
size_t line_style(size_t index);
const char *line_dashes(size_t index); /* of that style, for dt */
#define STYLES 8 /* by colour; from each to that of the same colour and an open mark */
#define REFERENCE_STYLE 100
#define BLACK_STYLE 101
/* Inches that a text of the base font takes, roughly. */
double text_width(const char *text);
/* Colours of a range of values, with the bar in this place (inches). From the script's variable `dark` on, text on them is
 * white. The label names the bar. */
struct colours { const char *label; double low, high, step; };
void put_palette(const struct page *, struct colours, double left, double bottom, double height);
extern const struct colours colours_of_bits;

/* ---- where it goes (gnuplot.c) -------------------------------------------------------- */

enum figure_format { FIGURE_PDF, FIGURE_PNG, FIGURE_SVG, FIGURE_FORMATS };
extern const char *const figure_format_names[FIGURE_FORMATS];

struct output {
    const char *folder;
    bool formats[FIGURE_FORMATS];
    FILE *paths; /* the path of every written file, a line each */
};

/* Writes FOLDER/NAME.gp, which stands alone and can be edited and run again, and runs it once for each
 * format. The script stays when gnuplot fails or is not there. */
bool output_script(const struct output *, const char *name, const char *script, struct error *);

/* ---- the figures (figures.c) ---------------------------------------------------------- */

struct figure {
    const char *name, *help;
    /* Draws one chart, as one file or several. */
    bool (*draw)(const struct figure *, const struct chart *, const struct output *, struct error *);
    /* Instead, in a figure that groups runs in a way of its own: draws what it can of all finished ones. */
    bool (*draw_runs)(const struct figure *, const struct charts *, const struct output *, struct error *);
};
extern const struct figure *const figures[]; /* NULL-terminated */
/* Every figure that is chosen of every chart, also after one that failed, which stderr then tells. */
bool draw_figures(const struct charts *, const bool *chosen, const struct output *);
/* "accuracy-bits", or "accuracy-bits-CHART-PART" where there are several; what file names should not hold becomes a dash.
 * free() it. */
char *figure_file(const struct figure *, const char *chart, const char *part);
#endif
