/* SPDX-License-Identifier: GPL-3.0-or-later
 * One look for all figures: the Okabe-Ito colours and two more, which colour-blind readers tell apart, each with dashes
 * and a mark of its own for print in grey. */
#include "plots.h"
#include <string.h>

#define FONT_POINTS 7
#define PNG_DOTS 300
#define SVG_DOTS 96

static const struct { const char *colour, *dashes; int mark, open_mark; } styles[] = {
    {"#0072B2", "solid", 7, 6},          /* blue, circle */
    {"#D55E00", "(9,4)", 5, 4},          /* vermillion, square */
    {"#009E73", "(3,3)", 9, 8},          /* bluish green, triangle */
    {"#CC79A7", "(9,3,2,3)", 13, 12},    /* reddish purple, diamond */
    {"#E69F00", "(15,4)", 11, 10},       /* orange, triangle down */
    {"#56B4E9", "(6,3,2,3,2,3)", 15, 14}, /* sky blue, pentagon */
    {"#882255", "(12,3,3,3)", 7, 6},     /* wine, circle */
    {"#808080", "(5,2)", 5, 4},          /* grey, square */
};
_Static_assert(sizeof styles / sizeof *styles == STYLES, "a style for each index");

/* Beyond the colours, open marks; beyond those, all over again. */
size_t line_style(size_t index) { return index % (2 * STYLES) + 1; }
const char *line_dashes(size_t index) { return styles[index % STYLES].dashes; }

double text_width(const char *text)
{
    size_t characters = 0;
    for (const char *c = text; *c; c++)
        characters += (*c & 0xC0) != 0x80; /* UTF-8 continuation bytes are no characters */
    return characters * FONT_POINTS * 0.74 / 72;
}

static void put_quoted(FILE *script, const char *text, bool is_format)
{
    fputc('\'', script);
    for (const char *c = text; *c; c++) {
        if (strchr("\\{}^_@&~", *c))
            fputc('\\', script);
        if (*c == '\'' || (is_format && *c == '%'))
            fputc(*c, script);
        fputc((unsigned char)*c < ' ' ? ' ' : *c, script);
    }
    fputc('\'', script);
}

void put_text(FILE *script, const char *text) { put_quoted(script, text, false); }

void put_tic(FILE *script, const char *text) { put_quoted(script, text, true); }

/* Sizes in the script are points; a terminal of more dots per inch draws everything larger. */
static void put_terminals(const struct page *page, const char *name)
{
    FILE *out = page->script;
    fprintf(out, "format = exists(\"ARGC\") && ARGC >= 2 ? ARG1 : 'pdf'\n"
                 "target = exists(\"ARGC\") && ARGC >= 2 ? ARG2 : '%s.pdf'\n"
                 "if (format eq 'pdf') {\n"
                 "    set terminal pdfcairo size %.3fin,%.3fin font 'Sans,%d' fontscale 1 linewidth 1.5\n}\n",
            name, page->width, page->height, FONT_POINTS);
    fprintf(out, "if (format eq 'png') {\n    set terminal pngcairo size %.0f,%.0f font 'Sans,%d' \\\n"
                 "        fontscale %.4f linewidth %.4f pointscale %.4f\n}\n",
            page->width * PNG_DOTS, page->height * PNG_DOTS, FONT_POINTS, PNG_DOTS / 72.0,
            0.8 * PNG_DOTS / 72, PNG_DOTS / 72.0);
    fprintf(out, "if (format eq 'svg') {\n    set terminal svg size %.0f,%.0f font 'Sans,%d' \\\n"
                 "        fontscale %.4f linewidth %.4f\n}\n",
            page->width * SVG_DOTS, page->height * SVG_DOTS, FONT_POINTS, SVG_DOTS / 72.0, SVG_DOTS / 72.0);
    fputs("set output target\nset encoding utf8\n\n", out);
}

void page_begin(const struct page *page, const char *name, const char *what)
{
    FILE *out = page->script;
    fprintf(out, "# %s\n# Written by bitsweep plot. Edit, then: gnuplot %s.gp\n"
                 "# or, for another format: gnuplot -c %s.gp png %s.png\n\n",
            what, name, name, name);
    put_terminals(page, name);
    for (size_t i = 0; i < 2 * STYLES; i++)
        fprintf(out, "set style line %zu lc rgb '%s' lw 1.2 dt %s pt %d ps 0.4\n", i + 1,
                styles[i % STYLES].colour, styles[i % STYLES].dashes,
                i < STYLES ? styles[i].mark : styles[i - STYLES].open_mark);
    fprintf(out, "set style line %d lc rgb '#000000' lw 0.8 dt (2,3)\n", REFERENCE_STYLE);
    fprintf(out, "set style line %d lc rgb '#000000' lw 1 dt solid\n", BLACK_STYLE);
    fputs("set border lw 0.6 lc rgb '#404040'\n"
          "set tics nomirror scale 0.5 tc rgb '#000000'\n"
          "set grid ytics lt 1 lw 0.4 lc rgb '#dddddd'\n\n", out);
}

void page_place(const struct page *page, struct box box)
{
    fprintf(page->script, "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", box.left / page->width,
            (box.left + box.width) / page->width);
    fprintf(page->script, "set bmargin at screen %.5f\nset tmargin at screen %.5f\n",
            box.bottom / page->height, (box.bottom + box.height) / page->height);
}

const struct colours colours_of_bits = {"Bits", 2, 8, 1};

/* Light to dark in even steps of lightness (ColorBrewer YlGnBu), so that it reads in grey and without red or
 * green. */
void put_palette(const struct page *page, struct colours colours, double left, double bottom, double height)
{
    const double dark = 0.57; /* of the range */
    fprintf(page->script,
            "dark = %g\nset palette defined (0 '#ffffd9', 1 '#edf8b1', 2 '#c7e9b4', 3 '#7fcdbb', \\\n"
            "    4 '#41b6c4', 5 '#1d91c0', 6 '#225ea8', 7 '#0c2c84')\n"
            "set cbrange [%g:%g]\nset cbtics %g scale 0 offset -0.6,0\nset cblabel '%s' offset -0.8,0\n"
            "set colorbox user origin %.5f,%.5f size %.5f,%.5f border\n",
            colours.low + dark * (colours.high - colours.low), colours.low, colours.high, colours.step, colours.label,
            left / page->width, bottom / page->height, 0.1 / page->width, height / page->height);
}
