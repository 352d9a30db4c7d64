/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep run: trains every run of a sweep that is not done yet. */
#include "cli.h"
#include "runner.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_JOBS 4096

static int run(int argc, char **argv);

const struct command cmd_run = {
    .name = "run",
    .arguments = "SWEEP.yaml [-s KEY=VALUE]... [-j N] [--timeout DURATION] [--retry] [--redo stale]\n"
                 "                    [--only ID,...] [--quiet]",
    .summary = "Train every run of a sweep that is not done yet, several at a time.",
    .details =
        "  -s KEY=VALUE        set a key in every block of the sweep file; may be repeated\n"
        "  -j N                workers, one core each; default: the cores that this process may use\n"
        "  --timeout DURATION  end a run that takes longer: 90s, 10m, 2h, 1d; default: never\n"
        "  --retry             repeat runs that failed before\n"
        "  --redo stale        repeat finished runs that a build of another git commit made\n"
        "  --only ID,...       only these runs (ids or their beginnings) and those that they start from\n"
        "  --quiet             print only failures and the summary\n"
        "\n"
        "Results go to results/NAME, NAME being the sweep file's base name: runs/ID.h5 and logs/ID.log.\n"
        "The same command again continues what is left. Ctrl-C ends the workers, twice aborts at once.\n"
        "Exit code: 0 all done, 3 some failed, 2 bad usage or already running, 1 results cannot be written,\n"
        "130 or 143 interrupted.\n"
        "\n"
        "Example: bitsweep run bench/sweeps/demo.yaml -j 2 --timeout 10m",
    .run = run,
};

struct arguments {
    const char *sweep;
    const char **overrides; /* argc fit */
    size_t override_count;
    struct run_options options;
};

static bool set_override(struct arguments *arguments, const char *value, struct error *error)
{
    arguments->overrides[arguments->override_count++] = value;
    return strchr(value, '=') || fail(error, "-s %s: must be KEY=VALUE", value);
}

static bool set_jobs(struct arguments *arguments, const char *value, struct error *error)
{
    char *end;
    long jobs = strtol(value, &end, 10);
    if (end == value || *end || jobs < 1 || jobs > MAX_JOBS)
        return fail(error, "-j %s: must be a whole number from 1 to %d", value, MAX_JOBS);
    arguments->options.jobs = (int)jobs;
    return true;
}

static bool set_timeout(struct arguments *arguments, const char *value, struct error *error)
{
    static const struct { const char *name; double seconds; } units[] = {
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
    };
    char *end;
    double number = strtod(value, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != value && strcmp(end, units[i].name) == 0 && number > 0 && number < 1e9) {
            arguments->options.timeout = number * units[i].seconds;
            return true;
        }
    return fail(error, "--timeout %s: must be a positive number and s, m, h or d, for example 90s or 1.5h",
                value);
}

static bool set_redo(struct arguments *arguments, const char *value, struct error *error)
{
    arguments->options.redo_stale = true;
    return strcmp(value, "stale") == 0 || fail(error, "--redo %s: valid: stale", value);
}

static bool set_only(struct arguments *arguments, const char *value, struct error *error)
{
    arguments->options.only = value;
    return *value || fail(error, "--only: needs a run id (bitsweep plan lists them)");
}

static bool set_retry(struct arguments *arguments, const char *value, struct error *error)
{
    (void)value, (void)error;
    return arguments->options.retry = true;
}

static bool set_quiet(struct arguments *arguments, const char *value, struct error *error)
{
    (void)value, (void)error;
    return arguments->options.quiet = true;
}

static const struct option {
    const char *name;
    bool takes_value;
    bool (*set)(struct arguments *, const char *value, struct error *);
} options[] = {
    {"-s", true, set_override},    {"-j", true, set_jobs},        {"--timeout", true, set_timeout},
    {"--redo", true, set_redo},    {"--only", true, set_only},    {"--retry", false, set_retry},
    {"--quiet", false, set_quiet},
};

/* Is the word this option? *value: what stands in the same word (-j2, --timeout=10m), or NULL. */
static bool matches(const struct option *option, const char *word, const char **value)
{
    size_t length = strlen(option->name);
    *value = NULL;
    if (strcmp(word, option->name) == 0)
        return true;
    if (!option->takes_value || strncmp(word, option->name, length) != 0)
        return false;
    bool is_long = option->name[1] == '-';
    *value = word + length + is_long;
    return !is_long || word[length] == '=';
}

static bool read_option(struct arguments *arguments, int argc, char **argv, int *at, struct error *error)
{
    const char *value;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (!matches(&options[i], argv[*at], &value))
            continue;
        if (options[i].takes_value && !value) {
            if (*at + 1 == argc)
                return fail(error, "%s needs a value", options[i].name);
            value = argv[++*at];
        }
        return options[i].set(arguments, value, error);
    }
    return fail(error, "unknown option %s", argv[*at]);
}

static bool read_arguments(struct arguments *arguments, int argc, char **argv, struct error *error)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            if (!read_option(arguments, argc, argv, &i, error))
                return false;
        } else if (arguments->sweep) {
            return fail(error, "one sweep file at a time, not also %s", argv[i]);
        } else {
            arguments->sweep = argv[i];
        }
    }
    return arguments->sweep || fail(error, "no sweep file given");
}

/* Cores that this process may use: taskset and batch systems grant fewer than there are. */
static int usable_cores(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

static void put_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
    bool quote = word[strspn(word, plain)] != '\0' || !*word;
    fputs(quote ? " '" : " ", out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, 0}, out);
    fputs(quote ? "'" : "", out);
}

/* What the user typed, as a shell reads it. */
static char *command_line(int argc, char **argv)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("out of memory");
    fputs("bitsweep", out);
    for (int i = 0; i < argc; i++)
        put_word(out, argv[i]);
    fclose(out);
    return text;
}

static int run(int argc, char **argv)
{
    struct error error = {""};
    struct plan plan;
    struct arguments arguments = {
        .overrides = xcalloc((size_t)argc, sizeof *arguments.overrides),
        .options = {.results = "results", .jobs = usable_cores(), .train = train_run},
    };
    char *command = command_line(argc, argv);
    int code = EXIT_USAGE;
    arguments.options.command = command;
    if (!read_arguments(&arguments, argc, argv, &error)) {
        usage_error(&cmd_run, "%s", error.text);
    } else if (!plan_load(arguments.sweep, arguments.overrides, arguments.override_count, &plan, &error)) {
        input_error(&cmd_run, &error);
    } else {
        code = runner_run(&plan, &arguments.options, &error);
        if (error.text[0])
            input_error(&cmd_run, &error);
        plan_free(&plan);
    }
    free(command);
    free(arguments.overrides);
    return code;
}
