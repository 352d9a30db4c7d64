/* SPDX-License-Identifier: GPL-3.0-or-later
 * Statistics, and the verbs that read results: collect, table, diff. The runs are made up. */
#include "../bench/cli.h"
#include "../results/collect.h"
#include "../results/stats.h"
#include "../results/store.h"
#include "support.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct command cmd_table, cmd_diff;

/* ---- statistics -------------------------------------------------------------------------- */

static void expect_near(double value, double expected)
{
    cr_assert_lt(fabs(value - expected), 1e-6 * fmax(1, fabs(expected)), "%.9g, not %.9g", value, expected);
}

Test(stats, by_hand)
{
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct summary summary = summarise(values, 8);
    expect_near(summary.mean, 5);
    expect_near(summary.deviation, sqrt(32.0 / 7));
    expect_near(summary.error, sqrt(32.0 / 7 / 8));
    expect_near(summary.interval, 2.364624252 * sqrt(32.0 / 7 / 8));
    summary = summarise(values, 1);
    cr_assert(summary.mean == 2 && isnan(summary.deviation) && isnan(summary.interval));
    summary = summarise(values, 0);
    cr_assert(summary.count == 0 && isnan(summary.mean) && isnan(summary.deviation));
}

Test(stats, keeps_its_digits_far_from_zero)
{
    const double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 3}, equal[] = {0.1, 0.1, 0.1}, broken[] = {1, NAN, 2};
    cr_assert_eq(summarise(values, 3).mean, 1e9 + 2);
    cr_assert_eq(summarise(values, 3).deviation, 1);
    cr_assert_eq(summarise(equal, 3).mean, 0.1);
    cr_assert_eq(summarise(equal, 3).deviation, 0);
    cr_assert(isnan(summarise(broken, 3).mean) && isnan(summarise(broken, 3).deviation));
}

