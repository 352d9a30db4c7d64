/* SPDX-License-Identifier: GPL-3.0-or-later
 * The program as users call it: a small sweep from its file to the figures, verb by verb. The program is the
 * one that $BITSWEEP names, relative to the project folder, or else build/bitsweep. */
#include "../bench/cli.h"
#include "support.h"
#include "verbs.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const verbs[] = {
    "list", "plan", "run", "status", "collect", "table", "plot", "diff", "data", "reference", "bench", "test", "allocate",
};
enum { VERBS = sizeof verbs / sizeof *verbs, RUNS = 4 };

static const char sweep_text[] =
    "dataset: synthetic\n"
    "samples: 200\n"
    "epochs: 1\n"
    "hidden: 8\n"
    "tau: 2\n"
    "seed: [1, 2]\n"
    "blocks:\n"
    "  - {mode: fqt, allocator: qbitopt, budget: 3.5}\n"
    "  - {mode: fp, allocator: none}\n";

static char *program, *folder;

static void set_up(void)
{
    const char *path = getenv("BITSWEEP");
    path = path ? path : "build/bitsweep";
    program = realpath(path, NULL);
    if (!program || access(program, X_OK) != 0)
        skip_test("there is no program %s (make program builds it)", path);
    folder = temporary_folder();
    cr_assert_eq(chdir(folder), 0);
    free(write_file(folder, "tiny.yaml", sweep_text));
}

static void tear_down(void)
{
    cr_assert_eq(chdir("/"), 0);
    free(program);
    remove_folder(folder);
}

TestSuite(cli, .init = set_up, .fini = tear_down, .timeout = 120);

static struct outcome call(const char *arguments)
{
    size_t size;
    char *line = format_text("'%s' %s >out 2>errors", program, arguments);
    int status = system(line);
    struct outcome outcome = {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_bytes("out", &size),
                              read_bytes("errors", &size)};
    free(line);
    return outcome;
}

/* The program must end with this code; what it wrote to standard output, free() it. */
static char *output(const char *arguments, int code)
{
    struct outcome outcome = call(arguments);
    cr_assert_eq(outcome.code, code, "%s: exit code %d: %s", arguments, outcome.code, outcome.errors);
    free(outcome.errors);
    return outcome.out;
}

static void expect_out(const char *arguments, int code, const char *words)
{
    char *text = output(arguments, code);
    cr_expect(strstr(text, words), "%s: no '%s' in: %s", arguments, words, text);
    free(text);
}

/* Nothing but one JSON object or list stands on standard output; cJSON_Delete it. */
static cJSON *json_of(const char *arguments)
{
    const char *end;
    char *text = output(arguments, EXIT_DONE);
    cJSON *json = cJSON_ParseWithOpts(text, &end, false);
    cr_assert(json && strcmp(end, "\n") == 0, "%s: %s", arguments, text);
    free(text);
    return json;
}

static void expect_count(const char *arguments, const char *list, int count)
{
    cJSON *json = json_of(arguments);
    cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(json, list)), count, "%s: %s", arguments, list);
    cJSON_Delete(json);
}

static const char *text_in(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    cr_assert_not_null(text, "no text %s", name);
    return text;
}

Test(cli, every_verb_has_help)
{
    char *overview = output("--help", EXIT_DONE);
    for (size_t i = 0; i < VERBS; i++) {
        char *help = format_text("%s --help", verbs[i]),
             *usage = format_text("usage: bitsweep %s ", verbs[i]),
             *entry = format_text("\n  %s ", verbs[i]);
        struct outcome outcome = call(help);
        cr_expect_eq(outcome.code, EXIT_DONE);
        cr_expect_eq(strncmp(outcome.out, usage, strlen(usage)), 0, "%s", outcome.out);
        cr_expect(strstr(outcome.out, "\nExample: bitsweep "), "%s", outcome.out);
        cr_expect_str_eq(outcome.errors, "");
        cr_expect(strstr(overview, entry), "%s is not in:\n%s", verbs[i], overview);
        outcome_free(&outcome);
        free(entry);
        free(usage);
        free(help);
    }
    free(overview);
}

Test(cli, bad_usage_ends_with_2)
{
    struct outcome outcome = call("frobnicate");
    cr_expect_eq(outcome.code, EXIT_USAGE);
    cr_expect_str_eq(outcome.out, "");
    cr_expect(strstr(outcome.errors, "unknown verb 'frobnicate'"), "%s", outcome.errors);
    outcome_free(&outcome);
    for (size_t i = 0; i < VERBS; i++) {
        char *arguments = format_text("%s --frobnicate", verbs[i]);
        outcome = call(arguments);
        cr_expect_eq(outcome.code, EXIT_USAGE, "%s", arguments);
        cr_expect_str_eq(outcome.out, "");
        cr_expect(strstr(outcome.errors, "unknown option --frobnicate; valid: "), "%s", outcome.errors);
        outcome_free(&outcome);
        free(arguments);
    }
}

/* ---- the sweep ---- */

/* The path of the run file of the index-th run in the plan. */
static char *run_file(int index)
{
    cJSON *plan = json_of("plan tiny.yaml --format json");
    const cJSON *run = cJSON_GetArrayItem(cJSON_GetObjectItem(plan, "runs"), index);
    char *path = format_text("results/tiny/runs/%s.h5", text_in(run, "id"));
    cJSON_Delete(plan);
    return path;
}

