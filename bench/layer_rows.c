/* SPDX-License-Identifier: GPL-3.0-or-later
 * Fields of a layer table's rows from text. */
#include "layer_rows.h"
#include "names.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layer_row *layer_rows_add(struct layer_rows *rows, char *place)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
        rows->items = xrealloc(rows->items, rows->capacity * sizeof *rows->items);
    }
    struct layer_row *row = &rows->items[rows->count++];
    *row = (struct layer_row){.place = place, .kind = -1, .is_signed = -1, .elements = NAN, .macs = NAN, .trace = NAN,
                              .range = NAN};
    for (int b = 0; b <= MOST_WIDTH; b++)
        row->omega[b] = NAN;
    return row;
}

void layer_rows_free(struct layer_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct layer_row *row = &rows->items[i];
        free(row->place);
        free(row->name);
        free(row->layer);
        free(row->group);
        for (size_t c = 0; c < row->cost_count; c++)
            free(row->costs[c].name);
        free(row->costs);
    }
    free(rows->items);
    free(rows->note);
    *rows = (struct layer_rows){0};
}

void layer_rows_note(struct layer_rows *rows, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    char *longer = format_text("%s%s%s", rows->note ? rows->note : "", rows->note ? "\n" : "", line);
    free(rows->note);
    rows->note = longer;
}

/* ---- values ---- */

/* A field's value; what is wrong with it goes to *problem. */
typedef bool set_value(void *target, const char *text, const char **problem);

static bool set_word(void *target, const char *text, const char **problem)
{
    *problem = "it is empty";
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < ' ') {
            *problem = "it holds a control character";
            return false;
        }
    if (*text)
        *(char **)target = xstrdup(text);
    return *text;
}

static bool set_kind(void *target, const char *text, const char **problem)
{
    *problem = "valid: weight, activation, gradient";
    for (int kind = 0; kind < TENSOR_KINDS; kind++)
        if (strcmp(text, tensor_kind_names[kind]) == 0) {
            *(int *)target = kind;
            return true;
        }
    return false;
}

/* Decimal numbers only: strtod would take hexadecimal ones, infinities and NaN too. */
static bool set_number(void *target, const char *text, const char **problem)
{
    char *end = NULL;
    double value = *text && !text[strspn(text, "0123456789+-.eE")] ? strtod(text, &end) : NAN;
    *problem = "valid: a finite number, not negative";
    if (!end || *end || !isfinite(value) || value < 0)
        return false;
    *(double *)target = value + 0.0; /* -0 becomes 0 */
    return true;
}

static bool set_elements(void *target, const char *text, const char **problem)
{
    double value;
    bool good = set_number(&value, text, problem) && value >= 1 && floor(value) == value && value <= 0x1p53;
    *problem = "valid: a whole number from 1";
    if (good)
        *(double *)target = value;
    return good;
}

static bool set_bool(void *target, const char *text, const char **problem)
{
    static const struct { const char *text; int value; } words[] = {{"true", 1}, {"false", 0}, {"1", 1}, {"0", 0}};
    *problem = "valid: true, false";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].text) == 0) {
            *(int *)target = words[i].value;
            return true;
        }
    return false;
}

/* 0 if the text is no width. */
static int width_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    int width = digits > 0 && digits <= 2 && !text[digits] && *text != '0' ? atoi(text) : 0;
    return width <= MOST_WIDTH ? width : 0;
}

static bool set_choices(void *target, const char *text, const char **problem)
{
    uint64_t choices = 0;
    char *copy = xstrdup(text), *rest = copy, *part;
    bool good = true;
    *problem = "valid: different whole numbers from 1 to 32 (in CSV joined by '-': 2-4-8)";
    while (good && (part = strsep(&rest, "-"))) {
        int width = width_of(part);
        good = width && !(choices >> width & 1);
        choices |= (uint64_t)1 << width;
    }
    free(copy);
    if (good)
        *(uint64_t *)target = choices;
    return good;
}

/* ---- fields ---- */

static const struct { const char *name; set_value *set; size_t offset; } fields[] = {
    {"name", set_word, offsetof(struct layer_row, name)},
    {"kind", set_kind, offsetof(struct layer_row, kind)},
    {"layer", set_word, offsetof(struct layer_row, layer)},
    {"elements", set_elements, offsetof(struct layer_row, elements)},
    {"macs", set_number, offsetof(struct layer_row, macs)},
    {"trace", set_number, offsetof(struct layer_row, trace)},
    {"range", set_number, offsetof(struct layer_row, range)},
    {"signed", set_bool, offsetof(struct layer_row, is_signed)},
    {"choices", set_choices, offsetof(struct layer_row, choices)},
    {"group", set_word, offsetof(struct layer_row, group)},
};
#define FIELDS (sizeof fields / sizeof *fields)

bool layer_row_known(const char *place, const char *field, struct error *error)
{
    struct names names = {0};
    for (size_t i = 0; i < FIELDS; i++)
        names_add(&names, fields[i].name);
    names_add(&names, "omega");
    names_add(&names, "costs");
    bool known = false;
    for (size_t i = 0; i < names.count; i++)
        known |= strcmp(names.items[i], field) == 0;
    if (!known) {
        char *suggestion = names_suggestion(&names, field), *valid = names_joined(&names);
        fail(error, "%s: unknown field '%.60s'%s; valid: %s", place, field, suggestion, valid);
        free(suggestion);
        free(valid);
    }
    names_free(&names);
    return known;
}

bool layer_row_set(struct layer_row *row, const char *field, const char *text, struct error *error)
{
    const char *problem;
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, field) == 0)
            return fields[i].set((char *)row + fields[i].offset, text, &problem)
                   || fail(error, "%s: %s is '%.60s'; %s", row->place, field, text, problem);
    return layer_row_known(row->place, field, error) && fail(error, "%s: %s is given by width", row->place, field);
}

/* The row's values of a cost, which may be new to it. */
static double *cost_values(struct layer_row *row, const char *name)
{
    for (size_t c = 0; c < row->cost_count; c++)
        if (strcmp(row->costs[c].name, name) == 0)
            return row->costs[c].values;
    row->costs = xrealloc(row->costs, (row->cost_count + 1) * sizeof *row->costs);
    struct row_cost *cost = &row->costs[row->cost_count++];
    cost->name = xstrdup(name);
    for (int b = 0; b <= MOST_WIDTH; b++)
        cost->values[b] = NAN;
    return cost->values;
}

bool layer_row_set_width(struct layer_row *row, const char *cost, const char *width, const char *text, struct error *error)
{
    const char *problem, *what = cost ? cost : "omega";
    int bits = width_of(width);
    if (!bits)
        return fail(error, "%s: %s is given for width '%.40s'; valid: 1 to %d", row->place, what, width, MOST_WIDTH);
    if (cost && (!*cost || strpbrk(cost, "= ,\t\n")))
        return fail(error, "%s: a cost is called '%.40s'; a name has no spaces, commas or '='", row->place, cost);
    double *values = cost ? cost_values(row, cost) : row->omega;
    if (!isnan(values[bits]))
        return fail(error, "%s: %s is given twice for width %d", row->place, what, bits);
    return set_number(&values[bits], text, &problem)
           || fail(error, "%s: %s at width %d is '%.60s'; %s", row->place, what, bits, text, problem);
}