/* Printed tables of the 97.5 % quantile. */
Test(stats, student_t)
{
    static const struct { size_t freedom; double t; } table[] = {
        {1, 12.706205}, {2, 4.302653}, {3, 3.182446}, {4, 2.776445}, {5, 2.570582}, {9, 2.262157},
        {10, 2.228139}, {29, 2.045230}, {30, 2.042272}, {120, 1.979930}, {100000, 1.959988},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_near(student_t95(table[i].freedom), table[i].t);
}

/* ---- made-up runs ------------------------------------------------------------------------ */

struct made { const char *id, *mode, *allocator, *budget, *seed, *status; double accuracy, mean_bits; };

static const struct made made_runs[] = {
    {"00000000000000f1", "fp", "none", NULL, "1", "done", 0.9, 32},
    {"00000000000000a1", "fqt", "qbitopt", "2.5", "1", "done", 0.875, 2.5},
    {"00000000000000b1", "fqt", "qbitopt", "4", "1", "done", 0.5, 4},
    {"00000000000000f2", "fp", "none", NULL, "2", "done", 0.9, 32},
    {"00000000000000a2", "fqt", "qbitopt", "2.5", "2", "done", 0.625, 2.25},
    {"00000000000000b2", "fqt", "qbitopt", "4", "2", "diverged", 0.1, 4},
};
enum { MADE = sizeof made_runs / sizeof *made_runs };

static struct record made_record(const struct made *made)
{
    static const size_t two[] = {2};
    struct record record = {0};
    record_text(&record, "/id", made->id, "");
    record_text(&record, "/status", made->status, "");
    record_text(&record, "/message", "", "");
    record_text(&record, "/canonical", made->id, "");
    record_text(&record, "/settings/dataset", "synthetic", "");
    record_text(&record, "/settings/model", "mlp", "");
    record_text(&record, "/settings/mode", made->mode, "");
    record_text(&record, "/settings/allocator", made->allocator, "");
    record_text(&record, "/settings/seed", made->seed, "");
    record_text(&record, "/settings/hidden", "128-64", "");
    record_real(&record, "/timing/train_seconds", 1.5, "s", "");
    record_real(&record, "/timing/wall_seconds", 2, "s", "");
    record_text(&record, "/provenance/git_commit", "abc", "");
    if (made->budget) {
        const double omega[] = {7, made->accuracy / 4}, uniform[] = {7, 3};
        record_text(&record, "/settings/budget", made->budget, "");
        record_text(&record, "/settings/grad_bits", "4", "");
        record_put(&record, "/reallocation/omega", RECORD_F64, 1, two, omega, "", "");
        record_put(&record, "/reallocation/omega_uniform", RECORD_F64, 1, two, uniform, "", "");
        record_real(&record, "/costs/budget_miss", 0, "bit", "");
    }
    record_real(&record, "/metrics/test_accuracy", made->accuracy, "1", "");
    record_real(&record, "/costs/mean_bits", made->mean_bits, "bit", "");
    return record;
}

static void write_made(const char *folder, const struct made *made)
{
    struct error error;
    struct record record = made_record(made);
    char *path = format_text("%s/demo/runs/%s.h5", folder, made->id);
    cr_assert(store_write(path, &record, &error), "%s", error.text);
    free(path);
    record_free(&record);
}

/* The plan that these runs would come from, and one skipped run. */
static struct plan made_plan(void)
{
    static const struct param mode = {.name = "mode"}, budget = {.name = "budget"};
    struct plan plan = {.name = "demo", .runs = xcalloc(MADE + 1, sizeof *plan.runs), .count = MADE + 1};
    for (size_t i = 0; i < MADE + 1; i++) {
        struct run *run = &plan.runs[i];
        const char *setting = i < MADE ? made_runs[i].budget : "1";
        snprintf(run->id, sizeof run->id, "%s", i < MADE ? made_runs[i].id : "00000000000000c1");
        struct setting *items = run->settings.items = xcalloc(2, sizeof *items);
        if (setting)
            items[run->settings.count++] = (struct setting){&budget, (char *)setting, 0, 0};
        char *value = (char *)(i < MADE ? made_runs[i].mode : "fqt");
        items[run->settings.count++] = (struct setting){&mode, value, 0, 0};
    }
    plan.runs[MADE].skip = "budget 1 is below the smallest mean_bits, 2";
    return plan;
}

static void free_made_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->runs[i].settings.items);
    free(plan->runs);
}

/* FOLDER/demo.h5 of all made-up runs; free() the path. */
static char *collected(const char *folder)
{
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct error error;
    char *path;
    for (size_t i = 0; i < MADE; i++)
        write_made(folder, &made_runs[i]);
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    free_made_plan(&plan);
    return path;
}

/* ---- running a verb ------------------------------------------------------------------------ */

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    char *text = xcalloc(1, 1 << 20);
    cr_assert_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return text;
}

static int redirect(FILE *stream, const char *path)
{
    fflush(stream);
    int saved = dup(fileno(stream)), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    cr_assert(saved >= 0 && file >= 0);
    dup2(file, fileno(stream));
    close(file);
    return saved;
}

static void restore(FILE *stream, int saved)
{
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
}

struct outcome { int code; char *out, *errors; };

/* arguments: separated by single spaces. */
static struct outcome run_verb(const struct command *command, const char *folder, const char *arguments)
{
    char *words = format_text("%s %s", command->name, arguments), *argv[16], *rest = words;
    char *out = format_text("%s/out", folder), *errors = format_text("%s/errors", folder);
    int argc = 0;
    while (rest)
        argv[argc++] = strsep(&rest, " ");
    argv[argc] = NULL;
    int saved_out = redirect(stdout, out), saved_errors = redirect(stderr, errors);
    struct outcome outcome = {.code = command->run(argc, argv)};
    restore(stdout, saved_out);
    restore(stderr, saved_errors);
    outcome.out = read_all(out);
    outcome.errors = read_all(errors);
    free(words);
    free(out);
    free(errors);
    return outcome;
}

static void free_outcome(struct outcome *outcome)
{
    free(outcome->out);
    free(outcome->errors);
}

