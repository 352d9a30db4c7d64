/* SPDX-License-Identifier: GPL-3.0-or-later
 * Plugins from shared objects, which the Makefile puts beside the test program: the template as a user would copy it, an
 * allocator that breaks its promise, and files that are unfit. */
#include "support.h"
#include "verbs.h"
#include "../bench/plan.h"
#include "../bench/plugins.h"
#include "../bench/settings.h"
#include "../results/store.h"
#include <criterion/criterion.h>
#include <libgen.h>
#include <limits.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct command cmd_test, cmd_list;

/* free() it. */
static char *object(const char *name)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    cr_assert(length > 0);
    program[length] = '\0';
    return format_text("%s/%s", dirname(program), name);
}

static void load(const char *name)
{
    struct error error = {""};
    char *file = object(name);
    cr_assert(plugin_load(file, &error), "%s", error.text);
    free(file);
}

static void expect_refusal(const char *file, const char *words)
{
    struct error error = {""};
    cr_expect_not(plugin_load(file, &error), "%s", file);
    cr_expect(strstr(error.text, file) && strstr(error.text, words), "no '%s' in: %s", words, error.text);
}

Test(plugin_loading, the_template_loaded_as_a_shared_object_conforms)
{
    char sum[SHA256_DIGEST_STRING_LENGTH], *file = object("template.so");
    cr_assert_null(plug_find(PLUG_ALLOCATOR, "my_allocator"));
    load("template.so");
    const struct plug *plug = plug_find(PLUG_ALLOCATOR, "my_allocator");
    cr_assert_not_null(plug);
    const struct plugin *plugin = plugin_of(plug);
    cr_assert(plugin && plugin->kind == PLUG_ALLOCATOR && strcmp(plugin->file, file) == 0);
    cr_assert_str_eq(plugin->sha256, SHA256File(file, sum));
    cr_assert_null(plugin_of(plug_find(PLUG_ALLOCATOR, "template")), "built in");
    char *text = output_of(&cmd_test, "my_allocator -s my_allocator_every=6");
    cr_expect(strstr(text, "verdict: my_allocator conforms (15 passed"), "%s", text);
    cr_expect(strstr(text, file), "%s", text);
    char *list = output_of(&cmd_list, "allocators");
    cr_expect(strstr(list, "  my_allocator: ") && strstr(list, "my_allocator_every = 250"), "%s", list);
    free(list);
    free(text);
    free(file);
}

Test(plugin_loading, a_broken_promise_is_found_in_a_shared_object)
{
    load("over_budget.so");
    struct outcome outcome = run_verb(&cmd_test, "over_budget");
    cr_expect_eq(outcome.code, EXIT_TROUBLE);
    cr_expect(strstr(outcome.out, "FAIL  budgets "), "%s", outcome.out);
    cr_expect(strstr(outcome.out, "verdict: over_budget does not conform (12 passed, 1 failed, 3 not applicable)"), "%s",
              outcome.out);
    outcome_free(&outcome);
}

