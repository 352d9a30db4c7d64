/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the verbs share. One verb a file, cmd_NAME.c, which exports one struct command. */
#ifndef BITSWEEP_CLI_H
#define BITSWEEP_CLI_H
#include "bitsweep.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_TROUBLE = 1,     /* differences found, a case that disagrees, a file that cannot be written */
    EXIT_USAGE = 2,       /* bad flag, sweep file, data set or results file */
    EXIT_SOME_FAILED = 3  /* the sweep ran, some runs failed */
};

struct command {
    const char *name;
    const char *arguments; /* "SWEEP.yaml [-s key=value]..." */
    const char *summary;   /* one line */
    const char *details;   /* options, a line each, and an "Example:" line */
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV, FORMAT_LATEX, FORMATS };
extern const char *const format_names[FORMATS];

/* Both print to stderr "bitsweep VERB: ..." and return EXIT_USAGE. */
int usage_error(const struct command *, const char *format, ...) __attribute__((format(printf, 2, 3)));
int input_error(const struct command *, const struct error *);
/* Handles -h/--help: prints to stdout and returns EXIT_DONE. */
int print_help(const struct command *);
/* JSON object to stdout with a newline at the end; frees it. */
struct cJSON;
void print_json(struct cJSON *);
struct cJSON *json_real(double value); /* exact; null if it is not finite */
/* A setting is a number in JSON if its text is one, null if it is NULL. */
struct cJSON *json_setting(const char *text);
/* Writes a CSV field, quoted when it holds a comma, a quote or a newline (RFC 4180). */
void print_csv_field(const char *text, bool last);
/* The exact number as a CSV field; empty if it is NAN. */
void print_csv_real(double value, bool last);
/* Shortest decimal text that reads back as the same double ("0.1", "2.5", "1e-05"); whole numbers below 1e15
 * in full. */
void shortest_real(double value, char *buffer, size_t size);
#endif
