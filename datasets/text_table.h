/* SPDX-License-Identifier: GPL-3.0-or-later
 * Rows of values in a text that is in memory, read fast and with the place of whatever is wrong. */
#ifndef BITSWEEP_TEXT_TABLE_H
#define BITSWEEP_TEXT_TABLE_H
#include "datasets.h"

struct text {
    const char *path;        /* for messages */
    char separator;          /* between the values of a row; ' ': any number of blanks */
    size_t columns;          /* that a row must have */
    bool missing;            /* NaN is a value */
    const char *next, *end;
    const char *line_start, *place; /* place: what messages point at, the value read last or what stands where one should */
    size_t line, column;     /* the line's number, from 1; values of it already read */
};

/* The content gets a '\0' behind its end and must outlive the text. */
void text_begin(struct text *, const char *path, struct bytes *content, char separator, size_t columns);
/* Goes to the next line that is not blank; false when there is none. */
bool text_more(struct text *);
/* The next `count` values of the line, each a number that float32 can hold, or, if allowed, NaN. Numbers of up to 15 digits
 * (with an exponent of up to ±22) are read exactly as strtod does, others to 2 units in the last place of a double. */
bool text_numbers(struct text *, size_t count, double *out, struct error *);
/* The next value, which must be a whole number of this range; `what` is for the message ("user"). */
bool text_whole(struct text *, const char *what, long least, long most, long *out, struct error *);
/* The next value as text without blanks around it, at most size - 1 bytes of it. */
bool text_word(struct text *, char *word, size_t size, struct error *);
/* The line must have no further value; goes behind it. */
bool text_end_row(struct text *, struct error *);
void text_skip_row(struct text *);
/* "PATH:LINE:COLUMN: message"; the column counts bytes from 1. */
bool text_fail(const struct text *, struct error *, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