Test(plugin_loading, unfit_files_are_refused_with_a_reason)
{
    static const struct { const char *name, *words; } rows[] = {
        {"unfit-nothing.so", "exports no 'bitsweep_plugin'"},
        {"unfit-version.so", "has interface version 2, this bitsweep has 1"},
        {"unfit-layout.so", "was compiled against other headers than this bitsweep"},
        {"unfit-kind.so", "is of kind 8, which there is none of"},
        {"unfit-dataset.so", "is a dataset, which is compiled into bitsweep only"},
        {"unfit-taken.so", "there is an allocator uniform already, built in"},
        {"unfit-incomplete.so", "unfit allocator unfit: it has no assign"},
        {"unfit-name.so", "its name is 'Two words'"},
        {"unfit-fallback.so", "the default of its parameter unfit_share is '0.50', which is written '0.5'"},
        {"no-such.so", "cannot be read: No such file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *file = object(rows[i].name);
        expect_refusal(file, rows[i].words);
        free(file);
    }
    char *folder = temporary_folder(), *text = write_file(folder, "text.so", "no shared object");
    expect_refusal(folder, "cannot be read");
    expect_refusal(text, "cannot be loaded");
    free(text);
    remove_folder(folder);
}

Test(plugin_loading, a_name_is_given_once)
{
    char *file = object("template.so"), *words = format_text("there is an allocator my_allocator already, from %s", file);
    load("template.so");
    expect_refusal(file, words);
    free(words);
    free(file);
}

Test(plugin_loading, the_option_is_taken_out_wherever_it_stands)
{
    struct error error = {""};
    char *first = object("template.so"), *third = object("over_budget.so"), *second = format_text("--plugin=%s", third);
    char *argv[] = {(char[]){"bitsweep"}, (char[]){"--plugin"}, first, (char[]){"list"}, second,
                    (char[]){"--"},       (char[]){"--plugin"}, NULL};
    int argc = 7;
    cr_assert(plugins_take(&argc, argv, &error), "%s", error.text);
    cr_assert_eq(argc, 4);
    cr_assert(strcmp(argv[1], "list") == 0 && strcmp(argv[2], "--") == 0 && strcmp(argv[3], "--plugin") == 0 && !argv[4]);
    cr_assert(plug_find(PLUG_ALLOCATOR, "my_allocator") && plug_find(PLUG_ALLOCATOR, "over_budget"));
    char *lone[] = {(char[]){"bitsweep"}, (char[]){"list"}, (char[]){"--plugin"}, NULL};
    argc = 3;
    cr_assert_not(plugins_take(&argc, lone, &error));
    cr_assert(strstr(error.text, "--plugin needs a value"), "%s", error.text);
    free(first);
    free(second);
    free(third);
}

/* Which build of a plugin made a run is part of the run. */
Test(plugin_loading, the_file_is_part_of_a_runs_identity_and_provenance)
{
    load("template.so");
    struct plan plan = plan_of("dataset: synthetic\nallocator: [my_allocator, template]\nbudget: 3.5\n", NULL);
    const struct plugin *plugin = plugin_of(plug_find(PLUG_ALLOCATOR, "my_allocator"));
    char *line = format_text("\nallocator.file=%.16s\n", plugin->sha256);
    cr_assert_eq(plan.count, 2);
    int with_file = 0;
    for (size_t i = 0; i < plan.count; i++) {
        struct record record = {0};
        bool own = setting_is(&plan.runs[i].settings, "allocator", "my_allocator");
        cr_expect_eq(strstr(plan.runs[i].canonical, line) != NULL, own, "%s", plan.runs[i].canonical);
        record_plugins(&record, &plan.runs[i].settings);
        const struct field *field = record_find(&record, "/provenance/plugins");
        cr_expect_eq(field != NULL, own);
        with_file += field && field_count(field) == 1 && strstr(*(char **)field->data, plugin->sha256)
                     && strstr(*(char **)field->data, "allocator my_allocator version 1");
        record_free(&record);
    }
    cr_expect_eq(with_file, 1);
    free(line);
    plan_free(&plan);
}

/* ---- the program ---- */

static char *program_output(const char *program, const char *arguments, int code)
{
    size_t size;
    char *line = format_text("'%s' %s >out 2>&1", program, arguments);
    int status = system(line);
    char *out = read_bytes("out", &size);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == code, "%s: %s", line, out);
    free(line);
    return out;
}

Test(plugin_loading, the_program_trains_with_a_plugin_and_without_it_does_not_know_it, .timeout = 120)
{
    const char *path = getenv("BITSWEEP");
    char *program = realpath(path ? path : "build/bitsweep", NULL), *file = object("template.so"),
         *folder = temporary_folder();
    if (!program || access(program, X_OK) != 0)
        skip_test("there is no program %s (make program builds it)", path ? path : "build/bitsweep");
    cr_assert_eq(chdir(folder), 0);
    free(write_file(folder, "own.yaml", "dataset: synthetic\nsamples: 100\nepochs: 2\nhidden: 8\nallocator: my_allocator\n"
                                        "my_allocator_every: 4\nbudget: 3.5\nmode: [fp, fqt]\n"));
    const char *const calls[] = {"--plugin '%s' run own.yaml", "plan own.yaml --plugin='%s'",
                                 "status --plugin '%s' own.yaml"};
    for (size_t i = 0; i < 3; i++) {
        char *arguments = xstrdup(calls[i]), *at = strstr(arguments, "%s");
        *at = '\0';
        char *whole = format_text("%s%s%s", arguments, file, at + 2), *out = program_output(program, whole, EXIT_DONE);
        cr_expect(i == 0 || strstr(out, "2"), "%s", out);
        free(out);
        free(whole);
        free(arguments);
    }
    char *unknown = program_output(program, "plan own.yaml", EXIT_USAGE);
    cr_expect(strstr(unknown, "unknown key 'my_allocator_every'"), "%s", unknown);
    char *missing = program_output(program, "--plugin no-such.so list", EXIT_USAGE);
    cr_expect(strstr(missing, "bitsweep: plugin no-such.so cannot be read"), "%s", missing);
    char *files = program_output("/bin/sh", "-c 'ls results/own/runs/*.h5'", 0);
    struct record record;
    struct error error;
    files[strcspn(files, "\n")] = '\0';
    cr_assert(store_read(files, &record, &error), "%s", error.text);
    cr_expect_not_null(record_find(&record, "/provenance/plugins"));
    record_free(&record);
    free(files);
    free(missing);
    free(unknown);
    free(file);
    free(program);
    cr_assert_eq(chdir("/"), 0);
    remove_folder(folder);
}
