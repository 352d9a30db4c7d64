/* SPDX-License-Identifier: GPL-3.0-or-later
 * A page of panels with curves: means over seeds with one standard error about them, and a legend. Colours and marks tell
 * names apart, dashes variants; where all curves have one name, colours tell the variants apart. */
#ifndef BITSWEEP_CURVES_H
#define BITSWEEP_CURVES_H
#include "../results/stats.h"
#include "plots.h"

struct curve {
    const char *name, *variant; /* borrowed, as all texts here */
    bool reference;             /* of float32 */
    bool level;                 /* the one value, from the left end to the right */
    size_t count;
    const double *at;
    const struct summary *values; /* a point whose mean is not finite is a gap */
};

struct curve_panel {
    const char *title;          /* where rows have measures of their own, drawn above the first alone */
    struct curve *curves;
    size_t count;
    const double *borders;      /* where thin vertical lines stand */
    size_t border_count;
};

struct curve_tic { double at; const char *label; };
struct measure { const char *label; double least, most; }; /* what the vertical axis cannot go beyond */

struct curve_page {
    const char *what, *heading; /* for the script's reader; above the panels */
    const char *along;          /* label below */
    const struct curve_tic *tics; /* none: as the range needs them */
    size_t tic_count;
    bool bars;                  /* instead of bands, for few points */
    double from, to;            /* the horizontal axis */
    const struct measure *measures; /* of each row in turn; rows of one measure share its range */
    size_t measure_count;
    const struct curve_panel *panels; /* row by row */
    size_t rows, columns;       /* the last row may be shorter */
    size_t count;
};

/* Writes and draws the file NAME. */
bool draw_curves(const struct curve_page *, const char *name, const struct output *, struct error *);
#endif