static void expect_output(const struct command *command, const char *folder, const char *arguments,
                          const char *expected)
{
    struct outcome outcome = run_verb(command, folder, arguments);
    cr_assert_eq(outcome.code, EXIT_DONE, "%s", outcome.errors);
    cr_assert_str_eq(outcome.out, expected, "got:\n%s", outcome.out);
    free_outcome(&outcome);
}

/* The verb must fail as asked, say these words on stderr and nothing on stdout. */
static void expect_trouble(const struct command *command, const char *folder, const char *arguments,
                           const char *words)
{
    struct outcome outcome = run_verb(command, folder, arguments);
    cr_assert_eq(outcome.code, EXIT_USAGE, "%s: %d", arguments, outcome.code);
    cr_assert_not_null(strstr(outcome.errors, words), "%s: %s", arguments, outcome.errors);
    cr_assert_str_eq(outcome.out, "");
    free_outcome(&outcome);
}

/* ---- collect ------------------------------------------------------------------------------- */

Test(collect, takes_the_runs_of_the_plan)
{
    char *folder = temporary_folder(), *path;
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct record *runs, root;
    struct error error;
    size_t count;
    cr_assert_not(collect_runs(&plan, folder, &path, &counts, &error));
    cr_assert_not_null(strstr(error.text, "demo/runs"), "%s", error.text);
    free(path);
    for (size_t i = 1; i < MADE; i++)
        write_made(folder, &made_runs[MADE - i]);
    write_made(folder, &(struct made){"00000000000000ff", "fp", "none", NULL, "1", "done", 0, 32}); /* another plan's */
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    cr_assert_eq(counts.done, 4);
    cr_assert_eq(counts.failed, 1);
    cr_assert_eq(counts.missing, 1);
    cr_assert_eq(counts.skipped, 1);
    cr_assert_eq(counts.damaged, 0);
    cr_assert(store_read_runs(path, &runs, &count, &root, &error), "%s", error.text);
    cr_assert_eq(count, 5);
    for (size_t i = 0; i < count; i++) {
        cr_assert_str_eq(record_get_text(&runs[i], "/id", ""), made_runs[i + 1].id);
        record_free(&runs[i]);
    }
    cr_assert_str_eq(record_get_text(&root, "/sweep", ""), "demo");
    cr_assert_str_eq(record_get_text(&root, "/skipped/id", ""), "00000000000000c1");
    cr_assert_str_eq(record_get_text(&root, "/skipped/label", ""), "mode=fqt budget=1");
    cr_assert_not_null(strstr(record_get_text(&root, "/skipped/reason", ""), "below the smallest"));
    free(runs);
    record_free(&root);
    free_made_plan(&plan);
    free(path);
    remove_folder(folder);
}

Test(collect, leaves_out_damaged_and_misnamed_files)
{
    char *folder = temporary_folder(), *path;
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct error error;
    write_made(folder, &made_runs[0]);
    char *runs = format_text("%s/demo/runs", folder), *wrong = format_text("%s/%s.h5", runs, made_runs[1].id),
         *right = format_text("%s/%s.h5", runs, made_runs[0].id), *name = format_text("%s.h5", made_runs[2].id);
    cr_assert_eq(link(right, wrong), 0);
    free(write_file(runs, name, "garbage"));
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    cr_assert_eq(counts.damaged, 2);
    cr_assert_eq(counts.done, 1);
    cr_assert_eq(counts.missing, MADE - 3);
    free(path);
    free(runs);
    free(wrong);
    free(right);
    free(name);
    free_made_plan(&plan);
    remove_folder(folder);
}

