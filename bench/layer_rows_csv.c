/* SPDX-License-Identifier: GPL-3.0-or-later
 * Layer tables in CSV (RFC 4180): a header of field names, a row a tensor. What JSON gives by width has a column a width:
 * omega:4, cost:latency_ms:4. */
#include "layer_rows.h"
#include <stdlib.h>
#include <string.h>

/* The fields of one line; texts point into `memory`. */
struct line { char *memory; char **fields; size_t count; int number; };

struct reader { const char *path, *at; int number; /* of the line last read */ };

static void line_free(struct line *line)
{
    free(line->memory);
    free(line->fields);
    *line = (struct line){0};
}

/* Copies a quoted field; leaves *from behind its closing quote. */
static bool read_quoted(const char **from, char **to)
{
    for (const char *c = *from + 1; *c; c++) {
        if (*c == '"' && c[1] != '"') {
            *from = c + 1;
            return true;
        }
        c += *c == '"';
        *(*to)++ = *c;
    }
    return false;
}

static bool ends_field(char c) { return c == ',' || c == '\n' || c == '\0'; }

/* One field; leaves *from behind it. */
static bool read_one(const char **from, char **to)
{
    const char *start = *to;
    if (**from == '"') {
        if (!read_quoted(from, to))
            return false;
        *from += **from == '\r';
        return ends_field(**from);
    }
    while (!ends_field(**from))
        *(*to)++ = *(*from)++;
    if (*to > start && (*to)[-1] == '\r' && **from != ',')
        --*to;
    return true;
}

/* Reads the next line that is not empty; none: count stays 0. */
static bool read_line(struct reader *reader, struct line *line, struct error *error)
{
    for (; *reader->at == '\n' || *reader->at == '\r'; reader->at++)
        reader->number += *reader->at == '\n';
    const char *c = reader->at;
    *line = (struct line){.memory = xmalloc(strlen(c) + 2), .number = ++reader->number};
    char *to = line->memory;
    if (!*c)
        return true;
    do {
        line->fields = xrealloc(line->fields, (line->count + 1) * sizeof *line->fields);
        line->fields[line->count++] = to;
        if (!read_one(&c, &to))
            return fail(error, "%s:%d: a quoted field does not end before a comma or the line's end", reader->path,
                        line->number);
        *to++ = '\0';
    } while (*c == ',' && c++);
    for (const char *read = reader->at; read < c; read++) /* those in quotes */
        reader->number += *read == '\n';
    reader->at = c + (*c == '\n');
    return true;
}

/* "omega:4" or "cost:NAME:4" into its parts, which point into `copy`; false if the column is neither. */
static bool of_width(char *copy, const char **cost, const char **width)
{
    char *colon = strrchr(copy, ':');
    if (!colon)
        return false;
    *colon = '\0';
    *width = colon + 1;
    *cost = strncmp(copy, "cost:", 5) == 0 ? copy + 5 : NULL;
    return *cost || strcmp(copy, "omega") == 0;
}

static bool check_header(const struct reader *reader, const struct line *header, struct error *error)
{
    char *place = format_text("%s:%d", reader->path, header->number);
    bool good = header->count > 0 || fail(error, "%s: the table is empty", reader->path);
    for (size_t i = 0; good && i < header->count; i++) {
        char *copy = xstrdup(header->fields[i]);
        const char *cost, *width;
        if (strcmp(copy, "omega") == 0 || strcmp(copy, "costs") == 0)
            good = fail(error, "%s: %s has a column a width: omega:4, cost:NAME:4", place, copy);
        else if (!of_width(copy, &cost, &width))
            good = layer_row_known(place, header->fields[i], error);
        for (size_t k = 0; good && k < i; k++)
            if (strcmp(header->fields[i], header->fields[k]) == 0)
                good = fail(error, "%s: column '%.60s' is there twice", place, header->fields[i]);
        free(copy);
    }
    free(place);
    return good;
}

static bool read_row(const struct line *header, const struct line *line, struct layer_row *row, struct error *error)
{
    if (line->count != header->count)
        return fail(error, "%s: %zu fields, but the header has %zu", row->place, line->count, header->count);
    bool good = true;
    for (size_t i = 0; good && i < header->count; i++) {
        if (!*line->fields[i]) /* not given */
            continue;
        char *copy = xstrdup(header->fields[i]);
        const char *cost, *width;
        good = of_width(copy, &cost, &width) ? layer_row_set_width(row, cost, width, line->fields[i], error)
                                             : layer_row_set(row, header->fields[i], line->fields[i], error);
        free(copy);
    }
    return good;
}

bool layer_rows_of_csv(const char *path, const char *text, struct layer_rows *rows, struct error *error)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* that spreadsheets put before UTF-8 */
    struct reader reader = {path, strncmp(text, mark, 3) == 0 ? text + 3 : text, 0};
    struct line header, line = {0};
    bool good = read_line(&reader, &header, error) && check_header(&reader, &header, error);
    while (good) {
        line_free(&line);
        good = read_line(&reader, &line, error);
        if (!good || line.count == 0)
            break;
        good = read_row(&header, &line, layer_rows_add(rows, format_text("%s:%d", path, line.number)), error);
    }
    line_free(&line);
    line_free(&header);
    return good;
}
