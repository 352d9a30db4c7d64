/* SPDX-License-Identifier: GPL-3.0-or-later
 * Tables of measured or published figures that users give as CSV files. A run's identity depends on what the file says, so
 * the setting's canonical text is PATH#CHECKSUM, and the checksum is compared whenever the file is read. */
#ifndef BITSWEEP_TABLE_FILE_H
#define BITSWEEP_TABLE_FILE_H
#include "../../bench/bitsweep.h"

struct table_file {
    char *path, *text;       /* text is cut into fields as rows are read */
    char *rest;              /* what is still to be read */
    int line;                /* of the row read last */
    char checksum[17];       /* first digits of the content's SHA-256 */
};

/* Reads PATH or PATH#CHECKSUM. False: the file cannot be read, or is another than the checksum says. Closed either way only
 * by table_file_close. */
bool table_file_open(const char *text, struct table_file *, struct error *);
void table_file_close(struct table_file *);
/* PATH#CHECKSUM; free() it. */
char *table_file_canonical(const struct table_file *);
/* What an identity depends on: the checksum of PATH#CHECKSUM, any other text as it is. */
const char *table_file_identity(const char *canonical);

/* The next row's fields, without the blanks around them. Empty lines and those that begin with # are left out. Returns how
 * many fields there are (those past `capacity` are only counted), 0 at the end of the file. */
int table_file_row(struct table_file *, const char **fields, int capacity);
/* Reads the header, which must hold these names, NULL at the end, in this order. */
bool table_file_header(struct table_file *, const char *const *names, struct error *);
/* A finite number above 0 in the row read last; `name`: of its column. */
bool table_file_number(const struct table_file *, const char *name, const char *field, double *value, struct error *);
/* Fails with "PATH:LINE: ..." */
bool table_file_fail(const struct table_file *, struct error *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif
