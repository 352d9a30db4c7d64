/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"
#include "names.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORKERS 4096
#define MAX_OPTIONS 16

/* ---- values ---- */

bool set_flag(const struct option *option, const char *value, struct error *error)
{
    (void)value, (void)error;
    return *(bool *)option->target = true;
}

bool set_text(const struct option *option, const char *value, struct error *error)
{
    (void)error;
    *(const char **)option->target = value;
    return true;
}

static bool set_format(const struct option *option, const char *value, enum format last, struct error *error)
{
    struct names valid = {0};
    for (enum format format = FORMAT_TEXT; format <= last; format++) {
        names_add(&valid, format_names[format]);
        if (strcmp(value, format_names[format]) == 0) {
            *(enum format *)option->target = format;
            names_free(&valid);
            return true;
        }
    }
    char *list = names_joined(&valid);
    fail(error, "unknown format '%s'; valid: %s", value, list);
    free(list);
    names_free(&valid);
    return false;
}

bool set_format_json(const struct option *option, const char *value, struct error *error)
{
    return set_format(option, value, FORMAT_JSON, error);
}

bool set_format_csv(const struct option *option, const char *value, struct error *error)
{
    return set_format(option, value, FORMAT_CSV, error);
}

bool set_format_latex(const struct option *option, const char *value, struct error *error)
{
    return set_format(option, value, FORMAT_LATEX, error);
}

bool set_workers(const struct option *option, const char *value, struct error *error)
{
    char *end;
    long workers = strtol(value, &end, 10);
    if (*end || workers < 1 || workers > MAX_WORKERS)
        return fail(error, "%s %s: must be a whole number from 1 to %d", option->name, value, MAX_WORKERS);
    *(int *)option->target = (int)workers;
    return true;
}

bool add_text(const struct option *option, const char *value, struct error *error)
{
    struct texts *words = option->target;
    (void)error;
    words->items = xrealloc(words->items, (words->count + 1) * sizeof *words->items);
    words->items[words->count++] = value;
    return true;
}

/* ---- options and operands ---- */

static bool fail_unknown(const struct option *options, const char *word, struct error *error)
{
    struct names names = {0};
    for (; options->name; options++)
        names_add(&names, options->name);
    names_add(&names, "--help");
    bool is_long = strlen(word) > 2; /* a single letter is near to every other one */
    char *suggestion = is_long ? names_suggestion(&names, word) : xstrdup(""), *valid = names_joined(&names);
    fail(error, "unknown option %s%s; valid: %s", word, suggestion, valid);
    free(suggestion);
    free(valid);
    names_free(&names);
    return false;
}

/* Is the word this option? *value: what stands in the same word (-j2, --timeout=10m), or NULL. */
static bool matches(const struct option *option, const char *word, const char **value)
{
    size_t length = strlen(option->name);
    bool is_long = option->name[1] == '-';
    *value = NULL;
    if (strncmp(word, option->name, length) != 0)
        return false;
    if (word[length])
        *value = word + length + is_long;
    return !*value || !is_long || word[length] == '=';
}

/* Reads the option at *at, and its value when that is the next word. */
static bool read_option(const struct option *options, int argc, char **argv, int *at, struct error *error)
{
    const char *word = argv[*at], *value;
    const struct option *option = options;
    while (option->name && !matches(option, word, &value))
        option++;
    if (!option->name)
        return fail_unknown(options, word, error);
    if (option->set == set_flag && value)
        return fail(error, "%s takes no value", option->name);
    if (option->set != set_flag && !value && *at + 1 < argc)
        value = argv[++*at];
    if (option->set != set_flag && (!value || !*value))
        return fail(error, "%s needs a value", option->name);
    return option->set(option, value, error);
}

static bool check_operands(const struct operands *operands, int count, char **argv, struct error *error)
{
    if (count > operands->most)
        return operands->most == 1
                   ? fail(error, "one %s at a time, not also %s", operands->name, argv[2])
                   : fail(error, "at most %d %ss, not also %s", operands->most, operands->name,
                          argv[operands->most + 1]);
    if (count < operands->least)
        return operands->least == 1 ? fail(error, "no %s given", operands->name)
                                    : fail(error, "%d %ss are needed", operands->least, operands->name);
    return true;
}

int read_options(const struct command *command, const struct option *options, struct operands operands,
                 int argc, char **argv)
{
    struct error error;
    int count = 0;
    bool ok = true, ended = false;
    for (int i = 1; ok && i < argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1])
            argv[++count] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            ended = true;
        else
            ok = read_option(options, argc, argv, &i, &error);
    }
    if (ok && check_operands(&operands, count, argv, &error))
        return count;
    usage_error(command, "%s", error.text);
    return -1;
}

/* ---- sweeps ---- */

bool read_sweep(const struct command *command, const struct option *more, int argc, char **argv,
                struct plan *plan)
{
    struct texts overrides = {0};
    struct option options[MAX_OPTIONS] = {{"-s", add_text, &overrides}};
    for (size_t i = 0; more[i].name; i++)
        options[i + 1] = more[i];
    struct error error;
    bool ok = read_options(command, options, (struct operands){"sweep file", 1, 1}, argc, argv) >= 0;
    if (ok && !plan_load(argv[1], overrides.items, overrides.count, plan, &error)) {
        input_error(command, &error);
        ok = false;
    }
    free(overrides.items);
    return ok;
}

int usable_cores(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}