static char *write_leftover(const char *folder, pid_t pid, time_t age)
{
    char *name = format_text("x.h5.tmp.%ld", (long)pid), *path = write_file(folder, name, "half");
    const struct timespec times[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    free(name);
    return path;
}

static pid_t ended_process(void)
{
    pid_t child = fork();
    if (child == 0)
        execl("/bin/true", "true", (char *)NULL);
    waitpid(child, NULL, 0);
    return child;
}

Test(collect, removes_what_killed_writers_left)
{
    char *folder = temporary_folder(), *path = collected(folder), *runs = format_text("%s/demo/runs", folder);
    pid_t dead = ended_process(), dead_too = ended_process();
    char *old = write_leftover(runs, dead, 3600), *young = write_leftover(runs, dead_too, 0),
         *alive = write_leftover(runs, getpid(), 3600), *beside = write_leftover(folder, dead, 3600);
    free(path);
    path = collected(folder);
    cr_assert_neq(access(old, F_OK), 0);
    cr_assert_neq(access(beside, F_OK), 0);
    cr_assert_eq(access(young, F_OK), 0, "perhaps of a writer on another host");
    cr_assert_eq(access(alive, F_OK), 0);
    free(old);
    free(young);
    free(alive);
    free(beside);
    free(runs);
    free(path);
    remove_folder(folder);
}

/* ---- table ------------------------------------------------------------------------------------ */

Test(table, per_run_csv)
{
    char *folder = temporary_folder(), *path = collected(folder),
         *arguments = format_text("%s --per-run --format csv", path);
    expect_output(&cmd_table, folder, arguments,
        "id,dataset,model,mode,allocator,budget,seed,status,test_accuracy,mean_bits,test_loss,validation_accuracy,"
        "budget_miss,omega,omega_uniform,weight_bytes,bops,bops_train,train_seconds,allocator_seconds,wall_seconds,"
        "peak_memory_bytes,git_commit\n"
        "00000000000000f1,synthetic,mlp,fp,none,,1,done,0.9,32,,,,,,,,,1.5,,2,,abc\n"
        "00000000000000a1,synthetic,mlp,fqt,qbitopt,2.5,1,done,0.875,2.5,,,0,0.21875,3,,,,1.5,,2,,abc\n"
        "00000000000000b1,synthetic,mlp,fqt,qbitopt,4,1,done,0.5,4,,,0,0.125,3,,,,1.5,,2,,abc\n"
        "00000000000000f2,synthetic,mlp,fp,none,,2,done,0.9,32,,,,,,,,,1.5,,2,,abc\n"
        "00000000000000a2,synthetic,mlp,fqt,qbitopt,2.5,2,done,0.625,2.25,,,0,0.15625,3,,,,1.5,,2,,abc\n"
        "00000000000000b2,synthetic,mlp,fqt,qbitopt,4,2,diverged,,,,,,,,,,,1.5,,2,,abc\n");
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, means_as_text)
{
    char *folder = temporary_folder(), *path = collected(folder);
    expect_output(&cmd_table, folder, path,
        "demo: 6 runs, 5 done\n"
        "the same in all: dataset=synthetic model=mlp grad_bits=4 hidden=128-64\n"
        "\n"
        "mode  allocator  budget  n  failed  test accuracy %  mean bits   omega  omega_uniform  budget miss  training s\n"
        "fp    none            -  2       0     90.00 ± 0.00     32.000       -              -            -        1.50\n"
        "fqt   qbitopt       2.5  2       0    75.00 ± 17.68      2.375  0.1875              3            0        1.50\n"
        "fqt   qbitopt         4  1       1        50.00 ± -      4.000   0.125              3            0        1.50\n"
        "\n"
        "skipped: 1\n"
        "  00000000000000c1  mode=fqt budget=1: budget 1 is below the smallest mean_bits, 2\n");
    free(path);
    remove_folder(folder);
}

Test(table, means_as_csv)
{
    static const char header[] =
        "mode,budget,n,failed,test_accuracy_mean,test_accuracy_deviation,test_accuracy_interval95,"
        "/reallocation/omega_mean,/reallocation/omega_deviation,/reallocation/omega_interval95\n"
        "fp,,2,0,0.9,0,0,,,\n"
        "fqt,2.5,2,0,0.75,";
    char *folder = temporary_folder(), *path = collected(folder),
         *arguments = format_text("%s --by mode,budget --metric test_accuracy,/reallocation/omega --format csv", path);
    struct outcome outcome = run_verb(&cmd_table, folder, arguments);
    double deviation, interval, omega, omega_deviation, omega_interval;
    int read = 0;
    cr_assert_eq(strncmp(outcome.out, header, strlen(header)), 0, "%s", outcome.out);
    const char *rest = outcome.out + strlen(header);
    cr_assert_eq(sscanf(rest, "%lf,%lf,%lf,%lf,%lf%n", &deviation, &interval, &omega, &omega_deviation,
                        &omega_interval, &read), 5, "%s", outcome.out);
    expect_near(deviation, 0.25 / sqrt(2));
    expect_near(interval, 0.125 * 12.7062047362);
    cr_assert_eq(omega, 0.1875);
    expect_near(omega_deviation, 0.0625 / sqrt(2));
    expect_near(omega_interval, 0.03125 * 12.7062047362);
    cr_assert_str_eq(rest + read, "\nfqt,4,1,1,0.5,,,0.125,,\n");
    free_outcome(&outcome);
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, json_says_the_same)
{
    char *folder = temporary_folder(), *path = collected(folder), *arguments = format_text("%s --format json", path);
    struct outcome outcome = run_verb(&cmd_table, folder, arguments);
    cJSON *json = cJSON_Parse(outcome.out), *rows = cJSON_GetObjectItem(json, "rows");
    cJSON *row = cJSON_GetArrayItem(rows, 1);
    cr_assert_eq(cJSON_GetArraySize(rows), 3);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(row, "allocator")), "qbitopt");
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(row, "budget")), 2.5);
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(row, "n")), 2);
    cJSON *accuracy = cJSON_GetObjectItem(row, "test_accuracy");
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(accuracy, "mean")), 0.75);
    expect_near(cJSON_GetNumberValue(cJSON_GetObjectItem(accuracy, "deviation")), 0.25 / sqrt(2));
    cr_assert(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(rows, 0), "budget")));
    cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(json, "skipped")), 1);
    cJSON_Delete(json);
    free_outcome(&outcome);
    free(arguments);

    arguments = format_text("%s --per-run --format json", path);
    outcome = run_verb(&cmd_table, folder, arguments);
    json = cJSON_Parse(outcome.out);
    cJSON *runs = cJSON_GetObjectItem(json, "runs");
    cr_assert_eq(cJSON_GetArraySize(runs), MADE);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 5), "status")), "diverged");
    cr_assert(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 5), "test_accuracy")));
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 0), "test_accuracy")), 0.9);
    cJSON_Delete(json);
    free_outcome(&outcome);
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, latex)
{
    char *folder = temporary_folder(), *path = collected(folder),
         *arguments = format_text("%s --by mode --metric test_accuracy,omega_uniform --format latex", path);
    expect_output(&cmd_table, folder, arguments,
        "\\begin{tabular}{lrrrr}\n\\toprule\n"
        "mode & n & failed & test accuracy \\% & omega\\_uniform \\\\\n\\midrule\n"
        "fp & 2 & 0 & 90.00 $\\pm$ 0.00 & - \\\\\n"
        "fqt & 3 & 1 & 66.67 $\\pm$ 19.09 & 3 \\\\\n"
        "\\bottomrule\n\\end{tabular}\n");
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, one_run_file)
{
    char *folder = temporary_folder();
    free(collected(folder));
    char *arguments = format_text("%s/demo/runs/%s.h5 --per-run --metric test_accuracy", folder, made_runs[1].id);
    struct outcome outcome = run_verb(&cmd_table, folder, arguments);
    cr_assert_not_null(strstr(outcome.out, "00000000000000a1     1  done              87.50\n"), "%s", outcome.out);
    free_outcome(&outcome);
    free(arguments);
    remove_folder(folder);
}

