/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "verbs.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sends what is written to the stream to a temporary file; *saved: where it went before. */
static FILE *redirect(FILE *stream, int *saved)
{
    FILE *file = tmpfile();
    fflush(stream);
    *saved = dup(fileno(stream));
    cr_assert(file && *saved >= 0 && dup2(fileno(file), fileno(stream)) >= 0);
    return file;
}

/* Undoes that; returns what was written, free() it. */
static char *restore(FILE *stream, int saved, FILE *file)
{
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    size_t size = (size_t)lseek(fileno(file), 0, SEEK_END);
    char *text = xcalloc(1, size + 1);
    rewind(file);
    cr_assert_eq(fread(text, 1, size, file), size);
    fclose(file);
    return text;
}

struct outcome run_verb(const struct command *command, const char *arguments)
{
    char *words = format_text("%s%s%s", command->name, *arguments ? " " : "", arguments), *rest = words;
    char *argv[16];
    int argc = 0, saved_out, saved_errors;
    while (rest && argc < 15)
        argv[argc++] = strsep(&rest, " ");
    argv[argc] = NULL;
    FILE *out = redirect(stdout, &saved_out), *errors = redirect(stderr, &saved_errors);
    struct outcome outcome = {.code = command->run(argc, argv)};
    outcome.out = restore(stdout, saved_out, out);
    outcome.errors = restore(stderr, saved_errors, errors);
    free(words);
    return outcome;
}

void outcome_free(struct outcome *outcome)
{
    free(outcome->out);
    free(outcome->errors);
}

char *output_of(const struct command *command, const char *arguments)
{
    struct outcome outcome = run_verb(command, arguments);
    cr_assert_eq(outcome.code, EXIT_DONE, "%s %s: %s", command->name, arguments, outcome.errors);
    free(outcome.errors);
    return outcome.out;
}

void expect_output(const struct command *command, const char *arguments, const char *expected)
{
    char *out = output_of(command, arguments);
    cr_assert_str_eq(out, expected, "got:\n%s", out);
    free(out);
}

void expect_trouble(const struct command *command, const char *arguments, int code, const char *words)
{
    struct outcome outcome = run_verb(command, arguments);
    cr_assert_eq(outcome.code, code, "%s %s: exit code %d", command->name, arguments, outcome.code);
    cr_assert_not_null(strstr(outcome.errors, words), "%s %s: no '%s' in: %s", command->name, arguments,
                       words, outcome.errors);
    cr_assert_str_eq(outcome.out, "");
    outcome_free(&outcome);
}
