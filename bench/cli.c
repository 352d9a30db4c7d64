/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const format_names[FORMATS] = {
    [FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_CSV] = "csv", [FORMAT_LATEX] = "latex",
};

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

void print_json(struct cJSON *json)
{
    char *text = cJSON_Print(json);
    puts(text);
    free(text);
    cJSON_Delete(json);
}

cJSON *json_real(double value)
{
    char number[40];
    if (!isfinite(value))
        return cJSON_CreateNull();
    shortest_real(value, number, sizeof number);
    return cJSON_CreateRaw(number);
}

cJSON *json_setting(const char *text)
{
    char *end;
    if (!text)
        return cJSON_CreateNull();
    double value = strtod(text, &end);
    bool number = *text && *end == '\0' && strspn(text, "+-.0123456789eE") == strlen(text);
    return number ? json_real(value) : cJSON_CreateString(text);
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

void print_csv_real(double value, bool last)
{
    char number[40] = "";
    if (!isnan(value))
        shortest_real(value, number, sizeof number);
    print_csv_field(number, last);
}

void shortest_real(double value, char *buffer, size_t size)
{
    if (floor(value) == value && fabs(value) < 1e15) {
        snprintf(buffer, size, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(buffer, size, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            return;
    }
}