static void expect_tables(void)
{
    static const char header[] =
        "id,dataset,model,mode,allocator,budget,seed,status,test_accuracy,mean_bits,";
    char *csv = output("table results/tiny.h5 --per-run --format csv", EXIT_DONE);
    int lines = 0;
    cr_expect_eq(strncmp(csv, header, strlen(header)), 0, "%s", csv);
    for (const char *c = csv; *c; c++)
        lines += *c == '\n';
    cr_expect_eq(lines, 1 + RUNS, "%s", csv);
    cr_expect(strstr(csv, ",synthetic,mlp,fqt,qbitopt,3.5,2,done,0."), "%s", csv);
    cr_expect(strstr(csv, ",synthetic,mlp,fp,none,,1,done,0."), "%s", csv);
    free(csv);
    expect_out("table results/tiny.h5", EXIT_DONE, "tiny: 4 runs, 4 done\n");
    expect_count("table results/tiny.h5 --format json", "rows", 2);
    expect_count("table results/tiny.h5 --per-run --format=json", "runs", RUNS);
}

static void expect_differences(void)
{
    char *first = run_file(0), *last = run_file(RUNS - 1), *pair = format_text("diff %s %s", first, last);
    expect_out("diff results/tiny.h5 results/tiny.h5", EXIT_DONE, "equal: ");
    expect_out(pair, EXIT_TROUBLE, "/settings/seed: '1' | '2'\n");
    expect_count("diff results/tiny.h5 results/tiny.h5 --format json", "differences", 0);
    free(pair);
    free(last);
    free(first);
}

static void expect_figures(void)
{
    size_t size;
    char *paths = output("plot results/tiny.h5 --format png", EXIT_DONE), *rest = paths, *path;
    cr_expect(strstr(paths, "results/tiny/figures/accuracy-bits.png\n"), "%s", paths);
    while ((path = strsep(&rest, "\n")) && *path)
        free(read_bytes(path, &size));
    free(paths);
}

Test(cli, a_sweep_from_its_file_to_the_figures)
{
    expect_out("plan tiny.yaml", EXIT_DONE, "\ntiny: 4 runs: 0 done, 0 failed, 4 to do, 0 skipped\n");
    expect_out("plan tiny.yaml -j 2", EXIT_DONE, "\nmemory: up to ");
    expect_out("run tiny.yaml -j 2", EXIT_DONE, "");
    expect_out("status tiny.yaml", EXIT_DONE, "tiny: not running\n  done         4\n");
    expect_count("status tiny.yaml --format json", "runs", RUNS);
    expect_count("plan tiny.yaml --format json", "runs", RUNS);
    expect_out("collect tiny.yaml", EXIT_DONE, "results/tiny.h5\n");
    expect_tables();
    expect_differences();
    expect_figures();
}

Test(cli, a_finished_sweep_is_not_run_again)
{
    struct stat before, after;
    free(output("run tiny.yaml -j2 -s seed=1", EXIT_DONE));
    char *path = run_file(0);
    cr_assert_eq(stat(path, &before), 0);
    struct outcome outcome = call("run tiny.yaml -s seed=1");
    cr_assert_eq(stat(path, &after), 0);
    cr_expect_eq(outcome.code, EXIT_DONE);
    cr_expect_str_eq(outcome.out, "", "progress belongs on standard error");
    cr_expect(strstr(outcome.errors, "2 of 2 runs done"), "%s", outcome.errors);
    cr_expect_eq(before.st_ino, after.st_ino, "the run file was replaced");
    cr_expect_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    outcome_free(&outcome);
    free(path);
}

Test(cli, threads_do_not_change_results)
{
    free(output("run tiny.yaml -j1 -s seed=1 -s samples=600", EXIT_DONE));
    free(output("collect tiny.yaml -s seed=1 -s samples=600", EXIT_DONE));
    cr_assert_eq(rename("results/tiny.h5", "one.h5"), 0);
    remove_folder(xstrdup("results"));
    free(output("run tiny.yaml --threads 3 --checkpoint 0 -s seed=1 -s samples=600", EXIT_DONE));
    free(output("collect tiny.yaml -s seed=1 -s samples=600", EXIT_DONE));
    expect_out("diff one.h5 results/tiny.h5", EXIT_DONE, "equal: ");

    static const struct { const char *arguments, *words; } wrong[] = {
        {"run tiny.yaml --threads 9", "--threads 9: must be a whole number from 1 to 8"},
        {"run tiny.yaml --threads 2x", "--threads 2x: must be"},
        {"run tiny.yaml --checkpoint -1", "--checkpoint -1: must be a number of seconds from 0"},
        {"run tiny.yaml --checkpoint never", "--checkpoint never: must be"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct outcome outcome = call(wrong[i].arguments);
        cr_expect_eq(outcome.code, EXIT_USAGE);
        cr_expect(strstr(outcome.errors, wrong[i].words), "%s", outcome.errors);
        outcome_free(&outcome);
    }
}

Test(cli, lists_are_json_too)
{
    static const char *const arguments[] = {
        "list --format json", "list modes --format json", "data list --format json",
        "data check synthetic --format json",
    };
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        cJSON_Delete(json_of(arguments[i]));
    expect_out("list allocators", EXIT_DONE, "  qbitopt: ");
    expect_out("--version", EXIT_DONE, "bitsweep ");
}
