/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "grid.h"
#include "bitsweep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct grid grid_new(size_t columns, const bool *left)
{
    struct grid grid = {.left = xmalloc(columns * sizeof *left), .columns = columns};
    memcpy(grid.left, left, columns * sizeof *left);
    return grid;
}

void grid_add(struct grid *grid, char *cell)
{
    grid->cells = xrealloc(grid->cells, (grid->count + 1) * sizeof *grid->cells);
    grid->cells[grid->count++] = cell;
}

/* Characters, not bytes: those that continue a UTF-8 character are not counted. */
static int width(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static int column_width(const struct grid *grid, size_t column)
{
    int widest = 0;
    for (size_t i = column; i < grid->count; i += grid->columns)
        if (width(grid->cells[i]) > widest)
            widest = width(grid->cells[i]);
    return widest;
}

void grid_print(const struct grid *grid)
{
    int *widths = xmalloc(grid->columns * sizeof *widths);
    for (size_t column = 0; column < grid->columns; column++)
        widths[column] = column_width(grid, column);
    for (size_t i = 0; i < grid->count; i++) {
        size_t column = i % grid->columns;
        bool last = column + 1 == grid->columns;
        int space = widths[column] - width(grid->cells[i]);
        if (grid->left[column])
            printf("%s%*s", grid->cells[i], last ? 0 : space, "");
        else
            printf("%*s%s", space, "", grid->cells[i]);
        fputs(last ? "\n" : "  ", stdout);
    }
    free(widths);
}

/* What means something to LaTeX; "\xC2\xB1" is the plus-minus sign. */
static void print_latex_cell(const char *text)
{
    static const struct { const char *text, *latex; } special[] = {
        {"\xC2\xB1", "$\\pm$"}, {"\\", "\\textbackslash{}"}, {"_", "\\_"}, {"%", "\\%"}, {"&", "\\&"}, {"#", "\\#"},
        {"$", "\\$"}, {"{", "\\{"}, {"}", "\\}"}, {"~", "\\textasciitilde{}"}, {"^", "\\textasciicircum{}"},
    };
    while (*text) {
        size_t i = 0, count = sizeof special / sizeof *special;
        while (i < count && strncmp(text, special[i].text, strlen(special[i].text)) != 0)
            i++;
        if (i < count) {
            fputs(special[i].latex, stdout);
            text += strlen(special[i].text);
        } else {
            putchar(*text++);
        }
    }
}

void grid_print_latex(const struct grid *grid)
{
    fputs("\\begin{tabular}{", stdout);
    for (size_t column = 0; column < grid->columns; column++)
        putchar(grid->left[column] ? 'l' : 'r');
    puts("}\n\\toprule");
    for (size_t i = 0; i < grid->count; i++) {
        print_latex_cell(grid->cells[i]);
        fputs((i + 1) % grid->columns ? " & " : " \\\\\n", stdout);
        if (i + 1 == grid->columns)
            puts("\\midrule");
    }
    puts("\\bottomrule\n\\end{tabular}");
}

void grid_free(struct grid *grid)
{
    for (size_t i = 0; i < grid->count; i++)
        free(grid->cells[i]);
    free(grid->cells);
    free(grid->left);
}