Test(table, bad_requests)
{
    static const struct { const char *options, *words; } table[] = {
        {"--format xml", "valid: text, json, csv, latex"}, {"--format", "needs a value"},
        {"--by nonsense", "mode, allocator, budget, seed"}, {"--metric nonsense", "test_accuracy"},
        {"--metric /no/such", "/no/such"}, {"--metric /settings/mode", "number"}, {"--per-run --by mode", "--by"},
        {"--what", "--what"}, {"second.h5", "second.h5"},
    };
    char *folder = temporary_folder(), *path = collected(folder);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *arguments = format_text("%s %s", path, table[i].options);
        expect_trouble(&cmd_table, folder, arguments, table[i].words);
        free(arguments);
    }
    expect_trouble(&cmd_table, folder, "--per-run", "no file");
    expect_trouble(&cmd_table, folder, "/no/such/file.h5", "/no/such/file.h5");
    free(path);
    remove_folder(folder);
}

/* ---- diff ----------------------------------------------------------------------------------- */

struct change { void (*apply)(struct record *); const char *line; }; /* "" if equal */

static const size_t four[] = {2, 2}, other_four[] = {4};

static struct record plain_record(void)
{
    static const double values[] = {1, NAN, 3, 4};
    static const float singles[] = {NAN, 0, 1, 2};
    static const char *const words[] = {"a", "b", "c", "d"};
    struct record record = made_record(&made_runs[0]);
    record_put(&record, "/x/values", RECORD_F64, 2, four, values, "s", "");
    record_put(&record, "/x/singles", RECORD_F32, 1, other_four, singles, "", "");
    record_put(&record, "/x/words", RECORD_TEXT, 2, four, words, "", "");
    record_int(&record, "/x/count", 5, "", "");
    return record;
}

