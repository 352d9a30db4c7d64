/* SPDX-License-Identifier: GPL-3.0-or-later
 * Cells in rows and columns, printed for a terminal or for LaTeX. */
#ifndef BITSWEEP_GRID_H
#define BITSWEEP_GRID_H
#include <stdbool.h>
#include <stddef.h>

/* Row 0 holds the headers. Cells are filled row by row, left to right. */
struct grid { char **cells; bool *left; size_t columns, count; };

/* `left` (columns): true for text, false for numbers, which are aligned on the right. Copied. */
struct grid grid_new(size_t columns, const bool *left);
void grid_add(struct grid *, char *cell); /* takes over a malloced UTF-8 text */
void grid_print(const struct grid *);     /* columns two spaces apart, each as wide as its widest cell */
void grid_print_latex(const struct grid *); /* a tabular with the rules of booktabs */
void grid_free(struct grid *);
#endif
