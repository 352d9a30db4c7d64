/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep run: trains every run of a sweep that is not done yet. */
#include "options.h"
#include "parallel.h"
#include "runner.h"
#include "saved_bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct command cmd_run = {
    .name = "run",
    .arguments = "SWEEP.yaml [-s KEY=VALUE]... [-j N] [--threads N] [--timeout DURATION]\n"
                 "                    [--checkpoint SECONDS] [--retry] [--redo stale] [--only ID,...] [--from FILE]\n"
                 "                    [--quiet]",
    .summary = "Train every run of a sweep that is not done yet, several at a time.",
    .details =
        "  -s KEY=VALUE        set a key in every block of the sweep file; may be repeated\n"
        "  -j N                workers; default: the cores that this process may use, over the threads of a run\n"
        "  --threads N         threads of each run, 1 to 8; default: 1, which is best where there are several runs.\n"
        "                      Results are the same for any number\n"
        "  --timeout DURATION  end a run that takes longer: 90s, 10m, 2h, 1d; default: never\n"
        "  --checkpoint SECONDS\n"
        "                      a run's state is saved at every epoch's end (once a second at most), and within long\n"
        "                      epochs every SECONDS; default: 30; 0: at epochs' ends only, however short they are\n"
        "  --retry             repeat runs that failed before; what has a checkpoint goes on from there, so a run\n"
        "                      that was ended by --timeout gets the same time again\n"
        "  --redo stale        repeat finished runs that a build of another git commit made\n"
        "  --only ID,...       only these runs (ids or their beginnings) and those that they start from\n"
        "  --from FILE         train with the widths of a saved allocation (bitsweep allocate -o FILE) or of a finished\n"
        "                      run's file: short for -s allocator=fixed -s bits=NAME=WIDTH,...\n"
        "  --quiet             print only failures and the summary\n"
        "\n"
        "Results go to results/NAME, NAME being the sweep file's base name: runs/ID.h5 and logs/ID.log.\n"
        "The same command again continues what is left, runs under way from checkpoints/ID.ckpt, with the same\n"
        "results as if never interrupted. Ctrl-C ends the workers after the step in progress, twice aborts at once.\n"
        "Exit code: 0 all done, 3 some failed, 2 bad usage or already running, 1 results cannot be written,\n"
        "129, 130 or 143 interrupted.\n"
        "\n"
        "Example: bitsweep run bench/sweeps/demo.yaml -j 2 --timeout 10m",
    .run = run,
};

static bool set_timeout(const struct option *option, const char *value, struct error *error)
{
    static const struct { const char *name; double seconds; } units[] = {
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
    };
    char *end;
    double number = strtod(value, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != value && strcmp(end, units[i].name) == 0 && number > 0 && number < 1e9) {
            *(double *)option->target = number * units[i].seconds;
            return true;
        }
    return fail(error, "--timeout %s: must be a positive number and s, m, h or d, for example 90s or 1.5h",
                value);
}

static bool set_seconds(const struct option *option, const char *value, struct error *error)
{
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= 0) || seconds > 1e9)
        return fail(error, "%s %s: must be a number of seconds from 0 to 1e9", option->name, value);
    *(double *)option->target = seconds;
    return true;
}

static bool set_threads(const struct option *option, const char *value, struct error *error)
{
    char *end;
    long threads = strtol(value, &end, 10);
    if (end == value || *end || threads < 1 || threads > CHUNKS)
        return fail(error, "%s %s: must be a whole number from 1 to %d", option->name, value, CHUNKS);
    *(int *)option->target = (int)threads;
    return true;
}

static bool set_redo(const struct option *option, const char *value, struct error *error)
{
    *(bool *)option->target = strcmp(value, "stale") == 0;
    return *(bool *)option->target || fail(error, "--redo %s: valid: stale", value);
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

/* The words of a command line in which --from FILE is written out as -s options. */
struct words { char **items; int count; char *bits, *option; };

static void words_free(struct words *words)
{
    free(words->items);
    free(words->bits);
    free(words->option);
}

static bool take_widths(const char *file, struct words *words, struct error *error)
{
    bool gradients;
    if (words->bits)
        return fail(error, "--from %s: one file at a time", file);
    if (!saved_bits(file, &words->bits, &gradients, error))
        return false;
    words->option = format_text("bits=%s", words->bits);
    char *const written[] = {"-s", "allocator=fixed", "-s", words->option, "-s", "allocate=weights-activations-gradients"};
    for (int i = 0; i < (gradients ? 6 : 4); i++)
        words->items[words->count++] = written[i];
    return true;
}

static bool write_out(int argc, char **argv, struct words *words, struct error *error)
{
    *words = (struct words){.items = xcalloc((size_t)argc + 7, sizeof *words->items)};
    bool good = true, ended = false;
    for (int i = 0; good && i < argc; i++) {
        const char *value = strncmp(argv[i], "--from=", 7) == 0 ? argv[i] + 7 : NULL;
        ended |= strcmp(argv[i], "--") == 0;
        if (!value && strcmp(argv[i], "--from") == 0 && i + 1 < argc && !ended)
            value = argv[++i];
        if (value && *value && !ended)
            good = take_widths(value, words, error);
        else
            words->items[words->count++] = argv[i];
    }
    return good;
}

static int run(int argc, char **argv)
{
    struct error error = {""};
    struct plan plan;
    struct words words;
    const char *unnamed;
    if (!write_out(argc, argv, &words, &error)) {
        words_free(&words);
        return input_error(&cmd_run, &error);
    }
    char *command = command_line(argc, argv);
    struct run_options how = {
        .results = "results", .threads = 1, .checkpoint = 30, .command = command, .train = train_run,
    };
    const struct option options[] = {
        {"-j", set_workers, &how.jobs},
        {"--threads", set_threads, &how.threads},
        {"--timeout", set_timeout, &how.timeout},
        {"--checkpoint", set_seconds, &how.checkpoint},
        {"--retry", set_flag, &how.retry},
        {"--redo", set_redo, &how.redo_stale},
        {"--only", set_text, &how.only},
        {"--from", set_text, &unnamed}, /* comes here without a file only */
        {"--quiet", set_flag, &how.quiet},
        {0},
    };
    int code = EXIT_USAGE;
    if (read_sweep(&cmd_run, options, words.count, words.items, &plan)) {
        int workers = usable_cores() / how.threads;
        how.jobs = how.jobs > 0 ? how.jobs : workers > 0 ? workers : 1;
        code = runner_run(&plan, &how, &error);
        if (error.text[0])
            input_error(&cmd_run, &error);
        plan_free(&plan);
    }
    free(command);
    words_free(&words);
    return code;
}
