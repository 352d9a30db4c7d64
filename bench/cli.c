/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int usage_error(const struct command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "bitsweep %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nusage: bitsweep %s %s   (see bitsweep %s --help)\n", command->name,
            command->arguments, command->name);
    return EXIT_USAGE;
}

int input_error(const struct command *command, const struct error *error)
{
    fprintf(stderr, "bitsweep %s: %s\n", command->name, error->text);
    return EXIT_USAGE;
}

int print_help(const struct command *command)
{
    printf("usage: bitsweep %s %s\n\n%s\n\n%s\n", command->name, command->arguments,
           command->summary, command->details);
    return EXIT_DONE;
}

bool parse_format(const char *text, enum format *format, struct error *error)
{
    static const char *const names[] = {"text", "json", "csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *format = (enum format)i;
            return true;
        }
    return fail(error, "unknown format '%s'; valid: text, json, csv", text);
}

void print_json(struct cJSON *json)
{
    char *text = cJSON_Print(json);
    puts(text);
    free(text);
    cJSON_Delete(json);
}

void print_csv_field(const char *text, bool last)
{
    if (strpbrk(text, ",\"\n")) {
        putchar('"');
        for (const char *c = text; *c; c++) {
            if (*c == '"')
                putchar('"');
            putchar(*c);
        }
        putchar('"');
    } else {
        fputs(text, stdout);
    }
    putchar(last ? '\n' : ',');
}

void shortest_real(double value, char *buffer, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(buffer, size, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            return;
    }
}
