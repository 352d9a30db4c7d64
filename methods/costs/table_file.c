/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "table_file.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKSUM_DIGITS 16

/* The '#' before a checksum at the end of the text, or NULL. */
static const char *checksum_mark(const char *text)
{
    const char *mark = strrchr(text, '#');
    bool found = mark && mark > text && strlen(mark + 1) == CHECKSUM_DIGITS
                 && strspn(mark + 1, "0123456789abcdef") == CHECKSUM_DIGITS;
    return found ? mark : NULL;
}

const char *table_file_identity(const char *canonical)
{
    const char *mark = checksum_mark(canonical);
    return mark ? mark + 1 : canonical;
}

/* The whole file as one string, or NULL with errno set. */
static char *read_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t capacity = 0;
    if (!file)
        return NULL;
    errno = 0;
    ssize_t length = getdelim(&text, &capacity, '\0', file);
    int problem = errno;
    bool failed = ferror(file);
    fclose(file);
    if (!failed && length < 0) { /* an empty file */
        free(text);
        text = xstrdup("");
        length = 0;
    } else if (failed) {
        free(text);
        text = NULL;
    }
    *size = length < 0 ? 0 : (size_t)length;
    errno = problem;
    return text;
}

bool table_file_open(const char *text, struct table_file *table, struct error *error)
{
    const char *mark = checksum_mark(text);
    char digest[SHA256_DIGEST_STRING_LENGTH];
    size_t size = 0;
    *table = (struct table_file){.path = mark ? format_text("%.*s", (int)(mark - text), text) : xstrdup(text)};
    table->text = table->rest = read_text(table->path, &size);
    if (!table->text)
        return fail(error, "the table %s cannot be read: %s", table->path, strerror(errno));
    if (size > strlen(table->text))
        return fail(error, "the table %s is not a text file", table->path);
    SHA256Data((const uint8_t *)table->text, size, digest);
    snprintf(table->checksum, sizeof table->checksum, "%.*s", CHECKSUM_DIGITS, digest);
    if (mark && strcmp(mark + 1, table->checksum) != 0)
        return fail(error, "the table %s has changed since the run was planned: its checksum is %s, not %s", table->path,
                    table->checksum, mark + 1);
    return true;
}

void table_file_close(struct table_file *table)
{
    free(table->path);
    free(table->text);
    *table = (struct table_file){0};
}

char *table_file_canonical(const struct table_file *table) { return format_text("%s#%s", table->path, table->checksum); }

bool table_file_fail(const struct table_file *table, struct error *error, const char *format, ...)
{
    char text[sizeof error->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail(error, "%s:%d: %s", table->path, table->line, text);
}

/* ---- rows ---- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t\r");
    for (size_t length = strlen(text); length && isspace((unsigned char)text[length - 1]); length--)
        text[length - 1] = '\0';
    return text;
}

static int cut(char *line, const char **fields, int capacity)
{
    int count = 0;
    while (line) {
        char *field = strsep(&line, ",");
        if (count < capacity)
            fields[count] = trimmed(field);
        count++;
    }
    return count;
}

int table_file_row(struct table_file *table, const char **fields, int capacity)
{
    while (table->rest && *table->rest) {
        char *line = trimmed(strsep(&table->rest, "\n"));
        table->line++;
        if (*line && *line != '#')
            return cut(line, fields, capacity);
    }
    return 0;
}

bool table_file_header(struct table_file *table, const char *const *names, struct error *error)
{
    enum { MOST = 16 };
    const char *fields[MOST];
    int count = table_file_row(table, fields, MOST), expected = 0;
    bool equal = true;
    char *header = xstrdup("");
    for (; names[expected]; expected++) {
        equal &= expected < count && strcmp(fields[expected], names[expected]) == 0;
        char *longer = format_text("%s%s%s", header, expected ? "," : "", names[expected]);
        free(header);
        header = longer;
    }
    bool good = equal && count == expected;
    if (!good)
        table_file_fail(table, error, "the first row is not the header; valid: %s", header);
    free(header);
    return good;
}

bool table_file_number(const struct table_file *table, const char *name, const char *field, double *value,
                       struct error *error)
{
    char *end = NULL;
    bool decimal = *field && !field[strspn(field, "0123456789+-.eE")];
    *value = decimal ? strtod(field, &end) : 0;
    if (decimal && !*end && isfinite(*value) && *value > 0)
        return true;
    return table_file_fail(table, error, "%s is '%.40s'; valid: a number above 0", name, field);
}