static void same(struct record *record) { (void)record; }
static void timing(struct record *record) { record_real(record, "/timing/train_seconds", 99, "s", ""); }
static void provenance(struct record *record) { record_text(record, "/provenance/new", "x", ""); }
static void number(struct record *record) { record_int(record, "/x/count", -6, "", ""); }
static void extra(struct record *record) { record_int(record, "/x/extra", 1, "", ""); }
static void type(struct record *record) { record_real(record, "/x/count", 5, "", ""); }
static void zero_sign(struct record *record) { ((float *)record_find(record, "/x/singles")->data)[1] = -0.0f; }
static void other_nan(struct record *record) { ((float *)record_find(record, "/x/singles")->data)[0] = -NAN; }
static void real(struct record *record)
{
    ((double *)record_find(record, "/x/values")->data)[2] = nextafter(3, 4);
    ((double *)record_find(record, "/x/values")->data)[3] = 5;
}
static void word(struct record *record)
{
    static const char *const words[] = {"a", "B", "c", "d"};
    record_put(record, "/x/words", RECORD_TEXT, 2, four, words, "", "");
}
static void shape(struct record *record)
{
    static const char *const words[] = {"a", "b", "c", "d"};
    record_put(record, "/x/words", RECORD_TEXT, 1, other_four, words, "", "");
}
static void unit(struct record *record)
{
    static const double values[] = {1, NAN, 3, 4};
    record_put(record, "/x/values", RECORD_F64, 2, four, values, "ms", "");
}

static const struct change changes[] = {
    {same, ""}, {timing, ""}, {provenance, ""}, {other_nan, ""},
    {number, "/x/count: 5 | -6\n"},
    {extra, "/x/extra: only in %s/b.h5\n"},
    {type, "/x/count: type int64 | float64\n"},
    {zero_sign, "/x/singles[1] (1 of 4 differ): 0 | -0\n"},
    {real, "/x/values[1,0] (2 of 4 differ): 3 | 3.0000000000000004\n"},
    {word, "/x/words[0,1] (1 of 4 differ): 'b' | 'B'\n"},
    {shape, "/x/words: shape 2 x 2 | 4\n"},
    {unit, "/x/values: unit s | ms\n"},
};

