/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "text_table.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Powers of ten that a double holds exactly. */
#define EXACT_POWER 22
static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define LARGEST_EXPONENT 100000

void text_begin(struct text *text, const char *path, struct bytes *content, char separator, size_t columns)
{
    const char *start = (const char *)content->data;
    content->data[content->size] = '\0'; /* bytes_read leaves room for it */
    *text = (struct text){.path = path, .separator = separator, .columns = columns, .next = start, .line_start = start,
                          .place = start, .end = start + content->size, .line = 1};
}

bool text_fail(const struct text *text, struct error *error, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fail(error, "%s:%zu:%zu: %s", text->path, text->line, (size_t)(text->place - text->line_start) + 1, what);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static void skip_blanks(struct text *text)
{
    while (is_blank(*text->next))
        text->next++;
}

static bool at_line_end(const struct text *text) { return text->next == text->end || *text->next == '\n'; }

static void next_line(struct text *text)
{
    if (text->next < text->end) {
        text->next++;
        text->line++;
    }
    text->line_start = text->place = text->next;
    text->column = 0;
}

bool text_more(struct text *text)
{
    skip_blanks(text);
    while (text->next < text->end && *text->next == '\n') {
        next_line(text);
        skip_blanks(text);
    }
    return text->next < text->end;
}

void text_skip_row(struct text *text)
{
    const char *found = memchr(text->next, '\n', (size_t)(text->end - text->next));
    text->next = found ? found : text->end;
    next_line(text);
}

bool text_end_row(struct text *text, struct error *error)
{
    skip_blanks(text);
    text->place = text->next;
    if (!at_line_end(text))
        return text_fail(text, error, "the row has more than %zu values; valid: %zu", text->column, text->columns);
    next_line(text);
    return true;
}

/* Goes to the start of the next value of the line. */
static bool next_value(struct text *text, struct error *error)
{
    skip_blanks(text);
    text->place = text->next;
    if (at_line_end(text))
        return text_fail(text, error, "the row has %zu value%s; valid: %zu", text->column, text->column == 1 ? "" : "s",
                         text->columns);
    if (text->column > 0 && text->separator != ' ') {
        if (*text->next != text->separator)
            return text_fail(text, error, "values are separated by '%c' here", text->separator);
        text->next++;
        skip_blanks(text);
        text->place = text->next;
    }
    text->column++;
    return true;
}

/* Length of the value at hand. */
static size_t value_length(const struct text *text)
{
    const char *stop = text->next;
    while (stop < text->end && *stop != '\n' && *stop != text->separator && !is_blank(*stop))
        stop++;
    return (size_t)(stop - text->next);
}

static bool fail_value(const struct text *text, const char *valid, struct error *error)
{
    size_t length = value_length(text);
    if (length == 0)
        return text_fail(text, error, "value %zu of the row is empty; valid: %s", text->column, valid);
    return text_fail(text, error, "value %zu of the row is '%.*s'; valid: %s", text->column, length < 40 ? (int)length : 40,
                     text->next, valid);
}

static double scaled(uint64_t mantissa, long exponent)
{
    double value = (double)mantissa;
    for (; exponent > EXACT_POWER && value > 0 && isfinite(value); exponent -= EXACT_POWER)
        value *= powers[EXACT_POWER];
    for (; exponent < -EXACT_POWER && value > 0; exponent += EXACT_POWER)
        value /= powers[EXACT_POWER];
    if (!(value > 0 && isfinite(value)))
        return value;
    return exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
}

static const char *scan_exponent(const char *p, long *exponent)
{
    bool negative = *p == '-';
    long size = 0;
    if (*p == '-' || *p == '+')
        p++;
    if (*p < '0' || *p > '9')
        return NULL;
    for (; *p >= '0' && *p <= '9'; p++)
        size = size < LARGEST_EXPONENT ? 10 * size + (*p - '0') : size;
    *exponent += negative ? -size : size;
    return p;
}

/* Behind the decimal number that starts here, or NULL if none does. The text ends in '\0', which is no digit. */
static const char *scan_number(const char *p, double *value)
{
    bool negative = *p == '-', point = false, digits = false;
    uint64_t mantissa = 0;
    long exponent = 0;
    if (*p == '-' || *p == '+')
        p++;
    for (;; p++) {
        unsigned digit = (unsigned)*p - '0';
        if (digit < 10) {
            bool fits = mantissa < UINT64_MAX / 10;
            mantissa = fits ? 10 * mantissa + digit : mantissa;
            exponent += fits ? -(long)point : !point;
            digits = true;
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (!digits)
        return NULL;
    if (*p == 'e' || *p == 'E')
        p = scan_exponent(p + 1, &exponent);
    *value = negative ? -scaled(mantissa, exponent) : scaled(mantissa, exponent);
    return p;
}

static bool is_value_end(const struct text *text, const char *p)
{
    return p == text->end || *p == '\n' || *p == text->separator || is_blank(*p);
}

static bool read_number(struct text *text, double *value, struct error *error)
{
    const char *stop = scan_number(text->next, value);
    if (text->missing && !stop && strncasecmp(text->next, "nan", 3) == 0) {
        stop = text->next + 3;
        *value = NAN;
    }
    if (!stop || !is_value_end(text, stop))
        return fail_value(text, text->missing ? "a number or NaN" : "a number", error);
    if (fabs(*value) > (double)FLT_MAX)
        return fail_value(text, "a finite float32", error);
    text->next = stop;
    return true;
}

bool text_numbers(struct text *text, size_t count, double *out, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!next_value(text, error) || !read_number(text, &out[i], error))
            return false;
    return true;
}

bool text_whole(struct text *text, const char *what, long least, long most, long *out, struct error *error)
{
    double value;
    if (!next_value(text, error))
        return false;
    const char *stop = scan_number(text->next, &value);
    if (!stop || !is_value_end(text, stop) || !(value >= (double)least && value <= (double)most) || value != floor(value)) {
        char *valid = format_text("%s, a whole number from %ld to %ld", what, least, most);
        fail_value(text, valid, error);
        free(valid);
        return false;
    }
    text->next = stop;
    *out = (long)value;
    return true;
}

bool text_word(struct text *text, char *word, size_t size, struct error *error)
{
    if (!next_value(text, error))
        return false;
    size_t length = value_length(text), kept = length < size ? length : size - 1;
    memcpy(word, text->next, kept);
    word[kept] = '\0';
    text->next += length;
    return true;
}
