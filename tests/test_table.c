/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verb table, on made-up runs. */
#include "../results/store.h"
#include "made_runs.h"
#include "support.h"
#include "verbs.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct command cmd_table;

Test(table, per_run_csv)
{
    char *folder = temporary_folder(), *path = collected(folder),
         *arguments = format_text("%s --per-run --format csv", path);
    expect_output(&cmd_table, arguments,
        "id,dataset,model,mode,allocator,budget,seed,status,test_accuracy,mean_bits,test_loss,validation_accuracy,"
        "budget_miss,omega,omega_uniform,kendall_tau,regret,weight_bytes,bops,bops_train,train_seconds,allocator_seconds,"
        "allocating,wall_seconds,peak_memory_bytes,git_commit\n"
        "00000000000000f1,synthetic,mlp,fp,none,,1,done,0.9,32,,,,,,,,,,,1.5,,,2,,abc\n"
        "00000000000000a1,synthetic,mlp,fqt,qbitopt,2.5,1,done,0.875,2.5,,,0,0.21875,3,,,,,,1.5,,,2,,abc\n"
        "00000000000000b1,synthetic,mlp,fqt,qbitopt,4,1,done,0.5,4,,,0,0.125,3,,,,,,1.5,,,2,,abc\n"
        "00000000000000f2,synthetic,mlp,fp,none,,2,done,0.9,32,,,,,,,,,,,1.5,,,2,,abc\n"
        "00000000000000a2,synthetic,mlp,fqt,qbitopt,2.5,2,done,0.625,2.25,,,0,0.15625,3,,,,,,1.5,,,2,,abc\n"
        "00000000000000b2,synthetic,mlp,fqt,qbitopt,4,2,diverged,,,,,,,,,,,,,1.5,,,2,,abc\n");
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, means_as_text)
{
    char *folder = temporary_folder(), *path = collected(folder);
    expect_output(&cmd_table, path,
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
    struct outcome outcome = run_verb(&cmd_table, arguments);
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
    outcome_free(&outcome);
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, json_says_the_same)
{
    char *folder = temporary_folder(), *path = collected(folder), *arguments = format_text("%s --format json", path);
    struct outcome outcome = run_verb(&cmd_table, arguments);
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
    outcome_free(&outcome);
    free(arguments);

    arguments = format_text("%s --per-run --format json", path);
    outcome = run_verb(&cmd_table, arguments);
    json = cJSON_Parse(outcome.out);
    cJSON *runs = cJSON_GetObjectItem(json, "runs");
    cr_assert_eq(cJSON_GetArraySize(runs), MADE);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 5), "status")), "diverged");
    cr_assert(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 5), "test_accuracy")));
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 0), "test_accuracy")), 0.9);
    cJSON_Delete(json);
    outcome_free(&outcome);
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, latex)
{
    char *folder = temporary_folder(), *path = collected(folder),
         *arguments = format_text("%s --by mode --metric test_accuracy,omega_uniform --format latex", path);
    expect_output(&cmd_table, arguments,
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
    struct outcome outcome = run_verb(&cmd_table, arguments);
    cr_assert_not_null(strstr(outcome.out, "00000000000000a1     1  done              87.50\n"), "%s", outcome.out);
    outcome_free(&outcome);
    free(arguments);
    remove_folder(folder);
}

/* ---- budgets on costs ---- */

/* A run with these budgets; what explains it is there too. */
static struct record costed(const struct made *made, const char *budget, size_t count, const char *const *costs,
                            const double *limits, const double *achieved)
{
    struct record record = made_record(made);
    double misses[4];
    for (size_t b = 0; b < count; b++)
        misses[b] = achieved[b] > limits[b] ? achieved[b] - limits[b] : 0;
    record_text(&record, "/settings/budget", budget, "");
    record_put(&record, "/budgets/name", RECORD_TEXT, 1, &count, costs, "", "");
    record_put(&record, "/budgets/limit", RECORD_F64, 1, &count, limits, "", "");
    record_put(&record, "/budgets/achieved", RECORD_F64, 1, &count, achieved, "", "");
    record_put(&record, "/budgets/miss", RECORD_F64, 1, &count, misses, "", "");
    record_real(&record, "/explain/kendall_tau", 0.5, "", "");
    record_real(&record, "/explain/regret", made->accuracy / 100, "", "");
    record_real(&record, "/timing/allocator_share", 0.015, "", "");
    return record;
}

#define MOST 4

/* FOLDER/NAME.h5 of these runs, which it frees; free() it. */
static char *file_of(const char *folder, const char *name, struct record *runs, size_t count)
{
    const char *ids[MOST], *paths[MOST];
    struct error error;
    cr_assert_leq(count, MOST);
    for (size_t i = 0; i < count; i++) {
        ids[i] = made_runs[i].id;
        paths[i] = format_text("%s/%s.h5", folder, ids[i]);
        record_text(&runs[i], "/id", ids[i], "");
        cr_assert(store_write(paths[i], &runs[i], &error), "%s", error.text);
        record_free(&runs[i]);
    }
    char *path = format_text("%s/%s.h5", folder, name);
    cr_assert(store_collect(path, ids, paths, count, &(struct record){0}, &error), "%s", error.text);
    for (size_t i = 0; i < count; i++)
        free((char *)paths[i]);
    return path;
}

/* FOLDER/costs.h5: one run with two budgets that misses the second by a quarter, and one with a mean width; free() it. */
static char *costed_file(const char *folder)
{
    struct record runs[2] = {
        costed(&made_runs[1], "bops=25%,weight_bytes=1000", 2, (const char *const[]){"bops", "weight_bytes"},
               (const double[]){65536, 1000}, (const double[]){65000, 1250}),
        costed(&made_runs[2], "4", 1, (const char *const[]){"mean_bits"}, (const double[]){4}, (const double[]){3.75}),
    };
    return file_of(folder, "costs", runs, 2);
}

Test(table, budgets_on_costs)
{
    char *folder = temporary_folder(), *path = costed_file(folder),
         *arguments = format_text("%s --by budget --format latex", path);
    expect_output(&cmd_table, arguments,
                  "\\begin{tabular}{lrrrrrrrrrrrrr}\n\\toprule\n"
                  "budget & n & failed & test accuracy \\% & mean bits & bops & weight\\_bytes & omega & omega\\_uniform & "
                  "budget miss \\% & "
                  "Kendall tau & regret \\% & training s & allocating \\% \\\\\n\\midrule\n"
                  "bops=25\\%,weight\\_bytes=1000 & 1 & 0 & 87.50 $\\pm$ - & 2.500 & 65000 & 1250 & 0.2188 & 3 & 25 & 0.50 "
                  "& 0.88 & 1.50 & "
                  "1.50 \\\\\n"
                  "4 & 1 & 0 & 50.00 $\\pm$ - & 4.000 & - & - & 0.125 & 3 & 0 & 0.50 & 0.50 & 1.50 & 1.50 \\\\\n"
                  "\\bottomrule\n\\end{tabular}\n");
    free(arguments);

    arguments = format_text("%s --per-run --format csv", path);
    char *csv = output_of(&cmd_table, arguments), *rest = csv;
    static const char *const ends[] = {
        (",git_commit,bops_limit,bops_achieved,bops_miss,weight_bytes_limit,weight_bytes_achieved,weight_bytes_miss,"
         "mean_bits_limit,mean_bits_achieved,mean_bits_miss,relative_miss"),
        ",abc,65536,65000,0,1000,1250,250,,,,0.25", ",abc,,,,,,,4,3.75,0,0",
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *line = strsep(&rest, "\n");
        cr_assert(line && strlen(line) > strlen(ends[i]));
        cr_expect_str_eq(line + strlen(line) - strlen(ends[i]), ends[i]);
        cr_expect(i != 1 || strstr(line, ",\"bops=25%,weight_bytes=1000\","), "%s", line);
    }
    free(csv);
    free(arguments);

    arguments = format_text("%s --by seed --metric weight_bytes_miss,/budgets/achieved/bops --format csv", path);
    char *means = output_of(&cmd_table, arguments);
    cr_expect(strstr(means, "\n1,2,0,250,,,65000,,\n"), "%s", means);
    free(means);
    free(arguments);
    free(path);
    remove_folder(folder);
}

/* ---- incremental runs ---- */

/* FOLDER/tasks.h5: float runs of four seeds, whose orders of classes come from other seeds; the second half has the head
 * nme. free() it. */
static char *incremental_file(const char *folder, const char *first_order)
{
    static const char *const seeds[] = {"1", "2", "3", "4"}, *const orders[] = {NULL, "88801", "seed", "42467"};
    struct record runs[MOST];
    for (size_t i = 0; i < MOST; i++) {
        runs[i] = made_record(&made_runs[0]);
        record_text(&runs[i], "/settings/seed", seeds[i], "");
        record_text(&runs[i], "/settings/class_seed", i ? orders[i] : first_order, "");
        record_text(&runs[i], "/settings/strategy", i < 2 ? "lwf" : "icarl", "");
        record_real(&runs[i], "/metrics/cnn_average_accuracy", 0.8, "fraction", "");
        record_real(&runs[i], "/metrics/cnn_forgetting", 0.25, "fraction", "");
        if (i < 2)
            continue;
        record_real(&runs[i], "/metrics/nme_accuracy", 0.5 + 0.125 * (double)i, "fraction", "");
        record_real(&runs[i], "/metrics/nme_average_accuracy", 0.9, "fraction", "");
        record_real(&runs[i], "/metrics/nme_forgetting", 0.125, "fraction", "");
    }
    return file_of(folder, "tasks", runs, MOST);
}

Test(table, incremental_runs)
{
    char *folder = temporary_folder(), *path = incremental_file(folder, "42467"),
         *arguments = format_text("%s --format latex", path);
    expect_output(&cmd_table, arguments,
                  "\\begin{tabular}{lrrrrrrrrrrrrr}\n\\toprule\n"
                  "strategy & n & failed & test accuracy \\% & nme \\% & average \\% & nme average \\% & forgetting \\% & "
                  "nme forgetting \\% & mean bits & omega & omega\\_uniform & budget miss & training s \\\\\n\\midrule\n"
                  "lwf & 2 & 0 & 90.00 $\\pm$ 0.00 & - & 80.00 $\\pm$ 0.00 & - & 25.00 $\\pm$ 0.00 & - & 32.000 & "
                  "- & - & - & 1.50 \\\\\n"
                  "icarl & 2 & 0 & 90.00 $\\pm$ 0.00 & 81.25 $\\pm$ 8.84 & 80.00 $\\pm$ 0.00 & 90.00 $\\pm$ 0.00 & "
                  "25.00 $\\pm$ 0.00 & 12.50 $\\pm$ 0.00 & 32.000 & - & - & - & 1.50 \\\\\n"
                  "\\bottomrule\n\\end{tabular}\n");
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(table, orders_of_classes_count_as_seeds)
{
    char *folder = temporary_folder(), *path = incremental_file(folder, "42467"),
         *text = output_of(&cmd_table, path), *arguments = format_text("%s --per-run --metric test_accuracy", path);
    cr_expect_not(strstr(text, "class_seed"), "%s", text);
    char *runs = output_of(&cmd_table, arguments);
    cr_expect(strstr(runs, "  strategy  seed  class_seed  status") && strstr(runs, "  icarl        3        seed  done"),
              "%s", runs);
    free(runs);
    free(text);
    free(arguments);
    arguments = format_text("%s --by class_seed --metric test_accuracy --format csv", path);
    text = output_of(&cmd_table, arguments);
    cr_expect(strstr(text, "\n42467,2,0,0.9"), "%s", text);
    free(text);
    free(arguments);
    free(path);

    path = incremental_file(folder, "sorted");
    text = output_of(&cmd_table, path);
    cr_expect(strstr(text, "\nclass_seed  strategy  n") && strstr(text, "\nsorted      lwf       1"), "%s", text);
    free(text);
    free(path);
    remove_folder(folder);
}

Test(table, bad_requests)
{
    static const struct { const char *options, *words; } table[] = {
        {"--format xml", "valid: text, json, csv, latex"}, {"--format", "needs a value"},
        {"--by nonsense", "mode, allocator, budget, seed"}, {"--metric nonsense", "nme_forgetting"},
        {"--metric /no/such", "/no/such"}, {"--metric /settings/mode", "number"}, {"--per-run --by mode", "--by"},
        {"--what", "--what"}, {"second.h5", "second.h5"},
    };
    char *folder = temporary_folder(), *path = collected(folder);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *arguments = format_text("%s %s", path, table[i].options);
        expect_trouble(&cmd_table, arguments, EXIT_USAGE, table[i].words);
        free(arguments);
    }
    expect_trouble(&cmd_table, "--per-run", EXIT_USAGE, "no file");
    expect_trouble(&cmd_table, "/no/such/file.h5", EXIT_USAGE, "/no/such/file.h5");
    free(path);
    remove_folder(folder);
}