Test(diff, finds_each_kind_of_difference)
{
    char *folder = temporary_folder(), *a = format_text("%s/a.h5", folder), *b = format_text("%s/b.h5", folder),
         *arguments = format_text("%s %s", a, b);
    struct error error;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct record left = plain_record(), right = plain_record();
        changes[i].apply(&right);
        cr_assert(store_write(a, &left, &error) && store_write(b, &right, &error), "%s", error.text);
        struct outcome outcome = run_verb(&cmd_diff, folder, arguments);
        char line[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, changes[i].line, folder);
#pragma GCC diagnostic pop
        cr_assert_eq(outcome.code, *line ? EXIT_TROUBLE : EXIT_DONE, "change %zu: %s", i, outcome.out);
        cr_assert_eq(strncmp(outcome.out, line, strlen(line)), 0, "change %zu: %s", i, outcome.out);
        const char *rest = outcome.out + strlen(line), *end = *line ? "different: 1 difference, " : "equal: ";
        cr_assert_eq(strncmp(rest, end, strlen(end)), 0, "change %zu: %s", i, outcome.out);
        free_outcome(&outcome);
        record_free(&left);
        record_free(&right);
    }
    free(arguments);
    free(a);
    free(b);
    remove_folder(folder);
}

Test(diff, all_compares_timing_too)
{
    char *folder = temporary_folder(), *a = format_text("%s/a.h5", folder), *b = format_text("%s/b.h5", folder),
         *arguments = format_text("%s %s --all --format json", a, b);
    struct record record = plain_record();
    struct error error;
    cr_assert(store_write(a, &record, &error));
    timing(&record);
    provenance(&record);
    cr_assert(store_write(b, &record, &error));
    struct outcome outcome = run_verb(&cmd_diff, folder, arguments);
    cr_assert_eq(outcome.code, EXIT_TROUBLE);
    cJSON *json = cJSON_Parse(outcome.out), *list = cJSON_GetObjectItem(json, "differences");
    cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(json, "equal")));
    cr_assert_eq(cJSON_GetArraySize(list), 2);
    cJSON *first = cJSON_GetArrayItem(list, 0), *second = cJSON_GetArrayItem(list, 1);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "path")), "/timing/train_seconds");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "a")), "1.5");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "b")), "99");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(second, "kind")), "only in b");
    cJSON_Delete(json);
    free_outcome(&outcome);
    record_free(&record);
    free(arguments);
    free(a);
    free(b);
    remove_folder(folder);
}

Test(diff, collected_files_are_matched_by_id)
{
    char *folder = temporary_folder(), *first = collected(folder), *second = format_text("%s/other.h5", folder),
         *both = format_text("%s %s", first, second);
    cr_assert_eq(rename(first, second), 0);
    free(collected(folder));
    struct outcome outcome = run_verb(&cmd_diff, folder, both);
    cr_assert_eq(outcome.code, EXIT_DONE, "%s", outcome.out);
    free_outcome(&outcome);

    /* One run less, one changed. */
    struct made changed = made_runs[1];
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct error error;
    char *path, *gone = format_text("%s/demo/runs/%s.h5", folder, made_runs[0].id);
    changed.mean_bits = 3;
    write_made(folder, &changed);
    cr_assert_eq(unlink(gone), 0);
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    outcome = run_verb(&cmd_diff, folder, both);
    cr_assert_eq(outcome.code, EXIT_TROUBLE);
    char *expected = format_text("00000000000000a1 /costs/mean_bits: 3 | 2.5\n00000000000000f1: only in %s\n"
                                 "different: 2 differences, ", second);
    cr_assert_eq(strncmp(outcome.out, expected, strlen(expected)), 0, "%s", outcome.out);
    free_outcome(&outcome);

    char *mixed = format_text("%s %s/demo/runs/%s.h5", first, folder, made_runs[1].id);
    expect_trouble(&cmd_diff, folder, mixed, "two of one kind");
    expect_trouble(&cmd_diff, folder, first, "two files");
    expect_trouble(&cmd_diff, folder, "a b c", "c");
    expect_trouble(&cmd_diff, folder, "a b --format csv", "csv");
    expect_trouble(&cmd_diff, folder, "/no/a.h5 /no/b.h5", "/no/a.h5");
    free(mixed);
    free(expected);
    free(gone);
    free(path);
    free_made_plan(&plan);
    free(first);
    free(second);
    free(both);
    remove_folder(folder);
}
